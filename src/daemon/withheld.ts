/**
 * What this node has found and may not tell yet: results of actions that it is asked about in a round (docs/protocol/rounds.md), whatever they
 * were executed for.
 *
 * Knows: of which action, and for how long. Does not know: who asked, or how a result is told.
 */
import type { Digest } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";

export interface WithheldParts {
  /** Tells all of what this node has signed. */
  readonly publish: (made: readonly SharedResult[]) => void;
  /** Calls back after that time; @returns what ends that */
  readonly after: (ms: number, done: () => void) => () => void;
}

export interface WithheldOptions {
  /** Nothing is withheld for longer, whatever others do. */
  readonly mostMs: number;
  /** Signed results that are withheld of one action; more are told. */
  readonly mostOfOne: number;
}

/** As long as it is not disposed of, nothing is told. */
export interface Withholding extends Disposable {
  /** What was found; undefined where all was over before. */
  readonly found: Promise<SharedResult | undefined>;
}

interface Action {
  readonly holders: Set<object>;
  readonly made: SharedResult[];
  readonly found: PromiseWithResolvers<SharedResult | undefined>;
  readonly endTimer: () => void;
}

export class Withheld implements Disposable {
  readonly #parts: WithheldParts;
  readonly #options: WithheldOptions;
  readonly #actions = new Map<Digest, Action>();

  constructor(parts: WithheldParts, options: WithheldOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  has(action: Digest): boolean {
    return this.#actions.has(action);
  }

  /** From now on what comes of it is withheld, until all who asked are done with it. */
  withhold(action: Digest): Withholding {
    const holder = {};
    const known = this.#actions.get(action) ?? this.#begin(action);
    known.holders.add(holder);
    return {
      found: known.found.promise,
      [Symbol.dispose]: () => {
        known.holders.delete(holder);
        if (known.holders.size === 0) this.#tell(action, known);
      },
    };
  }

  /** This node has signed these. @returns those that may be told now */
  admit(made: readonly SharedResult[]): SharedResult[] {
    return made.filter((shared) => {
      const held = this.#actions.get(shared.entry.action);
      if (held === undefined || held.made.length >= this.#options.mostOfOne) return true;
      held.made.push(shared);
      held.found.resolve(shared);
      return false;
    });
  }

  /** Tells all that is left. */
  [Symbol.dispose](): void {
    for (const [action, held] of this.#actions) this.#tell(action, held);
  }

  #begin(action: Digest): Action {
    const held: Action = {
      holders: new Set(),
      made: [],
      found: Promise.withResolvers(),
      endTimer: this.#parts.after(this.#options.mostMs, () => this.#tell(action, held)),
    };
    this.#actions.set(action, held);
    return held;
  }

  #tell(action: Digest, held: Action): void {
    if (this.#actions.get(action) !== held) return;
    this.#actions.delete(action);
    held.endTimer();
    held.found.resolve(undefined);
    if (held.made.length > 0) this.#parts.publish(held.made);
  }
}
