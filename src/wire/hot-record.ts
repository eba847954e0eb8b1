/**
 * Hot records and the hits log, written and read: docs/protocol/hot-record.md. The compiler wrapper is the other reader.
 *
 * Knows: the bytes. Does not know: where they lie, when they are valid.
 */
import { crc32 } from "node:zlib";
import { type Digest, limits } from "../base/index.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

const MAGIC = Buffer.from("CAIRNHR1", "latin1");
const HEADER_BYTES = 64;
const FLAG_VALIDATED = 1;
/** In the place of a number of names. */
const UNLISTED = 0xffff;

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

/**
 * The record's bytes, or undefined when something in it does not fit the format (a path or count above 65,535).
 * @param writer starts anew; the bytes are its own, and hold until it is used again
 */
export function writeHotRecord(record: HotRecord, writer: ByteWriter = new ByteWriter()): Buffer | undefined {
  const { inputs, absences, outputs } = record;
  const directories = new Directories();
  const cuts = inputs.map(({ path }) => cutOf(path));
  const inputsIn = inputs.map(({ path }, i) => directories.number(path.slice(0, cuts[i])));
  const absencesIn = absences.map(({ directory }) => directories.number(directory));
  const counts = [inputs.length, absences.length, outputs.length, directories.size];
  if (counts.some((count) => count > 0xffff) || absences.some(({ names }) => names !== undefined && names.length >= UNLISTED))
    return undefined;

  writer.restart().bytes(MAGIC).u32(0).u32(0).bytes(Buffer.from(record.key, "hex"));
  writer.u32(record.validated ? FLAG_VALIDATED : 0).u32(Math.min(record.compileMs, 0xffffffff) >>> 0);
  for (const count of counts) writer.u16(count);
  writer.text16(record.storeDirectory).texts16(directories.all);
  inputs.forEach(({ path, fp0, fp1 }, i) => {
    const cut = cuts[i] ?? 0;
    writeInput(writer, inputsIn[i] ?? 0, cut === 0 ? path : path.slice(cut + 1), fp0, fp1);
  });
  for (const [i, { fp0, fp1, names }] of absences.entries()) {
    writer
      .u16(absencesIn[i] ?? 0)
      .u16(names?.length ?? UNLISTED)
      .u32(fp0)
      .u32(fp1);
    if (names !== undefined) writer.texts16(names);
  }
  for (const output of outputs) writeOutput(writer, output);
  writer.block(record.stdout).block(record.stderr);

  writer.patchU32(8, writer.length);
  writer.patchU32(12, crc32(writer.view(16)));
  return writer.length > limits.frameBytes ? undefined : writer.view();
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

function writeInput(writer: ByteWriter, directory: number, name: string, fp0: number, fp1: number): void {
  const lengthAt = writer.u16(directory).length;
  writer.patchU16(lengthAt, writer.u16(0).u32(fp0).u32(fp1).utf8(name));
}

function writeOutput(body: ByteWriter, output: RecordOutput): void {
  const path = Buffer.from(output.path, "utf8");
  body
    .u8(output.content === undefined ? 0 : 1)
    .u8(output.mode === "overwrite" ? 1 : 0)
    .u16(path.length);
  body.u32(output.crc32).u64(BigInt(output.size)).bytes(Buffer.from(output.digest, "hex")).bytes(path);
  if (output.content !== undefined) body.bytes(output.content);
}

/** The blobs of the store that a record names; undefined when the bytes are not a whole record. */
export function readHotRecordBlobs(bytes: Buffer): Digest[] | undefined {
  const whole = bytes.length >= HEADER_BYTES && bytes.subarray(0, 8).equals(MAGIC) && bytes.readUInt32LE(8) === bytes.length;
  if (!whole || crc32(bytes.subarray(16)) !== bytes.readUInt32LE(12)) return undefined;
  const counts = new ByteReader(bytes, 56);
  const [inputs, absences, outputs, directories] = [counts.u16(), counts.u16(), counts.u16(), counts.u16()];
  const reader = new ByteReader(bytes, HEADER_BYTES);
  for (let i = 0; i < directories + 1; i++) reader.bytes(reader.u16()); // The store's, then the table.
  for (let i = 0; i < inputs; i++) {
    reader.u16();
    const length = reader.u16();
    reader.bytes(8 + length);
  }
  for (let i = 0; i < absences; i++) {
    reader.u16();
    const count = reader.u16();
    const names = count === UNLISTED ? 0 : count;
    reader.u64();
    for (let name = 0; name < names; name++) reader.bytes(reader.u16());
  }
  const blobs: Digest[] = [];
  for (let i = 0; i < outputs; i++) {
    const inline = reader.u8() === 1;
    reader.u8();
    const pathLength = reader.u16();
    reader.u32();
    const size = Number(reader.u64());
    const digest = reader.bytes(32).toString("hex");
    reader.bytes(pathLength + (inline ? size : 0));
    if (!inline) blobs.push(digest);
  }
  return blobs;
}

/** Why a wrapper executed a compiler without asking; the order is the log's. */
const passedFor = ["called_for_link", "called_for_preprocessing", "called_for_information", "output_in_the_way"] as const;

/** One hit that the wrapper served alone, or a compiler that it executed without asking. */
export interface LoggedHit {
  readonly key: string;
  readonly atNs: bigint;
  readonly session: bigint;
  readonly tookUs: number;
  /** What the compiler took when the result was made. */
  readonly compileMs: number;
  readonly deservesRefresh: boolean;
  /** Set where it was no hit. */
  readonly passed: (typeof passedFor)[number] | undefined;
}

export const hitBytes = 64;

/** Whole records of a hits log; a torn last one is left out. */
export function readHitsLog(bytes: Buffer): LoggedHit[] {
  const hits: LoggedHit[] = [];
  for (let at = 0; at + hitBytes <= bytes.length; at += hitBytes) {
    const reader = new ByteReader(bytes.subarray(at, at + hitBytes));
    const key = reader.bytes(32).toString("hex");
    const [atNs, session, tookUs, flags, compileMs] = [reader.u64(), reader.u64(), reader.u32(), reader.u32(), reader.u32()];
    const passed = (flags & 2) === 0 ? undefined : (passedFor[(flags >> 8) & 0xff] ?? "called_for_information");
    hits.push({ key, atNs, session, tookUs, compileMs, deservesRefresh: (flags & 1) !== 0, passed });
  }
  return hits;
}
