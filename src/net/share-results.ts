/**
 * Asking a member for results: questions that come together go together.
 *
 * Knows: who waits for which manifest. Does not know: streams, or whom to believe.
 */
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import type { Answer } from "../wire/index.ts";
import type { Asking } from "./share-asker.ts";

interface Awaited {
  readonly manifest: Digest;
  readonly found: SharedResult[];
  readonly answered: PromiseWithResolvers<readonly SharedResult[]>;
}

export interface ResultsParts {
  /** @returns forgets the question */
  readonly ask: (asking: Asking) => () => void;
  /** The member has so many results for a manifest, or none. */
  readonly gave: (results: number) => void;
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
  async results(manifest: Digest, signal: AbortSignal): Promise<readonly SharedResult[]> {
    signal.throwIfAborted();
    const awaited = this.#awaited.get(manifest) ?? this.#add(manifest);
    const gone = Promise.withResolvers<never>();
    const leave = (): void => gone.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([awaited.answered.promise, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #add(manifest: Digest): Awaited {
    const awaited: Awaited = { manifest, found: [], answered: Promise.withResolvers() };
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
    let done = 0;
    const settle = (upTo: number): void => {
      for (; done < upTo; done++) {
        const awaited = batch[done];
        if (awaited === undefined) continue;
        this.#awaited.delete(awaited.manifest);
        awaited.answered.resolve(awaited.found);
      }
    };
    let bytes = 0;
    this.#parts.ask({
      question: { kind: "want-results", manifests: batch.map(({ manifest }) => manifest) },
      part: (answer: Answer) => {
        if (answer.kind !== "results" || answer.answered > batch.length || answer.answered < done) throw broken("answer");
        if (answer.results.length === 0 && answer.answered === done && !answer.complete) throw broken("nothing");
        bytes += answer.bytes;
        if (bytes > limits.shareAnswerBytes) throw broken("too much");
        for (const shared of answer.results) {
          const awaited = batch.find(({ manifest }, at) => at >= done && manifest === shared.manifest);
          if (awaited === undefined || awaited.found.push(shared) > limits.shareResultsPerManifest) throw broken("result");
        }
        for (const { found } of batch.slice(done, answer.answered)) this.#parts.gave(found.length);
        settle(answer.answered);
      },
      ended: () => settle(batch.length),
    });
  }
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
