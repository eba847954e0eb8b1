/**
 * What one member asks this node, and the answers: results before blobs, small blobs and pieces of larger ones in turns.
 *
 * Knows: the shelf, and how much of it may be in memory. Does not know: streams; whoever sends asks for the next frame when there is room.
 */
import { CairnError, type Key, limits } from "../base/index.ts";
import type { Shelf } from "../contracts/index.ts";
import type { BlobPiece, NetworkCodec, Question, WantedBlob } from "../wire/index.ts";
import type { Budget } from "./share-budget.ts";
import { ResultAnswers } from "./share-result-answers.ts";

export interface AnswererParts {
  /** Who asks. */
  readonly key: Key;
  readonly shelf: Shelf;
  readonly codec: NetworkCodec;
  readonly budgets: AnswerBudgets;
  /** There is a frame to send. */
  readonly ready: () => void;
}

/** Of all members together: who has given more has more turns where there is not enough for all. */
export interface AnswerBudgets {
  /** For blobs of up to a piece while they are read. */
  readonly reading: Budget;
  /** For larger ones, until they are sent. */
  readonly large: Budget;
}

interface AboutBlobs {
  readonly number: number;
  /** Blobs of which the end is not sent. */
  left: number;
  readonly cancel: AbortController;
}

interface Wanted {
  readonly about: AboutBlobs;
  readonly index: number;
  readonly blob: WantedBlob;
}

/** What is in memory; without bytes it is not here. */
interface Loaded {
  readonly wanted: Wanted;
  readonly bytes: Uint8Array | undefined;
  /** Sent up to there. */
  offset: number;
  readonly release: () => void;
}

export class Answerer implements Disposable {
  readonly #parts: AnswererParts;
  readonly #results: ResultAnswers;
  readonly #blobs = new Map<number, AboutBlobs>();
  /** Ends of cancelled answers. */
  readonly #ends: Uint8Array[] = [];
  readonly #small: Wanted[] = [];
  readonly #large: Wanted[] = [];
  #loading = 0;
  #loadingBytes = 0;
  readonly #loaded: Loaded[] = [];
  #largeLoaded: Loaded | undefined;
  #isLargeLoading = false;
  #isLargeNext = false;
  #isOver = false;
  #questions = 0;
  #cancels = 0;

  constructor(parts: AnswererParts) {
    this.#parts = parts;
    this.#results = new ResultAnswers(parts);
  }

