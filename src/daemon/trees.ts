/**
 * Files and directories as people put, get, list and pin them: docs/protocol/trees.md.
 *
 * Knows: what a CID, a digest or a name leads to, and what happens in which order. Does not know: how a file system is read or written, or
 * how blobs come.
 */
import { dirname } from "node:path";
import { CairnError, type Digest, isDigest, limits, type NameRecord } from "../base/index.ts";
import type { DiskStore, Pin, Pins } from "../store/index.ts";
import { loadTreeCodec, type Root, type TreeEntry } from "../wire/index.ts";
import { type FetchCounts, TreeFetch, type TreeNetwork } from "./tree-fetch.ts";
import { type Place, TreePlace } from "./tree-place.ts";
import { TreePut } from "./tree-put.ts";
import { blobsOf, checkRoom } from "./tree-totals.ts";

export interface TreesParts {
  readonly store: DiskStore;
  readonly pins: Pins;
  readonly network: () => TreeNetwork | undefined;
  /** What members say that a name stands for. */
  readonly named: (name: string) => Promise<NameRecord | undefined>;
}

export interface TreesOptions {
  /** See TreePlaceParts.own; the store is among them anyway. */
  readonly own: readonly string[];
}

/** Called with what has been done so far, as often as something is. */
export type Tell = (progress: object) => void;

/** What somebody asked for. Only a directory tells whether a file below it can be executed. */
type Top = Root & { readonly executable?: boolean };

export class Trees {
  readonly #parts: TreesParts;
  readonly #own: readonly string[];
  /** Paths that something is being put at. */
  readonly #places = new Set<string>();

  constructor(parts: TreesParts, { own }: TreesOptions) {
    this.#parts = parts;
    this.#own = [...own, parts.store.directory];
  }

