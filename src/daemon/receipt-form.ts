/**
 * What an entry of a door looks like as a receipt, or as an action that was executed, and back: docs/protocol/attestation.md, "Receipts" and "Actions".
 *
 * Knows: names and shapes. Does not know: who signs, whom to believe, or where blobs are.
 */
import { type Digest, digestOf, limits } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { ActionRun, DoorEntry, ManifestInput, ResultOutput, SharedResult } from "../contracts/index.ts";
import { MADE_OF, NO_TOOLCHAIN } from "../trust/index.ts";
import type { Unsigned } from "./sharing.ts";

/** Under which name something is left or asked for. */
export interface DoorKey {
  readonly door: string;
  readonly key: string;
}

/** A blob that belongs to an entry. */
export interface NamedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** As the tool calls it, where it is a file that was written. */
  readonly path?: string;
}

/** What tools say beside the bytes, and hear again: headers of theirs. */
const SAID = /^(?:expires|x-[a-z0-9-]{1,64})$/;
const SAID_TEXT = /^[\x20-\x7e]*$/;

/** By what a receipt is found: the same on all machines. */
export function manifestOf({ door, key }: DoorKey): Digest {
  return digestOf(JSON.stringify(["cairn received 1", door, key]));
}

/** Nothing leads to it but its key: there is one of each. */
export function actionOf(manifest: Digest): Digest {
  return actionKey(manifest, undefined, undefined, []);
}

/** By what an action is found that was executed: by what was asked, and what is installed where it ran. */
export function executedManifest({ door, key }: DoorKey, installed: Digest): Digest {
  return digestOf(JSON.stringify(["cairn executed 1", door, key, installed]));
}

/**
 * @param others what the entry speaks of besides its own bytes
 * @returns undefined where that is more than one statement can name
 */
export function signableOf(left: DoorKey, entry: DoorEntry, others: readonly NamedBlob[]): Unsigned | undefined {
  return entry.ran === undefined ? receiptOf(left, entry, others) : executedOf(left, entry, entry.ran, others);
}

/** The same, whoever has made it. */
export function receiptOf(left: DoorKey, entry: DoorEntry, others: readonly NamedBlob[]): Unsigned | undefined {
  const outputs = outputsOf("received", left.door, entry, others);
  if (outputs === undefined) return undefined;
  const manifest = manifestOf(left);
  return {
    manifest,
    entry: { action: actionOf(manifest), ...BLANK, inputs: [] },
    result: { outputs, stdout: Buffer.from(JSON.stringify(entry.meta)).toString("base64"), stderr: "", compileMs: 0, cpuMs: 0 },
    execution: { toolchain: NO_TOOLCHAIN, startedAtMs: entry.at, endedAtMs: entry.at },
  };
}

function executedOf(left: DoorKey, entry: DoorEntry, run: ActionRun, others: readonly NamedBlob[]): Unsigned | undefined {
  const outputs = outputsOf("executed", left.door, entry, others);
  if (outputs === undefined) return undefined;
  const manifest = executedManifest(left, run.installed);
  const digests = [actionIn(left.key), run.command, run.inputRoot, run.installed];
  const inputs = MADE_OF.map((path, at): ManifestInput => ({ path, digest: digests[at] ?? "" }));
  return {
    manifest,
    entry: { action: actionKey(manifest, undefined, undefined, inputs), ...BLANK, inputs },
    result: { outputs, stdout: "", stderr: "", compileMs: run.wallMs, cpuMs: run.cpuMs },
    execution: { toolchain: NO_TOOLCHAIN, startedAtMs: run.startedAtMs, endedAtMs: run.endedAtMs },
  };
}

const BLANK = { place: undefined, presumed: false, terminal: undefined, absent: [] } as const;

/** Undefined where they are too many. Of those without a name each is told once. */
function outputsOf(
  role: "received" | "executed",
  door: string,
  entry: DoorEntry,
  others: readonly NamedBlob[],
): ResultOutput[] | undefined {
  const named = new Map(others.flatMap((one) => (one.size === 0 || one.digest === entry.blob ? [] : [[one.digest, one] as const])));
  if (named.size >= limits.sharedOutputs) return undefined;
  const blobs = [...named.values()].map(({ digest, size, path = "" }, at) => {
    return { path: role === "executed" && isTellable(path) ? `\0C/${path}` : `${at + 1}`, digest, size };
  });
  return [{ path: door, digest: entry.blob, size: entry.size }, ...blobs].map((one) => ({ ...one, role, template: false }));
}

/** What is no name for all who read it is left out, and the blob counted. */
function isTellable(path: string): boolean {
  return path !== "" && path.length * 3 + 3 <= limits.sharedPathBytes && path.isWellFormed() && !path.includes("\0");
}

/** Keys of actions end with the digest of the action, after the instance. */
function actionIn(key: string): Digest {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** Whether what a member says to have executed is of that action, where the same is installed as here. */
export function isExecutionOf({ entry }: Pick<SharedResult, "entry">, { key }: DoorKey, installed: Digest): boolean {
  const [action, , , system] = entry.inputs;
  return action?.digest === actionIn(key) && system?.digest === installed;
}

/** What was left at that door by a receipt, or came of an action; undefined for what is neither, or what no door would have kept. */
export function entryOf({ result, execution }: Pick<SharedResult, "result" | "execution">, door: string): DoorEntry | undefined {
  const [first] = result.outputs;
  const meta = first?.role === "received" ? readSaid(result.stdout) : first?.role === "executed" ? {} : undefined;
  if (first?.path !== door || meta === undefined) return undefined;
  return { blob: first.digest, size: first.size, meta, at: execution.endedAtMs };
}

/** @param said JSON in base64 */
function readSaid(said: string): Record<string, string> | undefined {
  const bytes = Buffer.from(said, "base64");
  if (bytes.length > limits.doors.metaBytes) return undefined;
  try {
    const meta = JSON.parse(bytes.toString("utf8")) as unknown;
    if (typeof meta !== "object" || meta === null || Array.isArray(meta)) return undefined;
    const all = Object.entries(meta);
    return all.every(isSaid) ? Object.fromEntries(all) : undefined;
  } catch {
    return undefined; // It is no JSON.
  }
}

function isSaid(one: [string, unknown]): one is [string, string] {
  const [name, text] = one;
  return SAID.test(name) && typeof text === "string" && SAID_TEXT.test(text);
}
