/**
 * Signed notes: a text, and signatures below it by whoever vouches for it.
 *
 * Knows: https://c2sp.org/signed-note, and of https://c2sp.org/tlog-cosignature the kind that is made with Ed25519. Does not know: what a text
 * says.
 */
import { hash } from "node:crypto";
import { type Key, limits } from "../base/index.ts";
import { isSignedNote } from "./keys.ts";

/** Of signatures, as C2SP numbers them: over the text; over a time and the text, by a witness. */
const SIGNATURE = 0x01;
const COSIGNATURE = 0x04;
const SIGNATURE_BYTES = 64;
const TIME_BYTES = 8;
const ID_BYTES = 4;

export interface NoteSignature {
  readonly name: string;
  /** Id of the key, and what it has signed with. */
  readonly bytes: Uint8Array;
}

export interface Note {
  /** With its last end of line. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** By what name, with which key. */
export interface NoteKey {
  readonly name: string;
  readonly key: Key;
}

/** Undefined for what is no signed note, or a larger one than anybody needs. */
export function readNote(note: string): Note | undefined {
  const end = note.lastIndexOf("\n\n");
  // Nothing below the space, but ends of lines.
  if (end < 1 || Buffer.byteLength(note) > limits.transparency.noteBytes || !note.isWellFormed() || /[^\n\u0020-\uffff]/.test(note))
    return undefined;
  const lines = note.slice(end + 2).split("\n");
  if (lines.pop() !== "" || lines.length === 0 || lines.length > limits.transparency.noteSignatures) return undefined;
  const signatures = lines.map(readSignature);
  const known = signatures.filter((one) => one !== undefined);
  return known.length === signatures.length ? { text: note.slice(0, end + 1), signatures: known } : undefined;
}

export function writeNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(({ name, bytes }) => `— ${name} ${Buffer.from(bytes).toString("base64")}\n`).join("")}`;
}

/** Whether that key has signed the note; a signature by that name and id that does not hold spoils all others. */
export function isNoteSigned({ text, signatures }: Note, by: NoteKey): boolean {
  const own = ofKey(signatures, by, SIGNATURE);
  return own.length > 0 && own.every((signature) => isSignedNote(by.key, text, signature));
}

export function noteSignature({ name, key }: NoteKey, signature: Uint8Array): NoteSignature {
  return { name, bytes: Buffer.concat([keyId(name, key, SIGNATURE), signature]) };
}

/** What a witness signs: that at that time it knew of no larger tree. */
export function cosignedText(timeS: number, text: string): string {
  return `cosignature/v1\ntime ${timeS}\n${text}`;
}

/** When that key has cosigned the note, in seconds since the epoch; undefined where it has not. */
export function cosignedAt({ text, signatures }: Note, by: NoteKey): number | undefined {
  const [own, ...others] = ofKey(signatures, by, COSIGNATURE);
  if (own === undefined || others.length > 0 || own.length !== TIME_BYTES + SIGNATURE_BYTES) return undefined;
  const time = Buffer.from(own).readBigUInt64BE();
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return isSignedNote(by.key, cosignedText(Number(time), text), own.subarray(TIME_BYTES)) ? Number(time) : undefined;
}

export function noteCosignature({ name, key }: NoteKey, timeS: number, signature: Uint8Array): NoteSignature {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(timeS));
  return { name, bytes: Buffer.concat([keyId(name, key, COSIGNATURE), time, signature]) };
}

function ofKey(signatures: readonly NoteSignature[], { name, key }: NoteKey, type: number): Uint8Array[] {
  const id = keyId(name, key, type);
  return signatures.flatMap((one) =>
    one.name === name && id.equals(one.bytes.subarray(0, ID_BYTES)) ? [one.bytes.subarray(ID_BYTES)] : [],
  );
}

function keyId(name: string, key: Key, type: number): Buffer {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([type]), Buffer.from(key, "hex")]), "buffer").subarray(
    0,
    ID_BYTES,
  );
}

function readSignature(line: string): NoteSignature | undefined {
  const [, name, text] = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
  if (name === undefined || text === undefined) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length > ID_BYTES && bytes.toString("base64") === text ? { name, bytes } : undefined;
}
