/**
 * What an entry of a door looks like as a receipt, and back: docs/protocol/attestation.md, "Receipts".
 *
 * Knows: names and shapes. Does not know: who signs, whom to believe, or where blobs are.
 */
import { type Digest, digestOf, limits } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { DoorEntry, ResultOutput, SharedResult } from "../contracts/index.ts";
import { NO_TOOLCHAIN } from "../trust/index.ts";
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

/**
 * @param others what the entry speaks of besides its own bytes
 * @returns undefined where that is more than one receipt can name
 */
export function receiptOf(left: DoorKey, entry: DoorEntry, others: readonly NamedBlob[]): Unsigned | undefined {
  const manifest = manifestOf(left);
  const named = new Map(others.flatMap(({ digest, size }) => (size === 0 || digest === entry.blob ? [] : [[digest, size] as const])));
  if (named.size >= limits.sharedOutputs) return undefined;
  const output = (path: string, digest: Digest, size: number): ResultOutput => ({ path, digest, size, role: "received", template: false });
  return {
    manifest,
    entry: { action: actionOf(manifest), place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
    result: {
      outputs: [output(left.door, entry.blob, entry.size), ...[...named].map(([digest, size], at) => output(`${at + 1}`, digest, size))],
      stdout: Buffer.from(JSON.stringify(entry.meta)).toString("base64"),
      stderr: "",
      compileMs: 0,
      cpuMs: 0,
    },
    execution: { toolchain: NO_TOOLCHAIN, startedAtMs: entry.at, endedAtMs: entry.at },
  };
}

/** What was left at that door, by a receipt; undefined for what is none, or what no door would have kept. */
export function entryOf({ result, execution }: Pick<SharedResult, "result" | "execution">, door: string): DoorEntry | undefined {
  const [first] = result.outputs;
  const meta = readSaid(result.stdout);
  if (first?.role !== "received" || first.path !== door || meta === undefined) return undefined;
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
