/**
 * A bounded map that forgets what was not used for long: two generations of half the size each.
 * An entry that is found in the old one moves to the young one; when the young one is full, the old one is dropped.
 * Reading costs one lookup in a Map, where a strict least-recently-used order would cost a deletion and an insertion.
 */
export class Generations<K, V> {
  readonly #half: number;
  readonly #weigh: (value: V) => number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();
  #youngWeight = 0;

  /**
   * @param most what all entries may weigh together; one that weighs more than half of it is held alone
   * @param weigh the same for the same value; without it each entry weighs 1
   */
  constructor(most: number, weigh: (value: V) => number = () => 1) {
    this.#half = Math.max(1, Math.floor(most / 2));
    this.#weigh = weigh;
  }

  has(key: K): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  get(key: K): V | undefined {
    const found = this.#young.get(key);
    if (found !== undefined) return found;
    const aged = this.#old.get(key);
    if (aged !== undefined) this.set(key, aged);
    return aged;
  }

  set(key: K, value: V): void {
    this.#forgetYoung(key);
    const weight = this.#weigh(value);
    if (this.#young.size > 0 && this.#youngWeight + weight > this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngWeight = 0;
    }
    this.#young.set(key, value);
    this.#youngWeight += weight;
  }

  delete(key: K): void {
    this.#forgetYoung(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngWeight = 0;
  }

  #forgetYoung(key: K): void {
    const known = this.#young.get(key);
    if (known === undefined) return;
    this.#young.delete(key);
    this.#youngWeight -= this.#weigh(known);
  }
}
