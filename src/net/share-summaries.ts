/**
 * What other members say that they can serve.
 *
 * Knows: prefixes of each member, and how many all may be. Does not know: how they came.
 */
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import type { SummaryFrame } from "../wire/index.ts";
import { Prefixes, prefixesIn, prefixOf } from "./share-prefixes.ts";

interface Heard {
  readonly prefixes: Prefixes;
  /** Of the frame that must come next. */
  readonly sequence: number;
}

export class Summaries {
  readonly #heard = new Map<Key, Heard>();
  /** Prefixes of all members together. */
  #size = 0;

  /**
   * Takes in what a member says.
   *
   * @throws {CairnError} frame-invalid when something before it is missing
   */
  take(key: Key, { sequence, added, removed }: SummaryFrame): void {
    if (sequence === 0) this.forget(key);
    const heard = this.#heard.get(key);
    if (sequence !== (heard?.sequence ?? 0)) throw new CairnError("frame-invalid", { what: "sequence", sequence });
    const prefixes = heard?.prefixes ?? new Prefixes();
    const { size } = prefixes;
    prefixes.change([], prefixesIn(removed));
    // What is more is not known, and so not asked for.
    const room = Math.min(limits.summaryPrefixesPerMember - prefixes.size, limits.summaryPrefixes - this.#size + size - prefixes.size);
    prefixes.change(prefixesIn(added).subarray(0, Math.max(0, room)), []);
    this.#size += prefixes.size - size;
    this.#heard.set(key, { prefixes, sequence: sequence + 1 });
  }

  forget(key: Key): void {
    this.#size -= this.#heard.get(key)?.prefixes.size ?? 0;
    this.#heard.delete(key);
  }

  /** Members that say they have it, in no order. */
  whoHas(manifest: Digest): Key[] {
    const prefix = prefixOf(manifest);
    const found: Key[] = [];
    for (const [key, { prefixes }] of this.#heard) if (prefixes.has(prefix)) found.push(key);
    return found;
  }

  /** Whether a member says that it has it. */
  isNamed(key: Key, manifest: Digest): boolean {
    return this.#heard.get(key)?.prefixes.has(prefixOf(manifest)) ?? false;
  }

  /** How many manifests a member says it has. */
  size(key: Key): number {
    return this.#heard.get(key)?.prefixes.size ?? 0;
  }
}
