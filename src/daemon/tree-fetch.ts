/**
 * Brings what is missing of a tree from members: docs/protocol/trees.md.
 *
 * Knows: whom to ask, and what belongs to a tree. Does not know: what it is for, or where its files go.
 */
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import type { Exchange } from "../contracts/index.ts";
import type { Holder } from "../net/index.ts";
import type { DiskStore } from "../store/index.ts";
import type { Directory, Root, TreeCodec } from "../wire/index.ts";

/** Other members, as far as trees need them. */
export interface TreeNetwork {
  readonly exchange: Pick<Exchange, "blobs">;
  /** See Holders.of. */
  readonly holders: (blobs: readonly Digest[], signal: AbortSignal) => Promise<ReadonlyMap<Digest, readonly Holder[]>>;
}

export interface TreeFetchParts {
  readonly store: Pick<DiskStore, "has" | "read" | "write" | "sizeOf">;
  readonly codec: TreeCodec;
  /** Undefined where this node is in no network. */
  readonly network: TreeNetwork | undefined;
  /** Every blob of the tree is added before it is looked for. */
  readonly held: Set<Digest>;
  readonly tell: (progress: FetchCounts) => void;
}

/** What has come so far, and how much of what is known to be missing there was. */
export interface FetchCounts {
  readonly blobs: number;
  readonly bytes: number;
  readonly ofBlobs: number;
  readonly ofBytes: number;
}

/** All directories below a root, by digest. */
export type Nodes = ReadonlyMap<Digest, Directory>;

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
   * @throws {CairnError} blob-absent, home-unwritable; the signal's reason
   */
  async root({ digest, codec }: Root): Promise<void> {
    const { store, held, network } = this.#parts;
    held.add(digest);
    if (await store.has(digest)) return;
    const holders = (await network?.holders([digest], this.#signal))?.get(digest) ?? [];
    const largest = codec === "directory" ? nodeBytes : limits.blobBytes;
    const sizes = [...new Set(holders.map(({ size }) => size))].filter((size) => size <= largest);
    // Who says another size than the others may be wrong.
    for (const size of sizes.slice(0, triedSizes)) {
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
   * Brings all that belongs to a tree.
   *
   * @param before is told all directories, and how many bytes of files are missing, before any of those is fetched; it may refuse
   * @returns its directories
   * @throws {CairnError} as directory; limit-exceeded; what `before` throws
   */
  async all(root: Root, before: (nodes: Nodes, missingBytes: number) => Promise<void>): Promise<Nodes> {
    await this.root(root);
    const nodes = new Map<Digest, Directory>();
    const files = new Map<Digest, number>();
    let level: Digest[] = root.codec === "directory" ? [root.digest] : [];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > mostDepth) throw new CairnError("limit-exceeded", { what: "depth of a tree" });
      const below = new Map<Digest, number>();
      for (const digest of level) {
        const directory = await this.#read(digest);
        nodes.set(digest, directory);
        for (const entry of directory.values()) {
          if (entry.kind === "file") files.set(entry.digest, entry.size);
          else if (entry.kind === "directory" && !nodes.has(entry.digest)) below.set(entry.digest, entry.size);
        }
        if (files.size + nodes.size + below.size > mostEntries) throw new CairnError("limit-exceeded", { what: "entries of a tree" });
      }
      await this.#bring(await this.#missing(below));
      level = [...below.keys()].filter((digest) => !nodes.has(digest));
    }
    const missing = await this.#missing(files);
    await before(nodes, bytesOf(missing));
    await this.#bring(missing);
    return nodes;
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
      held.add(digest);
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
    const holders = (await this.#parts.network?.holders(left, this.#signal)) ?? new Map<Digest, readonly Holder[]>();
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
    const missing = await network.exchange.blobs(from, wanted, take, this.#signal);
    const gone = new Set(missing);
    // Large blobs come without `take`.
    for (const { digest, size } of wanted) if (size >= limits.swarm.fromBytes && !gone.has(digest)) this.#came(1, size);
    tell(this.#counts);
    return missing;
  }

  #came(blobs: number, bytes: number): void {
    this.#counts = { ...this.#counts, blobs: this.#counts.blobs + blobs, bytes: this.#counts.bytes + bytes };
  }

  #absent(blobs: readonly Digest[]): CairnError {
    const why = this.#parts.network === undefined ? "no-network" : "nobody";
    return new CairnError("blob-absent", { blobs: blobs.length, first: blobs[0] ?? "", why });
  }
}

function bytesOf(blobs: readonly Wanted[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
