/**
 * Whom this node believes: the rule of the reader. One pure function over attestations, membership and policy.
 *
 * Knows: tiers, and that votes are counted by trust domain, never by machine. Does not know: where attestations come from, what lies in the
 * blobs, or whether the result is one for the request at hand.
 */
import { type Key, limits, type SharingPolicy } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { isOfCommand, verifiedId } from "./attestation.ts";
import { isOfAction } from "./executed-actions.ts";
import { sharingUnder } from "./policy.ts";
import { isKin, isReceipt } from "./receipts.ts";
import { countedDomain, countsFor, type Member, type State, signerIn } from "./state.ts";
import { addsVoice, answersOf, claimKey, findingOf, outcomeKey, voiceOf } from "./tally.ts";

/** Who judges, and by what. */
export interface Reader {
  /** This machine's own; the network's holds where that is stricter. */
  readonly policy: SharingPolicy;
  /** That of the project for which it is asked; the others hold where they are stricter. */
  readonly project?: SharingPolicy | undefined;
  /** The reader's own peer key. */
  readonly self: Key;
  readonly state: State;
  /** Attestation keys whose voices do not count here, as they were found to have signed what is not so. */
  readonly discredited: ReadonlySet<Key>;
  /** Whether receipts of the reader's own domain are taken although this machine's policy wants more domains than one; see receipts.ts. */
  readonly takesReceipts?: boolean;
}

/** How well a result is vouched for: the policy that it is good enough for. */
export type Tier = SharingPolicy;

/** Why a result is not believed. */
export type Doubt =
  | "stranger" // No member ever had that key.
  | "revoked"
  | "left"
  | "policy" // Nobody else's results are used here.
  | "discredited" // Its signer was found to have signed what is not so.
  | "signature" // Whom it names has not signed it.
  | "received" // Its signer has only received it from a tool, and receipts of that signer are not taken here.
  | "too-few-domains"
  | "disputed" // Another member says that something else came of it.
  | "not-deterministic" // Two domains each say this, and two each say that.
  | "own-work-differs"; // This node has executed it, and something else came of it.

export type Verdict =
  | {
      readonly kind: "believed";
      readonly tier: Tier;
      readonly member: Member;
      /** Attestations of one machine of each domain that vouches for it, as many as were needed. */
      readonly certificate: readonly Attestation[];
    }
  | {
      readonly kind: "refused";
      readonly why: Doubt;
      /** How many domains vouch for it, and how many must; both 0 where that was not what mattered. */
      readonly domains: number;
      readonly needed: number;
    };

/**
 * Whether a result is believed. What was not made just now by this process is judged here and nowhere else.
 *
 * @param claim what was offered, as its signer signed it; whatever a member may have made up
 * @param known what else this node knows of that request, of any signer and any action; asked only where it matters
 */
export function judge(reader: Reader, claim: Attestation, known: () => readonly Attestation[]): Verdict {
  const { self, state, discredited } = reader;
  const policy = sharingUnder(state.policy.rules, reader.policy, reader.project);
  const { signer } = claim.execution;
  const member = signerIn(state, signer); // First what costs little.
  if (member === undefined) return refused("stranger");
  if (member.standing !== "active") return refused(member.standing);
  const isOwn = member.key === self;
  if (!isOwn && policy === "self") return refused("policy");
  if (!isOwn && discredited.has(signer)) return refused("discredited");
  if (!isSignedIn(state, claim)) return refused("signature");
  if (isOwn) return { kind: "believed", tier: "self", member, certificate: [claim] };

  const needed = domainsNeeded(state, policy);
  const forTeam = domainsNeeded(state, "team");
  if (isReceipt(claim.outputs)) {
    if (!isKin(reader, member) || !takesReceipts(reader)) return refused("received");
    return { kind: "believed", tier: tierOf(state, 1), member, certificate: [claim] };
  }
  const counts = countsFor(state, member.key, self);
  // All are of one domain, which differs with nobody.
  if (counts && needed === 1 && forTeam === 1) return { kind: "believed", tier: "team", member, certificate: [claim] };

  const others = answersBeside(claim, known());
  const heard = [claim, ...others].filter((one) => !discredited.has(one.execution.signer));
  const certificate = certificateOf(state, claim, heard, { reader: self, most: Math.max(needed, forTeam) });
  const doubt = contradiction(reader, claim, others.length === 0 ? [] : heard, needed);
  if (doubt !== undefined) return { kind: "refused", why: doubt, domains: certificate.length, needed };
  // A provisional member has no voice, and may be believed where one member is enough.
  const vouching = certificate.length === 0 && counts ? [claim] : certificate;
  if (vouching.length < needed || (needed > 1 && certificate.length < needed))
    return { kind: "refused", why: "too-few-domains", domains: certificate.length, needed };
  return { kind: "believed", tier: tierOf(state, certificate.length), member, certificate: vouching };
}

/**
 * What others say of the same. What an action of a build tool is made of follows from its key alone: who says to have executed it with another
 * command or other inputs answers the same question, under another name.
 */
export function answersBeside(claim: Attestation, known: readonly Attestation[]): Attestation[] {
  const isOfSame = isOfAction(claim.outputs)
    ? ({ outputs }: Attestation): boolean => isOfAction(outputs)
    : ({ action, outputs }: Attestation): boolean => action === claim.action && !isReceipt(outputs);
  return known.filter((one) => one.manifest === claim.manifest && isOfSame(one));
}

