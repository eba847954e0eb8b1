/**
 * Fetches one large blob from all members that have some of it, and lets others have what has come already.
 *
 * Chunks are checked against a chunk list as they come, so that whoever gives a wrong one is known at once; the list is checked by the
 * blob's digest at the end. Knows: sources, and what to ask whom. Does not know: where the blob will lie.
 */
import type { Digest, FairTurns, Key, Log } from "../base/index.ts";
import { limits, reasonOf } from "../base/index.ts";
import type { DataPlane, Fetched } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { type ChunkList, isChunk, type PartFile } from "./part-file.ts";
import { SwarmLists } from "./swarm-lists.ts";
import { ChunkPicker } from "./swarm-picker.ts";
import { SWARM } from "./swarm-server.ts";
import { isIdle, type SourceEvents, SwarmSource } from "./swarm-source.ts";

export interface SwarmFetchParts {
  readonly plane: Pick<DataPlane, "open">;
  readonly codec: NetworkCodec;
  readonly turns: FairTurns;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

const LOOK_MS = 500;
/** A member that could not give anything is asked again after so long: it may be fetching the blob by now. */
const AGAIN_MS = 5_000;
/** Seeders that are asked for their chunk list, so that one who made it up is found out. */
const LISTS = 2;
const { sources: mostSources, wants, stalledMs } = limits.swarm;

export class SwarmFetch {
  readonly part: PartFile;
  readonly #parts: SwarmFetchParts;
  readonly #digest: Digest;
  readonly #sources = new Map<Key, SwarmSource>();
  /** Members that may have it, and when they may be asked again. */
  readonly #known = new Map<Key, number>();
  readonly #liars = new Set<Key>();
  readonly #lists: SwarmLists;
  readonly #ended = Promise.withResolvers<Fetched>();
  /** Chunks that have come and are being written. */
  readonly #writing = new Set<number>();
  #isJudging = false;
  #isPumping = false;
  /** Looks at what lies there already. */
  #isRecognising = false;
  #isOver = false;
  /** Bytes of chunks that were as the list says, each chunk once. */
  #received = 0;
  #heardAt: number;
  #listsAsked = 0;
  #connecting = 0;

  constructor(parts: SwarmFetchParts, digest: Digest, part: PartFile) {
    this.#parts = parts;
    this.#digest = digest;
    this.part = part;
    this.#lists = new SwarmLists(part.size);
    this.#heardAt = parts.now();
  }

  get list(): ChunkList | undefined {
    return this.#lists.current;
  }

  get listDigest(): Digest | undefined {
    return this.#lists.currentDigest;
  }

