/**
 * Hot records on disk: answers that the compiler wrapper finds without asking. docs/protocol/hot-record.md.
 *
 * Knows: where they lie, how many bytes they may take. Does not know: when an answer is right.
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Digest, isFitRoot, type Log, ownBytes, systemCode } from "../base/index.ts";
import type { Placement, Validity } from "../flows/index.ts";
import {
  ByteWriter,
  type HotRecord,
  hotRecordStartBytes,
  isMovableRecord,
  type MovableRecord,
  movableKey,
  readHotRecordBlobs,
  readMovableOrigin,
  writeHotRecord,
  writeMovableRecord,
} from "../wire/index.ts";
import { makeContentsTable } from "./contents-table.ts";

const UNFINISHED = ".new";
/** In the names of directories that no wrapper looks into. */
const ASIDE = ".aside-";
/** Most records fit. */
const WRITER_BYTES = 65_536;
/**
 * Changes when records have to look out for more than those that lie there, or are read in another way. 2: for the file in which a project says
 * whom it believes; 3: some answer for every checkout; 4: those look out for projects between, and for
 * prefix maps; 5: and say of which action they are.
 */
const KIND = "5";
/** Of the capacity, what is for those that answer for every checkout: they must not take the place of those that are in use. */
const MOVABLE_SHARE = 0.25;
/** Of a share, what is left of it once it was full: sweeping stays rare. */
const LEFT = 0.75;
const NOTHING: Validity = { inputs: [], absences: [] };

export interface HotRecordsOptions {
  readonly directory: string;
  readonly storeDirectory: string;
  readonly capacityBytes: number;
  /** Says what records have to look out for. */
  readonly kindFile: string;
  /** What wrappers remember of contents. There is none, and none is looked for, until something answers for every checkout. */
  readonly contentsFile: string;
}

interface LeftFile {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
}

export class HotRecords {
  readonly #log: Log;
  readonly #directory: string;
  readonly #storeDirectory: string;
  readonly #capacityBytes: number;
  readonly #kindFile: string;
  readonly #contentsFile: string;
  /** Placements that are answered again and again are the same objects. */
  readonly #answers = new WeakMap<Placement, { readonly key: string; readonly bytes: Buffer }>();
  readonly #writer = new ByteWriter(WRITER_BYTES);
  /** Directories that were there when a record was written to them last. */
  readonly #shards = new Set<string>();
  #inherited = false;
  /** None was left since they were all put aside. */
  #isEmpty = false;
  /** Of those of one checkout. */
  #bytes = 0;
  #records = 0;
  /** The bytes of those that answer for every checkout, by path, oldest first. */
  readonly #movable = new Map<string, number>();
  #movableBytes = 0;
  #writing = true;

  /** What a daemon has left that did not know what to look out for goes at once. */
  static open(parts: { log: Log }, options: HotRecordsOptions): HotRecords {
    const records = new HotRecords(parts, options);
    if (!existsSync(options.kindFile) || readFileSync(options.kindFile, "utf8") !== KIND) {
      records.clear();
      records.#noteKind();
    }
    return records;
  }

  constructor(parts: { log: Log }, options: HotRecordsOptions) {
    this.#log = parts.log;
    this.#directory = options.directory;
    this.#storeDirectory = options.storeDirectory;
    this.#capacityBytes = options.capacityBytes;
    this.#kindFile = options.kindFile;
    this.#contentsFile = options.contentsFile;
  }

