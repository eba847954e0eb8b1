/**
 * Reputations in a network that runs: kept on disk, fed with who is there, and told to the log when they change much.
 *
 * Knows: when to look and to write. Does not know: what an observation is worth, or what follows from a reputation.
 */
import { type Facts, type Key, type Log, limits } from "../base/index.ts";
import type { Observation, Reputations } from "../contracts/index.ts";
import { type Members, Reputation } from "../trust/index.ts";

const { lookEveryMs, saveEveryMs } = limits.reputation;

export interface ReputationKeeperParts {
  readonly members: Pick<Members, "others" | "onChange" | "accused">;
  /** Whether a member is linked with this node, or was heard of lately. */
  readonly isThere: (member: Key) => boolean;
  /** Whether what it signs does not count here. */
  readonly isDiscredited: (member: Key) => boolean;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

const KEPT = "reputations";
/** A reputation is told of when it comes to another quarter. */
const STEPS = 4;

export class ReputationKeeper implements Reputations, Disposable {
  readonly #parts: ReputationKeeperParts;
  readonly #reputation: Reputation;
  readonly #timers = [setInterval(() => this.look(), lookEveryMs).unref(), setInterval(() => this.#save(), saveEveryMs).unref()];
  #lookedAtMs: number;

  constructor(parts: ReputationKeeperParts, options: { readonly halfLifeMs: number }) {
    this.#parts = parts;
    this.#reputation = new Reputation(parts, options);
    this.#reputation.restore(parts.kept.setting(KEPT) ?? "");
    this.#lookedAtMs = parts.now();
    parts.members.onChange(() => {
      const others = new Set(parts.members.others());
      if (others.size > 0) this.#reputation.keepOnly((member) => others.has(member));
    });
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#save();
  }

  observe(member: Key, what: Observation): void {
    const before = this.#stepOf(member);
    this.#reputation.observe(member, what);
    const { kind: about, ...facts } = what;
    this.#parts.log.event("debug", "reputation.observed", { peer: member, about, ...(facts as Facts) });
    const now = this.#stepOf(member);
    if (now !== before) this.#parts.log.event("info", "reputation.changed", { peer: member, about, ...this.#told(member) });
  }

  forWork(member: Key, work: string): number {
    return this.#reputation.forWork(member, work);
  }

  forFetch(member: Key): number {
    return this.#reputation.forFetch(member);
  }

  /** Who is there, and who has been since the last look. Who sees nobody is away itself; a machine that slept has seen nothing meanwhile. */
  look(): void {
    const { members, isThere, now } = this.#parts;
    const forMs = now() - this.#lookedAtMs;
    this.#lookedAtMs = now();
    const seen = members.others().map((member) => ({ member, isThere: isThere(member) }));
    if (forMs <= 0 || forMs > 2 * lookEveryMs || !seen.some((one) => one.isThere)) return;
    for (const one of seen) this.observe(one.member, { kind: "seen", isThere: one.isThere, forMs });
  }

  /** For people: what was seen of a member, and what it comes to. */
  describe(member: Key): object {
    const { work, kinds, fetch, accuracy, presence, hits } = this.#reputation.of(member);
    return {
      ...this.#told(member),
      seen: {
        work: rounded(work),
        kinds: Object.fromEntries([...kinds].map(([kind, share]) => [kind, rounded(share)])),
        fetch: rounded(fetch),
        accuracy: rounded(accuracy),
        presence: rounded(presence),
        hits: rounded(hits),
      },
    };
  }

  /** What counts when somebody is to be asked. */
  #told(member: Key): { readonly forWork: number; readonly forFetch: number; readonly discredited: boolean; readonly accused: boolean } {
    const { isDiscredited, members } = this.#parts;
    const weights = { forWork: rounded(this.forWork(member, "")), forFetch: rounded(this.forFetch(member)) };
    return { ...weights, discredited: isDiscredited(member), accused: members.accused.has(member) };
  }

  #stepOf(member: Key): string {
    return [this.forWork(member, ""), this.forFetch(member)].map((weight) => Math.ceil(weight * STEPS)).join();
  }

  #save(): void {
    if (this.#reputation.isChanged) this.#parts.kept.set(KEPT, this.#reputation.save());
  }
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
