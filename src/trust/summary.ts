/**
 * Verification summaries: this node's signed word that independent domains came to the same result, in the form that outside tools read.
 *
 * Knows: SLSA's verification summary (https://slsa.dev/verification_summary/v1) and its property SLSA_BUILD_REPRODUCED; no field that the
 * published schema does not have, for some tools refuse those. Does not know: who vouches for a result; see reproduced.ts.
 */
import { type Digest, digestOf, isDigest, isName, type Key, limits, type SharingPolicy } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { builderOf, STATEMENT_TYPE, signerNamed, subjectName } from "./attestation.ts";
import { allText, fieldsOf, readSubject, type Subject } from "./fields.ts";
import { attestationEnvelope, envelopeLine } from "./sealed.ts";

const SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1";
/** https://slsa.dev/spec/draft/verified-properties */
const REPRODUCED = "SLSA_BUILD_REPRODUCED";
const RESOURCE = "urn:cairn:action:";
const ATTESTATION = "urn:cairn:attestation:";
const POLICY = "urn:cairn:sharing-policy:";
const POLICIES: readonly SharingPolicy[] = ["speculative", "team", "release"];
/** What people are shown of a summary that anybody may have made has the shape that it should have. */
const LEVEL = /^\w{1,100}$/;
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]{8,20}Z$/;

/** Who vouches for a result, for its domain. */
export interface Voucher {
  readonly domain: string;
  readonly attestation: Attestation;
}

/** What a summary says, by whom. */
export interface Summary {
  readonly signer: Key;
  readonly network: Digest;
  readonly action: Digest;
  readonly policy: SharingPolicy;
  /** ISO 8601, by the signer's clock */
  readonly verifiedOn: string;
  readonly levels: readonly string[];
  readonly domains: readonly string[];
  readonly subjects: readonly Subject[];
  /** The attestations that it rests on: by whom, and the digest of each as a file. */
  readonly inputs: readonly { readonly signer: Key; readonly digest: Digest }[];
}

/** How many domains must have come to the same result before a summary says so. Under `self` nobody else is believed. */
export function domainsToSummarize(policy: SharingPolicy): number {
  if (policy === "self") return Number.POSITIVE_INFINITY;
  return policy === "release" ? limits.trust.release : limits.trust.reproduced;
}

/**
 * The statement about a result that was reproduced.
 *
 * @param vouchers as {@link reproduction} found them: one of each domain, all of the same result
 * @param nowMs ms since the epoch
 * @returns undefined where nothing was written that somebody could have as a file
 */
export function summaryOf(
  { network, signer, policy }: { readonly network: Digest; readonly signer: Key; readonly policy: SharingPolicy },
  vouchers: readonly Voucher[],
  nowMs: number,
): string | undefined {
  const [first] = vouchers;
  const written = first?.attestation.outputs.filter(isFile) ?? [];
  if (first === undefined || written.length === 0) return undefined;
  const { action } = first.attestation;
  const domains = vouchers.map(({ domain }) => domain);
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: written.map(({ path, digest, role, size }) => {
      return { name: subjectName(path), digest: { sha256: digest }, annotations: { role, size, domains } };
    }),
    predicateType: SUMMARY_TYPE,
    predicate: {
      verifier: { id: builderOf(signer) },
      timeVerified: new Date(nowMs).toISOString(),
      resourceUri: `${RESOURCE}${network}:${action}`,
      policy: { uri: POLICY + policy, digest: { sha256: policyDigest(network, policy) } },
      inputAttestations: vouchers.map(({ attestation }) => input(network, attestation)),
      verificationResult: "PASSED",
      verifiedLevels: [REPRODUCED],
    },
  });
}

/** What stands for a template is the digest of no file, and what somebody's outcome is written down in is none, either. */
function isFile({ path, role, template }: Attestation["outputs"][number]): boolean {
  return !template && role !== "outcome" && (role !== "executed" || path.startsWith("\0"));
}

