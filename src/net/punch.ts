/**
 * Punching: a direct TCP connection between two members behind routers that let nothing in.
 *
 * Each knows from a member outside at what address one of its local ports is seen, and over the relayed link both tell each other. Who is
 * asked sets out first, then answers; its packet comes through at once or is dropped, but the way back is open now. Then the other sets
 * out. Nothing depends on clocks, or on both doing something at the same instant. docs/protocol/paths.md says what works behind which NAT.
 * Knows: what to tell, and in which order to do what. Does not know: when it is worth trying.
 */
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { NetworkCodec, PunchFrame } from "../wire/index.ts";
import { isUsable } from "./addresses.ts";
import { type Frames, framesOf } from "./frames.ts";
import type { Link } from "./link.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import { peerIdOf } from "./peer-id.ts";
import { Rendezvous } from "./rendezvous.ts";
import type { Ways } from "./ways.ts";

/** Asks a member where this node is seen. */
export const WHOAMI = "/cairn/whoami/1";
export const PUNCH = "/cairn/punch/1";

const MINUTE_MS = 60_000;

export interface PunchParts {
  readonly ways: Ways;
  readonly open: OpenStream;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Where this node listens. */
  readonly listening: () => readonly string[];
  /** Makes a link of a connection that this node began. */
  readonly greet: (connection: Connection, key: Key) => Promise<void>;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A port of this node as a member sees it. */
interface Seen {
  readonly address: string;
  readonly localPort: number;
  readonly connection: Connection;
}

/** An attempt to meet a member at a port. */
interface Meeting extends Disposable {
  /** Rejects when nothing has come of it in time. */
  readonly connection: Promise<Connection>;
  listen(): Promise<void>;
  /** Goes out to meet as well. */
  connect(address: string): void;
}

export class Puncher {
  readonly #parts: PunchParts;
  /** By the member who told. */
  readonly #seen = new Map<Key, Seen>();
  /** When members asked in the last minute. */
  readonly #asked = new Map<Key, number[]>();

  constructor(parts: PunchParts) {
    this.#parts = parts;
  }

  /** Asks a member to whom this node has dialled where it sees this node. */
  async learn({ key, connection, facts }: Link): Promise<void> {
    const { ways, open, codec, log } = this.#parts;
    const localPort = ways.localPort(connection);
    if (facts.relays > 0 || localPort === undefined) return;
    try {
      const asked = await open(key, WHOAMI, limits.pathStepMs);
      const frames = framesOf(asked.stream, limits.pathFrameBytes);
      const bytes = await frames.read(limits.pathStepMs);
      await frames.close(limits.pathStepMs);
      if (bytes === undefined || asked.connection !== connection) return;
      const address = codec.decodeSeen(bytes);
      if (!isMeetingPlace(address)) return;
      this.#seen.set(key, { address, localPort, connection });
      log.event("info", "address.seen", { by: key, address, localPort });
    } catch (error) {
      log.event("debug", "address.not-seen", { by: key, why: reasonOf(error) });
    }
  }

