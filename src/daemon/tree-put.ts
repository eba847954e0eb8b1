/**
 * Reads a file or a directory of this machine into the store: docs/protocol/trees.md.
 *
 * Knows: what of a file system a tree can tell. Does not know: members, or who wants it.
 */
import { isUtf8 } from "node:buffer";
import { constants, type Stats } from "node:fs";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Digest, limits, systemCode, systemReason } from "../base/index.ts";
import type { DiskStore } from "../store/index.ts";
import type { Root, TreeCodec, TreeEntry } from "../wire/index.ts";

export interface TreePutParts {
  readonly store: Pick<DiskStore, "write" | "copyIn" | "audit">;
  readonly codec: TreeCodec;
  /** Every blob is added as soon as it is in the store. */
  readonly held: Set<Digest>;
  readonly tell: (progress: TreeCounts) => void;
}

/** What has been done so far. */
export interface TreeCounts {
  readonly files: number;
  readonly bytes: number;
}

const { entries: mostEntries, depth: mostDepth, directoryEntries, nodeBytes } = limits.trees;
/** Nothing is waited for that is no file after all, and no link is followed. */
const READ_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class TreePut {
  readonly #parts: TreePutParts;
  readonly #signal: AbortSignal;
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(parts: TreePutParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  get counts(): TreeCounts {
    return { files: this.#files, bytes: this.#bytes };
  }

  /**
   * @param path absolute; where it is a link, what it leads to is meant
   * @throws {CairnError} usage for what cannot be read or is neither file, directory nor link; limit-exceeded, home-unwritable; the
   * signal's reason
   */
  async put(path: string): Promise<Root> {
    const real = await reading(path, () => realpath(path));
    const entry = await this.#entry(real, 0);
    // A link cannot come of a path that has been resolved.
    if (entry.kind === "link") throw new CairnError("usage", { why: `${path} has changed meanwhile` });
    return { digest: entry.digest, codec: entry.kind === "file" ? "raw" : "directory" };
  }

  async #entry(path: string, depth: number): Promise<TreeEntry> {
    if (++this.#entries > mostEntries) throw new CairnError("limit-exceeded", { what: "entries of a tree" });
    if (depth > mostDepth) throw new CairnError("limit-exceeded", { what: "depth of a tree", path });
    await otherWork(undefined, { signal: this.#signal }); // A build may ask something.
    const stats = await reading(path, () => lstat(path));
    if (stats.isDirectory()) return this.#directory(path, depth);
    if (stats.isSymbolicLink()) return { kind: "link", target: text(await reading(path, () => readlink(path, "buffer")), path) };
    if (!stats.isFile()) throw new CairnError("usage", { why: `${path} is neither a file nor a directory nor a link` });
    return this.#file(path, stats);
  }

  async #file(path: string, stats: Stats): Promise<TreeEntry> {
    if (stats.size > limits.blobBytes) throw new CairnError("limit-exceeded", { what: "file", path, size: stats.size });
    const { digest, size } = await (stats.size < limits.swarm.fromBytes ? this.#small(path) : this.#large(path));
    this.#parts.held.add(digest);
    this.#files++;
    this.#bytes += size;
    this.#parts.tell(this.counts);
    return { kind: "file", digest, size, executable: (stats.mode & constants.S_IXUSR) !== 0 };
  }

  async #small(path: string): Promise<{ readonly digest: Digest; readonly size: number }> {
    const bytes = await reading(path, () => readFile(path, { flag: READ_FILE, signal: this.#signal }));
    return this.#keep(bytes);
  }

  #large(path: string): Promise<{ readonly digest: Digest; readonly size: number }> {
    return reading(path, () => this.#surely(() => this.#parts.store.copyIn(path, this.#signal)));
  }

  #keep(bytes: Uint8Array): Promise<{ readonly digest: Digest; readonly size: number }> {
    return this.#surely(async () => ({ digest: await this.#parts.store.write(bytes, this.#signal), size: bytes.length }));
  }

  /** The store believes that what it has is what it was. Here somebody may remove the original next: so it is looked at. */
  async #surely<T extends { readonly digest: Digest }>(keep: () => Promise<T>): Promise<T> {
    const kept = await keep();
    return (await this.#parts.store.audit(kept.digest)) ? kept : keep();
  }

  async #directory(path: string, depth: number): Promise<TreeEntry> {
    const { codec, held } = this.#parts;
    const names = await reading(path, () => readdir(path, { encoding: "buffer" }));
    if (names.length > directoryEntries) throw tooLarge(path); // Before all its files are read.
    const entries = new Map<string, TreeEntry>();
    for (const name of names.map((one) => text(one, path))) entries.set(name, await this.#entry(join(path, name), depth + 1));
    const bytes = codec.encodeDirectory(entries);
    if (bytes === undefined) throw tooLarge(path);
    const { digest } = await this.#keep(bytes);
    held.add(digest);
    return { kind: "directory", digest, size: bytes.length };
  }
}

function tooLarge(path: string): CairnError {
  const most = `one directory may have ${directoryEntries} entries, and ${nodeBytes} bytes of names and what they lead to`;
  return new CairnError("limit-exceeded", { what: `the directory ${path}`, most });
}

/** @throws {CairnError} usage where the system does not let this node read it */
async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const system = systemCode(error);
    if (error instanceof CairnError || system === undefined || system === "ABORT_ERR") throw error;
    throw new CairnError("usage", { why: `${path} cannot be read: ${systemReason(error)}` }, error);
  }
}

/** Names on disk are bytes, in a tree they are text. */
function text(name: Buffer, path: string): string {
  if (!isUtf8(name)) throw new CairnError("usage", { why: `${path} has a name that is not UTF-8: ${name.toString("latin1")}` });
  return name.toString("utf8");
}
