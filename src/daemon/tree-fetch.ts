/**
 * Brings what is missing of a tree from members: docs/protocol/trees.md.
 *
 * Knows: whom to ask, and what belongs to a tree. Does not know: what it is for, or where its files go.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import type { Exchange } from "../contracts/index.ts";
import type { Holder } from "../net/index.ts";
import type { DiskStore } from "../store/index.ts";
import type { Directory, Root, TreeCodec } from "../wire/index.ts";
import { checkRoom, type Nodes, type TreeTotals, totalsOf } from "./tree-totals.ts";

/** Other members, as far as trees need them. */
export interface TreeNetwork {
  /** Whether this node belongs to the network still. */
  readonly isMember: () => boolean;
  readonly exchange: Pick<Exchange, "blobs">;
  /** See Holders.of. */
  readonly holders: (
    blobs: readonly Digest[],
    signal: AbortSignal,
    first?: readonly Key[],
  ) => Promise<ReadonlyMap<Digest, readonly Holder[]>>;
}

export interface TreeFetchParts {
  readonly store: Pick<DiskStore, "has" | "read" | "write" | "sizeOf" | "directory">;
  readonly codec: TreeCodec;
  /** Undefined where this node is in no network. */
  readonly network: TreeNetwork | undefined;
  /** Every blob of the tree is added before it is looked for. */
  readonly held: Set<Digest>;
  readonly tell: (progress: FetchCounts) => void;
  /** Who is asked before all others. */
  readonly first?: readonly Key[];
  /** Fewer than any tree may have: files, links and directories. */
  readonly entriesMost?: number;
}

/** What has come so far, and how much of what is known to be missing there was. */
export interface FetchCounts {
  readonly blobs: number;
  readonly bytes: number;
  readonly ofBlobs: number;
  readonly ofBytes: number;
}

/** A tree whose directories are all here. */
export interface Tree {
  readonly nodes: Nodes;
  readonly totals: TreeTotals;
}

interface Wanted {
  readonly digest: Digest;
  readonly size: number;
}

const { entries: mostEntries, depth: mostDepth, nodeBytes, blobsAtOnce, holders: triedSizes } = limits.trees;

export class TreeFetch {
  readonly #parts: TreeFetchParts;
  readonly #signal: AbortSignal;
  /** Who has given something of this tree, or says that it can. */
  #from: readonly Key[] = [];
  #counts: FetchCounts = { blobs: 0, bytes: 0, ofBlobs: 0, ofBytes: 0 };

