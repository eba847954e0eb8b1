/**
 * Who says what of one action, counted by trust domains: a domain has one voice for an answer, however many machines it has.
 *
 * Knows: members, and which attestations agree. Does not know: signatures; what is counted here was verified before.
 */
import { type Digest, digestOf, type Key, limits } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { isReceipt } from "./receipts.ts";
import { countedDomain, countsFor, type Member, type State, signerIn } from "./state.ts";

/** All that two attestations must have in common to vouch for the same result, when and by whom it was made left out. */
export type ResultClaim = Pick<Attestation, "manifest" | "action" | "entry" | "outputs" | "stdout" | "stderr">;

/** What one signer says, and for which domain. */
interface Spoken {
  readonly domain: string;
  readonly attestation: Attestation;
}

/** One answer, and who gave it. */
export interface Answer {
  /** Digest of what the compiler wrote and printed. */
  readonly outcome: Digest;
  /** By domain, one attestation of it: of who adds a voice. */
  readonly byDomain: ReadonlyMap<string, Attestation>;
  /** Of each signer of it, one; also of a domain on trial. */
  readonly bySigner: ReadonlyMap<Key, Spoken>;
}

/** What is to be thought of an action of which several answers are known. */
export type Finding =
  /** Nobody contradicts. */
  | { readonly kind: "agreed" }
  /** They differ, and too few have spoken. */
  | { readonly kind: "disputed" }
  /** Two answers at least were given by two domains each: both are what that action leads to. */
  | { readonly kind: "not-deterministic" }
  /** One answer was reproduced, and whoever gave another one stands alone. */
  | { readonly kind: "settled"; readonly outcome: Digest; readonly alone: readonly Alone[] };

/** Who stands alone, and attestations of as many other domains as it takes. */
export interface Alone {
  readonly attestation: Attestation;
  readonly against: readonly Attestation[];
}

/** Equal for what may be used in each other's place. */
export function claimKey({ manifest, action, entry, outputs, stdout, stderr }: ResultClaim): Digest {
  return digestOf(JSON.stringify([manifest, action, entry, written(outputs), stdout, stderr]));
}

/** Equal where compilers wrote and printed the same, whatever else was noted of their runs. */
export function outcomeKey(claim: Pick<ResultClaim, "outputs" | "stdout" | "stderr">): Digest {
  const known = outcomes.get(claim);
  if (known !== undefined) return known;
  const key = digestOf(JSON.stringify([written(claim.outputs), claim.stdout, claim.stderr]));
  outcomes.set(claim, key);
  return key;
}

/** One judgement asks for it several times. What it follows from does not change. */
const outcomes = new WeakMap<object, Digest>();

/** In no order of their own: a compiler has none. */
function written(outputs: Attestation["outputs"]): (readonly unknown[])[] {
  return outputs
    .map(({ path, digest, size, role, template }) => [path, digest, size, role, template] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The member that may have a voice by that key: active, and by an epoch, for a provisional one may be several at once. */
export function voter(state: State, signer: Key): Member | undefined {
  const member = signerIn(state, signer);
  return member?.standing === "active" && member.epoch !== undefined ? member : undefined;
}

/** The domain whose voice that is; undefined of who has none. */
export function voiceOf(state: State, signer: Key): string | undefined {
  const member = voter(state, signer);
  return member && countedDomain(state, member.key);
}

/** Whether a signer that may have a voice adds one for that reader; see {@link countsFor}. */
export function addsVoice(state: State, signer: Key, reader: Key | undefined): boolean {
  const member = voter(state, signer);
  return member !== undefined && countsFor(state, member.key, reader);
}

/**
 * The answers to one action, the one of most domains first. Who has only received something answers nothing.
 *
 * @param attestations all of that action, signatures verified
 * @param reader for whom; undefined where all are to find the same
 */
export function answersOf(state: State, attestations: Iterable<Attestation>, reader?: Key): Answer[] {
  const answers = new Map<Digest, { readonly byDomain: Map<string, Attestation>; readonly bySigner: Map<Key, Spoken> }>();
  for (const attestation of attestations) {
    const domain = voiceOf(state, attestation.execution.signer);
    if (domain === undefined || isReceipt(attestation.outputs)) continue;
    const outcome = outcomeKey(attestation);
    const answer = answers.get(outcome) ?? { byDomain: new Map<string, Attestation>(), bySigner: new Map<Key, Spoken>() };
    if (!answer.byDomain.has(domain) && addsVoice(state, attestation.execution.signer, reader)) answer.byDomain.set(domain, attestation);
    answer.bySigner.set(attestation.execution.signer, { domain, attestation });
    answers.set(outcome, answer);
  }
  return [...answers]
    .map(([outcome, answer]) => ({ outcome, ...answer }))
    .toSorted((a, b) => b.byDomain.size - a.byDomain.size || (a.outcome < b.outcome ? -1 : 1));
}

/**
 * What follows from the answers to one action.
 *
 * Nobody is blamed as long as two further domains have not done what the first two differed about: a lone answer may be as right as the other one.
 * A domain that has given both answers speaks for neither against itself: its machines differ, and others say which of them stands alone.
 */
export function findingOf(answers: readonly Answer[]): Finding {
  const [first, ...others] = answers;
  if (first === undefined || others.length === 0) return { kind: "agreed" };
  if (others.some(({ byDomain }) => byDomain.size >= limits.trust.reproduced)) return { kind: "not-deterministic" };
  // Whose domain has given both answers is judged by the others.
  const against = (domain: string): Attestation[] => [...first.byDomain].flatMap(([other, one]) => (other === domain ? [] : [one]));
  const alone = others
    .flatMap(({ bySigner }) => [...bySigner.values()])
    .map(({ domain, attestation }) => ({ attestation, against: against(domain).slice(0, limits.trust.convicting) }))
    .filter((one) => one.against.length === limits.trust.convicting);
  return alone.length === 0 ? { kind: "disputed" } : { kind: "settled", outcome: first.outcome, alone };
}

/**
 * Signers of anything else than `own`, where that was found by as many domains as it takes to blame somebody; nobody where it was not.
 *
 * Whoever has executed the action itself need not ask how many say otherwise: their results are not what would come of it here.
 *
 * @param counted answers by those alone who have repeated nobody's
 */
export function differingFrom(own: Digest, answers: readonly Answer[], counted: readonly Answer[] = answers): Key[] {
  const same = counted.find(({ outcome }) => outcome === own);
  if (same === undefined || same.byDomain.size < limits.trust.convicting) return [];
  return answers.flatMap(({ outcome, bySigner }) => (outcome === own ? [] : [...bySigner.keys()]));
}
