/**
 * Evidence that a member has opened in a round what it had not promised: its commitment, its opening, and the statements that say whose key it
 * is. It convicts by itself: nobody can make such a thing of an honest member.
 *
 * Knows: docs/protocol/rounds.md, "A false opening". Does not know: who was asked, or what is done about it.
 */
import { type Digest, isDigest, limits } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { epochRule } from "./epoch-rule.ts";
import { fieldsOf } from "./fields.ts";
import { Membership } from "./membership.ts";
import { type FalseOpening, isFalseOpening } from "./rounds.ts";
import { type Member, signerIn } from "./state.ts";

/** What such an evidence shows. */
export interface OpenedFalsely {
  readonly networkName: string;
  readonly member: Member;
  readonly opening: FalseOpening;
}

export type NoRoundEvidence = "too-large" | "not-evidence" | "membership" | "not-a-member" | "not-false";

export type RoundEvidenceRead =
  | { readonly kind: "opened-falsely"; readonly shown: OpenedFalsely }
  | { readonly kind: "refused"; readonly why: NoRoundEvidence };

const FORMAT = "cairn round evidence 1";

/** @param statements all of the network's, as they are kept @returns undefined for what would be too large */
export function roundEvidenceOf(statements: readonly Uint8Array[], of: FalseOpening): string | undefined {
  const { network, round, action, signer, commitment, opened } = of;
  const text = JSON.stringify({
    format: FORMAT,
    network,
    round,
    action,
    signer,
    commitment: { digest: commitment.digest, signature: base64(commitment.signature) },
    opening: { result: opened.result, nonce: opened.nonce, signature: base64(opened.signature) },
    statements: statements.map(base64),
  });
  return text.length > limits.trust.evidenceBytes ? undefined : text;
}

/** Whether a file says to be evidence of that, and not of something else. */
export function isRoundEvidence(text: string): boolean {
  return text.startsWith(`{"format":"${FORMAT}"`);
}

/** Reads what anybody may have made. */
export function readRoundEvidence(codec: MembershipCodec, text: string): RoundEvidenceRead {
  if (text.length > limits.trust.evidenceBytes) return refused("too-large");
  const parts = partsOf(text);
  if (parts === undefined) return refused("not-evidence");
  const membership = new Membership({ codec, rule: epochRule(codec) }, parts.opening.network);
  membership.merge(parts.statements);
  const { state } = membership;
  if (state === undefined) return refused("membership");
  const member = signerIn(state, parts.opening.signer);
  if (member === undefined) return refused("not-a-member");
  if (!isFalseOpening(parts.opening)) return refused("not-false");
  return { kind: "opened-falsely", shown: { networkName: state.name, member, opening: parts.opening } };
}

function partsOf(text: string): { readonly statements: readonly Uint8Array[]; readonly opening: FalseOpening } | undefined {
  const read = fieldsOf(parsed(text));
  const [commitment, opened] = [fieldsOf(read.commitment), fieldsOf(read.opening)];
  const { network, round, action, signer, statements } = read;
  const { digest } = commitment;
  const { result, nonce } = opened;
  const signatures = [commitment.signature, opened.signature].map(bytesIn);
  if (read.format !== FORMAT || !Array.isArray(statements)) return undefined;
  const known = statements.map(bytesIn);
  const [promised, told] = signatures;
  if (promised === undefined || told === undefined || !isAll(known)) return undefined;
  // All of 32 bytes: else what is signed could be read in two ways.
  if (![network, round, action, signer, digest, result, nonce].every(isDigest)) return undefined;
  const of = { network, round, action, signer } as { readonly network: Digest } & Pick<FalseOpening, "round" | "action" | "signer">;
  return {
    statements: known,
    opening: {
      ...of,
      commitment: { digest: digest as Digest, signature: promised },
      opened: { result: result as Digest, nonce: nonce as Digest, signature: told },
    },
  };
}

function isAll(all: readonly (Uint8Array | undefined)[]): all is readonly Uint8Array[] {
  return !all.includes(undefined);
}

function bytesIn(value: unknown): Uint8Array | undefined {
  return typeof value === "string" ? Buffer.from(value, "base64") : undefined;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** Undefined for what is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refused(why: NoRoundEvidence): RoundEvidenceRead {
  return { kind: "refused", why };
}