  constructor(parts: TreeFetchParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  get counts(): FetchCounts {
    return this.#counts;
  }

  /**
   * Brings one blob of which nobody has told the size.
   *
   * @throws {CairnError} blob-absent, home-unwritable, usage where there is no room for it; the signal's reason
   */
  async root({ digest, codec }: Root): Promise<void> {
    const { store, held, network, first } = this.#parts;
    held.add(digest);
    if (await store.has(digest)) return;
    const holders = (await network?.holders([digest], this.#signal, first))?.get(digest) ?? [];
    const largest = codec === "directory" ? nodeBytes : limits.blobBytes;
    const sizes = [...new Set(holders.map(({ size }) => size))].filter((size) => size <= largest);
    // Who says another size than the others may be wrong.
    for (const size of sizes.slice(0, triedSizes)) {
      await checkRoom(store.directory, size);
      this.#from = holders.filter((one) => one.size === size).map(({ key }) => key);
      if ((await this.#ask(this.#from, [{ digest, size }])).length === 0) return;
    }
    throw this.#absent([digest]);
  }

  /**
   * One directory, which is fetched if need be.
   *
   * @throws {CairnError} blob-absent, home-unwritable, frame-invalid when it is none; the signal's reason
   */
  async directory(digest: Digest): Promise<Directory> {
    await this.root({ digest, codec: "directory" });
    return this.#read(digest);
  }

  /**
   * Brings one file of a directory.
   *
   * @throws {CairnError} blob-absent, home-unwritable; frame-invalid when it has another size; the signal's reason
   */
  async file({ digest, size }: Wanted): Promise<void> {
    await this.#bring(await this.#missing(new Map([[digest, size]])));
  }

  /**
   * Brings all that belongs to a tree.
   *
   * @param before is told what the tree is, before any of its files is fetched; it may refuse
   * @throws {CairnError} as directory; limit-exceeded; usage where the store has no room; what `before` throws
   */
  async all(root: Root, before: (tree: Tree) => Promise<void>): Promise<Tree> {
    await this.root(root);
    if (root.codec === "raw") {
      const tree = { nodes: new Map(), totals: { files: 1, bytes: this.#parts.store.sizeOf(root.digest) ?? 0 } };
      await before(tree);
      return tree;
    }
    const { nodes, files } = await this.#directories(root.digest);
    const tree = { nodes, totals: totalsOf(root.digest, nodes) };
    await before(tree);
    const missing = await this.#missing(files);
    await checkRoom(this.#parts.store.directory, bytesOf(missing));
    await this.#bring(missing);
    return tree;
  }

  /** Brings all directories, level by level. What they are said to hold is counted before more is fetched. */
  async #directories(root: Digest): Promise<{ readonly nodes: Nodes; readonly files: ReadonlyMap<Digest, number> }> {
    const nodes = new Map<Digest, Directory>();
    const files = new Map<Digest, number>();
    const { entriesMost = mostEntries } = this.#parts;
    let entries = 0;
    let level: ReadonlyMap<Digest, number> = new Map([[root, this.#parts.store.sizeOf(root) ?? 0]]);
    for (let depth = 0; level.size > 0; depth++) {
      if (depth > mostDepth) throw new CairnError("limit-exceeded", { what: "depth of a tree" });
      const below = new Map<Digest, number>();
      for await (const [digest, directory] of this.#level(level)) {
        nodes.set(digest, directory);
        entries += directory.size;
        if (entries > entriesMost) throw new CairnError("limit-exceeded", { what: "entries of a tree" });
        for (const entry of directory.values()) {
          if (entry.kind === "file") files.set(entry.digest, entry.size);
          else if (entry.kind === "directory" && !nodes.has(entry.digest)) below.set(entry.digest, entry.size);
        }
      }
      for (const digest of level.keys()) below.delete(digest);
      level = below;
    }
    return { nodes, files };
  }

  /** Those that are here come first, then the others, as they are brought. */
  async *#level(level: ReadonlyMap<Digest, number>): AsyncGenerator<readonly [Digest, Directory]> {
    const missing = await this.#missing(level);
    await checkRoom(this.#parts.store.directory, bytesOf(missing));
    const isMissing = new Set(missing.map(({ digest }) => digest));
    for (const digest of level.keys()) if (!isMissing.has(digest)) yield [digest, await this.#read(digest)];
    for (let at = 0; at < missing.length; at += blobsAtOnce) {
      const some = missing.slice(at, at + blobsAtOnce);
      await this.#bring(some);
      for (const { digest } of some) yield [digest, await this.#read(digest)];
    }
  }

  async #read(digest: Digest): Promise<Directory> {
    this.#signal.throwIfAborted();
    const read = await this.#parts.store.read(digest, this.#signal);
    if (read.kind === "miss") throw this.#absent([digest]);
    return this.#parts.codec.decodeDirectory(read.bytes);
  }

  /** @throws {CairnError} frame-invalid when what is here is not as large as the tree says */
  async #missing(blobs: ReadonlyMap<Digest, number>): Promise<Wanted[]> {
    const { store, held } = this.#parts;
    const missing: Wanted[] = [];
    for (const [digest, size] of blobs) {
      if (held.add(digest).size % blobsAtOnce === 0) await otherWork(undefined, { signal: this.#signal }); // A build may ask something.
      const here = store.sizeOf(digest);
      if (here !== undefined && here !== size) throw new CairnError("frame-invalid", { what: "size", digest });
      if (here === undefined && !(await store.has(digest))) missing.push({ digest, size });
    }
    return missing;
  }

  /** @throws {CairnError} blob-absent */
  async #bring(missing: readonly Wanted[]): Promise<void> {
    const { ofBlobs, ofBytes } = this.#counts;
    this.#counts = { ...this.#counts, ofBlobs: ofBlobs + missing.length, ofBytes: ofBytes + bytesOf(missing) };
    for (let at = 0; at < missing.length; at += blobsAtOnce) await this.#bringSome(missing.slice(at, at + blobsAtOnce));
  }

  /** Those who have given something so far are asked first, and then who says that it has what they have not got. */
  async #bringSome(wanted: readonly Wanted[]): Promise<void> {
    const left = this.#from.length === 0 ? wanted.map(({ digest }) => digest) : await this.#ask(this.#from, wanted);
    if (left.length === 0) return;
    const holders = (await this.#parts.network?.holders(left, this.#signal, this.#parts.first)) ?? new Map<Digest, readonly Holder[]>();
    const from = new Set([...holders.values()].flat().map(({ key }) => key));
    this.#from = [...from, ...this.#from.filter((key) => !from.has(key))];
    const isLeft = new Set(left);
    const absent = await this.#ask(
      [...from],
      wanted.filter(({ digest }) => isLeft.has(digest)),
    );
    if (absent.length > 0) throw this.#absent(absent);
  }

  /** @returns what none of them gave */
  async #ask(from: readonly Key[], wanted: readonly Wanted[]): Promise<readonly Digest[]> {
    const { network, store, tell } = this.#parts;
    if (network === undefined || from.length === 0) return wanted.map(({ digest }) => digest);
    const take = async (_digest: Digest, bytes: Uint8Array): Promise<void> => {
      await store.write(bytes, this.#signal);
      this.#came(1, bytes.length);
      tell(this.#counts);
    };
    const kept = (_digest: Digest, received: number): void => {
      this.#came(1, received);
      tell(this.#counts);
    };
    return network.exchange.blobs(from, wanted, take, this.#signal, kept);
  }

  #came(blobs: number, bytes: number): void {
    this.#counts = { ...this.#counts, blobs: this.#counts.blobs + blobs, bytes: this.#counts.bytes + bytes };
  }

  #absent(blobs: readonly Digest[]): CairnError {
    const { network } = this.#parts;
    const why = network === undefined ? "no-network" : network.isMember() ? "nobody" : "no-member";
    return new CairnError("blob-absent", { blobs: blobs.length, first: blobs[0] ?? "", why });
  }
}

function bytesOf(blobs: readonly Wanted[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
