/**
 * A source tree as it should be, and checkouts on disk that are made to be so.
 *
 * Knows: files, links, directories; the many ways in which editors and tools write a file. Does not know: what is in them.
 */
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { digestOf } from "../../src/base/index.ts";

export type Node = FileNode | { readonly kind: "link"; readonly to: string } | { readonly kind: "directory" };

export interface FileNode {
  readonly kind: "file";
  readonly content: Buffer;
  /** How it gets onto the disk. */
  readonly how: Writing;
}

/**
 * `inPlace`: truncated and written; `rename`: written beside and renamed over; `unlink`: a new inode;
 * `backdated`: written in place, and its time set to what it was; `sameTime`: its time set to a fixed one.
 */
export type Writing = "inPlace" | "rename" | "unlink" | "backdated" | "sameTime";

export type Tree = ReadonlyMap<string, Node>;

export function fileNode(content: Buffer | string, how: Writing = "inPlace"): FileNode {
  return { kind: "file", content: typeof content === "string" ? Buffer.from(content) : content, how };
}

const digests = new WeakMap<Node, string>();

/** Equal for trees with equal content. */
export function treeDigest(tree: Tree): string {
  const parts = [...tree].map(([path, node]) => {
    let digest = digests.get(node);
    if (digest === undefined) {
      digest = node.kind === "file" ? digestOf(node.content) : node.kind === "link" ? `>${node.to}` : "/";
      digests.set(node, digest);
    }
    return `${path}\0${digest}`;
  });
  return digestOf(parts.toSorted().join("\n"));
}

const FIXED_TIME_S = 1_600_000_000;

/** A directory that holds a tree, and what compilers left beside it. */
export class Checkout {
  readonly root: string;
  #applied: Tree = new Map();

  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  /** Makes the files on disk those of `tree`; what is already right is not touched. */
  become(tree: Tree): void {
    for (const [path, node] of this.#applied) {
      const wanted = tree.get(path);
      if (wanted === undefined || (wanted.kind !== node.kind && wanted !== node))
        rmSync(join(this.root, path), { recursive: true, force: true });
    }
    // Directories and shorter paths first.
    for (const path of [...tree.keys()].toSorted()) {
      const node = tree.get(path);
      if (node !== undefined && node !== this.#applied.get(path)) this.#write(path, node);
    }
    this.#applied = tree;
  }

  #write(path: string, node: Node): void {
    const at = join(this.root, path);
    this.#makeWay(dirname(at));
    if (node.kind === "directory") {
      mkdirSync(at, { recursive: true });
      return;
    }
    const there = lstatSync(at, { throwIfNoEntry: false });
    if (there !== undefined && (!there.isFile() || node.kind === "link")) rmSync(at, { recursive: true, force: true });
    if (node.kind === "link") symlinkSync(node.to, at);
    else writeAs(at, node);
  }

  #makeWay(directory: string): void {
    const there = statSync(directory, { throwIfNoEntry: false });
    if (there?.isDirectory()) return;
    if (there !== undefined) rmSync(directory, { force: true });
    mkdirSync(directory, { recursive: true });
  }

  /** Removes what is not of the tree. */
  clear(): void {
    this.#strangers((path, isDirectory) => rmSync(path, { recursive: isDirectory, force: true }));
  }

  /** What lies there that is not of the tree, by name: kind, mode, links and content. */
  strangers(): Map<string, Stranger> {
    const found = new Map<string, Stranger>();
    this.#strangers((path) => found.set(path.slice(this.root.length + 1), describe(path)));
    return found;
  }

  #strangers(visit: (path: string, isDirectory: boolean) => void): void {
    const holders = new Set<string>([""]);
    for (const path of this.#applied.keys()) {
      for (let at = dirname(path); at !== "."; at = dirname(at)) holders.add(at);
      if (this.#applied.get(path)?.kind === "directory") holders.add(path);
    }
    for (const holder of [...holders].toSorted()) {
      const directory = join(this.root, holder);
      if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) continue;
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        const name = holder === "" ? entry.name : `${holder}/${entry.name}`;
        if (!this.#applied.has(name) && !holders.has(name)) visit(join(this.root, name), entry.isDirectory());
      }
    }
  }
}

export interface Stranger {
  readonly kind: string;
  readonly mode: string;
  readonly links: number;
  readonly content: Buffer;
}

function describe(path: string): Stranger {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return { kind: "link", mode: "", links: 1, content: Buffer.from(readlinkSync(path)) };
  const mode = (stat.mode & 0o7777).toString(8);
  if (!stat.isFile()) return { kind: "other", mode, links: 1, content: Buffer.alloc(0) };
  return { kind: "file", mode, links: stat.nlink, content: readFileSync(path) };
}

function writeAs(at: string, { content, how }: FileNode): void {
  const before = lstatSync(at, { throwIfNoEntry: false });
  if (how === "rename") {
    writeFileSync(`${at}.saving`, content);
    renameSync(`${at}.saving`, at);
    return;
  }
  if (how === "unlink" && before !== undefined) {
    copyFileSync(at, `${at}~`); // So that the new file does not get the old one's inode.
    unlinkSync(at);
  }
  writeFileSync(at, content);
  if (how === "unlink") rmSync(`${at}~`, { force: true });
  if (how === "backdated" && before !== undefined) utimesSync(at, before.atimeMs / 1000, before.mtimeMs / 1000);
  if (how === "sameTime") utimesSync(at, FIXED_TIME_S, FIXED_TIME_S);
}
