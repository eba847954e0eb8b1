/**
 * Who decides an epoch. Today the members of the genesis domain, each alone; agreement among domains will be another rule.
 *
 * Knows: seniority. Does not know: what is in an epoch.
 */
import type { Key } from "../base/index.ts";
import { admins, isAdmin, type State } from "./state.ts";
import type { Checked } from "./statements.ts";

export interface EpochRule {
  /** Whether this epoch may follow `state`. */
  decides(state: State, epoch: Checked): boolean;
  /**
   * Of two epochs that follow the same one, whether `a` is the one that stands. A total order, so that all who know both agree; and the
   * same in every state that follows, so that it need not be asked of the past.
   */
  prefers(state: State, a: Checked, b: Checked): boolean;
  /** Who may sign the next epoch, in the order in which they should try. */
  proposers(state: State): readonly Key[];
}

/**
 * The word of one admin is enough; of two at once, the more senior's stands.
 *
 * A stolen senior key can undo what juniors decided where nobody has heard of its revocation yet. Members who have do not listen to it,
 * and what it undoes is decided again by the next epoch, because operations outlive the epochs that held them.
 */
export const genesisDomainDecides: EpochRule = {
  decides: (state, epoch) => isAdmin(state, epoch.statement.author),
  prefers: (state, a, b) => {
    const [first, second] = [a, b].map(({ statement }) => state.members.get(statement.author)?.rank ?? Number.POSITIVE_INFINITY);
    return first === second || first === undefined || second === undefined ? a.id < b.id : first < second;
  },
  proposers: (state) => admins(state).map(({ key }) => key),
};
