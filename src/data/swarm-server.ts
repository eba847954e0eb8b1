/**
 * Gives chunks of large blobs to members: of blobs that are here, and of those that this node is itself fetching.
 *
 * Knows: what each member waits for, what was sent how often, and whose turn it is. Does not know: where blobs lie.
 */
import { CairnError, type Digest, type FairTurns, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { DataPlane, DataStream, DataVerdict } from "../contracts/index.ts";
import type { NetworkCodec, SwarmWant } from "../wire/index.ts";
import { chunkLength } from "./chunk-set.ts";
import type { ChunkList, PartFile } from "./part-file.ts";
import { SwarmFrames } from "./swarm-frames.ts";

export const SWARM = "swarm";

/** What can be given of a blob. */
export interface ServedBlob {
  readonly part: PartFile;
  /** Undefined while this node does not know one. */
  list(): Promise<ChunkList | undefined>;
  readonly listDigest: Digest | undefined;
  /** Members of which this node knows that they have some of it. */
  peers(): readonly Key[];
  /** Nobody is given any of it any more. */
  release(): void;
}

export interface SwarmServerParts {
  readonly plane: Pick<DataPlane, "serve">;
  readonly codec: NetworkCodec;
  readonly turns: FairTurns;
  readonly log: Log;
  /** Undefined when nothing of it is here. */
  readonly find: (digest: Digest, size: number) => Promise<ServedBlob | undefined>;
}

const ARGUMENT = /^([0-9a-f]{64}) (\d{1,12})$/;
const { uploads, wantsTaken, idleMs, peersTold } = limits.swarm;

/** A member that is given chunks of one blob. */
interface Taker {
  readonly digest: Digest;
  readonly blob: ServedBlob;
  readonly stream: DataStream;
  readonly wants: Set<number>;
  isServed: boolean;
  /** The chunk list is being made. */
  isListing: boolean;
}

export class SwarmServer {
  readonly #parts: SwarmServerParts;
  readonly #takers = new Set<Taker>();
  /** How often each chunk was sent. */
  readonly #sent = new Map<Digest, Map<number, number>>();
  #active = 0;

  constructor(parts: SwarmServerParts) {
    this.#parts = parts;
  }

  /** Serves from now on. */
  begin(): void {
    const { plane, find } = this.#parts;
    plane.serve(SWARM, async ({ argument }): Promise<DataVerdict> => {
      const [, digest = "", size = ""] = ARGUMENT.exec(argument) ?? [];
      const blob = digest === "" ? undefined : await find(digest, Number(size));
      if (blob === undefined) return { kind: "refused", reason: "no-such-blob" };
      return { kind: "ready", begin: (stream) => this.#admit(digest, blob, stream) };
    });
  }

  #admit(digest: Digest, blob: ServedBlob, stream: DataStream): void {
    if (stream.bytes.destroyed) return blob.release();
    const { codec } = this.#parts;
    const taker: Taker = { digest, blob, stream, wants: new Set(), isServed: false, isListing: false };
    const { part } = blob;
    const said = new Set<Key>();
    const tell = (keys: readonly Key[]): void => {
      const news = keys.filter((key) => key !== stream.key && !said.has(key)).slice(0, peersTold - said.size);
      for (const key of news) said.add(key);
      if (news.length > 0 && !stream.bytes.destroyed) stream.bytes.write(codec.encodeSwarmGive({ kind: "peers", keys: news }));
    };
    const frames = new SwarmFrames({ frame: (bytes) => this.#take(taker, codec.decodeSwarmWant(bytes)), body: () => undefined });
    const stopTelling = part.onChunk((chunk) => {
      if (!stream.bytes.destroyed) stream.bytes.write(codec.encodeSwarmGive({ kind: "have", chunks: [chunk] }));
    });
    const idle = setTimeout(() => (taker.isServed || taker.isListing ? idle.refresh() : stream.bytes.destroy()), idleMs);
    stream.bytes
      .on("data", (bytes: Buffer) => {
        idle.refresh();
        this.#guard(taker, () => frames.push(bytes));
      })
      .on("drain", () => idle.refresh())
      .on("error", () => undefined)
      .once("end", () => stream.bytes.end())
      .once("close", () => {
        clearTimeout(idle);
        stopTelling();
        this.#takers.delete(taker);
        if (![...this.#takers].some((other) => other.digest === digest)) this.#sent.delete(digest);
        blob.release();
      });
    const isComplete = part.has.isFull;
    const have = isComplete || part.has.count === 0 ? new Uint8Array(0) : part.has.bits;
    stream.bytes.write(codec.encodeSwarmGive({ kind: "state", complete: isComplete, have, listDigest: blob.listDigest }));
    const others = [...this.#takers].filter((other) => other.digest === digest);
    tell([...others.map((other) => other.stream.key), ...blob.peers()]);
    this.#takers.add(taker);
    for (const other of others)
      if (other.stream.key !== stream.key && !other.stream.bytes.destroyed)
        other.stream.bytes.write(codec.encodeSwarmGive({ kind: "peers", keys: [stream.key] }));
  }

  #guard(taker: Taker, body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      this.#parts.log.event("warn", "swarm.refused", { peer: taker.stream.key, why: reasonOf(error) });
      taker.stream.bytes.destroy();
    }
  }

  /** @throws {CairnError} frame-invalid */
  #take(taker: Taker, want: SwarmWant): number {
    switch (want.kind) {
      case "list":
        void this.#giveList(taker);
        return 0;
      case "cancel":
        taker.wants.delete(want.chunk);
        return 0;
      case "chunk":
        if (!taker.blob.part.has.has(want.chunk)) throw new CairnError("frame-invalid", { what: "a chunk that is not here" });
        if (taker.wants.size >= wantsTaken) throw new CairnError("frame-invalid", { what: "too many wants" });
        taker.wants.add(want.chunk);
        this.#serve();
        return 0;
    }
  }

  async #giveList(taker: Taker): Promise<void> {
    const { blob, stream } = taker;
    taker.isListing = true;
    try {
      const hashes = (await blob.list()) ?? new Uint8Array(0);
      if (!stream.bytes.destroyed) stream.bytes.write(this.#parts.codec.encodeSwarmGive({ kind: "list", hashes }));
    } catch {
      stream.bytes.destroy(); // The file is gone.
    } finally {
      taker.isListing = false;
    }
  }

  /** Sends chunks as long as there are some to send and not too many under way. */
  #serve(): void {
    while (this.#active < uploads) {
      const waiting = [...this.#takers].filter(({ wants, isServed }) => wants.size > 0 && !isServed);
      const key = this.#parts.turns.next(waiting.map(({ stream }) => stream.key));
      const taker = waiting.find(({ stream }) => stream.key === key);
      if (taker === undefined) return;
      void this.#give(taker, this.#leastSent(taker));
    }
  }

  /** Of the chunks that a member waits for, the one that this node has sent least often: what nobody else has goes first. */
  #leastSent({ digest, wants }: Taker): number {
    const sent = this.#sent.get(digest);
    return [...wants].reduce((least, chunk) => ((sent?.get(chunk) ?? 0) < (sent?.get(least) ?? 0) ? chunk : least));
  }

  async #give(taker: Taker, chunk: number): Promise<void> {
    const { stream, blob, digest } = taker;
    this.#active++;
    taker.isServed = true;
    taker.wants.delete(chunk);
    this.#count(digest, chunk);
    try {
      const length = chunkLength(blob.part.size, chunk);
      this.#parts.turns.use(stream.key, length);
      const bytes = await blob.part.read(chunk);
      if (bytes.length !== length) throw new CairnError("frame-invalid", { what: "the file is shorter than it was" });
      stream.bytes.write(this.#parts.codec.encodeSwarmGive({ kind: "chunk", chunk, length }));
      if (!stream.bytes.write(bytes)) await drained(stream);
    } catch {
      stream.bytes.destroy();
    } finally {
      this.#active--;
      taker.isServed = false;
      this.#serve();
    }
  }

  #count(digest: Digest, chunk: number): void {
    const sent = this.#sent.get(digest) ?? new Map<number, number>();
    this.#sent.set(digest, sent.set(chunk, (sent.get(chunk) ?? 0) + 1));
  }
}

/** Resolves when the stream takes more, or has ended. */
function drained({ bytes }: DataStream): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      bytes.off("drain", go).off("close", go);
      resolve();
    };
    bytes.on("drain", go).on("close", go);
    if (bytes.destroyed) go();
  });
}
