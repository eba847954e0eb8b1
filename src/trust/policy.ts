/**
 * The network's policy, a project's and a machine's own: whichever is strictest holds, setting by setting.
 *
 * Knows: what is stricter than what. Does not know: who may decide a policy, or what a setting does.
 */
import { type Digest, type Key, limits, type NetworkPolicy, type SharingPolicy, type ToolchainsAccept } from "../base/index.ts";

/** What an epoch has decided. */
export interface Ruling {
  /** 0 before the first. */
  readonly number: number;
  readonly rules: NetworkPolicy;
  /** Id of the statement that proposed it; undefined before the first. */
  readonly statement: Digest | undefined;
  /** Who proposed it, and in which epoch it took effect; undefined before the first. */
  readonly by: Key | undefined;
  readonly epoch: number | undefined;
}

export const NO_RULING: Ruling = { number: 0, rules: {}, statement: undefined, by: undefined, epoch: undefined };

/** The laxest first. */
const SHARING: readonly SharingPolicy[] = ["speculative", "team", "release", "self"];
const TOOLCHAINS: readonly ToolchainsAccept[] = ["network", "domain", "approved"];

/** The reader's tier: the network's, or this machine's own where that is stricter, or the project's where that is. */
export function sharingUnder({ sharing }: NetworkPolicy, own: SharingPolicy, project?: SharingPolicy): SharingPolicy {
  return stricter(SHARING, stricter(SHARING, own, sharing), project);
}

export function isSharingPolicy(value: unknown): value is SharingPolicy {
  return SHARING.some((policy) => policy === value);
}

export function toolchainsUnder({ toolchains }: NetworkPolicy, own: ToolchainsAccept): ToolchainsAccept {
  return stricter(TOOLCHAINS, own, toolchains);
}

/** Of results that enough domains vouch for, one of so many is executed again under that tier. */
export function auditUnder({ auditOneOf }: NetworkPolicy, tier: SharingPolicy): number {
  return Math.min(
    auditOneOf ?? Number.POSITIVE_INFINITY,
    tier === "release" || tier === "self" ? limits.trust.auditRelease : limits.trust.auditTeam,
  );
}

export function invitationsUnder({ openInvitations }: NetworkPolicy): number {
  return Math.min(openInvitations ?? Number.POSITIVE_INFINITY, limits.openInvitations);
}

/** Whether anything is allowed under `next` that is not under `before`. */
export function isLaxer(next: NetworkPolicy, before: NetworkPolicy): boolean {
  const places = (rules: NetworkPolicy): readonly number[] => [
    rules.sharing === undefined ? -1 : SHARING.indexOf(rules.sharing),
    rules.toolchains === undefined ? -1 : TOOLCHAINS.indexOf(rules.toolchains),
    rules.quorum ?? 0,
    -(rules.auditOneOf ?? Number.POSITIVE_INFINITY),
    -(rules.openInvitations ?? Number.POSITIVE_INFINITY),
    Number(rules.hasTrial === true),
    Number(rules.isUnanimous === true),
  ];
  const held = places(before);
  const approved = new Set(before.approvedToolchains);
  const letsMoreIn = next.approvedToolchains?.some((digest) => !approved.has(digest)) === true;
  return letsMoreIn || places(next).some((place, at) => place < (held[at] ?? 0));
}

function stricter<T>(order: readonly T[], own: T, others: T | undefined): T {
  return others !== undefined && order.indexOf(others) > order.indexOf(own) ? others : own;
}
