/**
 * A map that forgets what was not used for long: what is found among the old moves to the young, and the old are dropped at once.
 */
export class Recent<T> {
  readonly #most: number;
  readonly #weigh: (value: T) => number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  #youngWeight = 0;

  /** @param most entries, or what all of them may weigh together */
  constructor(most: number, weigh: (value: T) => number = () => 1) {
    this.#most = most;
    this.#weigh = weigh;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  get(key: string): T | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: T): void {
    const known = this.#young.get(key);
    this.#youngWeight += this.#weigh(value) - (known === undefined ? 0 : this.#weigh(known));
    this.#young.set(key, value);
    if (this.#youngWeight <= this.#most / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngWeight = 0;
  }
}
