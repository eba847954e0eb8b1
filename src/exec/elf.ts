/**
 * What the head of a program says: for which machine it is, and which loader it names.
 *
 * Knows: ELF (System V ABI, gABI 4.1, chapters 4 and 5). Does not know: what the program does.
 */
import { closeSync, openSync, readSync } from "node:fs";

export interface Elf {
  /** `x86_64`, `aarch64`, or its number. */
  readonly machine: string;
  /** The dynamic loader; undefined for libraries and what is linked statically. */
  readonly interpreter: string | undefined;
}

const MACHINES: Readonly<Record<number, string>> = { 3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv" };
const HEAD_BYTES = 64;
const PT_INTERP = 3;
/** Of 64-bit program headers. */
const PROGRAM_HEADER_BYTES = 56;
const PROGRAM_HEADERS = 64;
const PATH_BYTES = 4_096;

/** Undefined for whatever is none, or cannot be read. */
export function readElf(path: string): Elf | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    return elfOf(file);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function elfOf(file: number): Elf | undefined {
  const head = readAt(file, 0, HEAD_BYTES);
  if (head.length < HEAD_BYTES || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const [is64, isLittle] = [head[4] === 2, head[5] === 1];
  const number = isLittle ? head.readUInt16LE(18) : head.readUInt16BE(18);
  const machine = MACHINES[number] ?? String(number);
  // Others are of machines on which Cairn runs nothing for others.
  return { machine, interpreter: is64 && isLittle ? interpreterOf(file, head) : undefined };
}

function interpreterOf(file: number, head: Buffer): string | undefined {
  const [start, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  if (size !== PROGRAM_HEADER_BYTES || count > PROGRAM_HEADERS || !Number.isSafeInteger(start)) return undefined;
  const headers = readAt(file, start, size * count);
  for (let at = 0; at + size <= headers.length; at += size) {
    if (headers.readUInt32LE(at) !== PT_INTERP) continue;
    const [offset, bytes] = [Number(headers.readBigUInt64LE(at + 8)), Number(headers.readBigUInt64LE(at + 32))];
    return Number.isSafeInteger(offset) && bytes <= PATH_BYTES
      ? readAt(file, offset, bytes).toString("utf8").replace(/\0.*$/s, "")
      : undefined;
  }
  return undefined;
}

function readAt(file: number, position: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(file, buffer, 0, bytes, position));
}
