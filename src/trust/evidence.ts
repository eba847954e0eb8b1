/**
 * Evidence that a member signed what is not so: attestations of three domains that agree, one of the member's that stands alone against them,
 * and the statements that say who was of which domain. Whoever has it can check it, without a network or a daemon.
 *
 * Knows: docs/protocol/evidence.md. Does not know: who collects evidence, or what is done about it.
 */
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import type { Attestation, MembershipCodec } from "../contracts/index.ts";
import { isOfCommand, verifiedId } from "./attestation.ts";
import { epochRule } from "./epoch-rule.ts";
import { Membership } from "./membership.ts";
import type { Member, State } from "./state.ts";
import { answersOf, type Finding, findingOf, voter } from "./tally.ts";

/** Attestations as bytes; `wire` has it. */
export interface EvidenceCodec extends MembershipCodec {
  /** Undefined for what is too large. */
  encodeAttestation(attestation: Attestation): Uint8Array | undefined;
  decodeAttestation(bytes: Uint8Array): Attestation;
}

/** What an evidence shows. */
export interface Convicted {
  readonly network: Digest;
  readonly networkName: string;
  readonly action: Digest;
  readonly member: Member;
  readonly alone: Attestation;
  readonly agreeing: readonly { readonly member: Member; readonly attestation: Attestation }[];
}

/** Why an evidence shows nothing. */
export type NoEvidence = "too-large" | "not-evidence" | "membership" | "signature" | "different-actions" | "command" | "not-alone";

export type EvidenceRead =
  | { readonly kind: "convicts"; readonly convicted: Convicted }
  | { readonly kind: "refused"; readonly why: NoEvidence };

const FORMAT = "cairn evidence 1";

/**
 * One evidence for each signer that stands alone.
 *
 * @param statements all of the network's, as they are kept
 * @returns texts by attestation key; nothing of what does not fit
 */
export function evidenceOf(
  codec: EvidenceCodec,
  network: Digest,
  statements: readonly Uint8Array[],
  { alone }: Extract<Finding, { kind: "settled" }>,
): ReadonlyMap<Key, string> {
  const made = new Map<Key, string>();
  for (const { attestation: one, against } of alone) {
    const attestations = [one, ...against].map((attestation) => codec.encodeAttestation(attestation));
    if (attestations.includes(undefined)) continue;
    const text = JSON.stringify({ format: FORMAT, network, attestations: texts(attestations), statements: texts(statements) });
    if (text.length <= limits.trust.evidenceBytes) made.set(one.execution.signer, text);
  }
  return made;
}

/** Reads what anybody may have made. */
export function readEvidence(codec: EvidenceCodec, text: string): EvidenceRead {
  if (text.length > limits.trust.evidenceBytes) return refused("too-large");
  const parts = partsOf(text);
  const attestations = parts && attempt(() => parts.attestations.map((bytes) => codec.decodeAttestation(bytes)));
  const [alone, ...agreeing] = attestations ?? [];
  if (parts === undefined || alone === undefined) return refused("not-evidence");
  const membership = new Membership({ codec, rule: epochRule(codec) }, parts.network);
  membership.merge(parts.statements);
  const { state } = membership;
  if (state === undefined) return refused("membership");
  if (![alone, ...agreeing].every((one) => verifiedId(parts.network, one) !== undefined)) return refused("signature");
  if (!agreeing.every((one) => one.manifest === alone.manifest && one.action === alone.action)) return refused("different-actions");
  // What it prints may hold the time: honest machines differ. Who is accused says of itself what it was, and is not heard on that.
  if (agreeing.some(({ outputs }) => isOfCommand(outputs))) return refused("command");
  return convictionIn(state, alone, agreeing);
}

function convictionIn(state: State, alone: Attestation, agreeing: readonly Attestation[]): EvidenceRead {
  const found = findingOf(answersOf(state, [alone, ...agreeing]));
  const member = voter(state, alone.execution.signer);
  // Who stands alone is named first, so that nobody else's word is turned against it.
  const { against } = (found.kind === "settled" ? found.alone.find((one) => one.attestation === alone) : undefined) ?? { against: [] };
  if (member === undefined || against.length === 0) return refused("not-alone");
  const voices = against.flatMap((attestation) => {
    const voice = voter(state, attestation.execution.signer);
    return voice === undefined ? [] : [{ member: voice, attestation }];
  });
  const { network, name } = state;
  return { kind: "convicts", convicted: { network, networkName: name, action: alone.action, member, alone, agreeing: voices } };
}

function partsOf(
  text: string,
): { readonly network: Digest; readonly attestations: readonly Uint8Array[]; readonly statements: readonly Uint8Array[] } | undefined {
  const read = attempt(() => JSON.parse(text) as Readonly<Record<string, unknown>>);
  if (typeof read !== "object" || read === null || read.format !== FORMAT || typeof read.network !== "string") return undefined;
  const [attestations, statements] = [bytesOf(read.attestations), bytesOf(read.statements)];
  return attestations === undefined || statements === undefined ? undefined : { network: read.network, attestations, statements };
}

function texts(all: readonly (Uint8Array | undefined)[]): string[] {
  return all.map((bytes) => Buffer.from(bytes ?? []).toString("base64"));
}

function bytesOf(value: unknown): Uint8Array[] | undefined {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) return undefined;
  return value.map((one) => Buffer.from(one, "base64"));
}

/** Undefined where what somebody made makes no sense. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof CairnError && error.code === "frame-invalid")) return undefined;
    throw error;
  }
}

function refused(why: NoEvidence): EvidenceRead {
  return { kind: "refused", why };
}
