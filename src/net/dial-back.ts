/**
 * Dialling back: a member asks another to connect to it, and learns from the connection that comes, not from what it is told, that it did.
 *
 * The idea is AutoNAT v2's (libp2p specs, autonat/autonat-v2.md): a random number goes out with the question and comes back on the new
 * connection. docs/protocol/reachability.md.
 * Knows: one question and its answer, on both sides. Does not know: what follows from it.
 */
import { randomBytes } from "node:crypto";
import net from "node:net";
import { multiaddr } from "@multiformats/multiaddr";
import { Attempts, CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { NetworkCodec, ReachFrame } from "../wire/index.ts";
import { abortConnection } from "./abort-connection.ts";
import { isUsable } from "./addresses.ts";
import { framesOf, openFrames } from "./frames.ts";
import type { Gate } from "./gate.ts";
import { sayHello } from "./handshake.ts";
import type { InterfaceAddress } from "./interfaces.ts";
import type { Node } from "./libp2p.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import { peerIdOf } from "./peer-id.ts";
import type { Routes } from "./routes.ts";
import { ipOf, placeOf, travels } from "./scopes.ts";
import type { Serve } from "./serving.ts";

/** Asked of a member. */
export const PROBE = "/cairn/probe/1";
/** Opened by that member on the connection that it was asked for. */
const DIAL_BACK = "/cairn/dial-back/1";

/** All addresses one after the other, and the data plane's port. */
const ANSWER_MS: number = (limits.probedAddresses + 1) * limits.probeDialMs + limits.pathStepMs;

export interface DialBackParts {
  readonly libp2p: Node;
  readonly gate: Gate;
  readonly roster: Roster;
  readonly routes: Routes;
  readonly open: OpenStream;
  readonly codec: NetworkCodec;
  /** Addresses of this machine. */
  readonly interfaces: () => readonly InterfaceAddress[];
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface Probed {
  /** Those of the addresses where the member came through. */
  readonly reached: readonly string[];
  /** Whether it came through to the data plane's port; undefined when there is none. */
  readonly data: boolean | undefined;
}

export class DialBack {
  readonly #parts: DialBackParts;
  /** Numbers that are waited for → how often each has come back. */
  readonly #waiting = new Map<string, number>();
  readonly #asked: Attempts;

  constructor(parts: DialBackParts) {
    this.#parts = parts;
    this.#asked = new Attempts(parts, { perPlace: limits.probesPerMember, perMinute: limits.probesPerMinute });
  }

  async serve(serve: Serve): Promise<void> {
    await serve(PROBE, 2, (asked) => void this.#answer(asked));
    await serve(DIAL_BACK, 1, (called) => void this.#called(called));
  }

  /**
   * Asks a member to connect to this node at each address.
   *
   * @param addresses limits.probedAddresses at most
   * @param dataPort 0 when the data plane does not listen
   * @throws {CairnError} peer-absent when it does not want to; and whatever breaks the stream
   */
  async ask(key: Key, addresses: readonly string[], dataPort: number): Promise<Probed> {
    const { open, codec } = this.#parts;
    const nonce = randomBytes(16).toString("hex");
    const frames = framesOf((await open(key, PROBE, limits.pathStepMs)).stream, limits.pathFrameBytes);
    this.#waiting.set(nonce, 0);
    try {
      await frames.write(codec.encodeReachFrame({ kind: "probe", nonce, addresses, dataPort }), limits.pathStepMs);
      const answer = codec.decodeReachFrame((await frames.read(ANSWER_MS)) ?? new Uint8Array());
      if (answer.kind !== "probed") throw new CairnError("peer-absent", { why: answer.kind === "refused" ? answer.reason : answer.kind });
      // It may say that it came through only as often as it did.
      const came = this.#waiting.get(nonce) ?? 0;
      const reached = answer.reached.slice(0, came).flatMap((index) => addresses[index] ?? []);
      return { reached, data: dataPort === 0 ? undefined : answer.data };
    } finally {
      this.#waiting.delete(nonce);
      frames.abort("done");
    }
  }

  /** A member wants to be dialled. Nothing throws: what goes wrong ends the stream. */
  async #answer({ key, stream, connection }: MemberStream): Promise<void> {
    const { codec, log } = this.#parts;
    const frames = framesOf(stream, limits.pathFrameBytes);
    try {
      const asked = codec.decodeReachFrame((await frames.read(limits.pathStepMs)) ?? new Uint8Array());
      const answer =
        asked.kind === "probe" && !this.#asked.tooMany(key)
          ? await this.#probe(key, connection.remoteAddr.toString(), asked)
          : ({ kind: "refused", reason: asked.kind === "probe" ? "too-often" : "malformed" } as const);
      await frames.write(codec.encodeReachFrame(answer), limits.pathStepMs);
      await frames.close(limits.pathStepMs);
    } catch (error) {
      log.event("debug", "probe.answer-failed", { peer: key, why: reasonOf(error) });
      frames.abort("failed");
    }
  }

  async #probe(key: Key, from: string, { nonce, addresses, dataPort }: Extract<ReachFrame, { kind: "probe" }>): Promise<ReachFrame> {
    const { interfaces, log } = this.#parts;
    // Only where this node would dial the member anyway: nobody is sent to somebody else's neighbours.
    const place = placeOf(from, interfaces());
    const mayDial = (address: string): boolean => isUsable(address) && ipOf(address) !== undefined && travels(address, place);
    const reached: number[] = [];
    let data = false;
    for (const [index, address] of addresses.entries()) {
      if (!mayDial(address)) continue;
      try {
        await this.#dial(key, address, nonce);
        reached.push(index);
      } catch (error) {
        log.event("debug", "probe.failed", { peer: key, address, why: reasonOf(error) });
      }
    }
    for (const ip of new Set(addresses.filter(mayDial).map(ipOf))) data ||= dataPort > 0 && (await accepts(ip ?? "", dataPort));
    return { kind: "probed", reached, data };
  }

  /** A connection of its own, on which the number is said and nothing else. @throws when there is none */
  async #dial(key: Key, address: string, nonce: string): Promise<void> {
    const { libp2p, gate, roster, codec } = this.#parts;
    const signal = AbortSignal.timeout(limits.probeDialMs);
    const connection = await libp2p.services.dialler.dial(multiaddr(`${address}/p2p/${peerIdOf(key).toString()}`), signal);
    try {
      const answer = await sayHello(connection, codec, { kind: "member", network: roster.network, proof: roster.proof() });
      if (answer.kind === "refused") throw new CairnError("peer-absent", { why: answer.reason });
      gate.prove(connection, key);
      const frames = await openFrames(connection, DIAL_BACK, limits.pathFrameBytes, limits.probeDialMs);
      await frames.write(codec.encodeReachFrame({ kind: "dial-back", nonce }), limits.probeDialMs);
      await frames.close(limits.probeDialMs);
      await frames.read(limits.probeDialMs); // Until the other side has closed, too: it has read the number.
    } finally {
      connection.close({ signal: AbortSignal.timeout(limits.linkFlushMs) }).catch(() => abortConnection(connection, new Error("over")));
    }
  }

  /** A member has dialled; whether it was asked to, the number tells. */
  async #called({ key, stream, connection }: MemberStream): Promise<void> {
    const { codec, routes, log } = this.#parts;
    const frames = framesOf(stream, limits.pathFrameBytes);
    try {
      const said = codec.decodeReachFrame((await frames.read(limits.pathStepMs)) ?? new Uint8Array());
      const before = said.kind === "dial-back" ? this.#waiting.get(said.nonce) : undefined;
      const isNew = connection.direction === "inbound" && routes.of(connection).relays === 0;
      if (said.kind !== "dial-back" || before === undefined || !isNew) return frames.abort("nobody asked");
      this.#waiting.set(said.nonce, before + 1);
      await frames.close(limits.pathStepMs);
    } catch (error) {
      log.event("debug", "probe.call-failed", { peer: key, why: reasonOf(error) });
      frames.abort("failed");
    }
  }
}

/** Whether something takes TCP connections there. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: limits.probeDialMs });
    const end = (accepted: boolean) => (): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
  });
}
