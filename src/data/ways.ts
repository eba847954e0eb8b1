/**
 * Which way to a member is tried first: what was learnt of each, and for how long it holds.
 *
 * Knows: members, paths, the clock. Does not know: what a way is made of.
 */
import { type Key, limits } from "../base/index.ts";
import type { DataPath } from "../contracts/index.ts";
import type { Carrier } from "./carriers.ts";

interface Learnt {
  readonly works: boolean;
  /** Attempts that failed one after the other. */
  readonly failures: number;
  /** Until when it is believed that it fails. */
  readonly until: number;
}

export class Ways {
  readonly #now: () => number;
  readonly #carriers: readonly Carrier[];
  readonly #learnt = new Map<string, Learnt>();

  /** @param parts `carriers` the best first; `now` in ms, monotonic */
  constructor(parts: { readonly carriers: readonly Carrier[]; readonly now: () => number }) {
    this.#now = parts.now;
    this.#carriers = parts.carriers;
  }

  /** The best first; those that failed a short time ago come last. */
  to(key: Key): Carrier[] {
    const isAvoided = ({ path }: Carrier): number => ((this.#learnt.get(nameOf(key, path))?.until ?? 0) > this.#now() ? 1 : 0);
    return this.#carriers.toSorted((a, b) => isAvoided(a) - isAvoided(b));
  }

  /** How long this way has before the next is tried as well: what has worked is waited for. */
  headStartMs(key: Key, path: DataPath): number {
    return this.#learnt.get(nameOf(key, path))?.works === true ? limits.dataOpenDeadlineMs : limits.dataHeadStartMs;
  }

  worked(key: Key, path: DataPath): void {
    this.#learnt.set(nameOf(key, path), { works: true, failures: 0, until: 0 });
  }

  failed(key: Key, path: DataPath): void {
    const failures = (this.#learnt.get(nameOf(key, path))?.failures ?? 0) + 1;
    const avoidMs = Math.min(limits.dataAvoidFirstMs * 2 ** (failures - 1), limits.dataAvoidMostMs);
    this.#learnt.set(nameOf(key, path), { works: false, failures, until: this.#now() + avoidMs });
  }

  /** A member may be elsewhere now, or be reached in another way. */
  forget(key: Key): void {
    for (const { path } of this.#carriers) this.#learnt.delete(nameOf(key, path));
  }
}

function nameOf(key: Key, path: DataPath): string {
  return `${key} ${path}`;
}
