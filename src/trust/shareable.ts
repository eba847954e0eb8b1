/**
 * What a result must look like to travel. Who signs one asks, and so does who receives one.
 *
 * Knows: limits, and the shape of every field. Does not know: what paths mean: whether an output belongs where its path says can be told
 * only by who asked for it.
 */
import { digestOf, isDigest, limits } from "../base/index.ts";
import type { Attestation, Execution, ManifestEntry, ManifestInput, ResultOutput, SharedResult, StoredResult } from "../contracts/index.ts";
import { isActionShaped, isOfAction } from "./executed-actions.ts";
import { isReceipt, isReceiptShaped } from "./receipts.ts";

/** A result without a signature. */
export type Unsigned = Omit<SharedResult, "signature">;

/** What moves with a checkout: working directory, project root. No path has a NUL elsewhere. */
const MARK = /^\0[CP](?:\/|$)/;
/** In a statement these words stand for the marks. */
const RESERVED = /^\$(?:CWD|PROJECT)(?:\/|$)/;
const ROLES: ReadonlySet<string> = new Set(["object", "written", "depfile", "outcome", "received", "executed"]);
const NOTHING = digestOf("");
/** The end of the year 9999: later dates are written with more digits. */
const LAST_MS = 253_402_300_799_999;

/** Whether a result is of the right shape and within the limits of docs/protocol/attestation.md. */
export function isShareable({ manifest, entry, result, execution }: Unsigned): boolean {
  const { action, place, presumed, terminal, inputs, absent } = entry;
  return (
    inputs.length <= limits.sharedInputs &&
    absent.length <= limits.sharedAbsences &&
    result.outputs.length <= limits.sharedOutputs &&
    [manifest, action, place, terminal].every((one) => one === undefined || isDigest(one)) &&
    !(presumed && place === undefined) &&
    isExecution(execution) &&
    inputs.every(isInput) &&
    absent.every(isPath) &&
    result.outputs.every(isOutput) &&
    isPrinted(result) &&
    (!isReceipt(result.outputs) ||
      (isReceiptShaped({ ...result, execution }) && isBlank(entry) && inputs.length === 0 && result.stderr === "")) &&
    (!isOfAction(result.outputs) ||
      (isActionShaped({ ...result, execution }, inputs) && isBlank(entry) && result.stdout === "" && result.stderr === ""))
  );
}

/** The same of what everybody may know of a result. */
export function isClaim(claim: Omit<Attestation, "signature">): boolean {
  const { manifest, action, entry, outputs, stdout, stderr, compileMs, cpuMs, execution, dependencies } = claim;
  return (
    outputs.length <= limits.sharedOutputs &&
    [manifest, action, entry, stdout, stderr].every(isDigest) &&
    isExecution(execution) &&
    outputs.every(isOutput) &&
    [compileMs, cpuMs].every(isDuration) &&
    (!isReceipt(outputs) || (isReceiptShaped(claim) && stderr === NOTHING)) &&
    (isOfAction(outputs)
      ? isActionShaped(claim, dependencies) && dependencies?.every(isInput) === true && stdout === NOTHING && stderr === NOTHING
      : dependencies === undefined)
  );
}

/** What leads to it is its key alone, and inputs where it has some. */
function isBlank({ place, presumed, terminal, absent }: ManifestEntry): boolean {
  return place === undefined && !presumed && terminal === undefined && absent.length === 0;
}

function isExecution({ signer, toolchain, startedAtMs, endedAtMs }: Execution): boolean {
  return isDigest(signer) && isDigest(toolchain) && isTime(startedAtMs) && isTime(endedAtMs) && startedAtMs <= endedAtMs;
}

function isInput({ path, digest }: ManifestInput): boolean {
  return isPath(path) && isDigest(digest);
}

function isOutput({ path, digest, size, role }: ResultOutput): boolean {
  return isPath(path) && !RESERVED.test(path) && isDigest(digest) && isCount(size, limits.blobBytes) && ROLES.has(role);
}

function isPath(path: string): boolean {
  if (path === "" || path.length > limits.sharedPathBytes || !path.isWellFormed()) return false;
  if (path.includes("\0", path.startsWith("\0") && MARK.test(path) ? 1 : 0)) return false;
  // A character takes at most 3 bytes for each unit of its length.
  return path.length * 3 <= limits.sharedPathBytes || Buffer.byteLength(path) <= limits.sharedPathBytes;
}

function isPrinted({ stdout, stderr, compileMs, cpuMs }: StoredResult): boolean {
  return [compileMs, cpuMs].every(isDuration) && [stdout, stderr].every(isShortBase64);
}

function isDuration(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0;
}

/** In the one way to write it that Node has. */
function isShortBase64(text: string): boolean {
  if (text.length > Math.ceil(limits.sharedPrintedBytes / 3) * 4) return false;
  const bytes = Buffer.from(text, "base64");
  return bytes.length <= limits.sharedPrintedBytes && bytes.toString("base64") === text;
}

function isTime(ms: number): boolean {
  return isCount(ms, LAST_MS);
}

function isCount(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most;
}
