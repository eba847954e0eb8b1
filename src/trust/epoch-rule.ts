/**
 * Who decides an epoch: the members of the genesis domain, each alone, in a network of few domains; from four on the domains, by agreement.
 *
 * Knows: seniority, quorums. Does not know: what is in an epoch.
 */
import type { Key } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { decidedBy, electorateOf } from "./electorate.ts";
import { admins, isAdmin, type State } from "./state.ts";
import type { Checked } from "./statements.ts";

export interface EpochRule {
  /** By whom it was decided that this epoch follows `state`: an admin's key, or domains; undefined when it may not follow. */
  decides(state: State, epoch: Checked): Decided | undefined;
  /**
   * Of two epochs of admins that follow the same one, whether `a` is the one that stands. A total order, so that all who know both agree; and
   * the same in every state that follows, so that it need not be asked of the past.
   */
  prefers(state: State, a: Checked, b: Checked): boolean;
  /** Who may sign the next epoch alone, in the order in which they should try. */
  proposers(state: State): readonly Key[];
}

export type Decided = { readonly by: "admin"; readonly admin: Key } | { readonly by: "domains"; readonly domains: readonly string[] };

/**
 * In a network of fewer than four domains the word of one admin is enough; of two at once, the more senior's stands. A stolen senior key can
 * undo what juniors decided where nobody has heard of its revocation yet. Members who have do not listen to it, and what it undoes is decided
 * again by the next epoch, because operations outlive the epochs that held them.
 *
 * In larger ones a quorum of domains signs each epoch, and nothing that they have decided is ever replaced.
 */
export function epochRule(codec: MembershipCodec): EpochRule {
  return {
    decides: (state, epoch) => {
      const { decision, statement } = epoch;
      const electorate = electorateOf(state);
      if (electorate === undefined)
        return decision === undefined && isAdmin(state, statement.author) ? { by: "admin", admin: statement.author } : undefined;
      const domains = decision && decidedBy(codec, { network: state.network, previous: state.epoch.id, electorate }, epoch.id, decision);
      return domains && { by: "domains", domains };
    },
    prefers: (state, a, b) => {
      const [first, second] = [a, b].map(({ statement }) => state.members.get(statement.author)?.rank ?? Number.POSITIVE_INFINITY);
      return first === second || first === undefined || second === undefined ? a.id < b.id : first < second;
    },
    proposers: (state) => (electorateOf(state) === undefined ? admins(state).map(({ key }) => key) : []),
  };
}
