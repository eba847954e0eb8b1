/**
 * Contents that sandboxes' roots are made of: one file for each digest, in a directory of their own, to be given further names.
 *
 * The roots are mounted read-only where anything runs, so nothing in a sandbox can write through such a name.
 * Knows: files of this machine. Does not know: actions, the mounts.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  constants,
  copyFileSync,
  createReadStream,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { copyFile, type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Digest, systemCode } from "../base/index.ts";
import type { BlobRead } from "../contracts/index.ts";
import { Pace } from "./pace.ts";

/** Where contents come from that are not here yet: verified bytes. */
export interface Blobs {
  read(digest: Digest, signal?: AbortSignal): Promise<BlobRead>;
  /** Paths at which a file with these bytes may lie, the best first. Who reads one verifies it. */
  places?(digest: Digest): AsyncIterable<string>;
}

interface Kept {
  readonly bytes: number;
  /** How often it was asked for and not given back. */
  holders: number;
}

/** What `fetch`, `adopt` and `put` bring is held, and stays, until it is given back by `release` as often. */
export class SandboxFiles {
  readonly #directory: string;
  readonly #capacityBytes: number;
  readonly #blobs: Blobs;
  /** By name; those that nobody holds in the order of last use, oldest first. */
  readonly #kept = new Map<string, Kept>();
  /** Of those that nobody holds. */
  #idleBytes = 0;
  #copies = 0;