/** Undefined when it is no summary that a node of Cairn makes, or does not hang together. */
export function readSummary(statement: unknown): Summary | undefined {
  const { _type, subject, predicateType, predicate } = fieldsOf(statement);
  if (_type !== STATEMENT_TYPE || predicateType !== SUMMARY_TYPE) return undefined;
  const { verifier, timeVerified, resourceUri, policy, inputAttestations, verificationResult, verifiedLevels } = fieldsOf(predicate);
  const levels = Array.isArray(verifiedLevels)
    ? verifiedLevels.filter((one): one is string => typeof one === "string" && LEVEL.test(one))
    : [];
  if (verificationResult !== "PASSED" || !levels.includes(REPRODUCED)) return undefined;
  const all = { id: fieldsOf(verifier).id, resourceUri, policy: fieldsOf(policy).uri, verifiedOn: timeVerified };
  if (!allText(all) || !TIME.test(all.verifiedOn) || !Array.isArray(subject) || !Array.isArray(inputAttestations)) return undefined;
  const signer = signerNamed(all.id);
  const [network, action] = digestsIn(all.resourceUri, RESOURCE, 2);
  const followed = POLICIES.find((one) => all.policy === POLICY + one);
  if (signer === undefined || network === undefined || action === undefined || followed === undefined) return undefined;
  if (fieldsOf(fieldsOf(policy).digest).sha256 !== policyDigest(network, followed)) return undefined;
  const subjects = subject.length <= limits.sharedOutputs ? subject.flatMap((one) => readSubject(one) ?? []) : [];
  const inputs =
    inputAttestations.length <= limits.trust.summaryDomains
      ? inputAttestations.flatMap((one) => readInput(one, network, action) ?? [])
      : [];
  const isWhole = subjects.length > 0 && subjects.length === subject.length && inputs.length === inputAttestations.length;
  const signers = new Set(inputs.map((one) => one.signer));
  if (!isWhole || signers.size !== inputs.length || signers.size < domainsToSummarize(followed)) return undefined;
  const { verifiedOn } = all;
  return { signer, network, action, policy: followed, verifiedOn, levels, domains: domainsIn(subject), subjects, inputs };
}

/** The domains that the first subject names: all have the same. */
function domainsIn([subject]: readonly unknown[]): string[] {
  const { domains } = fieldsOf(fieldsOf(subject).annotations);
  return Array.isArray(domains) ? domains.filter((one): one is string => typeof one === "string" && isName(one)) : [];
}

function input(network: Digest, attestation: Attestation): object {
  const { action, execution } = attestation;
  const digest = digestOf(envelopeLine(attestationEnvelope(network, attestation)));
  return { uri: `${ATTESTATION}${network}:${action}:${execution.signer}`, digest: { sha256: digest } };
}

function readInput(one: unknown, network: Digest, action: Digest): Summary["inputs"][number] | undefined {
  const { uri, digest } = fieldsOf(one);
  const { sha256 } = fieldsOf(digest);
  if (typeof uri !== "string" || typeof sha256 !== "string" || !isDigest(sha256)) return undefined;
  const [of, what, signer] = digestsIn(uri, ATTESTATION, 3);
  return signer !== undefined && of === network && what === action ? { signer, digest: sha256 } : undefined;
}

/** What a name of ours is made of; nothing where it is none. */
function digestsIn(name: string, prefix: string, count: number): readonly string[] {
  const parts = name.startsWith(prefix) ? name.slice(prefix.length).split(":") : [];
  return parts.length === count && parts.every(isDigest) ? parts : [];
}

/** Of the policy's text, which docs/protocol/attestation.md gives. */
function policyDigest(network: Digest, policy: SharingPolicy): Digest {
  return digestOf(JSON.stringify({ format: "cairn sharing policy 1", network, policy, domains: domainsToSummarize(policy) }));
}
