/**
 * Attestations: the statement that a node signs about a result it executed, and whether a result bears the signature it should.
 *
 * Knows: docs/protocol/attestation.md; the text of a statement follows from the result, so it is written here and never read.
 * Does not know: whose key it is, whom to believe (judge.ts), what lies in the blobs. Nor whether the action is the one that manifest and
 * inputs lead to: that key is made of what `compile` knows, so who is about to use a result must make it again.
 */
import { type AttestationId, attestationId, type Digest, digestOf, entryHash, isDigest, type Key } from "../base/index.ts";
import type { Attestation, Execution, SharedResult } from "../contracts/index.ts";
import { ACTION_TYPE, isOfAction } from "./executed-actions.ts";
import { isSignedEnvelope, type KeyPair } from "./keys.ts";
import { isReceipt, RECEIPT_TYPE } from "./receipts.ts";
import { isClaim, isShareable, type Unsigned } from "./shareable.ts";

/** What DSSE calls the type of what is signed. */
export const PAYLOAD_TYPE = "application/vnd.in-toto+json";
export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
export const PREDICATE_TYPE = "https://slsa.dev/provenance/v1";
const COMPILE_TYPE = "urn:cairn:compile:1";
const COMMAND_TYPE = "urn:cairn:exec:1";
export const BUILD_TYPES: ReadonlySet<unknown> = new Set([COMPILE_TYPE, COMMAND_TYPE, ACTION_TYPE]);
/** Before the public key of who signs. */
const BUILDER = "urn:cairn:attestation-key:";

/** What is signed about a result: an attestation without its signature. */
export type Claim = Omit<Attestation, "signature">;

/** To be asked only of what isShareable. */
export function claimOf({ manifest, entry, result, execution }: Unsigned): Claim {
  const { outputs, stdout, stderr, compileMs, cpuMs } = result;
  return {
    manifest,
    action: entry.action,
    entry: entryHash(entry).update("]").digest("hex"),
    outputs,
    stdout: digestOf(Buffer.from(stdout, "base64")),
    stderr: digestOf(Buffer.from(stderr, "base64")),
    compileMs,
    cpuMs,
    execution,
    ...(isOfAction(outputs) ? { dependencies: entry.inputs } : {}),
  };
}

/** The in-toto statement about a result, byte for byte what is signed. */
export function statementOf(network: Digest, claim: Claim): string {
  const isReceived = isReceipt(claim.outputs);
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: claim.outputs.map(({ path, digest, role, size, template }) => {
      return { name: subjectName(path), digest: { sha256: digest }, annotations: { role, size, template } };
    }),
    predicateType: isReceived ? RECEIPT_TYPE : PREDICATE_TYPE,
    predicate: isReceived ? received(network, claim) : provenance(network, claim),
  });
}

function provenance(network: Digest, claim: Claim): object {
  const { manifest, action, entry, outputs, stdout, stderr, execution, dependencies = [], ...costs } = claim;
  return {
    buildDefinition: {
      buildType: buildTypeOf(outputs),
      externalParameters: { manifest, action, entry },
      internalParameters: isOfAction(outputs) ? { network } : { network, toolchain: execution.toolchain },
      resolvedDependencies: dependencies.map(({ path, digest }) => named(path, digest)),
    },
    runDetails: {
      builder: { id: builderOf(execution.signer) },
      metadata: {
        invocationId: action,
        startedOn: new Date(execution.startedAtMs).toISOString(),
        finishedOn: new Date(execution.endedAtMs).toISOString(),
      },
      byproducts: [named("stdout", stdout), named("stderr", stderr), cost(costs)],
    },
  };
}

/** All else of a receipt is always the same; see isReceiptShaped. */
function received(network: Digest, { manifest, action, entry, outputs, stdout, execution }: Claim): object {
  return {
    door: outputs[0]?.path ?? "",
    key: manifest,
    action,
    entry,
    network,
    receiver: { id: builderOf(execution.signer) },
    receivedOn: new Date(execution.endedAtMs).toISOString(),
    said: { digest: { sha256: stdout } },
  };
}

