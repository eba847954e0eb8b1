/**
 * Hits by answers for every checkout, until it is told which compiles they were: that takes longer than the hits did.
 *
 * Knows: which wait for that. Does not know: when there is time.
 */
import { type Digest, Generations, limits } from "../base/index.ts";
import type { HotRecords } from "../doors/index.ts";
import { type MovedHit, rememberMoved } from "../flows/index.ts";
import type { SqliteIndex } from "../store/index.ts";
import { movableKey, requestKey } from "../wire/index.ts";

export interface MovedHitsParts {
  readonly index: Pick<SqliteIndex, "history" | "remember">;
  readonly records: Pick<HotRecords, "origin">;
  readonly told: (hit: ToldHit) => void;
}

/** A hit of which it is known what it was. */
export interface ToldHit {
  readonly request: Digest;
  /** ms since the epoch */
  readonly at: number;
}

const KEYS = { request: requestKey, movable: movableKey };

export class MovedHits {
  readonly #parts: MovedHitsParts;
  /** The last of each compile, in order of time. */
  readonly #waiting = new Map<string, MovedHit>();
  /** Requests of hits that were told of before, by answer and root. */
  readonly #told = new Generations<Digest, Map<string, Digest>>(limits.movableWaiting, (byRoot) => byRoot.size);
  #latestAt = 0;

  constructor(parts: MovedHitsParts) {
    this.#parts = parts;
  }

  add(hit: MovedHit): void {
    const of = nameOf(hit);
    this.#latestAt = Math.max(this.#latestAt, hit.at);
    const request = this.#told.get(hit.key)?.get(hit.root);
    if (request !== undefined) return this.#parts.told({ request, at: hit.at });
    this.#waiting.delete(of);
    this.#waiting.set(of, hit);
    const [oldest] = this.#waiting.keys();
    if (oldest !== undefined && this.#waiting.size > limits.movableWaiting) this.#waiting.delete(oldest);
  }

  /** What is told of from now on may be of another action. Whoever replaces it sees first that nothing waits. */
  replaced(key: Digest): void {
    this.#told.delete(key);
  }

  /** Whether nobody has built where answers for every checkout are used, for a while. @param now ms since the epoch */
  isQuiet(now: number): boolean {
    return now - this.#latestAt > limits.quietMs;
  }

  /** @returns whether another waits */
  tellNext(): boolean {
    const [next] = this.#waiting.values();
    if (next !== undefined) this.#tell(next);
    return this.#waiting.size > 0;
  }

  /**
   * The last hit of one file; of none in particular the last of all. Somebody waits, and so may a build: it is looked for among the last ones,
   * and where it is none of them it is told of when nobody builds.
   *
   * @param file absolute, or ""
   */
  tellOf(file: string): void {
    const newest = [...this.#waiting.values()].toReversed();
    const maybe = file === "" ? newest.slice(0, 1) : newest.filter(({ root }) => file.startsWith(`${root}/`));
    for (const hit of maybe.slice(0, limits.movedToldAtOnce)) if (this.#tell(hit) === file) return;
  }

  /** @returns the source, in the checkout of the hit; undefined where nothing can be told */
  #tell(hit: MovedHit): string | undefined {
    this.#waiting.delete(nameOf(hit));
    const { index, records, told } = this.#parts;
    const origin = records.origin(hit.key);
    const request = origin && rememberMoved(index, hit, origin, KEYS);
    if (origin === undefined || request === undefined) return undefined;
    this.#told.set(hit.key, new Map(this.#told.get(hit.key)).set(hit.root, request));
    told({ request, at: hit.at });
    return hit.root + origin.source.slice(origin.root.length);
  }
}

function nameOf({ key, root }: MovedHit): string {
  return `${key} ${root}`;
}
