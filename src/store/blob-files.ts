/**
 * Reading, verifying and writing the files that blobs lie in.
 *
 * Small blobs are handled with synchronous calls: Node's asynchronous ones cost four to ten times as much. Large ones are worked on
 * in pieces, and other work gets its turn between them.
 * Knows: bytes and files. Does not know: which blobs there are.
 */
import { createHash } from "node:crypto";
import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { type Digest, digestOf, systemCode } from "../base/index.ts";

/** Up to here bytes are hashed, read or written in one go. */
const PIECE_BYTES = 4_194_304;
/** Blobs never change, so their files have no permission to write. */
const BLOB_MODE = 0o400;

export interface Verified {
  readonly digest: Digest;
  readonly size: number;
  readonly crc32: number;
}

/**
 * Digest and checksum of bytes in memory.
 *
 * @param known their digest, where it was verified before
 */
export async function measure(bytes: Uint8Array, signal?: AbortSignal, known?: Digest): Promise<Verified> {
  const size = bytes.byteLength;
  if (size <= PIECE_BYTES) return { digest: known ?? digestOf(bytes), size, crc32: crc32(bytes) };
  const hash = createHash("sha256");
  let sum = 0;
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    if (known === undefined) hash.update(piece);
    sum = crc32(piece, sum);
    await setImmediate(undefined, signal === undefined ? {} : { signal });
  }
  return { digest: known ?? hash.digest("hex"), size, crc32: sum };
}

/**
 * Digest and checksum of a file, without holding it in memory.
 *
 * @throws a system error when it cannot be read
 */
export async function measureFile(path: string, signal?: AbortSignal): Promise<Verified> {
  const descriptor = openSync(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE_BYTES, Math.max(1, fstatSync(descriptor).size)));
    const hash = createHash("sha256");
    let sum = 0;
    let size = 0;
    for (;;) {
      const count = readSync(descriptor, buffer, 0, buffer.length, null);
      if (count === 0) break;
      const piece = buffer.subarray(0, count);
      hash.update(piece);
      sum = crc32(piece, sum);
      size += count;
      if (size >= PIECE_BYTES) await setImmediate(undefined, signal === undefined ? {} : { signal });
    }
    return { digest: hash.digest("hex"), size, crc32: sum };
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The bytes of a file.
 *
 * @throws a system error when it cannot be read
 */
export async function readWhole(path: string, signal?: AbortSignal): Promise<Buffer> {
  const descriptor = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(fstatSync(descriptor).size);
    let at = 0;
    while (at < bytes.length) {
      const count = readSync(descriptor, bytes, at, Math.min(PIECE_BYTES, bytes.length - at), at);
      if (count === 0) break; // Shorter than it was: its digest will tell.
      at += count;
      if (at < bytes.length) await setImmediate(undefined, signal === undefined ? {} : { signal });
    }
    return bytes.subarray(0, at);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Writes a file so that nobody ever sees half of it: under another name first, then renamed.
 * It is not forced onto the disk: what a power failure damages is found by verification.
 *
 * @throws a system error (ENOSPC, EROFS, EACCES, EMFILE …); nothing is left behind then
 */
export async function writeWhole(temporary: string, path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  try {
    const descriptor = openMaking(temporary);
    try {
      for (let at = 0; at < bytes.byteLength; ) {
        at += writeSync(descriptor, bytes, at, Math.min(PIECE_BYTES, bytes.byteLength - at));
        if (at < bytes.byteLength) await setImmediate(undefined, signal === undefined ? {} : { signal });
      }
    } finally {
      closeSync(descriptor);
    }
    renameMaking(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
}

/** Makes a whole file a blob. @throws a system error */
export function adoptFile(from: string, to: string): void {
  chmodSync(from, BLOB_MODE);
  renameMaking(from, to);
}

/** Size of a regular file, or undefined when there is none. */
export function fileSize(path: string): number | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : undefined;
}

/** Removes a file if it is there and may be removed. @returns whether there is none now */
export function removeQuietly(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

function openMaking(path: string): number {
  try {
    return openSync(path, "wx", BLOB_MODE);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, "wx", BLOB_MODE);
  }
}

function renameMaking(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    renameSync(from, to);
  }
}
