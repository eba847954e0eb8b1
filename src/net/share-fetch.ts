/**
 * Fetching blobs: from one member, and what it does not bring from the next.
 *
 * Knows: what is unfinished, and how much of it there may be. Does not know: streams, or where blobs are kept.
 */
import { createHash, type Hash } from "node:crypto";
import { CairnError, type Digest, digestAside, giveBack, type Key, limits } from "../base/index.ts";
import type { BlobDigests } from "../contracts/index.ts";
import type { Answer, BlobPiece } from "../wire/index.ts";
import type { Asking } from "./share-asker.ts";
import { Budget } from "./share-budget.ts";

/** A member that can be asked. */
export interface Source {
  readonly key: Key;
  /** @returns forgets the question */
  ask(asking: Asking): () => void;
  /** It gave a whole blob, or says that it has not got it. */
  finished(blob: Digest, bytes: number): void;
  missed(blob: Digest): void;
  /** It sent a blob that is none of what was asked for. */
  lied(what: string): void;
}

export interface Wanted {
  readonly digest: Digest;
  readonly size: number;
}

type Take = (digest: Digest, bytes: Uint8Array) => Promise<void>;

/** Up to this, a blob is hashed when all of it is here, by another thread; of a larger one each piece as it comes, for that copies nothing. */
const HASHED_WHOLE_BYTES = 4_194_304;

/** What a channel that hashes says of a blob with its last piece. */
interface Hashed {
  readonly digest: Digest | undefined;
}

/** A blob that is on its way. */
class Unfinished {
  readonly wanted: Wanted;
  #bytes: Uint8Array | undefined;
  #hash: Hash | undefined;
  /** By the channel that has brought all of it. */
  #digest: Digest | undefined;
  /** Some of it came over a channel that hashes. */
  #isHashedElsewhere = false;
  #have = 0;
  /** Whom the bytes so far are from; undefined when from several. */
  #from: Key | undefined;

  constructor(wanted: Wanted) {
    this.wanted = wanted;
  }

  get have(): number {
    return this.#have;
  }

