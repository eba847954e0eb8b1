/**
 * FileTable: what files contain, remembered for as long as their stat identity (inode, size, mtime, ctime) is unchanged.
 *
 * A file is believed to be unchanged only if it was already older than limits.racyWindowMs when it was read: any later change then
 * moves its ctime to another tick of the clock. Younger files, and such from the future, are read at each call.
 * Knows: stat, reading, hashing. Does not know: what is in the files.
 */
import { createHash } from "node:crypto";
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type Digest, digestOf, Generations, limits, systemCode } from "../base/index.ts";
import type { FileState, Files, Fingerprint, Listing, Listings } from "../contracts/index.ts";
import type { Database } from "./database.ts";
import { LargeFiles, type StatIdentity } from "./large-files.ts";
import { ListedDirectories } from "./listings.ts";
import { statFingerprint } from "./stat-fingerprint.ts";

export interface FileTableParts {
  /** ms since the epoch */
  readonly now: () => number;
  /** Keeps digests of large files over restarts. */
  readonly database: Database;
}

/** From this size on digests are kept over restarts: compilers and their libraries, but hardly any source. */
const LARGE_BYTES = 1_048_576n;
/** A file that changes while it is read is read again, so many times. */
const READ_ATTEMPTS = 4;
const PIECE_BYTES = 1_048_576;
/** Opening a pipe that nobody writes to must not wait. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const QUIETLY = { throwIfNoEntry: false } as const;
const QUIETLY_EXACT = { throwIfNoEntry: false, bigint: true } as const;

const ABSENT: FileState = { kind: "absent" };
const OTHER: FileState = { kind: "other" };
const UNTRUSTED: Fingerprint = { fp0: 0, fp1: 0 };

type Visit = (content: Buffer, digest: Digest) => void;
type KnownFile = FileState & { readonly kind: "file" };

/**
 * A file's identity as the doubles that the cheap form of stat gives. They tell times 0.25 µs apart, and a change after the file was
 * remembered is at least a clock tick away from the times remembered.
 */
interface Known {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  /** Set where a double does not hold the inode number, as on some overlay file systems. */
  readonly exact: StatIdentity | undefined;
  readonly state: KnownFile;
}

export class FileTable implements Files, Listings {
  readonly #now: () => number;
  readonly #largeFiles: LargeFiles;
  readonly #known = new Generations<string, Known>(limits.fileTableEntries);
  readonly #listings = new ListedDirectories((path) => this.fingerprint(path));

  constructor(parts: FileTableParts) {
    this.#now = parts.now;
    this.#largeFiles = new LargeFiles(parts.database);
  }

  state(path: string, visit?: Visit): FileState {
    const known = this.#known.get(path);
    if (known === undefined) return this.#read(path, visit);
    const stat = statQuietly(path);
    if (stat === "unreadable") return OTHER;
    if (stat === undefined) return ABSENT;
    return isSame(stat, known, path) ? known.state : this.#read(path, visit);
  }

  remembered(path: string): FileState | undefined {
    return this.#known.get(path)?.state;
  }

  async prepare(path: string, signal: AbortSignal): Promise<void> {
    const now = this.#now();
    const descriptor = openLarge(path);
    if (descriptor === undefined) return;
    try {
      const early = fstatSync(descriptor);
      const stat = fstatSync(descriptor, { bigint: true });
      if (!stat.isFile() || stat.size < LARGE_BYTES || stat.size > limits.blobBytes || isYoung(stat, now)) return;
      if (this.#largeFiles.digest(path, stat) !== undefined) return;
      const digest = await hashPiecemeal(descriptor, signal);
      if (!sameIdentity(stat, fstatSync(descriptor, { bigint: true }))) return;
      this.#largeFiles.remember(path, stat, digest, now);
      this.#remember(path, early, stat, digest);
    } catch (error) {
      if (systemCode(error) === undefined || signal.aborted) throw error; // What cannot be read, `state` will report.
    } finally {
      closeSync(descriptor);
    }
  }

  content(path: string, digest: Digest): Buffer | undefined {
    let found: Buffer | undefined;
    this.#read(path, (content, actual) => {
      found = actual === digest ? content : undefined;
    });
    return found;
  }

  absent(path: string): boolean {
    return statQuietly(path) === undefined;
  }

  listing(path: string): Listing | undefined {
    return this.#listings.find(path);
  }

  fingerprint(path: string): Fingerprint | undefined {
    const now = this.#now();
    try {
      const stat = statSync(path, QUIETLY_EXACT);
      if (stat === undefined) return undefined;
      return isYoung(stat, now) ? UNTRUSTED : fingerprintOf(stat);
    } catch {
      return undefined;
    }
  }

  /** Reads and hashes, again if the file changes meanwhile. */
  #read(path: string, visit: Visit | undefined): FileState {
    const before = this.#known.get(path);
    try {
      // Opening a device may do things; looking first is enough, for nobody swaps sources for devices under a compile.
      const stat = statSync(path, QUIETLY);
      if (stat === undefined) return ABSENT;
      if (!stat.isFile()) return OTHER;
      for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        const state = this.#readOnce(path, visit, before);
        if (state !== undefined) return state;
      }
      return OTHER;
    } catch (error) {
      const system = systemCode(error);
      if (system === undefined) throw error;
      return system === "ENOENT" || system === "ENOTDIR" ? ABSENT : OTHER;
    }
  }

  /** @returns undefined when the file changed while it was read */
  #readOnce(path: string, visit: Visit | undefined, before: Known | undefined): FileState | undefined {
    const now = this.#now();
    const descriptor = openSync(path, OPEN_FLAGS);
    try {
      const early = fstatSync(descriptor);
      const stat = fstatSync(descriptor, { bigint: true });
      const inMemory = stat.size <= limits.sourceBytes;
      if (!stat.isFile() || stat.size > limits.blobBytes || (visit !== undefined && !inMemory)) return OTHER;
      if (isBeingTruncated(early, before)) return undefined;
      const young = isYoung(stat, now);
      const stored = visit === undefined && !young ? this.#stored(path, stat) : undefined;
      if (stored !== undefined) return this.#remember(path, early, stat, stored);

      const content = inMemory ? readAll(descriptor, Number(stat.size)) : undefined;
      const digest = content === undefined ? hashAll(descriptor) : digestOf(content);
      if (!sameIdentity(stat, fstatSync(descriptor, { bigint: true })) || (content !== undefined && content.length !== Number(stat.size))) {
        return undefined;
      }
      if (content !== undefined) visit?.(content, digest);
      if (young) return stateOf(stat, digest, UNTRUSTED);
      if (stat.size >= LARGE_BYTES) this.#largeFiles.remember(path, stat, digest, now);
      return this.#remember(path, early, stat, digest);
    } finally {
      closeSync(descriptor);
    }
  }

  #stored(path: string, stat: BigIntStats): Digest | undefined {
    return stat.size >= LARGE_BYTES ? this.#largeFiles.digest(path, stat) : undefined;
  }

  /** @param early the same stat as doubles, taken first: had the file changed in between, it would look changed at the next call */
  #remember(path: string, early: Stats, stat: BigIntStats, digest: Digest): FileState {
    const state = stateOf(stat, digest, fingerprintOf(stat));
    const { ino, size, mtimeMs, ctimeMs } = early;
    const exact = Number.isSafeInteger(ino) ? undefined : stat;
    this.#known.set(path, { ino, size, mtimeMs, ctimeMs, exact, state });
    return state;
  }
}