  /**
   * @param options.directory which is made, for this process only: what a job sees lies under other names
   * @param options.capacityBytes of what nobody holds
   */
  constructor(parts: { blobs: Blobs }, options: { directory: string; capacityBytes: number }) {
    this.#blobs = parts.blobs;
    this.#directory = options.directory;
    this.#capacityBytes = options.capacityBytes;
    mkdirSync(this.#directory);
    chmodSync(this.#directory, 0o700);
  }

  /** Makes sure that the content is here. @returns false when it is not to be had @throws {Error} of the system */
  async fetch(digest: Digest, executable: boolean, signal: AbortSignal): Promise<boolean> {
    if (this.#hold(digest, executable) || this.#holdTwin(digest, executable)) return true;
    const read = await this.#blobs.read(digest, signal);
    if (read.kind === "miss") return false;
    if (!this.#hold(digest, executable)) this.#write(digest, executable, read.bytes); // Or somebody else was as quick.
    return true;
  }

  /** The same for what may be a hundred megabytes: not all of it in memory, and others get their turn. */
  async fetchLarge(digest: Digest, executable: boolean, signal: AbortSignal): Promise<boolean> {
    if (this.#hold(digest, executable)) return true;
    for await (const place of this.#blobs.places?.(digest) ?? []) {
      const file = await openFile(place).catch(() => undefined); // Others may have it still.
      if (file !== undefined && (await this.#adoptOpen(file, digest, executable, signal))) return true;
    }
    return this.fetch(digest, executable, signal);
  }

  /** Copies a file of this machine. @returns false when its content is another by now, or it is no file @throws {Error} of the system */
  async adopt(path: string, digest: Digest, executable: boolean, signal: AbortSignal): Promise<boolean> {
    return this.#hold(digest, executable) || this.#adoptOpen(await openFile(path), digest, executable, signal);
  }

  /** Closes it. */
  async #adoptOpen(file: FileHandle, digest: Digest, executable: boolean, signal: AbortSignal): Promise<boolean> {
    await using opened = file;
    if (!(await opened.stat()).isFile()) return false;
    const fresh = this.#freshName();
    try {
      // The file that was opened, whatever lies at its path by now; others get their turn meanwhile.
      await copyFile(`/proc/self/fd/${opened.fd}`, fresh, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      const hash = createHash("sha256");
      await pipeline(createReadStream(fresh), hash, { signal });
      if (hash.digest("hex") !== digest) return false;
      if (!this.#hold(digest, executable)) this.#keep(fresh, digest, executable, statSync(fresh).size);
      return true;
    } finally {
      rmSync(fresh, { force: true });
    }
  }

  /** Keeps bytes that were verified, as an input that is not to be executed. @throws {Error} of the system */
  put(digest: Digest, bytes: Uint8Array): void {
    if (!this.#hold(digest, false)) this.#write(digest, false, bytes);
  }

  /** Of content that is held, or 0. */
  bytesOf(digest: Digest): number {
    return this.#kept.get(nameOf(digest, false))?.bytes ?? 0;
  }

  /** Content that is held, and is no program; undefined: it is not. @throws {Error} of the system */
  read(digest: Digest): Buffer | undefined {
    const name = nameOf(digest, false);
    return (this.#kept.get(name)?.holders ?? 0) > 0 ? readFileSync(join(this.#directory, name)) : undefined;
  }

  release(digest: Digest, executable: boolean): void {
    const name = nameOf(digest, executable);
    const kept = this.#kept.get(name);
    if (kept === undefined || --kept.holders > 0) return;
    this.#idleBytes += kept.bytes;
    this.#kept.delete(name);
    this.#kept.set(name, kept);
  }

  /**
   * Gives content that is held a further name.
   * @param apart as a file of its own: compilers take two names of one file, or two copies of one age, for the same file
   * @throws {Error} of the system
   */
  link(digest: Digest, executable: boolean, path: string, apart: boolean): void {
    const kept = join(this.#directory, nameOf(digest, executable));
    if (apart) return this.#copy(kept, path);
    try {
      linkSync(kept, path);
    } catch (error) {
      if (systemCode(error) !== "EMLINK") throw error;
      this.#copy(kept, path);
    }
  }

  /** Forgets what nobody holds and was not used for the longest time. Roots that have it keep it. */
  async shrink(): Promise<void> {
    const pace = new Pace(NEVER);
    for (const [name, { bytes, holders }] of this.#kept) {
      if (this.#idleBytes <= this.#capacityBytes) return;
      if (holders > 0) continue;
      rmSync(join(this.#directory, name), { force: true });
      this.#kept.delete(name);
      this.#idleBytes -= bytes;
      if (pace.isDue(1)) await pace.rest();
    }
  }

  /** @returns false when it is not here */
  #hold(digest: Digest, executable: boolean): boolean {
    const kept = this.#kept.get(nameOf(digest, executable));
    if (kept === undefined) return false;
    if (kept.holders === 0) this.#idleBytes -= kept.bytes;
    kept.holders++;
    return true;
  }

  /** Makes it of the same content under the other mode. @returns false when that is not here either @throws {Error} of the system */
  #holdTwin(digest: Digest, executable: boolean): boolean {
    const twin = this.#kept.get(nameOf(digest, !executable));
    if (twin === undefined) return false;
    const fresh = this.#freshName();
    try {
      copyFileSync(join(this.#directory, nameOf(digest, !executable)), fresh, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      this.#keep(fresh, digest, executable, twin.bytes);
      return true;
    } finally {
      rmSync(fresh, { force: true }); // Half of it, when the disk is full.
    }
  }

  #freshName(): string {
    return join(this.#directory, `fresh${this.#copies++}`);
  }

  #write(digest: Digest, executable: boolean, bytes: Uint8Array): void {
    const fresh = this.#freshName();
    try {
      writeFileSync(fresh, bytes, { flag: "wx" });
      this.#keep(fresh, digest, executable, bytes.length);
    } finally {
      rmSync(fresh, { force: true }); // Half of it, when the disk is full.
    }
  }

  /** Only what is whole has its name. */
  #keep(fresh: string, digest: Digest, executable: boolean, bytes: number): void {
    const name = nameOf(digest, executable);
    chmodSync(fresh, executable ? 0o555 : 0o444);
    renameSync(fresh, join(this.#directory, name));
    this.#kept.set(name, { bytes, holders: 1 });
  }

  #copy(kept: string, path: string): void {
    copyFileSync(kept, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    const seconds = ++this.#copies;
    utimesSync(path, seconds, seconds);
  }
}

/** What makes room is not stopped with the job after which there is too little. */
const NEVER = new AbortController().signal;

/** A pipe is not waited for. @throws {Error} of the system */
function openFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

function nameOf(digest: Digest, executable: boolean): string {
  return executable ? `${digest}.x` : digest;
}
