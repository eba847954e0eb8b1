/**
 * How far the word of a member goes that has executed something for the reader, at its request and for it alone: decision 72. Two pure functions
 * over membership and policy.
 *
 * Knows: tiers and domains. Does not know: what was executed, or whether it was signed.
 */
import { type Key, limits } from "../base/index.ts";
import { domainsNeeded, type Reader } from "./judge.ts";
import { sharingUnder } from "./policy.ts";
import { countsFor } from "./state.ts";

export type WorkersWord =
  /** It is used, and executed here as a sample. */
  | "sampled"
  /** It is used until it is executed here, which is soon. */
  | "until-executed"
  /** It is not used, so it is not asked for. */
  | "none";

/** Whether the reader's own voice and that of one member can be enough for what is wanted: where they cannot, nobody is asked. */
export function mayAnybodyWork({ state, policy, project }: Pick<Reader, "state" | "policy" | "project">): boolean {
  return domainsNeeded(state, sharingUnder(state.policy.rules, policy, project)) <= WITH_OWN;
}

/** @param worker its peer key */
export function workersWord(reader: Reader, worker: Key): WorkersWord {
  const { self, state, discredited } = reader;
  const member = state.members.get(worker);
  if (member?.standing !== "active" || discredited.has(member.attestationKey) || !mayAnybodyWork(reader)) return "none";
  // Who owns this machine has asked a machine of their own: as good as this one, and drawn like others' results.
  if (member.domain === state.members.get(self)?.domain) return "sampled";
  return countsFor(state, worker, self) ? "until-executed" : "none";
}

/** The reader's own and one more. */
const WITH_OWN = limits.trust.team;
