/**
 * Puts a tree whose blobs are all here at a path: written beside it and renamed, so that nobody sees half of it.
 *
 * Knows: the file system. Does not know: members, or how the blobs came.
 */
import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, lstat, mkdir, realpath, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CairnError, type Digest, systemCode } from "../base/index.ts";
import type { DiskStore } from "../store/index.ts";
import type { Root } from "../wire/index.ts";
import { checkRoom, type Nodes, type TreeTotals } from "./tree-totals.ts";

export interface TreePlaceParts {
  readonly store: Pick<DiskStore, "audit" | "plain" | "plainPath" | "directory">;
  readonly nodes: Nodes;
  /** Where Cairn keeps its own: absolute paths of files and directories. */
  readonly own: readonly string[];
}

export interface Place {
  /** Absolute. */
  readonly path: string;
  /** Whether what is there is replaced. */
  readonly force: boolean;
  /** Permissions that nobody gets. */
  readonly umask: number;
}

export class TreePlace {
  readonly #parts: TreePlaceParts;
  readonly #place: Place;
  readonly #signal: AbortSignal;

  constructor(parts: TreePlaceParts, place: Place, signal: AbortSignal) {
    this.#parts = parts;
    this.#place = place;
    this.#signal = signal;
  }

  /** @throws {CairnError} usage where something is there and `force` is not said, or nothing can be put there */
  async check(): Promise<void> {
    const { path, force } = this.#place;
    const above = await stat(dirname(path)).catch(() => undefined);
    if (above?.isDirectory() !== true) throw new CairnError("usage", { why: `${dirname(path)} is no directory` });
    for (const own of this.#parts.own)
      for (const kept of await spots(own))
        for (const spot of await spots(path))
          if (isWithin(kept, spot) || isWithin(spot, kept))
            throw new CairnError("usage", { why: `${path} holds what Cairn itself keeps, or lies in it: nothing is put there` });
    if (!force && (await exists(path))) throw new CairnError("usage", { why: `${path} exists`, advice: "--force replaces it" });
  }

  /**
   * @param root a file that nothing is told of cannot be executed
   * @param totals of a file or a directory; so much room there must be
   * @throws {CairnError} as check; blob-absent when something was removed meanwhile; the signal's reason
   */
  async place(root: Root & { readonly executable?: boolean }, totals: TreeTotals): Promise<void> {
    const { path } = this.#place;
    const growing = besides(path, "part");
    try {
      await checkRoom(dirname(path), totals.bytes);
      await rm(growing, { recursive: true, force: true }); // What a crash has left.
      if (root.codec === "raw") await this.#file(root.digest, growing, root.executable === true);
      else await this.#directory(root.digest, growing);
      await this.check(); // It may have come meanwhile.
      await this.#show(growing);
    } catch (error) {
      await rm(growing, { recursive: true, force: true }).catch(() => undefined);
      if (error instanceof CairnError || systemCode(error) === undefined || this.#signal.aborted) throw error;
      throw new CairnError("usage", { why: `${path} cannot be written: ${systemCode(error)}` }, error);
    }
  }

  async #directory(digest: Digest, path: string): Promise<void> {
    await mkdir(path, { mode: 0o700 });
    for (const [name, entry] of this.#parts.nodes.get(digest) ?? []) {
      this.#signal.throwIfAborted();
      const below = join(path, name);
      if (entry.kind === "directory") await this.#directory(entry.digest, below);
      else if (entry.kind === "link") await symlink(entry.target, below);
      else await this.#file(entry.digest, below, entry.executable);
    }
    await chmod(path, 0o777 & ~this.#place.umask);
  }

  async #file(digest: Digest, path: string, executable: boolean): Promise<void> {
    const { store } = this.#parts;
    if ((await store.plain(digest)) === undefined) throw new CairnError("blob-absent", { blobs: 1, first: digest, why: "removed" });
    await copyFile(store.plainPath(digest), path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    // Disks lie, and the store verified it when it came.
    if ((await digestOfFile(path, this.#signal)) !== digest) {
      await store.audit(digest);
      throw new CairnError("blob-absent", { blobs: 1, first: digest, why: "damaged" });
    }
    await chmod(path, (executable ? 0o777 : 0o666) & ~this.#place.umask);
  }

  /** A directory cannot be renamed over another, nor over a file. */
  async #show(growing: string): Promise<void> {
    const { path } = this.#place;
    const old = besides(path, "old");
    const isReplaced = await exists(path);
    if (isReplaced) {
      await rm(old, { recursive: true, force: true });
      await rename(path, old);
    }
    try {
      await rename(growing, path);
    } catch (error) {
      if (isReplaced) await rename(old, path);
      throw error;
    }
    if (isReplaced) await rm(old, { recursive: true, force: true });
  }
}

async function digestOfFile(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { signal })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

/** A path as it is said, without links on the way to it, and what it leads to. */
async function spots(path: string): Promise<ReadonlySet<string>> {
  const above = await realpath(dirname(path)).catch(() => dirname(path));
  return new Set([path, join(above, basename(path)), await realpath(path).catch(() => path)]);
}

function isWithin(path: string, directory: string): boolean {
  return `${path}/`.startsWith(`${directory}/`);
}

/** In the same directory, so that it can be renamed. */
function besides(path: string, what: "part" | "old"): string {
  return join(dirname(path), `.${basename(path)}.cairn-${what}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
