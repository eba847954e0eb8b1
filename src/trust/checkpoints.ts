/**
 * Checkpoints: how many entries a member's log has and what they are, signed by the key that signs the attestations in it.
 *
 * Knows: https://c2sp.org/tlog-checkpoint, and what a log of Cairn's is called. Does not know: which of them are consistent.
 */
import { type Key, limits } from "../base/index.ts";
import type { SignedCheckpoint } from "../contracts/index.ts";
import { isSignedNote, type KeyPair } from "./keys.ts";
import { HASH_BYTES, type Hash } from "./merkle.ts";
import { cosignedAt, cosignedText, isNoteSigned, type NoteKey, noteCosignature, noteSignature, readNote, writeNote } from "./notes.ts";

const ORIGIN = "cairn/log/";

/** A signed checkpoint: its size is 1 or more. */
export type Head = SignedCheckpoint;

/** A witness has seen a checkpoint, and nothing that contradicts it. */
export interface Cosignature {
  readonly witness: Key;
  /** By its clock, in seconds since the epoch of Unix. */
  readonly timeS: number;
  readonly signature: Uint8Array;
}

/** What a log is called, and who signs with that key as a witness. */
export function originOf(key: Key): string {
  return ORIGIN + key;
}

/** @param size 1 or more */
export function signHead(keys: KeyPair, size: number, root: Hash): Head {
  const unsigned = { log: keys.publicKey, size, root: Buffer.from(root).toString("hex") };
  return { ...unsigned, signature: keys.signNote(textOf(unsigned)) };
}

/** Whether whose log it is has signed it. */
export function isHead(head: Head): boolean {
  return isSize(head.size) && isSignedNote(head.log, textOf(head), head.signature);
}

export function isSameHead(a: Head, b: Head): boolean {
  return a.log === b.log && a.size === b.size && a.root === b.root;
}

export function rootOf({ root }: Head): Hash {
  return Buffer.from(root, "hex");
}

/** To be asked only of what was found consistent with all that this witness knows. */
export function cosign(keys: KeyPair, head: Head, timeS: number): Cosignature {
  return { witness: keys.publicKey, timeS, signature: keys.signNote(cosignedText(timeS, textOf(head))) };
}

export function isCosigned(head: Head, { witness, timeS, signature }: Cosignature): boolean {
  return witness !== head.log && isSignedNote(witness, cosignedText(timeS, textOf(head)), signature);
}

/** As a signed note, which tools for C2SP's logs read. */
export function writeHead(head: Head, cosignatures: readonly Cosignature[]): string {
  const by = cosignatures.map(({ witness, timeS, signature }) => noteCosignature(noteKey(witness), timeS, signature));
  return writeNote({ text: textOf(head), signatures: [noteSignature(noteKey(head.log), head.signature), ...by] });
}

/** Reads a note that anybody may have made; undefined where it is no checkpoint that whose log it is has signed. Cosignatures that do not hold are left out. */
export function readHead(text: string): { readonly head: Head; readonly cosignatures: readonly Cosignature[] } | undefined {
  const note = readNote(text);
  const read = note && /^cairn\/log\/([0-9a-f]{64})\n([1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(note.text);
  if (!note || !read) return undefined;
  const [, log = "", size = "", base64 = ""] = read;
  const root = Buffer.from(base64, "base64");
  const own = note.signatures.find(({ name }) => name === originOf(log));
  if (own === undefined || root.length !== HASH_BYTES || !isSize(Number(size)) || !isNoteSigned(note, noteKey(log))) return undefined;
  const head = { log, size: Number(size), root: root.toString("hex"), signature: own.bytes.subarray(-64) };
  // Another encoding of the same hash would be another text.
  if (textOf(head) !== note.text) return undefined;
  const witnesses = new Set(note.signatures.flatMap(({ name }) => keyNamed(name) ?? []));
  const cosignatures = [...witnesses].flatMap((witness) => {
    const timeS = witness === log ? undefined : cosignedAt(note, noteKey(witness));
    const bytes = note.signatures.find(({ name }) => name === originOf(witness))?.bytes;
    return timeS === undefined || bytes === undefined ? [] : [{ witness, timeS, signature: bytes.subarray(-64) }];
  });
  return { head, cosignatures };
}

function textOf({ log, size, root }: Omit<Head, "signature">): string {
  return `${originOf(log)}\n${size}\n${Buffer.from(root, "hex").toString("base64")}\n`;
}

function noteKey(key: Key): NoteKey {
  return { name: originOf(key), key };
}

function keyNamed(name: string): Key | undefined {
  return /^cairn\/log\/([0-9a-f]{64})$/.exec(name)?.[1];
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 1 && size <= limits.transparency.entries;
}
