/**
 * Circuits: connections to members through other members that relay.
 *
 * Every member that this node is linked with may know the way; the quickest that does is taken. What comes of it is an ordinary
 * connection of libp2p, encrypted from end to end: a relay cannot read it, nor pretend to be who is looked for.
 * Knows: whom to ask, and how to be found. Does not know: when a relay is needed.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { framesOf } from "./frames.ts";
import type { Link } from "./link.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import { RELAY } from "./relay.ts";
import type { Route, Routes } from "./routes.ts";
import type { Shares } from "./shares.ts";
import { StreamConnection } from "./stream-connection.ts";
import type { Ways } from "./ways.ts";

export interface CircuitsParts {
  readonly links: () => readonly Link[];
  readonly open: OpenStream;
  readonly ways: Ways;
  readonly routes: Routes;
  readonly shares: Shares;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A member that can relay. */
export interface Found {
  readonly relay: Key;
  /** There and back, to who is looked for. */
  readonly rttMs: number;
  readonly relays: number;
}

export class Circuits {
  readonly #parts: CircuitsParts;

  constructor(parts: CircuitsParts) {
    this.#parts = parts;
  }

  /**
   * The best relay to a member. The first answer sets the time that the others have: as long again.
   *
   * @param youngerMs only who has a younger link is asked
   */
  async find(key: Key, youngerMs: number = Number.POSITIVE_INFINITY): Promise<Found | undefined> {
    const asked = this.#parts
      .links()
      .filter(({ key: relay, facts }) => relay !== key && facts.via !== key && facts.ageMs < youngerMs)
      .toSorted((a, b) => a.facts.relays - b.facts.relays || (a.facts.usualRttMs ?? 0) - (b.facts.usualRttMs ?? 0))
      .slice(0, limits.relaysAsked);
    const found: Found[] = [];
    const { now } = this.#parts;
    const began = now();
    const enough = Promise.withResolvers<void>();
    const all = asked.map(async (link) => {
      const one = await this.#ask(link, key);
      if (one === undefined) return;
      found.push(one);
      if (found.length === 1) setTimeout(enough.resolve, now() - began);
    });
    await Promise.race([Promise.all(all), enough.promise]);
    return found.toSorted((a, b) => a.rttMs - b.rttMs)[0];
  }

  /** @throws when the relay or the member behind it does not want to, or not in time */
  async connect(key: Key, { relay, relays }: Found): Promise<Connection> {
    const { open, codec, ways } = this.#parts;
    const frames = framesOf((await open(relay, RELAY, limits.pathStepMs)).stream, limits.pathFrameBytes);
    try {
      await frames.write(codec.encodeRelayFrame({ kind: "reach", target: key, connect: true }), limits.pathStepMs);
      const answer = codec.decodeRelayFrame((await frames.read(2 * limits.pathStepMs)) ?? new Uint8Array());
      if (answer.kind !== "reached") throw refusal(answer);
      const socket = this.#socket(frames.release(), key, { relays, via: relay });
      return await ways.upgrade(socket, true, AbortSignal.timeout(limits.helloDeadlineMs));
    } catch (error) {
      frames.abort(reasonOf(error));
      throw error;
    }
  }

  /** A relay tells that somebody looks for this node. Nothing throws: what goes wrong ends the stream. */
  async answer({ key: relay, stream }: MemberStream): Promise<void> {
    const { codec, ways, log } = this.#parts;
    const frames = framesOf(stream, limits.pathFrameBytes);
    try {
      const call = codec.decodeRelayFrame((await frames.read(limits.pathStepMs)) ?? new Uint8Array());
      if (call.kind !== "call") return frames.abort("malformed");
      const { from, relays } = call;
      await frames.write(codec.encodeRelayFrame({ kind: "reached", rttMs: 0, relays }), limits.pathStepMs);
      // Whether that is who calls, and may come in, is proved as on any other connection.
      const socket = this.#socket(frames.release(), from, { relays, via: relay });
      await ways.upgrade(socket, false, AbortSignal.timeout(limits.helloDeadlineMs));
    } catch (error) {
      log.event("debug", "circuit.failed", { relay, why: reasonOf(error) });
      frames.abort("failed");
    }
  }

  async #ask(link: Link, target: Key): Promise<Found | undefined> {
    const { open, codec } = this.#parts;
    try {
      const frames = framesOf((await open(link.key, RELAY, limits.pathStepMs)).stream, limits.pathFrameBytes);
      await frames.write(codec.encodeRelayFrame({ kind: "reach", target, connect: false }), limits.pathStepMs);
      const answer = codec.decodeRelayFrame((await frames.read(limits.pathStepMs)) ?? new Uint8Array());
      await frames.close(limits.pathStepMs);
      if (answer.kind !== "reached") return undefined;
      return { relay: link.key, rttMs: (link.facts.usualRttMs ?? 0) + answer.rttMs, relays: answer.relays };
    } catch (error) {
      this.#parts.log.event("debug", "relay.silent", { peer: link.key, why: reasonOf(error) });
      return undefined;
    }
  }

  #socket(stream: Stream, member: Key, route: Route & { readonly via: Key }): StreamConnection {
    const { routes, shares } = this.#parts;
    return new StreamConnection(stream, routes.address(member, route), (bytes) => shares.earn(route.via, bytes));
  }
}

function refusal(answer: { readonly kind: string; readonly reason?: string }): CairnError {
  return new CairnError("peer-absent", { why: `relay: ${answer.reason ?? answer.kind}` });
}