/** Whether receipts of the reader's own domain are taken: where one domain is enough, or where the owner says so and nobody else demands more. */
export function takesReceipts({ state, policy, project, takesReceipts: isWanted }: Omit<Reader, "self" | "discredited">): boolean {
  const { rules } = state.policy;
  const held = sharingUnder(rules, policy, project);
  if (held === "self") return false;
  const demanded = sharingUnder(rules, "speculative", project);
  return domainsNeeded(state, held) === 1 || (isWanted === true && domainsNeeded(state, demanded) === 1);
}

/** How many domains must vouch for what this node has not executed. More than there are: its own work alone is believed then. */
export function domainsNeeded(state: State, policy: SharingPolicy): number {
  return Math.max(state.policy.rules.quorum ?? 0, domainsOfTier(state, policy));
}

function domainsOfTier(state: State, policy: SharingPolicy): number {
  switch (policy) {
    case "self":
      return Number.POSITIVE_INFINITY;
    case "speculative":
      return 1;
    case "team":
      return Math.min(limits.trust.team, Math.max(1, domainsOf(state).size));
    case "release":
      return limits.trust.release;
  }
}

/** Names of the domains that count and have an active member. */
export function domainsOf(state: State): ReadonlySet<string> {
  const active = [...state.members.values()].filter(({ standing }) => standing === "active");
  return new Set(active.map(({ key }) => countedDomain(state, key)));
}

/**
 * Of each domain one attestation of the very same result whose signature holds, at most so many.
 *
 * @param options `reader`: for whom; undefined where it is told to others
 */
export function certificateOf(
  state: State,
  claim: Attestation,
  heard: readonly Attestation[],
  { reader, most }: { readonly reader: Key | undefined; readonly most: number },
): Attestation[] {
  const wanted = claimKey(claim);
  const byDomain = new Map<string, Attestation>();
  for (const one of heard) {
    if (byDomain.size >= most) break;
    const domain = voiceOf(state, one.execution.signer);
    if (domain === undefined || byDomain.has(domain) || claimKey(one) !== wanted) continue;
    if (!addsVoice(state, one.execution.signer, reader)) continue;
    if (one === claim || isSignedIn(state, one)) byDomain.set(domain, one);
  }
  return [...byDomain.values()];
}

/** What speaks against a result of which this node knows other answers, too. Counted first: a signature is looked at only where it matters. */
export function contradiction(
  { self, state }: Reader,
  claim: Attestation,
  heard: readonly Attestation[],
  needed: number,
): Doubt | undefined {
  const mine = outcomeKey(claim);
  const byOutcome = Map.groupBy(heard, outcomeKey);
  if (byOutcome.size <= 1) return undefined;
  const isOwn = ({ execution }: Attestation): boolean => signerIn(state, execution.signer)?.key === self;
  for (const [outcome, all] of byOutcome)
    if (outcome !== mine && all.some((one) => isOwn(one) && isSignedIn(state, one))) return "own-work-differs";
  // That it is about a command its signer says of itself: what was compiled it cannot contradict so, as no honest machine would say it.
  const isHeard = ({ outputs }: Attestation): boolean => isOfCommand(claim.outputs) || !isOfCommand(outputs);
  const answering = [...byOutcome].filter(([, all]) => all.some(isHeard));
  const voices = answering.map(([outcome, all]) => ({ outcome, domains: voicesOf(state, all, self) }));
  const signed: Attestation[] = [];
  let isContradicted = false;
  for (const { outcome, domains } of voices.toSorted((a, b) => b.domains.length - a.domains.length)) {
    // That one stands alone against this answer is enough: how many others do changes nothing.
    if (outcome !== mine && domains.length < limits.trust.reproduced && isContradicted) continue;
    const holding = domains.flatMap((all) => all.find((one) => one === claim || isSignedIn(state, one)) ?? []);
    signed.push(...holding);
    if (outcome !== mine && holding.length > 0) isContradicted = true;
  }
  if (!isContradicted) return undefined;
  const answers = answersOf(state, signed, self);
  if (findingOf(answers).kind === "not-deterministic") return "not-deterministic";
  const [most] = answers;
  // Whoever contradicts takes the place of one more voice, as far as there are any. A provisional member's is no answer at all.
  const enough = Math.max(limits.trust.reproduced, Math.min(needed + 1, domainsOf(state).size - 1));
  return most?.outcome !== mine || most.byDomain.size < enough ? "disputed" : undefined;
}

/** What those have signed who may have a voice, those of one domain together; whoever adds a voice for that reader goes first. */
function voicesOf(state: State, attestations: readonly Attestation[], reader: Key): Attestation[][] {
  const last = ({ execution }: Attestation): number => Number(!addsVoice(state, execution.signer, reader));
  const byDomain = Map.groupBy(attestations, ({ execution }) => voiceOf(state, execution.signer));
  return [...byDomain].flatMap(([domain, all]) => (domain === undefined ? [] : [all.toSorted((a, b) => last(a) - last(b))]));
}

function tierOf(state: State, domains: number): Tier {
  if (domains >= limits.trust.release) return "release";
  return domains >= domainsNeeded(state, "team") ? "team" : "speculative";
}

function isSignedIn({ network }: State, attestation: Attestation): boolean {
  return verifiedId(network, attestation) !== undefined;
}

function refused(why: Doubt): Verdict {
  return { kind: "refused", why, domains: 0, needed: 0 };
}
