/**
 * How often others' results came out the same when this node executed them, too: who is new is looked at closely, whoever was right for long
 * seldom. It says how much is executed once more, and never that something is believed.
 *
 * After BOINC's adaptive replication (https://github.com/BOINC/boinc/wiki/AdaptiveReplication): a count of what was right in a row, zeroed by
 * what was not, and a floor, for who has waited for long may lie then.
 * Knows: counts by signer. Does not know: where they are kept, or what was executed.
 */
import { Generations, type Key, limits } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import type { State } from "./state.ts";
import { answersOf, outcomeKey } from "./tally.ts";

export class Proven {
  /** Who was proven last comes last. */
  readonly #times = new Map<Key, number>();
  /** What was counted, by action and signer: who says the same once more has not executed it once more. Not kept beyond this process. */
  readonly #counted = new Generations<string, true>(limits.trust.provenBy);

  /** @param text as {@link toString} wrote it; whatever else it says is left out */
  constructor(text = "") {
    for (const one of text.split(" ").slice(-limits.trust.proven)) {
      const [, key, times] = /^([0-9a-f]{64}):([0-9]{1,3})$/.exec(one) ?? [];
      if (key !== undefined) this.#times.set(key, Number(times));
    }
  }

  toString(): string {
    return [...this.#times].map(([key, times]) => `${key}:${times}`).join(" ");
  }

  /**
   * This node has executed something, and others say what came of it when they did.
   *
   * @returns whether that changes anything
   */
  learn(state: State, own: Attestation, others: readonly Attestation[]): boolean {
    const outcome = outcomeKey(own);
    const [same, different] = [true, false].map((isSame) => others.filter((one) => (outcomeKey(one) === outcome) === isSame));
    const signers = new Set((same ?? []).map(({ execution }) => execution.signer));
    const isNews = [...signers]
      .filter((signer) => this.#isFirst(own, signer))
      .map((signer) => this.#confirm(signer))
      .includes(true);
    const [most] = answersOf(state, different ?? []);
    if (most === undefined) return isNews;
    // Fewer domains than that lie alike, or so it is assumed: whoever sees that it is not so looks at all again.
    if (most.byDomain.size >= limits.trust.team) this.#times.clear();
    for (const { execution } of different ?? []) this.#times.delete(execution.signer);
    return true;
  }

  #isFirst({ manifest, action }: Attestation, signer: Key): boolean {
    const pair = `${manifest} ${action} ${signer}`;
    const isFirst = !this.#counted.has(pair);
    this.#counted.set(pair, true);
    return isFirst;
  }

  /** @returns whether it was not proven as well as can be */
  #confirm(key: Key): boolean {
    const times = this.#times.get(key) ?? 0;
    if (times >= limits.trust.auditTeam) return false;
    this.#times.delete(key);
    this.#times.set(key, times + 1);
    const [oldest] = this.#times.keys();
    if (this.#times.size > limits.trust.proven && oldest !== undefined) this.#times.delete(oldest);
    return true;
  }

  /** Of results that these vouch for, one of so many is executed here, too. @param most when all are proven */
  oneOf(signers: readonly Key[], most: number): number {
    return Math.min(most, 1 + Math.min(...signers.map((key) => this.#times.get(key) ?? 0)));
  }
}
