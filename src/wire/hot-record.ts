/**
 * Hot records, those for one checkout and those for every one, written and read: docs/protocol/hot-record.md. The compiler wrapper is the other
 * reader.
 *
 * Knows: the bytes. Does not know: where they lie, when they are valid.
 */
import { crc32 } from "node:zlib";
import { type Digest, limits, ROOT_MARK } from "../base/index.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

const MAGIC = Buffer.from("CAIRNHR1", "latin1");
/** What comes before what it is about: enough for {@link isMovableRecord}. */
export const hotRecordStartBytes = 64;
const FLAG = { validated: 1, movable: 2, namesRoot: 4 } as const;
/** In the place of a number of names. */
const UNLISTED = 0xffff;
const NO_DIGEST = Buffer.alloc(32);
const MARK = ROOT_MARK.charCodeAt(0);
const OUTPUT = { blob: 0, content: 1, rule: 2 } as const;
const MODE = { replace: 0, overwrite: 1 } as const;
const FAMILIES = ["gcc", "clang"] as const;

export interface RecordInput {
  readonly path: string;
  readonly fp0: number;
  readonly fp1: number;
}

/** Names that must not exist below a watched directory ("" = the working directory); unset: the directory must not change. */
export interface RecordAbsence {
  readonly directory: string;
  readonly fp0: number;
  readonly fp1: number;
  readonly names: readonly string[] | undefined;
}

export type RecordOutput = {
  readonly path: string;
  readonly mode: "replace" | "overwrite";
  readonly crc32: number;
  readonly size: number;
  readonly digest: Digest;
  /** Set: the content travels in the record. Unset: it lies in the store. */
  readonly content: Uint8Array | undefined;
};

