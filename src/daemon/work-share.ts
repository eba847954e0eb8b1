/**
 * How much of this machine others may use, and when.
 *
 * Knows: what the owner allows, how many cores there are, what the owner's own builds run. Does not know: jobs.
 */
import { type Config, type Hours, limits, readHours } from "../base/index.ts";

export interface WorkShareParts {
  /** Compiles of the user's own builds that run here. */
  readonly ownRunning: () => number;
  /** How long ago the user's own builds have asked for anything, ms. */
  readonly ownIdleMs: () => number;
  /** Whether they have since the start. */
  readonly hasBuilt: () => boolean;
  readonly isOnBattery: () => boolean;
  /** Of the clock on the wall, 0 to 23. */
  readonly hour: () => number;
  /** ms, monotonic */
  readonly now: () => number;
}

export type ShareOptions = Pick<Config, "workShare" | "workPower" | "workWhen" | "workHours">;

/** Why nothing is done for others just now. */
export type Withheld = "off" | "battery" | "hours" | "in-use" | "just-started";

/** The power supply is looked at so often at most. */
const POWER_LOOK_MS = 5_000;

export class WorkShare {
  readonly #parts: WorkShareParts;
  readonly #cores: number;
  #options: ShareOptions;
  #power: { readonly isOnBattery: boolean; readonly at: number } | undefined;

  /** @param options.cores of this machine */
  constructor(parts: WorkShareParts, options: ShareOptions & { readonly cores: number }) {
    this.#parts = parts;
    this.#cores = options.cores;
    this.#options = options;
  }

  get options(): ShareOptions {
    return this.#options;
  }

  set(options: ShareOptions): void {
    this.#options = options;
  }

  /** Jobs of others that may run now. The user's own come first. */
  slots(): number {
    return this.withheld() === undefined ? Math.max(0, this.most - this.#parts.ownRunning()) : 0;
  }

  /** The same where nobody builds and nothing is withheld: a share that is not nothing is one core at least. */
  get most(): number {
    const { workShare } = this.#options;
    if (workShare === 0) return 0;
    return Math.min(limits.sandbox.jobs, Math.max(1, Math.floor((this.#cores * workShare) / 100)));
  }

  withheld(): Withheld | undefined {
    const { workShare, workPower, workWhen, workHours } = this.#options;
    if (workShare === 0) return "off";
    if (!isWithin(readHours(workHours), this.#parts.hour())) return "hours";
    // What went on before the start nobody knows.
    if (workWhen === "idle" && this.#parts.ownIdleMs() < limits.work.idleMs) return this.#parts.hasBuilt() ? "in-use" : "just-started";
    return workPower === "mains" && this.#isOnBattery() ? "battery" : undefined;
  }

  #isOnBattery(): boolean {
    const now = this.#parts.now();
    if (this.#power === undefined || now - this.#power.at >= POWER_LOOK_MS)
      this.#power = { isOnBattery: this.#parts.isOnBattery(), at: now };
    return this.#power.isOnBattery;
  }
}

/** `22-6` goes past midnight. */
function isWithin(hours: Hours | undefined, hour: number): boolean {
  if (hours === undefined) return true;
  const { from, to } = hours;
  return from < to ? hour >= from && hour < to : hour >= from || hour < to;
}
