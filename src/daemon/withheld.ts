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
  /** For one round nothing is withheld for longer, whatever others do; after so long no further one begins. */
  readonly mostMs: number;
  /** Signed results that are kept of one action; more say the same, and are dropped. */
  readonly mostOfOne: number;
}

/** As long as it is not disposed of, nothing is told. */
export interface Withholding extends Disposable {
  /** What was found; undefined where all was over before. */
  readonly found: Promise<SharedResult | undefined>;
  /** Its round is revealed. Resolves when those of all others who asked are, too, or are over. */
  revealed(): Promise<void>;
}

interface Holder {
  readonly found: PromiseWithResolvers<SharedResult | undefined>;
  isRevealed: boolean;
  endTimer: () => void;
}

interface Action {
  readonly holders: Set<Holder>;
  readonly made: SharedResult[];
  readonly allRevealed: PromiseWithResolvers<void>;
  /** Nobody else can ask any more. */
  isLate: boolean;
  endTimer: () => void;
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

  /**
   * From now on what comes of it is withheld, until all who asked are done with it.
   *
   * @returns undefined where somebody has revealed already, or it is withheld for too long: nobody could keep it from this round
   */
  withhold(action: Digest): Withholding | undefined {
    const known = this.#actions.get(action) ?? this.#begin(action);
    if (known.isLate) return undefined;
    const holder: Holder = { found: Promise.withResolvers(), isRevealed: false, endTimer: () => undefined };
    known.holders.add(holder);
    if (known.made[0] !== undefined) holder.found.resolve(known.made[0]);
    const end = (): void => this.#end(action, known, holder);
    holder.endTimer = this.#parts.after(this.#options.mostMs, end);
    return {
      found: holder.found.promise,
      revealed: () => {
        holder.isRevealed = true;
        known.isLate = true;
        look(known);
        return known.allRevealed.promise;
      },
      [Symbol.dispose]: end,
    };
  }

  /** This node has signed these. @returns those that may be told now */
  admit(made: readonly SharedResult[]): SharedResult[] {
    return made.filter((shared) => {
      const held = this.#actions.get(shared.entry.action);
      if (held === undefined) return true;
      if (held.made.length < this.#options.mostOfOne) held.made.push(shared);
      for (const { found } of held.holders) found.resolve(shared);
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
      allRevealed: Promise.withResolvers(),
      isLate: false,
      endTimer: () => undefined,
    };
    const late = (): void => {
      held.isLate = true;
    };
    held.endTimer = this.#parts.after(this.#options.mostMs, late);
    this.#actions.set(action, held);
    return held;
  }

  #end(action: Digest, held: Action, holder: Holder): void {
    if (!held.holders.delete(holder)) return;
    release(holder);
    if (held.holders.size === 0) this.#tell(action, held);
    else look(held);
  }

  #tell(action: Digest, held: Action): void {
    if (this.#actions.get(action) !== held) return;
    this.#actions.delete(action);
    held.endTimer();
    for (const holder of held.holders) release(holder);
    held.holders.clear();
    look(held);
    if (held.made.length > 0) this.#parts.publish(held.made);
  }
}

function release(holder: Holder): void {
  holder.endTimer();
  holder.found.resolve(undefined);
}

function look({ holders, allRevealed }: Action): void {
  if ([...holders].every(({ isRevealed }) => isRevealed)) allRevealed.resolve();
}
