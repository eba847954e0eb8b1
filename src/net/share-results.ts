/**
 * Asking a member for results: questions that come together go together.
 *
 * Knows: who waits for which manifest. Does not know: streams, or whom to believe.
 */
import { CairnError, type Digest, digestAside, limits } from "../base/index.ts";
import type { Given, SharedResult, Wish } from "../contracts/index.ts";
import type { Answer } from "../wire/index.ts";
import type { Asking } from "./share-asker.ts";

interface Awaited {
  readonly manifest: Digest;
  readonly wish: Wish;
  readonly found: SharedResult[];
  readonly answered: PromiseWithResolvers<Given>;
}

export interface ResultsParts {
  /** @returns forgets the question */
  readonly ask: (asking: Asking) => () => void;
  /** The member has these results for a manifest. @param isAll whether nothing was left out for want of room, or to keep it from this node */
  readonly gave: (manifest: Digest, shared: readonly SharedResult[], isAll: boolean) => void;
  /** It gave a blob, or one that belongs to none of its results. */
  readonly finished: (blob: Digest, bytes: number) => void;
  readonly lied: (what: string) => void;
}

export class ResultsDesk {
  readonly #parts: ResultsParts;
  /** Asked, or to be asked. */
  readonly #awaited = new Map<Digest, Awaited>();
  #next: Awaited[] = [];

  constructor(parts: ResultsParts) {
    this.#parts = parts;
  }

  /** See Exchange.results. @throws the signal's reason */
  async results(manifest: Digest, wish: Wish, signal: AbortSignal): Promise<Given> {
    signal.throwIfAborted();
    const awaited = this.#awaited.get(manifest) ?? this.#add(manifest, wish);
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([awaited.answered.promise, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #add(manifest: Digest, wish: Wish): Awaited {
    const awaited: Awaited = { manifest, wish, found: [], answered: Promise.withResolvers() };
    this.#awaited.set(manifest, awaited);
    if (this.#next.push(awaited) === 1) setImmediate(() => this.#ask());
    return awaited;
  }

  #ask(): void {
    const all = this.#next;
    this.#next = [];
    for (let at = 0; at < all.length; at += limits.shareManifestsAtOnce) this.#askFor(all.slice(at, at + limits.shareManifestsAtOnce));
  }

  #askFor(batch: readonly Awaited[]): void {
    const alongBytes = Math.min(
      limits.shareAlongBytes,
      batch.reduce((sum, { wish }) => sum + wish.alongBytes, 0),
    );
    const have = [...new Set(batch.flatMap(({ wish }) => wish.have))].slice(0, limits.shareBlobsAtOnce);
    const following = Math.max(...batch.map(({ wish }) => wish.following));
    const along = new AlongPool(this.#parts);
    let done = 0;
    const settle = (upTo: number, followers: readonly Digest[]): void => {
      for (; done < upTo; done++) {
        const awaited = batch[done];
        if (awaited === undefined) continue;
        const { manifest, found: shared, answered } = awaited;
        this.#awaited.delete(manifest);
        void along.of(shared).then((blobs) => answered.resolve({ shared, blobs, following: followers }));
      }
    };
    let bytes = 0;
    this.#parts.ask({
      question: { kind: "want-results", manifests: batch.map(({ manifest }) => manifest), alongBytes, have, following },
      part: (answer: Answer) => {
        if (answer.kind !== "results" || answer.answered > batch.length || answer.answered < done) throw broken("answer");
        if (answer.results.length + answer.along.length === 0 && answer.answered === done && !answer.complete) throw broken("nothing");
        bytes += answer.bytes;
        if (bytes > limits.shareAnswerBytes || along.add(answer.along) > alongBytes || answer.following.length > following)
          throw broken("too much");
        for (const shared of answer.results) {
          const awaited = batch.find(({ manifest }, at) => at >= done && manifest === shared.manifest);
          if (awaited === undefined || awaited.found.push(shared) > limits.shareResultsPerManifest) throw broken("result");
        }
        const hasRoom = bytes < limits.shareAnswerBytes / 2;
        for (const { manifest, found, wish } of batch.slice(done, answer.answered))
          this.#parts.gave(manifest, found, hasRoom && wish.mayBeWithheld !== true);
        settle(answer.answered, answer.following);
        if (answer.complete) void along.end(batch.flatMap(({ found }) => found));
      },
      ended: () => settle(batch.length, []),
    });
  }
}

/** Blobs that came along with the results of one question. */
class AlongPool {
  readonly #parts: Pick<ResultsParts, "finished" | "lied">;
  readonly #blobs = new Map<Digest, Uint8Array>();
  #bytes = 0;
  #hashed: Promise<void> = Promise.resolve();

  constructor(parts: Pick<ResultsParts, "finished" | "lied">) {
    this.#parts = parts;
  }

  /** @returns bytes of all so far */
  add(blobs: readonly Uint8Array[]): number {
    for (const bytes of blobs) this.#bytes += bytes.length;
    const hashing = Promise.all(blobs.map(async (bytes) => void this.#blobs.set(await digestAside(bytes), bytes)));
    this.#hashed = this.#hashed.then(() => hashing).then(() => undefined);
    return this.#bytes;
  }

  /** Those that belong to some results. */
  async of(results: readonly SharedResult[]): Promise<ReadonlyMap<Digest, Uint8Array>> {
    await this.#hashed;
    const own = new Map<Digest, Uint8Array>();
    for (const { digest } of results.flatMap(({ result }) => result.outputs)) {
      const bytes = this.#blobs.get(digest);
      if (bytes !== undefined) own.set(digest, bytes);
    }
    return own;
  }

  /** All have come: what belongs to none of all results was not asked for. */
  async end(results: readonly SharedResult[]): Promise<void> {
    await this.#hashed;
    const wanted = new Set(results.flatMap(({ result }) => result.outputs.map(({ digest }) => digest)));
    for (const [digest, { length }] of this.#blobs) {
      if (!wanted.has(digest)) return this.#parts.lied("blob");
      this.#parts.finished(digest, length);
    }
  }
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
