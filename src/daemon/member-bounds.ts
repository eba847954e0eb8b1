/**
 * How much of what is shared one member may have: of the slots at once, and of their time.
 *
 * Time is an allowance: it fills by so many seconds a minute, up to those of one minute, and a job takes from it for as long as it has a slot. So
 * nobody is cut off in the middle of a job, and who was over it waits until it has filled again.
 * Knows: what the owner set, who has had how much. Does not know: who waits, or for what.
 */
import { Allowance, type Config, Generations, type Key, limits } from "../base/index.ts";

export type BoundOptions = Pick<Config, "workMemberSlots" | "workMemberSeconds" | "workMemberWhen">;

/** `slots`: it has as many as it may at once, and gets another when one of its jobs ends; `seconds`: it has had its time. */
export type Bound = "slots" | "seconds";

interface Account {
  /** In ms. */
  readonly allowance: Allowance;
  /** Its jobs that run, by when they have begun. */
  readonly begun: Set<{ readonly atMs: number }>;
}

const SECOND_MS = 1_000;
const MINUTE_S = 60;

export class MemberBounds {
  readonly #now: () => number;
  #options: BoundOptions;
  #accounts = new Generations<Key, Account>(limits.peers);

  /** @param now ms, monotonic */
  constructor(now: () => number, options: BoundOptions) {
    this.#now = now;
    this.#options = options;
  }

  get options(): BoundOptions {
    return this.#options;
  }

  /** Another allowance begins full, for everybody. */
  set(options: BoundOptions): void {
    if (options.workMemberSeconds !== this.#options.workMemberSeconds) this.#accounts = new Generations(limits.peers);
    this.#options = options;
  }

  /** Whether who has had its time gets no more although nobody else wants what is left. */
  get isAlways(): boolean {
    return this.#options.workMemberWhen === "always";
  }

  /** What keeps a member from another slot; undefined: nothing. @param running its jobs that have one @param slots all that there are */
  reached(member: Key, running: number, slots: number): Bound | undefined {
    const { workMemberSlots, workMemberSeconds } = this.#options;
    if (running >= Math.max(1, Math.floor((slots * workMemberSlots) / 100))) return "slots";
    return workMemberSeconds > 0 && this.#left(member) <= 0 ? "seconds" : undefined;
  }

  /** A member gets a slot. @returns gives it back */
  begin(member: Key): Disposable {
    const job = { atMs: this.#now() };
    this.#account(member).begun.add(job);
    return {
      [Symbol.dispose]: () => {
        const account = this.#account(member);
        const now = this.#now();
        if (account.begun.delete(job)) account.allowance.spend(now - job.atMs, now);
      },
    };
  }

  /** @returns ms */
  #left(member: Key): number {
    const now = this.#now();
    const { allowance, begun } = this.#account(member);
    let left = allowance.left(now);
    for (const { atMs } of begun) left -= now - atMs;
    return left;
  }

  #account(member: Key): Account {
    const known = this.#accounts.get(member);
    if (known !== undefined) return known;
    const burst = this.#options.workMemberSeconds * SECOND_MS;
    const made: Account = { allowance: new Allowance({ burst, perSecond: burst / MINUTE_S }, this.#now()), begun: new Set() };
    this.#accounts.set(member, made);
    return made;
  }
}
