/**
 * From statements to a state: epochs in their order, then what is in no epoch yet in an order that follows from the statements alone.
 *
 * Knows: orders. Does not know: signatures (statements come checked), or how statements were received.
 */
import { limits, type Statement } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { electorateOf } from "./electorate.ts";
import type { Decided, EpochRule } from "./epoch-rule.ts";
import { applyOperation, seated } from "./operations.ts";
import { copyState, isAdmin, type State } from "./state.ts";
import { type Checked, readStatement } from "./statements.ts";

/** What comes first among statements that nobody has ordered: what takes away before what gives. */
const TURN: Readonly<Record<Statement["what"]["kind"], number>> = {
  genesis: 0,
  epoch: 0,
  revoke: 1,
  leave: 2,
  domain: 3,
  policy: 4,
  accept: 5,
  claim: 6,
  invite: 7,
  admit: 8,
};

export interface Folded {
  readonly state: State;
  /** What took effect, in that order: what the next epoch should hold. */
  readonly applied: readonly Checked[];
}

/**
 * Applies statements that are in no epoch to a copy of `decided`. What cannot take effect is passed over, and tried again after all
 * others as long as any of them can: an invitation may be the sixth until the redemption of the first is seen.
 */
export function foldPending(decided: State, pending: Iterable<Checked>): Folded {
  const state = copyState(decided);
  const applied: Checked[] = [];
  let waiting = [...pending].toSorted(inOrder(decided));
  for (let progress = true; progress; ) {
    const still = waiting.filter((one) => applyOperation(state, one, undefined) !== undefined || void applied.push(one));
    progress = still.length < waiting.length;
    waiting = still;
  }
  state.isNewer ||= applied.some(isNewer);
  return { state, applied };
}

/** Seniors first within a turn, so that of two admins who revoke each other at once the senior stays. */
function inOrder(decided: State): (a: Checked, b: Checked) => number {
  const rank = (one: Checked): number => decided.members.get(one.statement.author)?.rank ?? limits.members;
  return (a, b) =>
    TURN[a.statement.what.kind] - TURN[b.statement.what.kind] ||
    rank(a) - rank(b) ||
    a.statement.sequence - b.statement.sequence ||
    (a.id < b.id ? -1 : 1);
}

/** The operations of an epoch, all signatures checked; undefined when one does not hold. */
export function readOperations(codec: MembershipCodec, epoch: Checked): readonly Checked[] | undefined {
  const { what } = epoch.statement;
  if (what.kind !== "epoch") return undefined;
  const operations = what.operations.map((bytes) => readStatement(codec, bytes));
  const checked = operations.flatMap((read) => (read.kind === "checked" ? [read.checked] : []));
  return checked.length === operations.length ? checked : undefined;
}

/**
 * What waits for the epoch that holds it: policy, consent, claims of names, and, where domains decide, revocations of another domain's members. Own machines go
 * at once.
 */
export function isHeldBack(decided: State, folded: State, { statement: { author, what } }: Checked): boolean {
  if (what.kind === "policy" || what.kind === "accept" || what.kind === "claim") return true;
  if (what.kind !== "revoke" || electorateOf(decided) === undefined) return false;
  return folded.members.get(author)?.domain !== folded.members.get(what.member)?.domain;
}

export interface FoldedEpoch {
  readonly state: State;
  readonly decided: Decided;
}

/**
 * The state after an epoch, and who decided it; undefined when that epoch may not follow, or holds anything that cannot take effect in its place.
 */
export function foldEpoch(
  rule: Pick<EpochRule, "decides">,
  before: State,
  epoch: Checked,
  operations: readonly Checked[],
): FoldedEpoch | undefined {
  const { what, network } = epoch.statement;
  if (what.kind !== "epoch" || network !== before.network) return undefined;
  if (what.number !== before.epoch.number + 1 || what.previous !== before.epoch.id) return undefined;
  const decided = rule.decides(before, epoch);
  if (decided === undefined) return undefined;
  const state = copyState(before, { number: what.number, id: epoch.id });
  for (const operation of operations) if (applyOperation(state, operation, what.number) !== undefined) return undefined;
  state.isNewer ||= operations.some(isNewer);
  return { state: seated(state), decided };
}

/** Whether versions of before do not read it, and so not the epoch that holds it, whatever is decided later. */
function isNewer({ statement: { what } }: Checked): boolean {
  if (what.kind === "policy") return what.policy.isUnanimous === true || what.policy.approvedToolchains !== undefined;
  return what.kind === "claim" || (what.kind === "revoke" && what.isWithdrawn === true);
}

/**
 * What stays of statements that are in no epoch: of each author the lowest numbers, so that whoever signs without end fills nothing.
 * The same set of statements leaves the same, however it was put together.
 */
export function trimPending(decided: State, provisional: State, pending: Iterable<Checked>): Map<string, Checked> {
  const byAuthor = new Map<string, Checked[]>();
  for (const one of pending) {
    const { author } = one.statement;
    const group = provisional.members.has(author) ? author : "";
    const known = byAuthor.get(group);
    if (known === undefined) byAuthor.set(group, [one]);
    else known.push(one);
  }
  const kept = new Map<string, Checked>();
  for (const [author, all] of byAuthor) {
    const most = author === "" ? limits.pendingOfStrangers : limits.pendingPerMember;
    const order = (a: Checked, b: Checked): number => a.statement.sequence - b.statement.sequence || (a.id < b.id ? -1 : 1);
    for (const one of all.toSorted(order).slice(0, most)) kept.set(one.id, one);
  }
  // An admin's word must get through whatever others do.
  if (kept.size > limits.pendingOperations) for (const [id, one] of kept) if (!isAdmin(decided, one.statement.author)) kept.delete(id);
  return kept;
}
