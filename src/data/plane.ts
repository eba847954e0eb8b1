/**
 * The data plane of a node: opens streams to members, and gives those that members open to the services that they ask for.
 *
 * Knows: which way to a member works, how many streams there are, and how each of them began and ended; each is an event.
 * Does not know: sockets, or what services say.
 */
import { setTimeout as pause } from "node:timers/promises";
import { asError, CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { DataPath, DataPlane, DataRequest, DataStream, DataVerdict } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { Carrier } from "./carriers.ts";
import { readOpening, writeOpening } from "./openings.ts";
import { Ways } from "./ways.ts";

export interface PlaneParts {
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  readonly isMember: (key: Key) => boolean;
  /** The best first. */
  readonly carriers: readonly Carrier[];
}

type Judge = (request: DataRequest, signal: AbortSignal) => Promise<DataVerdict>;

interface Live {
  readonly stream: DataStream;
  readonly since: number;
  /** "" until it is known. */
  service: string;
}

/** Streams of one member: those that are open, all there were, bytes of all of them, and how the last one travelled. */
export interface DataTraffic {
  readonly open: number;
  readonly total: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly path: DataPath;
}

export class Plane implements DataPlane {
  readonly #parts: PlaneParts;
  readonly #judges = new Map<string, Judge>();
  readonly #live = new Set<Live>();
  readonly #ended = new Map<Key, DataTraffic>();
  readonly #ways: Ways;

  constructor(parts: PlaneParts) {
    this.#parts = parts;
    this.#ways = new Ways(parts);
  }

  async open(request: DataRequest, signal: AbortSignal, only?: DataPath): Promise<DataStream> {
    const { codec, isMember } = this.#parts;
    const { key, service } = request;
    if (!isMember(key)) throw new CairnError("peer-absent", { why: "not a member" });
    if (this.#isFull(key)) throw new CairnError("limit-exceeded", { what: "number of streams" });
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(limits.dataOpenDeadlineMs)]);
    const stream = await this.#connect(key, inTime, only);
    this.#watch(stream, service, "outbound");
    try {
      writeOpening(stream.bytes, codec.encodeDataOpen(request));
      const answer = codec.decodeDataAnswer(await readOpening(stream.bytes, inTime));
      if (answer.kind === "refused") throw new CairnError("data-refused", { why: answer.reason });
      if (!isMember(key)) throw new CairnError("peer-absent", { why: "not a member" });
      return stream;
    } catch (error) {
      stream.bytes.destroy();
      if (error instanceof CairnError) throw error;
      throw new CairnError("peer-absent", { why: reasonOf(error) }, error);
    }
  }

  serve(service: string, judge: Judge): void {
    this.#judges.set(service, judge);
  }

  /** Takes a stream that a member has opened. */
  admit(stream: DataStream): void {
    if (!this.#parts.isMember(stream.key) || this.#isFull(stream.key)) {
      this.#parts.log.event("warn", "data.refused", { peer: stream.key, path: stream.path, why: "no member, or too many streams" });
      stream.bytes.destroy();
      return;
    }
    this.#answer(stream).catch((error: unknown) => {
      this.#parts.log.event("info", "data.failed", { peer: stream.key, path: stream.path, why: reasonOf(error) });
      stream.bytes.destroy();
    });
  }

  /** Ends every stream of members who are none any more. */
  cut(): void {
    for (const { stream } of this.#live) if (!this.#parts.isMember(stream.key)) stream.bytes.destroy();
  }

  /** A member may be elsewhere now, or be reached in another way. */
  forget(key: Key): void {
    this.#ways.forget(key);
  }

  /** What passed between this node and each member, streams that are open included. */
  traffic(): Map<Key, DataTraffic> {
    const all = new Map(this.#ended);
    for (const { stream } of this.#live) all.set(stream.key, sum(all.get(stream.key), stream, 1));
    return all;
  }

  [Symbol.dispose](): void {
    for (const { stream } of this.#live) stream.bytes.destroy();
  }

  /** The first way that works. The next one begins when those before it have failed, or have had their head start. */
  async #connect(key: Key, signal: AbortSignal, only: DataPath | undefined): Promise<DataStream> {
    const attempts: Promise<DataStream>[] = [];
    const given = Promise.withResolvers<never>();
    given.promise.catch(() => undefined);
    const up = (): void => given.reject(asError(signal.reason));
    signal.addEventListener("abort", up);
    let first: DataStream | undefined;
    try {
      for (const carrier of this.#ways.to(key)) {
        if (only !== undefined && carrier.path !== only) continue;
        attempts.push(this.#try(carrier, key));
        const enough = new AbortController();
        const headStart = pause(this.#ways.headStartMs(key, carrier.path), undefined, { signal: enough.signal }).catch(() => undefined);
        const any = Promise.any(attempts).catch(() => undefined);
        first = await Promise.race([any, headStart, given.promise]);
        enough.abort();
        if (first !== undefined) return first;
      }
      first = await Promise.race([Promise.any(attempts), given.promise]);
      return first;
    } catch (error) {
      const failure: unknown = error instanceof AggregateError ? error.errors.at(-1) : error;
      if (failure instanceof CairnError) throw failure;
      throw new CairnError("peer-absent", { why: reasonOf(failure) }, failure);
    } finally {
      signal.removeEventListener("abort", up);
      // The others end by themselves; that they do work is worth knowing.
      for (const attempt of attempts) attempt.then((other) => other !== first && other.bytes.destroy()).catch(() => undefined);
    }
  }

  async #try(carrier: Carrier, key: Key): Promise<DataStream> {
    try {
      const stream = await carrier.connect(key, AbortSignal.timeout(limits.dataOpenDeadlineMs));
      this.#ways.worked(key, carrier.path);
      return stream;
    } catch (error) {
      this.#ways.failed(key, carrier.path);
      this.#parts.log.event("info", "data.dial-failed", { peer: key, path: carrier.path, why: reasonOf(error) });
      throw error;
    }
  }

  async #answer(stream: DataStream): Promise<void> {
    const { codec } = this.#parts;
    const gone = new AbortController();
    stream.bytes.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(limits.dataOpenDeadlineMs)]);
    const live = this.#watch(stream, "", "inbound");
    const opening = codec.decodeDataOpen(await readOpening(stream.bytes, signal));
    live.service = opening.service;
    const judge = this.#judges.get(opening.service);
    const unknown: DataVerdict = { kind: "refused", reason: "no-such-service" };
    const verdict = judge === undefined ? unknown : await judge({ key: stream.key, ...opening }, signal);
    if (!stream.bytes.destroyed) writeOpening(stream.bytes, codec.encodeDataAnswer(verdict));
    // Also of a stream that has ended meanwhile: the service may hold something for it.
    if (verdict.kind === "ready") return verdict.begin(stream);
    this.#parts.log.event("info", "data.refused", { peer: stream.key, service: opening.service, why: verdict.reason });
    stream.bytes.end();
    stream.bytes.resume();
    setTimeout(() => stream.bytes.destroy(), limits.linkFlushMs).unref();
  }

  #isFull(key: Key): boolean {
    const ofMember = [...this.#live].filter(({ stream }) => stream.key === key).length;
    return this.#live.size >= limits.dataStreams || ofMember >= limits.dataStreamsPerMember;
  }

  #watch(stream: DataStream, service: string, direction: "inbound" | "outbound"): Live {
    const { log, now } = this.#parts;
    const live: Live = { stream, service, since: now() };
    const { key: peer, path, address } = stream;
    this.#live.add(live);
    log.event("debug", "data.opened", { peer, path, address, service, direction });
    let why = "ended";
    stream.bytes.once("error", (error: Error) => {
      why = reasonOf(error);
    });
    stream.bytes.once("close", () => {
      this.#live.delete(live);
      this.#ended.set(peer, sum(this.#ended.get(peer), stream, 0));
      const { bytesIn, bytesOut } = stream;
      log.event("debug", "data.closed", {
        peer,
        path,
        address,
        service: live.service,
        direction,
        why,
        afterMs: Math.round(now() - live.since),
        bytesIn,
        bytesOut,
      });
    });
    return live;
  }
}

function sum(before: DataTraffic | undefined, { bytesIn, bytesOut, path }: DataStream, open: 0 | 1): DataTraffic {
  return {
    open: (before?.open ?? 0) + open,
    total: (before?.total ?? 0) + 1,
    bytesIn: (before?.bytesIn ?? 0) + bytesIn,
    bytesOut: (before?.bytesOut ?? 0) + bytesOut,
    path,
  };
}