  /**
   * @returns whether it is whole now
   * @throws {CairnError} frame-invalid when the member sends what it must not
   */
  add(key: Key, { offset, bytes }: Extract<BlobPiece, { absent: false }>, hashed: Hashed | undefined): boolean {
    const { size } = this.wanted;
    const end = offset + bytes.length;
    if (offset !== this.#have || end > size || (end < size && bytes.length !== limits.sharePieceBytes))
      throw new CairnError("frame-invalid", { what: "piece" });
    this.#from = this.#have > 0 && this.#from !== key ? undefined : key;
    this.#have = end;
    if (offset === 0 && end === size) this.#bytes = bytes;
    else {
      this.#bytes ??= Buffer.allocUnsafeSlow(size);
      this.#bytes.set(bytes, offset);
      if (hashed !== undefined) this.#isHashedElsewhere = true;
      else if (size > HASHED_WHOLE_BYTES) this.#hash = (this.#hash ?? createHash("sha256")).update(bytes);
    }
    this.#digest = hashed?.digest;
    return end === size;
  }

  /**
   * The whole blob, if it is right; otherwise it begins anew.
   *
   * @property from who sent all of it; undefined when it came from several
   */
  async verify(): Promise<{ readonly bytes: Uint8Array | undefined; readonly from: Key | undefined }> {
    const [bytes, from, known] = [this.#bytes ?? NOTHING, this.#from, this.#digest];
    const hash = this.#isHashedElsewhere ? undefined : this.#hash; // Of a part of it, then.
    [this.#have, this.#bytes, this.#hash, this.#from, this.#digest] = [0, undefined, undefined, undefined, undefined];
    this.#isHashedElsewhere = false;
    const digest = known ?? hash?.digest("hex") ?? (await digestAside(bytes));
    return { bytes: digest === this.wanted.digest ? bytes : undefined, from };
  }
}

const NOTHING = new Uint8Array(0);
const DONE = Promise.resolve();

export class Fetcher {
  readonly #source: (key: Key) => Source | undefined;
  readonly #smallRoom = new Budget(limits.shareUnfinishedBytes);
  readonly #largeRoom = new Budget(limits.shareUnfinishedBytes);

  /** @param source a member, if it can be asked now */
  constructor(source: (key: Key) => Source | undefined) {
    this.#source = source;
  }

  /** See Exchange.blobs. @throws the signal's reason, or what `take` throws */
  async blobs(from: readonly Key[], wanted: readonly Wanted[], take: Take, signal: AbortSignal): Promise<Digest[]> {
    signal.throwIfAborted();
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    try {
      const batches = batchesOf(wanted.filter(({ size }) => size <= limits.shareBlobBytes));
      const missing = await Promise.all(batches.map((batch) => this.#batch(from, batch, take, either)));
      const tooLarge = wanted.filter(({ size }) => size > limits.shareBlobBytes);
      return [...missing.flat(), ...tooLarge].map(({ digest }) => digest);
    } catch (error) {
      failed.abort(error); // The other batches, too.
      throw error;
    }
  }

  async #batch(from: readonly Key[], batch: readonly Wanted[], take: Take, signal: AbortSignal): Promise<Wanted[]> {
    const bytes = batch.reduce((sum, { size }) => sum + size, 0);
    const budget = isSmall(batch[0]) ? this.#smallRoom : this.#largeRoom;
    const room = await budget.take(bytes, signal);
    try {
      let left = batch.map((wanted) => new Unfinished(wanted));
      for (const key of from) {
        const source = this.#source(key);
        if (left.length === 0) break;
        if (source === undefined) continue;
        const { absent, wrong } = await ask(source, left, take, signal);
        // Parts of several members that do not fit: once more, from its beginning.
        const again = wrong.length === 0 ? { absent: [], wrong: [] } : await ask(source, wrong, take, signal);
        left = [...absent, ...again.absent, ...again.wrong];
      }
      return left.map(({ wanted }) => wanted);
    } finally {
      room[Symbol.dispose]();
    }
  }
}

/** Blobs that a member did not bring, and those that are wrong, though not by its fault alone. */
interface Left {
  readonly absent: readonly Unfinished[];
  readonly wrong: readonly Unfinished[];
}

/** Asks one member for blobs. @returns what is not here, when the answer has ended and what came is kept */
async function ask(source: Source, blobs: readonly Unfinished[], take: Take, signal: AbortSignal): Promise<Left> {
  signal.throwIfAborted();
  const left = new Set(blobs);
  const absent = new Set<Unfinished>();
  const wrong: Unfinished[] = [];
  const kept: Promise<void>[] = [];
  const ended = Promise.withResolvers<void>();
  const keep = async (blob: Unfinished): Promise<void> => {
    const { bytes, from } = await blob.verify();
    if (bytes === undefined) {
      wrong.push(blob);
      if (from === source.key) source.lied("blob");
      return;
    }
    source.finished(blob.wanted.digest, blob.wanted.size);
    signal.throwIfAborted();
    await take(blob.wanted.digest, bytes);
    // Of one that came in a single piece this is the frame's memory, in which there may be others.
    if (!isSmall(blob.wanted)) giveBack(bytes.buffer);
  };
  /** @returns settles when the piece's memory is not needed any more */
  const piece = (part: BlobPiece, hashed: Hashed | undefined): Promise<void> => {
    const blob = blobs[part.index];
    if (blob === undefined || !left.has(blob) || absent.has(blob)) throw new CairnError("frame-invalid", { what: "index" });
    if (part.absent) {
      absent.add(blob);
      source.missed(blob.wanted.digest);
      return DONE;
    }
    if (!blob.add(source.key, part, hashed)) return DONE;
    left.delete(blob);
    const keeping = keep(blob);
    keeping.catch(ended.reject);
    kept.push(keeping);
    return keeping;
  };
  const forget = source.ask({
    question: { kind: "want-blobs", blobs: blobs.map(({ wanted, have }) => ({ ...wanted, from: have })) },
    part: (answer: Answer, digests: BlobDigests | undefined) => {
      if (answer.kind !== "blobs" || (answer.pieces.length === 0 && !answer.complete))
        throw new CairnError("frame-invalid", { what: "answer" });
      const uses = answer.pieces.map((part, i) => piece(part, digests && { digest: digests[i] }));
      // Where keeping one fails it is not known who looks at it still.
      Promise.all(uses).then(
        () => giveBackAll(answer.pieces),
        () => undefined,
      );
      if (answer.complete && left.size > absent.size) throw new CairnError("frame-invalid", { what: "not complete" });
    },
    ended: () => ended.resolve(),
  });
  const abort = (): void => ended.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await ended.promise;
    await Promise.all(kept);
  } catch (error) {
    forget();
    await Promise.allSettled(kept);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
  return { absent: [...left], wrong };
}

/** Frames have memory of their own, and pieces are views of them. */
function giveBackAll(pieces: readonly BlobPiece[]): void {
  for (const piece of pieces) if (!piece.absent) giveBack(piece.bytes.buffer);
}

/** Small blobs together, each larger one for itself. */
function batchesOf(wanted: readonly Wanted[]): Wanted[][] {
  const batches: Wanted[][] = wanted.filter((one) => !isSmall(one)).map((one) => [one]);
  let batch: Wanted[] = [];
  let bytes = 0;
  for (const one of wanted.filter(isSmall)) {
    if (batch.length === limits.shareBlobsAtOnce || bytes + one.size > limits.shareBatchBytes) {
      batches.push(batch);
      [batch, bytes] = [[], 0];
    }
    batch.push(one);
    bytes += one.size;
  }
  return batch.length === 0 ? batches : [...batches, batch];
}

function isSmall(wanted: Wanted | undefined): boolean {
  return wanted !== undefined && wanted.size <= limits.sharePieceBytes;
}