/** Follows links; undefined when there is nothing (ENOENT, ENOTDIR). */
function statQuietly(path: string): Stats | "unreadable" | undefined {
  try {
    return statSync(path, QUIETLY);
  } catch {
    return "unreadable";
  }
}

function isSame(stat: Stats, known: Known, path: string): boolean {
  if (stat.size !== known.size || stat.mtimeMs !== known.mtimeMs || stat.ctimeMs !== known.ctimeMs || stat.ino !== known.ino) return false;
  if (known.exact === undefined) return true;
  try {
    const exact = statSync(path, QUIETLY_EXACT);
    return exact !== undefined && sameIdentity(exact, known.exact);
  } catch {
    return false;
  }
}

/**
 * ext4 takes away a file's content a millisecond before it notes that the file has changed: until then an empty file has the times of
 * the full one.
 */
function isBeingTruncated(stat: Stats, before: Known | undefined): boolean {
  if (stat.size === 0 && stat.blocks > 0) return true;
  return (
    before !== undefined &&
    stat.ino === before.ino &&
    stat.mtimeMs === before.mtimeMs &&
    stat.ctimeMs === before.ctimeMs &&
    stat.size !== before.size
  );
}

function sameIdentity(a: StatIdentity, b: StatIdentity): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

/** @param now ms since the epoch, before anything was read */
function isYoung(stat: StatIdentity, now: number): boolean {
  return changedNs(stat) > BigInt(Math.floor(now - limits.racyWindowMs)) * 1_000_000n;
}

function changedNs(stat: StatIdentity): bigint {
  return stat.mtimeNs > stat.ctimeNs ? stat.mtimeNs : stat.ctimeNs;
}

function fingerprintOf(stat: StatIdentity): Fingerprint {
  return statFingerprint(stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs);
}

function stateOf(stat: StatIdentity, digest: Digest, fingerprint: Fingerprint): KnownFile {
  return { kind: "file", digest, size: Number(stat.size), fingerprint, changedNs: changedNs(stat) };
}

/** The content; longer than `size` by one byte when there is more (files of /proc say 0). */
function readAll(descriptor: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size + 1);
  let at = 0;
  while (at < buffer.length) {
    const count = readSync(descriptor, buffer, at, buffer.length - at, null);
    if (count === 0) break;
    at += count;
  }
  return buffer.subarray(0, at);
}

/** A descriptor of a regular file of at least LARGE_BYTES; undefined for anything else. */
function openLarge(path: string): number | undefined {
  try {
    const stat = statSync(path, QUIETLY);
    return stat?.isFile() && stat.size >= LARGE_BYTES ? openSync(path, OPEN_FLAGS) : undefined;
  } catch {
    return undefined;
  }
}

async function hashPiecemeal(descriptor: number, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const count = readSync(descriptor, buffer, 0, buffer.length, null);
    if (count === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, count));
    await setImmediate(undefined, { signal }); // Others get their turn every ms or so.
  }
}

function hashAll(descriptor: number): Digest {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const count = readSync(descriptor, buffer, 0, buffer.length, null);
    if (count === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, count));
  }
}