  /** Where members see connections that this node dialled come from. */
  seen(): string[] {
    return [...this.#seen.values()].map(({ address }) => address);
  }

  /** Tells a member where it is seen from here. */
  async tell({ stream, connection }: MemberStream): Promise<void> {
    const frames = framesOf(stream, limits.pathFrameBytes);
    try {
      await frames.write(this.#parts.codec.encodeSeen(connection.remoteAddr.decapsulate("/p2p").toString()), limits.pathStepMs);
      await frames.close(limits.pathStepMs);
    } catch {
      frames.abort("failed");
    }
  }

  /**
   * Tries once to reach a member directly with whom there is a relayed link.
   *
   * @returns undefined when there is a direct link now, else why not
   */
  async punch(link: Link): Promise<string | undefined> {
    const { open, greet } = this.#parts;
    const { key, facts } = link;
    const seen = this.#bestSeen(facts.via);
    if (seen === undefined) return "no member outside has seen this node";
    try {
      const frames = framesOf((await open(key, PUNCH, limits.pathStepMs)).stream, limits.pathFrameBytes);
      using meeting = this.#meeting(key, seen, true);
      try {
        await meeting.listen(); // The other side sets out before it answers.
        await this.#write(frames, { kind: "seen", address: seen.address });
        const answer = await this.#read(frames);
        if (answer.kind !== "seen") return answer.reason;
        meeting.connect(answer.address);
        await greet(await meeting.connection, key);
        return undefined;
      } finally {
        frames.abort("over");
      }
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** A member wants to try. Nothing throws: what goes wrong ends the stream. */
  async answer({ key, stream }: MemberStream): Promise<void> {
    const frames = framesOf(stream, limits.pathFrameBytes);
    try {
      const seen = this.#bestSeen(undefined);
      const reason = this.#isTooOften(key) ? "too-often" : seen === undefined ? "nothing-seen" : undefined;
      const asked = await this.#read(frames);
      if (asked.kind !== "seen" || seen === undefined || reason !== undefined) {
        await this.#write(frames, { kind: "refused", reason: reason ?? "malformed" });
        return await frames.close(limits.pathStepMs);
      }
      using meeting = this.#meeting(key, seen, false);
      meeting.connect(asked.address);
      await setImmediate(); // The attempt is on its way before the answer is.
      await this.#write(frames, { kind: "seen", address: seen.address });
      await meeting.connection; // The other side says hello on it.
    } catch (error) {
      this.#parts.log.event("debug", "punch.answer-failed", { peer: key, why: reasonOf(error) });
      frames.abort("failed");
    }
  }

  /** One that translates addresses before one that does not; as the relay of the link sees this node before as others do. */
  #bestSeen(via: Key | undefined): Seen | undefined {
    for (const [key, { connection }] of this.#seen) if (connection.status !== "open") this.#seen.delete(key);
    const own = this.#parts.listening().map(ipIn);
    const rank = ([key, { address }]: [Key, Seen]): number => (own.includes(ipIn(address)) ? 2 : 0) + (key === via ? 0 : 1);
    return [...this.#seen].toSorted((a, b) => rank(a) - rank(b))[0]?.[1];
  }

  /** The first connection with a member at a port of this node, if there is one in time. */
  #meeting(key: Key, { localPort, address: own }: Seen, initiator: boolean): Meeting {
    const found = Promise.withResolvers<Connection>();
    const deadline = AbortSignal.timeout(limits.punchMs);
    const late = (): void => found.reject(new CairnError("peer-unreachable", { why: "no packet gets through" }));
    deadline.addEventListener("abort", late);
    found.promise.catch(() => undefined); // Whoever waits for it may have given up before.
    const peer = peerIdOf(key).toString();
    const take = async (socket: Socket): Promise<void> => {
      try {
        const address = multiaddr(`${addressOf(socket)}/p2p/${peer}`);
        found.resolve(await this.#parts.ways.upgradeSocket(socket, address, initiator, deadline));
      } catch (error) {
        socket.destroy();
        this.#parts.log.event("debug", "punch.socket-failed", { peer: key, why: reasonOf(error) });
      }
    };
    const rendezvous = new Rendezvous(take, { localPort, family: own.startsWith("/ip4/") ? 4 : 6 });
    return {
      connection: found.promise,
      listen: () => rendezvous.listen(),
      connect: (address) => {
        if (!isMeetingPlace(address)) return found.reject(new CairnError("frame-invalid", { what: "address", why: "no place to meet" }));
        const [, , host = "", , port] = address.split("/");
        void rendezvous.connect(host, Number(port));
      },
      [Symbol.dispose]: () => {
        deadline.removeEventListener("abort", late);
        rendezvous[Symbol.dispose]();
      },
    };
  }

  async #write(frames: Frames, frame: PunchFrame): Promise<void> {
    await frames.write(this.#parts.codec.encodePunchFrame(frame), limits.pathStepMs);
  }

  async #read(frames: Frames): Promise<PunchFrame> {
    return this.#parts.codec.decodePunchFrame((await frames.read(limits.pathStepMs)) ?? new Uint8Array());
  }

  #isTooOften(key: Key): boolean {
    const now = this.#parts.now();
    const lately = (this.#asked.get(key) ?? []).filter((at) => now - at < MINUTE_MS);
    this.#asked.delete(key);
    this.#asked.set(key, [...lately, now].slice(-limits.punchesPerMinute - 1));
    for (const eldest of this.#asked.keys()) {
      if (this.#asked.size <= limits.peers) break;
      this.#asked.delete(eldest);
    }
    return lately.length >= limits.punchesPerMinute;
  }
}

/** Where a socket leads. */
function addressOf({ remoteFamily, remoteAddress, remotePort }: Socket): string {
  return `/${remoteFamily === "IPv6" ? "ip6" : "ip4"}/${remoteAddress}/tcp/${remotePort}`;
}

function ipIn(address: string): string {
  return address.split("/")[2] ?? "";
}

/** Where a member may send this node: no address of this machine alone, and none that stands for many. */
function isMeetingPlace(address: string): boolean {
  return (
    isUsable(address) &&
    /^\/ip[46]\//.test(address) &&
    !/^\/ip4\/(0|127|169\.254|22[4-9]|2[3-5]\d)\.|^\/ip6\/(::1?\/|fe80:|ff)/.test(address)
  );
}