export interface HotRecord {
  /** 64 hex digits */
  readonly key: string;
  readonly validated: boolean;
  readonly compileMs: number;
  /** Absolute path of the directory that holds the blobs. */
  readonly storeDirectory: string;
  readonly inputs: readonly RecordInput[];
  readonly absences: readonly RecordAbsence[];
  readonly outputs: readonly RecordOutput[];
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** A file under its name in every checkout, by its content. */
export interface RecordContent {
  readonly path: string;
  readonly digest: Digest;
}

/** Names that must not exist below a directory of the checkout. */
export interface RecordListing {
  readonly directory: string;
  /** Of the directory's listing, with which nothing has appeared; undefined where it is not known. */
  readonly digest: Digest | undefined;
  readonly names: readonly string[];
}

/** A dependency file that is written anew in each checkout. No name of it is one that make has quoted. */
export interface RecordRule {
  readonly path: string;
  readonly rule: {
    readonly style: { readonly family: "gcc" | "clang"; readonly spaced: boolean };
    readonly targets: readonly string[];
    readonly dependencies: readonly string[];
    readonly phony: readonly string[];
  };
}

/** Answers in every checkout: directories, outputs and names of rules may begin with {@link ROOT_MARK}. */
export interface MovableRecord extends Omit<HotRecord, "validated" | "inputs" | "absences" | "outputs"> {
  readonly inputs: readonly (RecordInput | RecordContent)[];
  readonly absences: readonly (RecordAbsence | RecordListing)[];
  readonly outputs: readonly (RecordOutput | RecordRule)[];
  /** What was printed names the root, and has a {@link ROOT_MARK} wherever it does. */
  readonly namesRoot: boolean;
  /** Where it was made: the checkout's root, and the source's path. Absolute. */
  readonly root: string;
  readonly source: string;
  /** Whose result it answers with. */
  readonly action: Digest;
}

/** What of a movable record only the daemon reads. */
export type MovableOrigin = Pick<MovableRecord, "root" | "source" | "action">;

type AnyRecord = Omit<MovableRecord, keyof MovableOrigin | "namesRoot">;

/** What an input or a watched directory must still be. */
type Kept = Pick<RecordInput, "fp0" | "fp1"> | Pick<RecordListing, "digest">;
type WriteKept = (writer: ByteWriter, kept: Kept) => void;

/**
 * The record's bytes, or undefined when something in it does not fit the format (a path or count above 65,535).
 * @param writer starts anew; the bytes are its own, and hold until it is used again
 */
export function writeHotRecord(record: HotRecord, writer: ByteWriter = new ByteWriter()): Buffer | undefined {
  return writeBody(record, record.validated ? FLAG.validated : 0, writeFingerprint, writer) ? finish(writer) : undefined;
}

/** As {@link writeHotRecord}; undefined also where a mark stands in the middle of a path. */
export function writeMovableRecord(record: MovableRecord, writer: ByteWriter = new ByteWriter()): Buffer | undefined {
  if (pathsOf(record).some((path) => path.lastIndexOf(ROOT_MARK) > 0)) return undefined;
  if (!writeBody(record, FLAG.movable | (record.namesRoot ? FLAG.namesRoot : 0), writeFingerprintOrDigest, writer)) return undefined;
  writer.text16(record.root).text16(record.source).text16(record.action);
  if (record.namesRoot) writer.u32(marksIn(record.stdout)).u32(marksIn(record.stderr));
  return finish(writer);
}

function marksIn(printed: Uint8Array): number {
  return printed.reduce((marks, byte) => (byte === MARK ? marks + 1 : marks), 0);
}

function pathsOf({ inputs, absences, outputs }: MovableRecord): string[] {
  const named = outputs.map((output) => ("rule" in output ? namesOf(output.rule) : []));
  return [...[...inputs, ...outputs].map(({ path }) => path), ...absences.map(({ directory }) => directory), ...named.flat()];
}

function namesOf({ targets, dependencies, phony }: RecordRule["rule"]): string[] {
  return [...targets, ...dependencies, ...phony];
}

function writeBody(record: AnyRecord, flags: number, writeKept: WriteKept, writer: ByteWriter): boolean {
  const { inputs, absences, outputs } = record;
  const directories = new Directories();
  const cuts = inputs.map(({ path }) => cutOf(path));
  const inputsIn = inputs.map(({ path }, i) => directories.number(path.slice(0, cuts[i])));
  const absencesIn = absences.map(({ directory }) => directories.number(directory));
  const counts = [inputs.length, absences.length, outputs.length, directories.size];
  if (counts.some((count) => count > 0xffff) || absences.some(({ names }) => names !== undefined && names.length >= UNLISTED)) return false;

  writer.restart().bytes(MAGIC).u32(0).u32(0).bytes(Buffer.from(record.key, "hex"));
  writer.u32(flags).u32(Math.min(record.compileMs, 0xffffffff) >>> 0);
  for (const count of counts) writer.u16(count);
  writer.text16(record.storeDirectory).texts16(directories.all);
  inputs.forEach((input, i) => {
    const cut = cuts[i] ?? 0;
    const lengthAt = writer.u16(inputsIn[i] ?? 0).length;
    writeKept(writer.u16(0), input);
    writer.patchU16(lengthAt, writer.utf8(cut === 0 ? input.path : input.path.slice(cut + 1)));
  });
  for (const [i, absence] of absences.entries()) {
    writeKept(writer.u16(absencesIn[i] ?? 0).u16(absence.names?.length ?? UNLISTED), absence);
    if (absence.names !== undefined) writer.texts16(absence.names);
  }
  for (const output of outputs) {
    if ("rule" in output) writeRule(writer, output);
    else writeOutput(writer, output);
  }
  writer.block(record.stdout).block(record.stderr);
  return true;
}

function finish(writer: ByteWriter): Buffer | undefined {
  writer.patchU32(8, writer.length);
  writer.patchU32(12, crc32(writer.view(16)));
  return writer.length > limits.frameBytes ? undefined : writer.view();
}

function writeFingerprint(writer: ByteWriter, kept: Kept): void {
  if ("fp0" in kept) writer.u32(kept.fp0).u32(kept.fp1);
}

function writeFingerprintOrDigest(writer: ByteWriter, kept: Kept): void {
  if ("fp0" in kept) writeFingerprint(writer.u8(0), kept);
  else writer.u8(1).bytes(kept.digest === undefined ? NO_DIGEST : Buffer.from(kept.digest, "hex"));
}

/** The table of a record's directories, while it grows. */
class Directories {
  readonly #numbers = new Map<string, number>();

  get size(): number {
    return this.#numbers.size;
  }

