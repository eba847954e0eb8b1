/**
 * What an entry of a door looks like as a receipt, or as an action that was executed, and back: docs/protocol/attestation.md, "Receipts" and "Actions".
 *
 * Knows: names and shapes. Does not know: who signs, whom to believe, or where blobs are.
 */
import { type Digest, digestOf, limits } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { ActionRun, DoorEntry, ManifestInput, ResultOutput, SharedResult } from "../contracts/index.ts";
import { MADE_OF, NO_TOOLCHAIN } from "../trust/index.ts";
import type { ListedBlob } from "./blob-list.ts";
import type { Unsigned } from "./sharing.ts";

/** Under which name something is left or asked for. */
export interface DoorKey {
  readonly door: string;
  readonly key: string;
}

/** A blob that belongs to an entry. */
export interface NamedBlob extends ListedBlob {
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

/** What an entry names besides its own bytes: by its statement, and, where that is too much for one, by a list. */
export interface Belonging {
  readonly told: readonly NamedBlob[];
  readonly listed: readonly ListedBlob[];
}

/** @returns undefined where even a list would be too long */
export function belongingOf(entry: Pick<DoorEntry, "blob">, others: readonly NamedBlob[]): Belonging | undefined {
  const named = new Map(others.flatMap((one) => (one.size === 0 || one.digest === entry.blob ? [] : [[one.digest, one] as const])));
  const all = [...named.values()];
  if (all.length > limits.doors.namedBlobs) return undefined;
  return all.length <= TOLD_MOST ? { told: all, listed: [] } : { told: all.slice(0, TOLD_MOST - 1), listed: all.slice(TOLD_MOST - 1) };
}

/** @param list the blob of all that is listed; unset where nothing is */
export function signableOf(left: DoorKey, entry: DoorEntry, { told, listed }: Belonging, list?: ListedBlob): Unsigned {
  const names = list === undefined ? told : [...told, { ...list, counts: told.length + listed.length }];
  return entry.ran === undefined ? receiptOf(left, entry, names) : executedOf(left, entry, entry.ran, names);
}

/** Beside the entry's own. */
const TOLD_MOST = limits.sharedOutputs - 1;

/** `counts`: of a list, how many blobs there are with those before it; so it is called. */
interface Named extends NamedBlob {
  readonly counts?: number;
}

/** The list among a result's blobs, and how many it has: it is called by a greater number than its place. */
export function listIn(outputs: readonly ResultOutput[]): { readonly list: ListedBlob; readonly count: number } | undefined {
  const last = outputs.at(-1);
  const place = outputs.length - 1;
  if (last === undefined || place < TOLD_MOST || !/^[0-9]+$/.test(last.path)) return undefined;
  const count = Number(last.path) - (place - 1);
  return count > 1 ? { list: last, count } : undefined;
}

/** The same, whoever has made it. */
export function receiptOf(left: DoorKey, entry: DoorEntry, others: readonly Named[]): Unsigned {
  const outputs = outputsOf("received", left.door, entry, others);
  const manifest = manifestOf(left);
  return {
    manifest,
    entry: { action: actionOf(manifest), ...BLANK, inputs: [] },
    result: { outputs, stdout: Buffer.from(JSON.stringify(entry.meta)).toString("base64"), stderr: "", compileMs: 0, cpuMs: 0 },
    execution: { toolchain: NO_TOOLCHAIN, startedAtMs: entry.at, endedAtMs: entry.at },
  };
}

function executedOf(left: DoorKey, entry: DoorEntry, run: ActionRun, others: readonly Named[]): Unsigned {
  const outputs = outputsOf("executed", left.door, entry, others);
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

function outputsOf(role: "received" | "executed", door: string, entry: DoorEntry, others: readonly Named[]): ResultOutput[] {
  const blobs = others.map(({ digest, size, path = "", counts }, at) => {
    return { path: role === "executed" && isTellable(path) ? `\0C/${path}` : `${counts ?? at + 1}`, digest, size };
  });
  return [{ path: door, digest: entry.blob, size: entry.size }, ...blobs].map((one) => ({ ...one, role, template: false }));
}

/** What is no name for all who read it is left out, and the blob counted. */
function isTellable(path: string): boolean {
  return path !== "" && path.length * 3 + 3 <= limits.sharedPathBytes && path.isWellFormed() && !path.includes("\0");
}

/** Keys of actions end with the digest of the action, after the instance. */
export function actionIn(key: string): Digest {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** What an action names besides itself. */
export type MadeOf = Pick<ActionRun, "command" | "inputRoot">;

/**
 * Whether what a member says to have executed is of that action, where the same is installed as here.
 *
 * @param madeOf what the action names; unset where its message is not here
 */
export function isExecutionOf(
  { entry }: Pick<SharedResult, "entry">,
  { key }: DoorKey,
  installed: Digest,
  madeOf: MadeOf | undefined,
): boolean {
  const [action, command, inputRoot, system] = entry.inputs;
  const isAsNamed = madeOf === undefined || (command?.digest === madeOf.command && inputRoot?.digest === madeOf.inputRoot);
  return isAsNamed && action?.digest === actionIn(key) && system?.digest === installed;
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
