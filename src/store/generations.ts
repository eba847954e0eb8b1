/**
 * A bounded map that forgets what was not used for long: two generations of half the size each.
 * An entry that is found in the old one moves to the young one; when the young one is full, the old one is dropped.
 * Reading costs one lookup in a Map, where a strict least-recently-used order would cost a deletion and an insertion.
 */
export class Generations<K, V> {
  readonly #half: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** @param entriesMax never more entries than this are held; at least 2 */
  constructor(entriesMax: number) {
    this.#half = Math.max(1, Math.floor(entriesMax / 2));
  }

  get(key: K): V | undefined {
    const found = this.#young.get(key);
    if (found !== undefined) return found;
    const aged = this.#old.get(key);
    if (aged !== undefined) this.set(key, aged);
    return aged;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
