/**
 * What jobs hold in memory together, and which of them ends when that is too much: the youngest, since least was done of it.
 *
 * Each job has a limit of its own, and many that keep theirs may still take a machine together.
 * Knows: sums, and who came last. Does not know: processes, how memory is looked at, what ends a job.
 */

/** A job's place, until it is disposed of. */
export interface LedgerPlace extends Disposable {
  /** What others leave of all that there is; below 0 where they leave nothing. */
  readonly leftBytes: number;
  /**
   * What the job holds now. Several jobs may be told of in any order: nobody ends because of what is not known exactly of another one, whose
   * next look is more exact since less is left for it.
   *
   * @param isExact false: no more than that
   */
  note(bytes: number, isExact: boolean): void;
}

interface Held {
  bytes: number;
  isExact: boolean;
  readonly end: () => void;
}

export class MemoryLedger {
  readonly #mostBytes: number;
  /** Of jobs that have not been told to end, the oldest first. */
  readonly #held = new Set<Held>();

  /** @param mostBytes of all jobs together */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** @param end called once at most: the job must end */
  enter(end: () => void): LedgerPlace {
    const held: Held = { bytes: 0, isExact: true, end };
    this.#held.add(held);
    const left = (): number => this.#mostBytes - this.#sum() + (this.#held.has(held) ? held.bytes : 0);
    return {
      get leftBytes(): number {
        return left();
      },
      note: (bytes, isExact) => {
        Object.assign(held, { bytes, isExact });
        this.#settle();
      },
      [Symbol.dispose]: () => void this.#held.delete(held),
    };
  }

  /** Who has been told to end is counted no more, so that one ends and not all. */
  #settle(): void {
    const all = [...this.#held];
    const youngest = all.at(-1);
    if (youngest === undefined || this.#sum() <= this.#mostBytes || !all.every(({ isExact }) => isExact)) return;
    this.#held.delete(youngest);
    youngest.end();
  }

  #sum(): number {
    let sum = 0;
    for (const { bytes } of this.#held) sum += bytes;
    return sum;
  }
}
