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
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Digest, systemCode } from "../base/index.ts";
import type { BlobRead } from "../contracts/index.ts";

/** Where contents come from that are not here yet: verified bytes. */
export interface Blobs {
  read(digest: Digest, signal?: AbortSignal): Promise<BlobRead>;
}

export class SandboxFiles {
  readonly #directory: string;
  readonly #capacityBytes: number;
  readonly #blobs: Blobs;
  /** Size by name, in the order of last use, oldest first. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;
  #copies = 0;

  /** @param options.directory which is made, for this process only: what a job sees lies under other names */
  constructor(parts: { blobs: Blobs }, options: { directory: string; capacityBytes: number }) {
    this.#blobs = parts.blobs;
    this.#directory = options.directory;
    this.#capacityBytes = options.capacityBytes;
    mkdirSync(this.#directory);
  }

  has(digest: Digest, executable: boolean): boolean {
    return this.#sizes.has(nameOf(digest, executable));
  }

  /** Makes sure that the content is here. @returns false when it is not to be had */
  async fetch(digest: Digest, executable: boolean, signal: AbortSignal): Promise<boolean> {
    if (this.has(digest, executable)) return true;
    const read = await this.#blobs.read(digest, signal);
    if (read.kind === "miss") return false;
    if (this.has(digest, executable)) return true; // Somebody else was as quick.
    this.#keep(digest, executable, read.bytes.length, (path) => writeFileSync(path, read.bytes, { flag: "wx" }));
    return true;
  }

  /** Copies a file of this machine. @returns false when its content is another by now */
  async adopt(path: string, digest: Digest, executable: boolean, signal: AbortSignal): Promise<boolean> {
    if (this.has(digest, executable)) return true;
    const fresh = join(this.#directory, `${nameOf(digest, executable)}.fresh${this.#copies++}`);
    copyFileSync(path, fresh, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    const hash = createHash("sha256");
    await pipeline(createReadStream(fresh), hash, { signal });
    const intact = hash.digest("hex") === digest;
    const size = statSync(fresh).size;
    if (intact && !this.has(digest, executable)) this.#keep(digest, executable, size, (kept) => renameSync(fresh, kept));
    else rmSync(fresh, { force: true });
    return intact;
  }

  /**
   * Gives the content a further name.
   * @param apart as a file of its own: compilers take two names of one file, or two copies of one age, for the same file
   * @throws {Error} of the system
   */
  link(digest: Digest, executable: boolean, path: string, apart: boolean): void {
    const name = nameOf(digest, executable);
    const size = this.#sizes.get(name);
    if (size !== undefined) {
      this.#sizes.delete(name);
      this.#sizes.set(name, size);
    }
    const kept = join(this.#directory, name);
    if (apart) return this.#copy(kept, path);
    try {
      linkSync(kept, path);
    } catch (error) {
      if (systemCode(error) !== "EMLINK") throw error;
      this.#copy(kept, path);
    }
  }

  #copy(kept: string, path: string): void {
    copyFileSync(kept, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    const seconds = ++this.#copies;
    utimesSync(path, seconds, seconds);
  }

  #keep(digest: Digest, executable: boolean, size: number, write: (path: string) => void): void {
    const name = nameOf(digest, executable);
    const path = join(this.#directory, name);
    write(path);
    chmodSync(path, executable ? 0o555 : 0o444);
    this.#sizes.set(name, size);
    this.#bytes += size;
  }

  /** Forgets what was not used for the longest time. Roots that have it keep it. Not while a root is being made. */
  shrink(): void {
    for (const [name, size] of this.#sizes) {
      if (this.#bytes <= this.#capacityBytes) return;
      rmSync(join(this.#directory, name), { force: true });
      this.#sizes.delete(name);
      this.#bytes -= size;
    }
  }
}

function nameOf(digest: Digest, executable: boolean): string {
  return executable ? `${digest}.x` : digest;
}