  /** Members that have some of it. */
  get peers(): readonly Key[] {
    return [...this.#sources.keys()];
  }

  /** @throws the signal's reason */
  async run(from: readonly Key[], signal: AbortSignal): Promise<Fetched> {
    for (const key of from) this.meet(key);
    const look = setInterval(() => this.#look(signal), LOOK_MS);
    const stop = (): void => this.#ended.reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#look(signal);
    try {
      return await this.#ended.promise;
    } finally {
      this.#isOver = true;
      clearInterval(look);
      signal.removeEventListener("abort", stop);
      for (const source of this.#sources.values()) source.end("done");
    }
  }

  /** A member may have some of it. */
  meet(key: Key): void {
    if (!this.#known.has(key) && this.#known.size < limits.members) this.#known.set(key, 0);
  }

  #look(signal: AbortSignal): void {
    const now = this.#parts.now();
    for (const source of this.#sources.values()) if (isIdle(source, now)) source.end("idle");
    for (const [key, notBefore] of this.#known) {
      if (this.#sources.size + this.#connecting >= mostSources) break;
      if (notBefore > now || this.#sources.has(key) || this.#liars.has(key)) continue;
      this.#known.set(key, now + AGAIN_MS);
      void this.#connect(key, signal);
    }
    const isBusy = this.#isJudging || this.#isRecognising || [...this.#sources.values()].some(({ isListWanted }) => isListWanted);
    if (isBusy) this.#heardAt = now;
    if (now - this.#heardAt > stalledMs) this.#ended.resolve({ kind: "missing", why: "nobody gives it" });
    else this.#pump();
  }

  async #connect(key: Key, signal: AbortSignal): Promise<void> {
    const { plane, codec, now, log } = this.#parts;
    this.#connecting++;
    try {
      const stream = await plane.open({ key, service: SWARM, argument: `${this.#digest} ${this.part.size}` }, signal);
      if (this.#isOver || this.#sources.has(key)) return void stream.bytes.destroy();
      this.#sources.set(key, new SwarmSource({ stream, codec, now }, { size: this.part.size, chunks: this.part.has.chunks }, this.#events));
    } catch (error) {
      log.event("debug", "swarm.not-opened", { peer: key, why: reasonOf(error) });
    } finally {
      this.#connecting--;
    }
  }

  readonly #events: SourceEvents = {
    has: (source, chunks) => {
      // Whoever has something that this node asked the only owner for can give it instead.
      for (const chunk of chunks) this.#takeOver(source, chunk);
      const mayVouch = this.list === undefined ? source.isSeeder || source.listDigest !== undefined : source.isSeeder;
      if (chunks.length === 0 && mayVouch && this.#listsAsked < LISTS) {
        this.#listsAsked++;
        source.askForList();
      }
      this.#pump();
    },
    list: (source, hashes) => void this.#vouched(source, hashes),
    chunk: (source, chunk, bytes) => void this.#came(source, chunk, bytes),
    peers: (keys) => {
      for (const key of keys) this.meet(key);
    },
    ended: (source, why) => {
      if (this.#sources.get(source.key) !== source) return;
      this.#sources.delete(source.key);
      if (this.list === undefined) this.#listsAsked = 0;
      if (this.#isOver) return;
      this.#parts.log.event("debug", "swarm.source-ended", { peer: source.key, why });
      this.#pump();
    },
  };

  #takeOver(source: SwarmSource, chunk: number): void {
    if (source.asked.size >= wants || !this.#gives(source)) return;
    const asked = [...this.#sources.values()].find((other) => other.asked.has(chunk));
    if (asked === undefined || asked === source || !asked.isSeeder || source.isSeeder) return;
    asked.cancel(chunk);
    source.ask(chunk);
  }

  /** Whether chunks of a source can be checked: it goes by the same list. */
  #gives({ isReady, isSeeder, listDigest }: SwarmSource): boolean {
    return isReady && (isSeeder || listDigest === undefined || listDigest === this.listDigest);
  }

  async #vouched(source: SwarmSource, hashes: Uint8Array): Promise<void> {
    const isFirst = this.list === undefined;
    if (!this.#lists.vouch(source.key, hashes)) {
      if (isFirst) this.#listsAsked = 0;
      return hashes.length === 0 ? undefined : this.#lied(source, "its chunk list cannot be right");
    }
    if (this.#lists.count > 1) this.#parts.log.event("warn", "swarm.lists-differ", { digest: this.#digest, peer: source.key });
    if (!isFirst) return;
    await this.#recognise();
  }

  /** What lies there already is looked at by the list that is used now. */
  async #recognise(): Promise<void> {
    const { list } = this;
    this.#isRecognising = true;
    try {
      if (list !== undefined) await this.part.recognise(list);
    } catch (error) {
      this.#ended.reject(error); // The file cannot be read.
    } finally {
      this.#isRecognising = false;
    }
    this.#heardAt = this.#parts.now();
    this.#pump();
  }

  async #came(source: SwarmSource, chunk: number, bytes: Buffer): Promise<void> {
    const { list, part } = this;
    this.#heardAt = this.#parts.now();
    if (list === undefined || part.has.has(chunk) || this.#writing.has(chunk)) return this.#pump();
    if (!isChunk(list, chunk, bytes)) {
      this.#lied(source, "a chunk is not as the list says");
      if (this.#lists.contradict(source.key)) await this.#giveUpList();
      return;
    }
    this.#parts.turns.earn(source.key, bytes.length);
    this.#writing.add(chunk);
    for (const other of this.#sources.values()) if (other !== source) other.cancel(chunk);
    this.#received += bytes.length;
    this.#pump();
    try {
      await part.put(chunk, bytes);
    } catch (error) {
      return this.#ended.reject(error); // The disk is full, or gone.
    } finally {
      this.#writing.delete(chunk);
    }
    this.#pump();
  }

  #lied(source: SwarmSource, what: string): void {
    this.#liars.add(source.key);
    this.#parts.log.event("warn", "swarm.cut-off", { peer: source.key, digest: this.#digest, why: what });
    source.end(what);
  }

  async #giveUpList(): Promise<void> {
    for (const key of this.#lists.vouching) {
      this.#liars.add(key);
      this.#sources.get(key)?.end("its chunk list is wrong");
    }
    // They were cut off by what somebody else made up.
    for (const key of this.#lists.contradicting) {
      this.#liars.delete(key);
      this.#known.set(key, 0);
    }
    this.#parts.log.event("warn", "swarm.list-wrong", { digest: this.#digest });
    this.#lists.giveUp();
    this.#listsAsked = 0;
    this.part.forget();
    if (this.list === undefined) for (const source of this.#sources.values()) if (source.isSeeder) source.askForList();
    await this.#recognise();
  }

  /** Asks every source for as much as it may be asked for: once for all that happens at the same time. */
  #pump(): void {
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.#ask();
    });
  }

  #ask(): void {
    const { part } = this;
    if (this.#isOver || this.list === undefined) return;
    if (part.has.isFull) return void this.#judge();
    const sources = [...this.#sources.values()].filter((source) => this.#gives(source));
    if (sources.every(({ asked }) => asked.size >= wants)) return;
    const here = { chunks: part.has.chunks, has: (chunk: number): boolean => part.has.has(chunk) || this.#writing.has(chunk) };
    const picker = new ChunkPicker(here, sources);
    for (const source of sources)
      while (source.asked.size < wants) {
        const chunk = picker.pick(source, this.#parts.random);
        if (chunk === undefined) break;
        source.ask(chunk);
      }
  }

  /** All chunks are here: is it the blob? */
  async #judge(): Promise<void> {
    if (this.#isJudging) return;
    this.#isJudging = true;
    try {
      const blob = await this.part.measure();
      if (blob.digest === this.#digest) return this.#ended.resolve({ kind: "whole", blob, received: this.#received });
      await this.#giveUpList();
    } catch (error) {
      this.#ended.reject(error);
    } finally {
      this.#isJudging = false;
      this.#heardAt = this.#parts.now();
    }
  }
}
