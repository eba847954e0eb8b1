/**
 * Blobs as streams: into a file that is hashed while it grows, and out of one that is verified while it is read.
 *
 * What is on its way is a piece or two of each blob, so that many large ones may be on their way at once.
 * Knows: bytes and files. Does not know: which blobs there are, or where they lie.
 */
import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { Expected, Range } from "../contracts/index.ts";
import { GrowingFile, type Grown } from "./growing-file.ts";
import type { HashThread } from "./hashing.ts";
import type { VerifiedFiles } from "./verified-files.ts";

/** What is read at once. */
const PIECE_BYTES = 262_144;
/** Before each piece, so that a protocol's head can stand there without another copy of it all. */
export const ROOM_BYTES = 16;

/** `other`, `large`: as {@link Received}. */
export type Gathered = Grown | { readonly kind: "other" | "large" };

/**
 * Takes bytes as they come.
 *
 * @param into where they go when there are many; the caller removes the file
 * @throws what the source throws; a system error; the signal's reason
 */
export async function gather(
  source: AsyncIterable<Uint8Array>,
  { path, hashes }: { readonly path: string; readonly hashes: HashThread },
  { size: expected, limitBytes }: Pick<Expected, "size"> & { readonly limitBytes: number },
  signal: AbortSignal,
): Promise<Gathered> {
  await using file = new GrowingFile(hashes, { path, size: expected });
  let size = 0;
  for await (const chunk of source) {
    signal.throwIfAborted();
    size += chunk.byteLength;
    if (size > limitBytes) return { kind: "large" };
    if (expected !== undefined && size > expected) return { kind: "other" };
    await file.take(chunk);
  }
  signal.throwIfAborted();
  if (expected !== undefined && size !== expected) return { kind: "other" };
  return await file.end(); // Not after the file was closed.
}

/**
 * The bytes of an open file, which is closed after them; its checksum is looked at before the last of them is given; of a part, before the first,
 * or a short while ago.
 *
 * @param damaged is called, and what it returns thrown, where the file is not what it should be
 * @throws a system error; the signal's reason
 */
export async function* readVerified(
  file: FileHandle,
  whole: { readonly size: number; readonly crc32: number },
  range: Range | undefined,
  { verified, damaged }: { readonly verified: VerifiedFiles; readonly damaged: () => Promise<Error> },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  await using handle = file;
  if (range !== undefined) {
    const pass = async (): Promise<void> => {
      for await (const _ of verifying(handle, whole, damaged, signal)) signal.throwIfAborted();
    };
    await verified.demand(handle, whole.crc32, pass, signal);
    yield* piecesOf(handle, range, signal);
  } else yield* verifying(handle, whole, damaged, signal);
}

async function* verifying(
  handle: FileHandle,
  { size, crc32: expected }: { readonly size: number; readonly crc32: number },
  damaged: () => Promise<Error>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let sum = 0;
  let at = 0;
  for await (const piece of piecesOf(handle, { from: 0, length: size }, signal)) {
    sum = crc32(piece, sum);
    at += piece.byteLength;
    if (at === size && sum !== expected) break;
    yield piece;
  }
  if (at !== size || sum !== expected) throw await damaged();
}

/** The next piece is read while the last is looked at. */
async function* piecesOf(handle: FileHandle, { from, length }: Range, signal: AbortSignal): AsyncGenerator<Buffer> {
  let asked = 0;
  const ask = (): Promise<Buffer> | undefined => {
    const bytes = Math.min(PIECE_BYTES, length - asked);
    if (bytes <= 0) return undefined;
    const piece = readPiece(handle, from + asked, bytes);
    piece.catch(() => undefined); // Who asks for it hears of it.
    asked += bytes;
    return piece;
  };
  for (let next = ask(); next !== undefined; ) {
    signal.throwIfAborted();
    const piece = await next;
    if (piece.length === 0) return; // Shorter than it was.
    next = ask();
    yield piece;
  }
}

/** As many bytes as there are of those that were asked for. */
async function readPiece(handle: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafeSlow(ROOM_BYTES + bytes).subarray(ROOM_BYTES);
  let done = 0;
  while (done < bytes) {
    const { bytesRead } = await handle.read(piece, done, bytes - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return piece.subarray(0, done);
}
