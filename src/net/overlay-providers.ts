/**
 * What members have told this node that they have, so that it can tell others: bounded for each member and in all, and forgotten when it is
 * not told again.
 *
 * Knows: prefixes, members, time that it is told. Does not know: for what this node is responsible, or whether anybody tells the truth;
 * whoever asks there finds out.
 */
import { type Key, limits } from "../base/index.ts";
import type { Provider } from "./overlay-node.ts";
import type { Prefix } from "./share-prefixes.ts";

const { provided, providedMs, providedPerMember, providersAtOnce } = limits.overlay;

export class ProviderRecords {
  /** Member → what it has → until when that counts; the eldest first. */
  readonly #of = new Map<Key, Map<Prefix, number>>();
  readonly #has = new Map<Prefix, Set<Key>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A member has results of these. When it is too much, what it has told first goes; when it is too much of all, so does what the one with most has. */
  add(key: Key, prefixes: Iterable<Prefix>, now: number): void {
    const told = this.#of.get(key) ?? new Map<Prefix, number>();
    this.#of.set(key, told);
    for (const prefix of prefixes) {
      this.#drop(key, prefix); // Told again, it is the youngest.
      if (told.size >= providedPerMember) this.#dropEldest(key);
      told.set(prefix, now + providedMs);
      const members = this.#has.get(prefix) ?? new Set();
      this.#has.set(prefix, members.add(key));
      this.#size += 1;
      if (this.#size <= provided) continue;
      // Who floods is above its share, and pays for it itself.
      this.#dropEldest(told.size > provided / this.#of.size ? key : this.#largest());
    }
  }

  /** Who has some of these, whoever has most of them first. */
  providers(wanted: Iterable<Prefix>, now: number): Provider[] {
    const found = new Map<Key, Prefix[]>();
    for (const prefix of wanted)
      for (const key of this.#has.get(prefix) ?? [])
        if ((this.#of.get(key)?.get(prefix) ?? 0) > now) found.set(key, [...(found.get(key) ?? []), prefix]);
    const all = [...found].map(([key, manifests]) => ({ key, manifests }));
    return all.toSorted((a, b) => b.manifests.length - a.manifests.length).slice(0, providersAtOnce);
  }

  /** Forgets what nobody has told again, and members that are not kept. */
  review(keeps: (key: Key) => boolean, now: number): void {
    for (const [key, told] of this.#of) {
      const isKept = keeps(key);
      for (const [prefix, until] of told) {
        if (isKept && until > now) break;
        this.#drop(key, prefix);
      }
      if (told.size === 0) this.#of.delete(key);
    }
  }

  #drop(key: Key, prefix: Prefix): void {
    if (this.#of.get(key)?.delete(prefix) !== true) return;
    this.#size -= 1;
    const members = this.#has.get(prefix);
    members?.delete(key);
    if (members?.size === 0) this.#has.delete(prefix);
  }

  #dropEldest(key: Key): void {
    const [eldest] = this.#of.get(key)?.keys() ?? [];
    if (eldest !== undefined) this.#drop(key, eldest);
  }

  #largest(): Key {
    const [[key] = [""]] = [...this.#of].toSorted(([, a], [, b]) => b.size - a.size);
    return key;
  }
}
