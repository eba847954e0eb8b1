/**
 * How much a tree holds, and whether there is room for it.
 *
 * Knows: directories that are here, and the bounds of a tree. Does not know: where directories come from, or what is done with them.
 */
import { statfs } from "node:fs/promises";
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { Directory, Root } from "../wire/index.ts";

/** All directories below a root, by digest. */
export type Nodes = ReadonlyMap<Digest, Directory>;

/** What a tree holds, each file counted as often as it appears. */
export interface TreeTotals {
  readonly files: number;
  readonly bytes: number;
}

interface Tally extends TreeTotals {
  readonly entries: number;
  readonly height: number;
}

const { entries: mostEntries, depth: mostDepth } = limits.trees;

/**
 * What a tree holds. One that names the same directory again and again is small where it is kept and large where it is placed.
 *
 * @throws {CairnError} limit-exceeded
 */
export function totalsOf(root: Digest, nodes: Nodes): TreeTotals {
  const known = new Map<Digest, Tally>();
  const tally = (digest: Digest, depth: number): Tally => {
    const before = known.get(digest);
    if (depth + (before?.height ?? 0) > mostDepth) throw new CairnError("limit-exceeded", { what: "depth of a tree" });
    if (before !== undefined) return before;
    let [files, bytes, entries, height] = [0, 0, 0, 0];
    for (const entry of nodes.get(digest)?.values() ?? []) {
      const below = entry.kind === "directory" ? tally(entry.digest, depth + 1) : NOTHING;
      files += below.files + (entry.kind === "file" ? 1 : 0);
      bytes += below.bytes + (entry.kind === "file" ? entry.size : 0);
      entries += below.entries + 1;
      if (entry.kind === "directory") height = Math.max(height, below.height + 1);
      if (entries > mostEntries) throw new CairnError("limit-exceeded", { what: "entries of a tree" });
    }
    const sum = { files, bytes, entries, height };
    known.set(digest, sum);
    return sum;
  };
  return tally(root, 0);
}

const NOTHING: Tally = { files: 0, bytes: 0, entries: 0, height: 0 };

/** All blobs of a tree, each once. */
export function blobsOf(root: Root, nodes: Nodes): Digest[] {
  const blobs = new Set<Digest>([root.digest, ...nodes.keys()]);
  for (const directory of nodes.values()) for (const entry of directory.values()) if (entry.kind === "file") blobs.add(entry.digest);
  return [...blobs];
}

/** @throws {CairnError} usage where a directory's file system has not so much room */
export async function checkRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bytes > bavail * bsize)
    throw new CairnError("usage", { why: `${bytes} bytes do not fit at ${directory}, which has ${bavail * bsize} left` });
}
