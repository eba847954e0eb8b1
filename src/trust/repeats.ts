/**
 * Whose word about an action this node does not count as one more voice: of a domain that it had asked to commit, and that said something only
 * after others had revealed what they found.
 *
 * Knows: docs/protocol/rounds.md, "What counts". Does not know: how rounds are held.
 */
import { type Digest, Generations, type Key } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { type State, signersDomain } from "./state.ts";
import { claimKey, outcomeKey } from "./tally.ts";

interface Revealed {
  /** Names of domains that were asked. */
  readonly asked: Set<string>;
  /** Who had spoken before, or has opened what it had promised. */
  readonly counted: Set<Key>;
}

export class Repeats {
  readonly #revealed: Generations<Digest, Revealed>;

  /** @param most actions that are remembered */
  constructor(most: number) {
    this.#revealed = new Generations(most);
  }

  /** Something about an action is about to be revealed. @param spoken signers that have said something before @returns takes that back: nobody has told anything */
  reveal(action: Digest, domains: Iterable<string>, spoken: Iterable<Key>): () => void {
    const before = this.#revealed.get(action);
    const asked = new Set([...(before?.asked ?? []), ...domains]);
    // Who had spoken before the first reveal has repeated nobody; who has since, is of no asked domain or has repeated.
    const early = [...spoken].filter((signer) => before === undefined || before.counted.has(signer));
    const now = { asked, counted: new Set([...(before?.counted ?? []), ...early]) };
    this.#revealed.set(action, now);
    return () => {
      if (this.#revealed.get(action) !== now) return;
      if (before === undefined) this.#revealed.delete(action);
      else this.#revealed.set(action, before);
    };
  }

  /** A signer has opened what it had promised before. */
  opened(action: Digest, signer: Key): void {
    this.#revealed.get(action)?.counted.add(signer);
  }

  /** Whether somebody may have repeated others. */
  isRepeating(state: State, { action, execution }: Pick<Attestation, "action" | "execution">): boolean {
    const revealed = this.#revealed.get(action);
    if (revealed === undefined || revealed.counted.has(execution.signer)) return false;
    return revealed.asked.has(signersDomain(state, execution.signer));
  }

  /** Those of them that are voices of their own. */
  voices(state: State, all: readonly Attestation[]): readonly Attestation[] {
    return all.filter((one) => !this.isRepeating(state, one));
  }

  /**
   * What is to be judged in place of a claim and of what is known beside it: who may have repeated others still contradicts, and does not agree.
   *
   * @returns undefined where nobody else has signed the very same result as somebody who may have repeated it
   */
  judged(
    state: State,
    claim: Attestation,
    known: () => readonly Attestation[],
  ): { readonly claim: Attestation; readonly known: () => readonly Attestation[] } | undefined {
    if (this.#revealed.get(claim.action) === undefined) return { claim, known };
    const mine = outcomeKey(claim);
    const heard = known().filter((one) => outcomeKey(one) !== mine || !this.isRepeating(state, one));
    if (!this.isRepeating(state, claim)) return { claim, known: () => heard };
    const same = claimKey(claim);
    const instead = heard.find((one) => claimKey(one) === same);
    return instead && { claim: instead, known: () => heard };
  }
}
