/**
 * One member that gives chunks of a blob, as who fetches it sees it: what it has, what it is asked for, what comes.
 *
 * Knows: the stream. Does not know: other members, or whether a chunk is right.
 */
import { CairnError, type Digest, type Key, limits, reasonOf } from "../base/index.ts";
import type { DataStream } from "../contracts/index.ts";
import type { NetworkCodec, SwarmGive } from "../wire/index.ts";
import { ChunkSet, chunkLength } from "./chunk-set.ts";
import { SwarmFrames } from "./swarm-frames.ts";

export interface SourceEvents {
  /** It has more than before, or has said what it has. */
  has(source: SwarmSource, chunks: readonly number[]): void;
  list(source: SwarmSource, hashes: Uint8Array): void;
  /** A chunk that it was asked for. */
  chunk(source: SwarmSource, chunk: number, bytes: Buffer): void;
  peers(keys: readonly Key[]): void;
  /** It gives nothing any more. */
  ended(source: SwarmSource, why: string): void;
}

export class SwarmSource {
  readonly has: ChunkSet;
  readonly asked: Set<number> = new Set<number>();
  /** Has said what it has. */
  isReady = false;
  /** Had all of it from the beginning. */
  isSeeder = false;
  /** SHA-256 of the chunk list that it goes by, as far as it has said. */
  listDigest: Digest | undefined;
  /** When it last gave something, ms, monotonic. */
  gaveAt: number;
  readonly #events: SourceEvents;
  readonly #stream: DataStream;
  readonly #codec: NetworkCodec;
  readonly #size: number;
  readonly #now: () => number;
  /** Not wanted any more; they may be under way. */
  readonly #cancelled = new Set<number>();
  #coming = 0;
  #hasEnded = false;
  /** Was asked for its chunk list, and makes it now. */
  isListWanted = false;

  constructor(
    parts: { stream: DataStream; codec: NetworkCodec; now: () => number },
    blob: { size: number; chunks: number },
    events: SourceEvents,
  ) {
    this.#stream = parts.stream;
    this.#codec = parts.codec;
    this.#now = parts.now;
    this.#size = blob.size;
    this.has = new ChunkSet(blob.chunks);
    this.gaveAt = parts.now();
    this.#events = events;
    const frames = new SwarmFrames({
      frame: (bytes) => this.#take(this.#codec.decodeSwarmGive(bytes), events),
      body: (bytes) => {
        this.gaveAt = this.#now();
        if (this.asked.delete(this.#coming)) events.chunk(this, this.#coming, bytes);
        else if (!this.#cancelled.delete(this.#coming)) throw new CairnError("frame-invalid", { what: "a chunk that nobody wants" });
        else events.chunk(this, this.#coming, bytes);
      },
    });
    const { bytes } = parts.stream;
    bytes
      .on("data", (data: Buffer) => {
        try {
          if (!this.#hasEnded) frames.push(data);
        } catch (error) {
          if (!(error instanceof CairnError)) throw error;
          this.end(reasonOf(error));
        }
      })
      .on("error", (error: Error) => this.end(reasonOf(error)))
      .once("end", () => this.end("closed by peer"))
      .once("close", () => this.end("closed"));
    if (bytes.destroyed) queueMicrotask(() => this.end("closed"));
  }

  /** Was asked and has given nothing for a while. */
  get isSlow(): boolean {
    return this.asked.size > 0 && this.#now() - this.gaveAt > limits.swarm.slowMs;
  }

  get key(): Key {
    return this.#stream.key;
  }

  askForList(): void {
    this.isListWanted = true;
    this.gaveAt = this.#now();
    this.#write(this.#codec.encodeSwarmWant({ kind: "list" }));
  }

  ask(chunk: number): void {
    if (this.asked.size === 0) this.gaveAt = this.#now();
    this.asked.add(chunk);
    this.#cancelled.delete(chunk);
    this.#write(this.#codec.encodeSwarmWant({ kind: "chunk", chunk }));
  }

  cancel(chunk: number): void {
    if (!this.asked.delete(chunk)) return;
    this.#cancelled.add(chunk);
    this.#write(this.#codec.encodeSwarmWant({ kind: "cancel", chunk }));
  }

  end(why: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stream.bytes.destroy();
    this.#events.ended(this, why);
  }

  #write(frame: Uint8Array): void {
    if (!this.#stream.bytes.destroyed) this.#stream.bytes.write(frame);
  }

  /** @returns bytes of a chunk that follow. @throws {CairnError} frame-invalid */
  #take(give: SwarmGive, events: SourceEvents): number {
    switch (give.kind) {
      case "state":
        this.#state(give);
        events.has(this, []);
        return 0;
      case "have":
        // Nothing twice: so there is an end to it.
        if (!this.isReady || give.chunks.some((chunk) => chunk >= this.has.chunks || this.has.has(chunk)))
          throw new CairnError("frame-invalid", { what: "have" });
        for (const chunk of give.chunks) this.has.add(chunk);
        events.has(this, give.chunks);
        return 0;
      case "list":
        if (!this.isListWanted) throw new CairnError("frame-invalid", { what: "list" });
        this.isListWanted = false;
        events.list(this, give.hashes);
        return 0;
      case "peers":
        events.peers(give.keys);
        return 0;
      case "chunk":
        if (give.chunk >= this.has.chunks || give.length !== chunkLength(this.#size, give.chunk))
          throw new CairnError("frame-invalid", { what: "length of a chunk" });
        this.#coming = give.chunk;
        return give.length;
    }
  }

  #state({ complete, have, listDigest }: Extract<SwarmGive, { kind: "state" }>): void {
    if (this.isReady) throw new CairnError("frame-invalid", { what: "state" });
    this.isReady = true;
    this.listDigest = listDigest;
    if (complete) this.has.fill();
    else if (have.length > 0) {
      const set = ChunkSet.from(have, this.has.chunks);
      if (set === undefined) throw new CairnError("frame-invalid", { what: "have" });
      for (let chunk = 0; chunk < set.chunks; chunk++) if (set.has(chunk)) this.has.add(chunk);
    }
    this.isSeeder = complete;
  }
}

/** A source that was asked and has given nothing for too long. */
export function isIdle(source: SwarmSource, now: number): boolean {
  const { idleMs, listMs } = limits.swarm;
  return (source.asked.size > 0 && now - source.gaveAt > idleMs) || (source.isListWanted && now - source.gaveAt > listMs);
}