  get all(): string[] {
    return [...this.#numbers.keys()];
  }

  number(path: string): number {
    const known = this.#numbers.get(path);
    if (known !== undefined) return known;
    this.#numbers.set(path, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}

/** Where a path's directory ends. "/x" keeps its slash in the name: an empty directory means that the name stands alone. */
function cutOf(path: string): number {
  return Math.max(0, path.lastIndexOf("/"));
}

function writeOutput(body: ByteWriter, output: RecordOutput): void {
  const { content, mode, size, digest } = output;
  const path = Buffer.from(output.path, "utf8");
  body
    .u8(content === undefined ? OUTPUT.blob : OUTPUT.content)
    .u8(MODE[mode])
    .u16(path.length);
  body.u32(output.crc32).u64(BigInt(size)).bytes(Buffer.from(digest, "hex")).bytes(path);
  if (content !== undefined) body.bytes(content);
}

function writeRule(body: ByteWriter, { path, rule }: RecordRule): void {
  const { style, targets, dependencies, phony } = rule;
  const written = new ByteWriter().u8(FAMILIES.indexOf(style.family)).u8(style.spaced ? 1 : 0);
  for (const { length } of [targets, dependencies, phony]) written.u16(length);
  written.texts16(namesOf(rule));
  body.u8(OUTPUT.rule).u8(MODE.overwrite);
  const lengthAt = body.length;
  body.u16(0).u32(0).u64(BigInt(written.length)).bytes(NO_DIGEST);
  body.patchU16(lengthAt, body.utf8(path));
  body.bytes(written.view());
}

/** The blobs of the store that a record names; undefined when the bytes are not a whole record. */
export function readHotRecordBlobs(bytes: Buffer): Digest[] | undefined {
  return readToEnd(bytes)?.blobs;
}

/** Where and of what a movable record was made; undefined when the bytes are not a whole one. */
export function readMovableOrigin(bytes: Buffer): MovableOrigin | undefined {
  const read = readToEnd(bytes);
  if (read?.isMovable !== true) return undefined;
  const { reader } = read;
  reader.block();
  reader.block(); // What was printed.
  const text = (): string => reader.bytes(reader.u16()).toString("utf8");
  return { root: text(), source: text(), action: text() };
}

/** @param start of a record, at least {@link hotRecordStartBytes} of it */
export function isMovableRecord(start: Buffer): boolean {
  return start.subarray(0, MAGIC.length).equals(MAGIC) && (start.readUInt32LE(48) & FLAG.movable) !== 0;
}

/** Up to the end of the outputs. */
function readToEnd(bytes: Buffer): { blobs: Digest[]; reader: ByteReader; isMovable: boolean } | undefined {
  const whole = bytes.length >= hotRecordStartBytes && bytes.subarray(0, 8).equals(MAGIC) && bytes.readUInt32LE(8) === bytes.length;
  if (!whole || crc32(bytes.subarray(16)) !== bytes.readUInt32LE(12)) return undefined;
  const isMovable = isMovableRecord(bytes);
  const counts = new ByteReader(bytes, 56);
  const [inputs, absences, outputs, directories] = [counts.u16(), counts.u16(), counts.u16(), counts.u16()];
  const reader = new ByteReader(bytes, hotRecordStartBytes);
  const skipKept = (): void => void reader.bytes(isMovable && reader.u8() === 1 ? NO_DIGEST.length : 8);
  for (let i = 0; i < directories + 1; i++) reader.bytes(reader.u16()); // The store's, then the table.
  for (let i = 0; i < inputs; i++) {
    reader.u16();
    const length = reader.u16();
    skipKept();
    reader.bytes(length);
  }
  for (let i = 0; i < absences; i++) {
    reader.u16();
    const count = reader.u16();
    const names = count === UNLISTED ? 0 : count;
    skipKept();
    for (let name = 0; name < names; name++) reader.bytes(reader.u16());
  }
  const blobs = Array.from({ length: outputs }, () => readBlob(reader)).filter((digest) => digest !== undefined);
  return { blobs, reader, isMovable };
}

/** Of an output, unless its content travels in the record. */
function readBlob(reader: ByteReader): Digest | undefined {
  const isBlob = reader.u8() === OUTPUT.blob;
  reader.u8();
  const pathLength = reader.u16();
  reader.u32();
  const size = Number(reader.u64());
  const digest = reader.bytes(32).toString("hex");
  reader.bytes(pathLength + (isBlob ? 0 : size));
  return isBlob ? digest : undefined;
}