  /**
   * @param path absolute
   * @throws {CairnError} see TreePut.put
   */
  async put(path: string, tell: Tell, signal: AbortSignal): Promise<object> {
    const codec = await loadTreeCodec();
    using hold = this.#parts.pins.hold();
    const put = new TreePut({ store: this.#parts.store, codec, held: hold.blobs, tell }, signal);
    const root = await put.put(path);
    return { cid: codec.formatCid(root), digest: root.digest, kind: kindOf(root), ...put.counts };
  }

  /**
   * @param text a CID, a digest or a name; then, perhaps, a path below it
   * @throws {CairnError} usage, not-found, blob-absent, limit-exceeded, frame-invalid, home-unwritable
   */
  async get(text: string, place: Place, tell: Tell, signal: AbortSignal): Promise<object> {
    if (this.#places.has(place.path)) throw new CairnError("usage", { why: `something is being put at ${place.path} already` });
    this.#places.add(place.path);
    try {
      const codec = await loadTreeCodec();
      using hold = this.#parts.pins.hold();
      const fetch = await this.#fetch(hold.blobs, tell, signal);
      const root = await this.#root(text, fetch);
      const { store } = this.#parts;
      await new TreePlace({ store, nodes: new Map(), own: this.#own }, place, signal).check(); // Before much is fetched for nothing.
      const totals = await this.#unlessDamaged(hold.blobs, signal, async () => {
        const tree = await fetch.all(root, (known) => checkRoom(dirname(place.path), known.totals.bytes));
        await new TreePlace({ store, nodes: tree.nodes, own: this.#own }, place, signal).place(root, tree.totals);
        return tree.totals;
      });
      return { cid: codec.formatCid(root), kind: kindOf(root), path: place.path, ...totals, fetched: fetch.counts };
    } finally {
      this.#places.delete(place.path);
    }
  }

  /** @throws {CairnError} usage where it is no directory; not-found, blob-absent, frame-invalid */
  async list(text: string, tell: Tell, signal: AbortSignal): Promise<object> {
    const codec = await loadTreeCodec();
    using hold = this.#parts.pins.hold();
    const fetch = await this.#fetch(hold.blobs, tell, signal);
    const root = await this.#root(text, fetch);
    if (root.codec !== "directory") throw new CairnError("usage", { why: `${text} is a file`, advice: "cairn get brings it" });
    const described = (name: string, entry: TreeEntry): object =>
      entry.kind === "link"
        ? { name, ...entry }
        : { name, ...entry, cid: codec.formatCid({ digest: entry.digest, codec: entry.kind === "file" ? "raw" : "directory" }) };
    const entries = [...(await fetch.directory(root.digest))].map(([name, entry]) => described(name, entry));
    return { cid: codec.formatCid(root), entries };
  }

  /**
   * Brings all of a CID, or of what a name stands for, so that it can be pinned, and pins it.
   *
   * @returns undefined where the text is neither a CID nor the name of a file or directory
   * @throws {CairnError} as get
   */
  async pin(
    text: string,
    keep: (pin: Pick<Pin, "root" | "kind" | "blobs">) => object,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<object | undefined> {
    if (!(await this.#isTold(text))) return undefined;
    using hold = this.#parts.pins.hold();
    const fetch = await this.#fetch(hold.blobs, tell, signal);
    const root = await this.#root(text, fetch);
    const blobs = await this.#unlessDamaged(hold.blobs, signal, async () => {
      const { nodes } = await fetch.all(root, async (tree) => {
        if (blobsOf(root, tree.nodes).length > limits.pinnedBlobs) throw new CairnError("limit-exceeded", { what: "pinned blobs" });
      });
      const all = blobsOf(root, nodes);
      await this.#verify(all, signal); // Who pins something relies on it.
      return all;
    });
    return keep({ root: root.digest, kind: root.codec === "directory" ? "tree" : "blob", blobs });
  }

  /** What turns out to be damaged here is no longer here then: it is fetched, if anybody has it. */
  async #unlessDamaged<T>(held: ReadonlySet<Digest>, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CairnError && error.code === "blob-absent" && error.facts.why === "damaged")) throw error;
      await this.#verify(held, signal).catch(() => undefined);
      signal.throwIfAborted();
      return work();
    }
  }

  /** @throws {CairnError} blob-absent where one was damaged, when all of those have been removed; the signal's reason */
  async #verify(blobs: Iterable<Digest>, signal: AbortSignal): Promise<void> {
    const damaged: Digest[] = [];
    for (const digest of blobs) {
      signal.throwIfAborted();
      if (!(await this.#parts.store.audit(digest))) damaged.push(digest);
    }
    const [first] = damaged;
    if (first !== undefined) throw new CairnError("blob-absent", { blobs: damaged.length, first, why: "damaged" });
  }

  async #fetch(held: Set<Digest>, tell: (counts: FetchCounts) => void, signal: AbortSignal): Promise<TreeFetch> {
    const { store, network } = this.#parts;
    return new TreeFetch({ store, codec: await loadTreeCodec(), network: network(), held, tell }, signal);
  }

  /** Whether it says which codec it has. */
  async #isTold(text: string): Promise<boolean> {
    const [first = ""] = text.split("/", 1);
    if (isDigest(first)) return false;
    return (await loadTreeCodec()).parseCid(first) !== undefined || ((await this.#parts.named(first))?.codec ?? "") !== "";
  }

  /** @throws {CairnError} not-found where nobody says what it is, or nothing is there */
  async #root(text: string, fetch: TreeFetch): Promise<Top> {
    const [first = "", ...names] = text.split("/").filter((name, i) => i === 0 || name !== "");
    let root: Top = await this.#top(first);
    if (names.length > limits.trees.depth) throw new CairnError("limit-exceeded", { what: "depth of a path" });
    for (const name of names) {
      const entry = root.codec === "directory" ? (await fetch.directory(root.digest)).get(name) : undefined;
      if (entry === undefined || entry.kind === "link")
        throw new CairnError("not-found", { why: `${text}: there is no file or directory ${name}` });
      const executable = entry.kind === "file" && entry.executable;
      root = { digest: entry.digest, codec: entry.kind === "file" ? "raw" : "directory", executable };
    }
    return root;
  }

  async #top(text: string): Promise<Root> {
    if (isDigest(text)) return { digest: text, codec: "raw" };
    const root = (await loadTreeCodec()).parseCid(text);
    if (root !== undefined) return root;
    const record = await this.#parts.named(text);
    if (record === undefined)
      throw new CairnError("not-found", { why: `${text} is neither a CID nor 64 digits, and nobody says what it is` });
    return { digest: record.root, codec: record.codec === "" ? "raw" : record.codec };
  }
}

function kindOf({ codec }: Root): "file" | "directory" {
  return codec === "raw" ? "file" : "directory";
}