/** Whether a result is that of a command with declared outputs, which need not be the same each time, and not of a compile. */
export function isOfCommand(outputs: Claim["outputs"]): boolean {
  return isOfAction(outputs) || outputs.some(({ role }) => role === "outcome");
}

function buildTypeOf(outputs: Claim["outputs"]): string {
  if (isOfAction(outputs)) return ACTION_TYPE;
  return isOfCommand(outputs) ? COMMAND_TYPE : COMPILE_TYPE;
}

/** Signs what this node executed, or received. Undefined when it is too large to travel; see {@link isShareable}. */
export function attest(
  keys: KeyPair,
  network: Digest,
  executed: Omit<Unsigned, "execution"> & { readonly execution: Omit<Execution, "signer"> },
): SharedResult | undefined {
  const unsigned: Unsigned = { ...executed, execution: { ...executed.execution, signer: keys.publicKey } };
  if (!isShareable(unsigned)) return undefined;
  return { ...unsigned, signature: keys.signEnvelope(PAYLOAD_TYPE, Buffer.from(statementOf(network, claimOf(unsigned)))) };
}

/** Whether whom a result names as its signer has signed it, in this network. False for anything that does not hold. */
export function isAttested(network: Digest, shared: SharedResult): boolean {
  // First what costs little. What is not shareable may look like something else in a statement.
  if (!isShareable(shared)) return false;
  return isSignedEnvelope(shared.execution.signer, PAYLOAD_TYPE, Buffer.from(statementOf(network, claimOf(shared))), shared.signature);
}

/** What was read of results that are looked at several times: offered, judged, kept, and judged again. Nobody changes a result. */
const claims = new WeakMap<SharedResult, Attestation>();

/** What is said of a result by whom it names as its signer, whether or not that is so; undefined for what may not travel. */
export function claimIn(shared: SharedResult): Attestation | undefined {
  const known = claims.get(shared);
  if (known !== undefined || !isShareable(shared)) return known;
  const claim: Attestation = { ...claimOf(shared), signature: shared.signature };
  claims.set(shared, claim);
  return claim;
}

/** What everybody may know of a result that {@link isAttested}, and its id. */
export function attestationOf(network: Digest, shared: SharedResult): { readonly id: AttestationId; readonly attestation: Attestation } {
  const attestation = { ...claimOf(shared), signature: shared.signature };
  return { id: idOf(statementOf(network, attestation), attestation), attestation };
}

/** The id of an attestation that bears the signature of whom it names, in this network; undefined for anything that does not hold. */
export function verifiedId(network: Digest, attestation: Attestation): AttestationId | undefined {
  if (!isClaim(attestation)) return undefined;
  const { execution, signature } = attestation;
  const statement = statementOf(network, attestation);
  return isSignedEnvelope(execution.signer, PAYLOAD_TYPE, Buffer.from(statement), signature) ? idOf(statement, attestation) : undefined;
}

function idOf(statement: string, { execution, signature }: Attestation): AttestationId {
  return attestationId(execution.endedAtMs, statement, signature);
}

/** The marks of a portable path, which hold a NUL, in words. No shareable path of an output begins with these words by itself. */
export function subjectName(path: string): string {
  return path.replace(/^\0C/, "$CWD").replace(/^\0P/, "$PROJECT");
}

function named(name: string, sha256: Digest): object {
  return { name, digest: { sha256 } };
}

/** A descriptor must have a `uri`, a `digest` or a `content`: in-toto's resource_descriptor.md. */
function cost({ compileMs, cpuMs }: Pick<Claim, "compileMs" | "cpuMs">): object {
  const content = Buffer.from(JSON.stringify({ compileMs, cpuMs })).toString("base64");
  return { name: "cost", content, mediaType: "application/json" };
}

/** How statements call who signs with that key. */
export function builderOf(key: Key): string {
  return BUILDER + key;
}

/** The key of who signed, from the name of a builder; undefined when it is none of ours. */
export function signerNamed(builder: string): Key | undefined {
  const key = builder.startsWith(BUILDER) ? builder.slice(BUILDER.length) : "";
  return isDigest(key) ? key : undefined;
}