  /** Takes in what an earlier daemon left. Takes a while, so it is not part of a start. */
  inherit(): void {
    if (this.#inherited) return;
    this.#inherited = true;
    this.removeDoubted(); // What was put aside and not removed yet.
    // What it was writing when it was killed; what this one writes is written in one go.
    const files = this.#files();
    for (const { path } of files) if (path.endsWith(UNFINISHED)) rmSync(path, { force: true });
    this.#measure(files.filter(({ path }) => !path.endsWith(UNFINISHED)));
  }

  get facts(): { records: number; bytes: number } {
    this.inherit();
    return { records: this.#records + this.#movable.size, bytes: this.#bytes + this.#movableBytes };
  }

  /** The answer for one who need not check anything; undefined when it does not fit into a record. */
  answer(key: string, placement: Placement): Buffer | undefined {
    const known = this.#answers.get(placement);
    if (known?.key === key) return known.bytes;
    const record = writeHotRecord(this.#record(key, placement, NOTHING, true), this.#writer);
    if (record === undefined) return undefined;
    const bytes = ownBytes(record);
    this.#answers.set(placement, { key, bytes });
    return bytes;
  }

  /** The answer for one who checks what makes it valid; the same that is left for others. */
  unchecked(key: string, placement: Placement, validity: Validity): Buffer | undefined {
    const record = writeHotRecord(this.#record(key, placement, validity, false), this.#writer);
    return record && ownBytes(record);
  }

  /** Leaves the answer for the wrapper. A disk that is full only makes the next answer slower. */
  leave(key: string, placement: Placement, validity: Validity): void {
    const bytes = writeHotRecord(this.#record(key, placement, validity, false), this.#writer);
    if (bytes !== undefined) this.leaveBytes(key, bytes);
  }

  /** Leaves an answer for every checkout. @param request as it was made in the one of which that is made @returns its key */
  leaveMovable(request: Parameters<typeof movableKey>[0], movable: Omit<MovableRecord, "key" | "storeDirectory">): Digest {
    const key = movableKey(request, movable.root);
    const bytes = writeMovableRecord({ ...movable, key, storeDirectory: this.#storeDirectory }, this.#writer);
    if (bytes === undefined) return key;
    makeContentsTable(this.#contentsFile);
    if (!this.#write(key, bytes)) return key;
    this.#noteMovable(this.#path(key), bytes.length);
    if (this.#movableBytes > this.#capacityBytes * MOVABLE_SHARE) this.#sweepMovable();
    return key;
  }

  leaveBytes(key: string, bytes: Buffer): void {
    if (!this.#write(key, bytes)) return;
    this.#records += 1;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#capacityBytes * (1 - MOVABLE_SHARE)) this.#sweep();
  }

  #write(key: string, bytes: Buffer): boolean {
    this.#isEmpty = false;
    const path = this.#path(key);
    const temporary = join(this.#directory, `${key}.${process.pid}${UNFINISHED}`);
    try {
      this.#put(path, temporary, bytes);
      this.#writing = true;
      return true;
    } catch (error) {
      removeIfThere(temporary);
      if (this.#writing)
        this.#log.event("warn", "hot-record.unwritable", { path, error: error instanceof Error ? error.message : String(error) });
      this.#writing = false; // Told once, until it works again.
      return false;
    }
  }

  has(key: string): boolean {
    return existsSync(this.#path(key));
  }

  /** Whether one that answers for every checkout may answer a request in that one. */
  hasMovable(request: Parameters<typeof movableKey>[0], root: string): boolean {
    return isFitRoot(root) && this.has(movableKey(request, root));
  }

  /** The blobs that a record leads to, for those who keep what is used. */
  blobs(key: string): readonly string[] {
    try {
      return readHotRecordBlobs(readFileSync(this.#path(key))) ?? [];
    } catch {
      return []; // Swept or replaced meanwhile.
    }
  }

  /** Where and of what a movable record was made; undefined where there is none. */
  origin(key: string): ReturnType<typeof readMovableOrigin> {
    try {
      return readMovableOrigin(readFileSync(this.#path(key)));
    } catch {
      return undefined; // As above.
    }
  }

  /**
   * What some of them say may not be so any more: from now on no wrapper finds any of those that lie here, whoever is killed. All go aside at once;
   * removing them takes longer, and is for {@link removeDoubted}.
   */
  doubt(): void {
    if (this.#isEmpty) return;
    try {
      renameSync(this.#directory, `${this.#directory}${ASIDE}${randomUUID()}`);
      mkdirSync(this.#directory, { mode: 0o700 });
    } catch (error) {
      if (systemCode(error) !== "ENOENT") for (const { path } of this.#files()) rmSync(path, { force: true });
    }
    this.#isEmpty = true;
    this.#shards.clear();
    this.#measure([]);
  }

  /** Gives back what they take that were put aside. */
  removeDoubted(): void {
    const prefix = `${basename(this.#directory)}${ASIDE}`;
    const place = dirname(this.#directory);
    if (!existsSync(place)) return;
    for (const name of readdirSync(place)) if (name.startsWith(prefix)) removeAllOf(join(place, name));
  }

  clear(): void {
    this.doubt();
    this.removeDoubted();
  }

  #noteKind(): void {
    try {
      writeFileSync(this.#kindFile, KIND, { mode: 0o600 });
    } catch {
      // The next daemon drops what there is then.
    }
  }

  #put(path: string, temporary: string, bytes: Buffer, isAgain: boolean = false): void {
    const shard = dirname(path);
    // Making one that is there costs less than an error about one that is not.
    if (!this.#shards.has(shard)) mkdirSync(shard, { recursive: true, mode: 0o700 });
    this.#shards.add(shard);
    try {
      // All in one directory: ext4 puts a file near the directory in which it is made, and those of a tree far from each other.
      writeFileSync(temporary, bytes, { mode: 0o600 });
      if (existsSync(path)) unlinkSync(path); // It flushes a file that is renamed over another: a millisecond against a few microseconds.
      renameSync(temporary, path);
    } catch (error) {
      if (isAgain || systemCode(error) !== "ENOENT") throw error;
      this.#shards.clear(); // Somebody tidied up.
      this.#put(path, temporary, bytes, true);
    }
  }

  #record(key: string, placement: Placement, validity: Validity, validated: boolean): HotRecord {
    return { key, validated, storeDirectory: this.#storeDirectory, ...placement, ...validity };
  }

  #path(key: string): string {
    return join(this.#directory, key.slice(0, 2), key.slice(2));
  }

  /** Oldest first. */
  #sweep(): void {
    const files = byAge(this.#files()).filter(({ path }) => !this.#movable.has(path));
    let bytes = sumOf(files);
    let swept = 0;
    for (const file of files) {
      if (bytes <= this.#capacityBytes * (1 - MOVABLE_SHARE) * LEFT) break;
      rmSync(file.path, { force: true });
      bytes -= file.bytes;
      swept += 1;
    }
    this.#bytes = bytes;
    this.#records = files.length - swept;
    this.#log.event("info", "hot-record.swept", { swept, bytes });
  }

  /** Oldest first. Which there are is known. */
  #sweepMovable(): void {
    const before = this.#movable.size;
    for (const [path, bytes] of this.#movable) {
      if (this.#movableBytes <= this.#capacityBytes * MOVABLE_SHARE * LEFT) break;
      rmSync(path, { force: true });
      this.#movable.delete(path);
      this.#movableBytes -= bytes;
    }
    this.#log.event("info", "hot-record.swept", { swept: before - this.#movable.size, bytes: this.#movableBytes });
  }

  #noteMovable(path: string, bytes: number): void {
    this.#movableBytes += bytes - (this.#movable.get(path) ?? 0);
    this.#movable.delete(path); // It is the youngest.
    this.#movable.set(path, bytes);
  }

  #measure(files: readonly LeftFile[]): void {
    const movable = new Set(files.filter(({ path }) => isMovableFile(path)));
    const others = files.filter((file) => !movable.has(file));
    this.#records = others.length;
    this.#bytes = sumOf(others);
    this.#movable.clear();
    this.#movableBytes = 0;
    for (const { path, bytes } of byAge([...movable])) this.#noteMovable(path, bytes);
  }

  #files(): LeftFile[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap((entry) => {
        const path = join(entry.parentPath, entry.name);
        const stats = statSync(path, { throwIfNoEntry: false });
        return stats === undefined ? [] : [{ path, bytes: stats.size, mtimeMs: stats.mtimeMs }];
      });
  }
}

function byAge(files: readonly LeftFile[]): LeftFile[] {
  return files.toSorted((a, b) => a.mtimeMs - b.mtimeMs);
}

function sumOf(files: readonly LeftFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Whether what lies there says that it answers for every checkout. */
function isMovableFile(path: string): boolean {
  const start = Buffer.alloc(hotRecordStartBytes);
  try {
    const file = openSync(path, "r");
    try {
      readSync(file, start);
    } finally {
      closeSync(file);
    }
  } catch {
    return false; // Gone meanwhile.
  }
  return isMovableRecord(start);
}

/** What cannot be removed now is by a later daemon. */
function removeAllOf(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // Nobody looks into it.
  }
}

/** Also where something else stands in the place of its directory. */
function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Then it is not there, or cannot be removed: the next start tries again.
  }
}
