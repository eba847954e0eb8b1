/**
 * Answers to questions about results, in the order of the questions: results, small blobs along with them, and what was made after them.
 *
 * Knows: the shelf, and how much makes a frame. Does not know: when a frame can be sent.
 */
import { type Digest, limits } from "../base/index.ts";
import type { SharedResult, Shelf } from "../contracts/index.ts";
import type { NetworkCodec, Question } from "../wire/index.ts";

export interface ResultAnswersParts {
  readonly shelf: Shelf;
  readonly codec: NetworkCodec;
  /** There is a frame to send. */
  readonly ready: () => void;
}

interface About {
  readonly number: number;
  readonly question: Extract<Question, { kind: "want-results" }>;
  /** Blobs that the asker has, or gets with this answer. */
  readonly known: Set<Digest>;
  readonly cancel: AbortController;
  /** Manifests that are answered, and bytes of the answer. */
  answered: number;
  bytes: number;
  alongBytes: number;
}

export class ResultAnswers implements Disposable {
  readonly #parts: ResultAnswersParts;
  readonly #all: About[] = [];
  /** The next frame of the first answer: it is put together, or there. */
  #next: { readonly about: About; frame?: Uint8Array } | undefined;

  constructor(parts: ResultAnswersParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#all.length;
  }

  has(number: number): boolean {
    return this.#all.some((one) => one.number === number);
  }

  take(number: number, question: Extract<Question, { kind: "want-results" }>): void {
    const known = new Set(question.have);
    this.#all.push({ number, question, known, cancel: new AbortController(), answered: 0, bytes: 0, alongBytes: 0 });
    this.#prepare();
  }

  /** @returns what ends the answer; undefined where there is none of that number */
  cancel(number: number): Uint8Array | undefined {
    const at = this.#all.findIndex((one) => one.number === number);
    if (at < 0) return undefined;
    this.#drop(at);
    this.#prepare();
    return this.#parts.codec.encodeResults(number, 0, [], true);
  }

  next(): Uint8Array | undefined {
    const frame = this.#next?.frame;
    if (frame === undefined) return undefined;
    this.#next = undefined;
    if (this.#all[0]?.answered === this.#all[0]?.question.manifests.length) this.#all.shift();
    this.#prepare();
    return frame;
  }

  [Symbol.dispose](): void {
    while (this.#all.length > 0) this.#drop(0);
  }

  #drop(at: number): void {
    const [about] = this.#all.splice(at, 1);
    about?.cancel.abort();
    if (this.#next?.about === about) this.#next = undefined;
  }

  #prepare(): void {
    const [about] = this.#all;
    if (about === undefined || this.#next !== undefined) return;
    const next: { about: About; frame?: Uint8Array } = { about };
    this.#next = next;
    this.#assemble(about).then(
      (frame) => {
        next.frame = frame;
        if (this.#next === next) this.#parts.ready();
      },
      () => undefined, // Cancelled: nobody waits for it.
    );
  }

  /** As many manifests as make a frame. */
  async #assemble(about: About): Promise<Uint8Array> {
    const { codec, shelf } = this.#parts;
    const { manifests, following } = about.question;
    const results: Uint8Array[] = [];
    const along: Uint8Array[] = [];
    let [resultBytes, alongBytes] = [0, 0];
    while (about.answered < manifests.length && resultBytes < limits.shareResultBatchBytes) {
      const manifest = manifests[about.answered] ?? "";
      const shared = shelf.results(manifest).slice(0, limits.shareResultsPerManifest);
      const wanted = this.#smallBlobs(about, shared);
      if (along.length > 0 && alongBytes + wanted.bytes > limits.shareAlongFrameBytes) break;
      about.answered++;
      const added = this.#encode(about, shared, results);
      if (added === 0) continue;
      resultBytes += added;
      for (const digest of wanted.digests) {
        const bytes = await this.#read(about, digest);
        if (bytes === undefined) continue;
        about.known.add(digest);
        about.alongBytes += bytes.length;
        alongBytes += bytes.length;
        along.push(bytes);
      }
    }
    const isComplete = about.answered === manifests.length;
    const after = isComplete && following > 0 ? shelf.following(manifests.at(-1) ?? "", following) : [];
    const encode = (): Uint8Array => codec.encodeResults(about.number, about.answered, results, isComplete, { along, following: after });
    let frame = encode();
    // Hardly ever: they are compressed. Blobs of results that are left out would belong to none.
    while (frame.length > limits.shareFrameBytes + codec.SHARE_LENGTH_BYTES) {
      results.pop();
      along.length = 0;
      frame = encode();
    }
    return frame;
  }

  /** @returns bytes of what was added */
  #encode(about: About, shared: readonly SharedResult[], to: Uint8Array[]): number {
    let bytes = 0;
    for (const one of shared) {
      const encoded = this.#parts.codec.encodeSharedResult(one);
      const isTooMuch = about.bytes + encoded.length > limits.shareAnswerBytes - limits.shareResultBytes;
      if (encoded.length > limits.shareResultBytes - limits.shareResultBatchBytes || isTooMuch) break;
      to.push(encoded);
      bytes += encoded.length;
      about.bytes += encoded.length;
    }
    return bytes;
  }

  /** What goes along with the result used last: a frame full at most, and no more than is wanted. */
  #smallBlobs({ question, known, alongBytes }: About, [latest]: readonly SharedResult[]): { digests: Digest[]; bytes: number } {
    const most = Math.min(limits.shareAlongFrameBytes, Math.min(question.alongBytes, limits.shareAlongBytes) - alongBytes);
    const digests: Digest[] = [];
    let bytes = 0;
    for (const { digest, size } of latest?.result.outputs ?? []) {
      if (size === 0 || size > limits.sharePieceBytes || bytes + size > most || known.has(digest) || digests.includes(digest)) continue;
      digests.push(digest);
      bytes += size;
    }
    return { digests, bytes };
  }

  async #read({ cancel: { signal } }: About, digest: Digest): Promise<Uint8Array | undefined> {
    try {
      return await this.#parts.shelf.blob(digest, signal);
    } catch {
      signal.throwIfAborted();
      return undefined; // Whatever it is, this node cannot serve it.
    }
  }
}