  /** @throws {CairnError} frame-invalid when a number is used twice or too much is asked at once */
  take(number: number, question: Question): void {
    this.#questions++;
    if (this.#blobs.has(number) || this.#results.has(number)) throw broken("number");
    if (this.#blobs.size + this.#results.size + this.#ends.length >= limits.shareQuestionsAtOnce) throw broken("questions");
    if (question.kind === "want-results") {
      this.#results.take(number, question);
    } else {
      const about = { number, left: question.blobs.length, cancel: new AbortController() };
      this.#blobs.set(number, about);
      for (const [index, blob] of question.blobs.entries()) this.#lane(blob).push({ about, index, blob });
      this.#load();
    }
    this.#parts.ready();
  }

  /** @throws {CairnError} frame-invalid when more is cancelled than was asked */
  cancel(number: number): void {
    if (++this.#cancels > this.#questions) throw broken("cancels");
    const end = this.#results.cancel(number);
    const about = this.#blobs.get(number);
    if (end !== undefined) this.#ends.push(end);
    else if (about !== undefined) {
      this.#drop(about);
      this.#ends.push(this.#parts.codec.encodeBlobs(number, [], true));
    }
    this.#parts.ready();
  }

  /** The next frame to send, if one is ready. */
  next(): Uint8Array | undefined {
    const end = this.#ends.shift();
    if (end !== undefined) return end;
    const results = this.#results.next();
    if (results !== undefined) return results;
    const large = this.#largeLoaded;
    const isLarge = large !== undefined && (this.#isLargeNext || this.#loaded.length === 0);
    this.#isLargeNext = !isLarge;
    return isLarge ? this.#answerLarge(large) : this.#answerSmall();
  }

  /** Nobody waits for answers any more. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const about of this.#blobs.values()) this.#drop(about);
    this.#results[Symbol.dispose]();
  }

  #lane(blob: WantedBlob): Wanted[] {
    return blob.size <= limits.sharePieceBytes ? this.#small : this.#large;
  }

  /** Small blobs of one question, as many as make a frame. */
  #answerSmall(): Uint8Array | undefined {
    const about = this.#loaded[0]?.wanted.about;
    if (about === undefined) return undefined;
    const pieces: BlobPiece[] = [];
    let bytes = 0;
    for (let first = this.#loaded[0]; first?.wanted.about === about; first = this.#loaded[0]) {
      const piece = pieceOf(first);
      if (bytes > 0 && bytes + sizeOf(piece) > limits.sharePieceBytes) break;
      bytes += sizeOf(piece);
      pieces.push(piece);
      about.left--;
      this.#loaded.shift();
      first.release();
    }
    this.#load();
    return this.#blobsFrame(about, pieces);
  }

  #answerLarge(large: Loaded): Uint8Array {
    const piece = pieceOf(large);
    large.offset += sizeOf(piece);
    const { about } = large.wanted;
    if (large.bytes === undefined || large.offset === large.bytes.length) {
      about.left--;
      this.#largeLoaded = undefined;
      large.release();
      this.#load();
    }
    return this.#blobsFrame(about, [piece]);
  }

  #blobsFrame(about: AboutBlobs, pieces: readonly BlobPiece[]): Uint8Array {
    if (about.left === 0) this.#blobs.delete(about.number);
    return this.#parts.codec.encodeBlobs(about.number, pieces, about.left === 0);
  }

  #drop(about: AboutBlobs): void {
    about.cancel.abort();
    this.#blobs.delete(about.number);
    for (const lane of [this.#small, this.#large]) keepOnly(lane, (wanted) => wanted.about !== about);
    for (const { wanted, release } of this.#loaded) if (wanted.about === about) release();
    keepOnly(this.#loaded, ({ wanted }) => wanted.about !== about);
    if (this.#largeLoaded?.wanted.about === about) {
      this.#largeLoaded.release();
      this.#largeLoaded = undefined;
    }
    if (!this.#isOver) this.#load();
  }

  /** Reads ahead. */
  #load(): void {
    while (this.#loading < limits.shareReadAheadFiles && this.#loadingBytes < limits.shareReadAheadBytes) {
      const wanted = this.#small.shift();
      if (wanted === undefined) break;
      void this.#loadSmall(wanted);
    }
    if (this.#isLargeLoading || this.#largeLoaded !== undefined) return;
    const wanted = this.#large.shift();
    if (wanted !== undefined) void this.#loadLarge(wanted);
  }

  async #loadSmall(wanted: Wanted): Promise<void> {
    const { size } = wanted.blob;
    this.#loading++;
    this.#loadingBytes += size;
    const bytes = await this.#readInTurn(wanted);
    this.#loading--;
    const release = (): void => void (this.#loadingBytes -= size);
    if (wanted.about.cancel.signal.aborted) release();
    else this.#loaded.push({ wanted, bytes, offset: wanted.blob.from, release });
    if (this.#isOver) return;
    this.#load();
    this.#parts.ready();
  }

  async #loadLarge(wanted: Wanted): Promise<void> {
    const { signal } = wanted.about.cancel;
    this.#isLargeLoading = true;
    try {
      const room = await this.#parts.budgets.large.take(wanted.blob.size, signal, this.#parts.key);
      const bytes = await this.#read(wanted);
      const release = (): void => room[Symbol.dispose]();
      if (signal.aborted) release();
      else this.#largeLoaded = { wanted, bytes, offset: wanted.blob.from, release };
    } catch {
      // Cancelled while it waited for its turn.
    } finally {
      this.#isLargeLoading = false;
      if (!this.#isOver) {
        this.#load();
        this.#parts.ready();
      }
    }
  }

  async #readInTurn(wanted: Wanted): Promise<Uint8Array | undefined> {
    const { key, budgets } = this.#parts;
    try {
      using _ = await budgets.reading.take(wanted.blob.size, wanted.about.cancel.signal, key);
      return await this.#read(wanted);
    } catch {
      return undefined; // Cancelled while it waited for its turn.
    }
  }

  /** The blob, if it is here and as large as was said. */
  async #read({ blob, about }: Wanted): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#parts.shelf.blob(blob.digest, about.cancel.signal);
      return bytes?.length === blob.size ? bytes : undefined;
    } catch {
      return undefined; // Whatever it is, this node cannot serve it.
    }
  }
}

function pieceOf({ wanted: { index }, bytes, offset }: Loaded): BlobPiece {
  if (bytes === undefined) return { index, absent: true };
  return { index, absent: false, offset, bytes: bytes.subarray(offset, offset + limits.sharePieceBytes) };
}

function sizeOf(piece: BlobPiece): number {
  return piece.absent ? 0 : piece.bytes.length;
}

function keepOnly<T>(items: T[], keep: (item: T) => boolean): void {
  items.splice(0, items.length, ...items.filter(keep));
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
