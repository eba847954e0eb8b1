/**
 * Evidence that a member has shown two histories: two checkpoints of its log that do not go together, and the statements that say whose key it is.
 * It convicts by itself: nobody can make such a thing of an honest member.
 *
 * Knows: docs/protocol/evidence.md, "Forks". Does not know: who has seen which, or what is done about it.
 */
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { readHead, writeHead } from "./checkpoints.ts";
import { epochRule } from "./epoch-rule.ts";
import { type Fork, isFork } from "./forks.ts";
import { Membership } from "./membership.ts";
import { HASH_BYTES } from "./merkle.ts";
import { type Member, signerIn } from "./state.ts";

/** What an evidence of a fork shows. */
export interface Forked {
  readonly network: Digest;
  readonly networkName: string;
  readonly member: Member;
  readonly fork: Fork;
}

export type NoForkEvidence = "too-large" | "not-evidence" | "membership" | "not-a-member" | "not-forked";

export type ForkEvidenceRead =
  | { readonly kind: "forked"; readonly forked: Forked }
  | { readonly kind: "refused"; readonly why: NoForkEvidence };

const FORMAT = "cairn fork evidence 1";

/** @param statements all of the network's, as they are kept @returns undefined for what would be too large */
export function forkEvidenceOf(
  network: Digest,
  statements: readonly Uint8Array[],
  { older, newer, root, proof }: Fork,
): string | undefined {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const text = JSON.stringify({
    format: FORMAT,
    network,
    checkpoints: [writeHead(older, []), writeHead(newer, [])],
    root: base64(root),
    proof: proof.map(base64),
    statements: statements.map(base64),
  });
  return text.length > limits.trust.evidenceBytes ? undefined : text;
}

/** Whether a file says to be evidence of a fork, and not of an attestation. */
export function isForkEvidence(text: string): boolean {
  return text.startsWith(`{"format":"${FORMAT}"`);
}

/** Reads what anybody may have made. */
export function readForkEvidence(codec: MembershipCodec, text: string): ForkEvidenceRead {
  if (text.length > limits.trust.evidenceBytes) return refused("too-large");
  const parts = partsOf(text);
  if (parts === undefined) return refused("not-evidence");
  const membership = new Membership({ codec, rule: epochRule(codec) }, parts.network);
  membership.merge(parts.statements);
  const { state } = membership;
  if (state === undefined) return refused("membership");
  const member = signerIn(state, parts.fork.newer.log);
  if (member === undefined) return refused("not-a-member");
  if (!isFork(parts.fork)) return refused("not-forked");
  return { kind: "forked", forked: { network: parts.network, networkName: state.name, member, fork: parts.fork } };
}

function partsOf(text: string): { readonly network: Digest; readonly statements: readonly Uint8Array[]; readonly fork: Fork } | undefined {
  const read = attempt(text);
  if (read?.format !== FORMAT || typeof read.network !== "string" || typeof read.root !== "string") return undefined;
  const [checkpoints, proof, statements] = [textsOf(read.checkpoints), bytesOf(read.proof), bytesOf(read.statements)];
  if (checkpoints?.length !== 2 || proof === undefined || statements === undefined) return undefined;
  const [older, newer] = checkpoints.map((note) => readHead(note)?.head);
  const root = Buffer.from(read.root, "base64");
  const hashes = [root, ...proof];
  if (older === undefined || newer === undefined || hashes.length > limits.transparency.proofHashes) return undefined;
  return hashes.every(({ length }) => length === HASH_BYTES)
    ? { network: read.network, statements, fork: { older, newer, root, proof } }
    : undefined;
}

function attempt(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const read = JSON.parse(text) as unknown;
    return typeof read === "object" && read !== null ? (read as Readonly<Record<string, unknown>>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw new CairnError("frame-invalid", { what: "evidence" }, error);
  }
}

function textsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}

function bytesOf(value: unknown): Uint8Array[] | undefined {
  return textsOf(value)?.map((one) => Buffer.from(one, "base64"));
}

function refused(why: NoForkEvidence): ForkEvidenceRead {
  return { kind: "refused", why };
}
