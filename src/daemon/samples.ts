/**
 * How much of what others vouch for is executed here once more: nearly all of who is new, little of who was right for long. What is known of
 * that outlives the process.
 *
 * Knows: when this node has executed something. Does not know: who draws the lots, or how a compile is repeated.
 */
import { type Digest, Generations, type Key, limits, type SharingPolicy } from "../base/index.ts";
import type { Attestation, Reputations, SharedResult } from "../contracts/index.ts";
import {
  auditUnder,
  claimIn,
  domainsOf,
  isOfCommand,
  type Members,
  outcomeKey,
  Proven,
  type State,
  sharingUnder,
  signerIn,
} from "../trust/index.ts";
import type { EvidenceStore } from "./convictions.ts";

export interface SamplesParts {
  readonly members: Pick<Members, "state">;
  /** This node's attestation key. */
  readonly self: Key;
  readonly kept: EvidenceStore;
  /** What is known of an action of that request, verified. */
  readonly known: (manifest: Digest, action: Digest) => readonly Attestation[];
  /** Those of them that are voices of their own: see Repeats. */
  readonly voices: (all: readonly Attestation[]) => readonly Attestation[];
  /** Attestation keys whose voices do not count. */
  readonly discredited: () => ReadonlySet<Key>;
  readonly reputations: Pick<Reputations, "observe">;
}

const SETTING = "proven";

export class Samples {
  readonly #parts: SamplesParts;
  readonly #policy: SharingPolicy;
  readonly #proven: Proven;
  /** By action and signer, what has been compared: who says the same once more has not executed it once more. */
  readonly #compared = new Generations<string, true>(limits.trust.provenBy);

  constructor(parts: SamplesParts, options: { readonly policy: SharingPolicy }) {
    this.#parts = parts;
    this.#policy = options.policy;
    this.#proven = new Proven(parts.kept.setting(SETTING));
  }

  /** Of results that these vouch for, well enough for `tier`, one of so many is to be executed here, too. */
  oneOf(tier: SharingPolicy, signers: readonly Key[], project?: SharingPolicy): number {
    if (tier === "speculative") return 1; // One domain alone.
    const most = this.#most(project);
    return this.#isOfOneDomain ? most : this.#proven.oneOf(signers, most);
  }

  /** Of what is vouched for by who is proven. */
  #most(project: SharingPolicy | undefined): number {
    const rules = this.#parts.members.state?.policy.rules ?? {};
    return auditUnder(rules, sharingUnder(rules, this.#policy, project));
  }

  /** This node has executed these: whoever else has is proven by that, or the contrary. */
  executed(made: readonly SharedResult[]): void {
    const { state } = this.#parts.members;
    if (state === undefined) return;
    const news = made.map((shared) => {
      const own = claimIn(shared);
      // A command may print the time: who gets something else is as right.
      if (own === undefined || isOfCommand(own.outputs)) return false;
      const others = this.#others(own);
      this.#compare(state, own, others);
      return !this.#isOfOneDomain && this.#proven.learn(state, own, others);
    });
    if (news.includes(true)) this.#parts.kept.set(SETTING, this.#proven.toString());
  }

  /** What somebody's name is worth follows from it, too. */
  #compare(state: State, own: Attestation, others: readonly Attestation[]): void {
    const outcome = outcomeKey(own);
    for (const other of others) {
      const { signer } = other.execution;
      const member = signerIn(state, signer);
      const pair = `${own.manifest} ${own.action} ${signer}`;
      if (member === undefined || this.#compared.has(pair)) continue;
      this.#compared.set(pair, true);
      this.#parts.reputations.observe(member.key, { kind: "checked", isSame: outcomeKey(other) === outcome });
    }
  }

  /** Whose word does not count makes nobody look more closely, either. Who may have repeated others can be wrong, and is not right. */
  #others(own: Attestation): readonly Attestation[] {
    const { self, known, voices, discredited } = this.#parts;
    const others = known(own.manifest, own.action).filter(({ execution: { signer } }) => signer !== self && !discredited().has(signer));
    const [outcome, speaking] = [outcomeKey(own), new Set(voices(others))];
    return others.filter((one) => speaking.has(one) || outcomeKey(one) !== outcome);
  }

  get #isOfOneDomain(): boolean {
    const { state } = this.#parts.members;
    return state === undefined || domainsOf(state).size === 1;
  }
}
