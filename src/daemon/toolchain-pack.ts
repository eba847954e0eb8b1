/**
 * A toolchain as a tree, and a tree as a toolchain: docs/protocol/toolchains.md, "Names" and "Fetching".
 *
 * Knows: what may be in a pack, and that it is what it is called. Does not know: where blobs come from, who may send them.
 */
import { CairnError, type Digest, digestOf, limits } from "../base/index.ts";
import type { Installed, Toolchain, ToolchainOffer } from "../contracts/index.ts";
import { type Elf, type Ground, isSandboxPlace, type Laid, type LaidFile, layOut, toolchainDigest } from "../exec/index.ts";
import type { Directory, NetworkCodec, ToolchainPack, TreeCodec, TreeEntry } from "../wire/index.ts";
import type { Nodes } from "./tree-totals.ts";

export interface PackCodecs {
  readonly messages: Pick<NetworkCodec, "encodeToolchainPack" | "decodeToolchainPack">;
  readonly trees: Pick<TreeCodec, "encodeDirectory">;
}

/** A pack that could be put into a store. */
export interface Packed {
  readonly offer: ToolchainOffer;
  readonly files: Laid["files"];
  /** Directories, and the file that tells what it is. */
  readonly small: ReadonlyMap<Digest, Uint8Array>;
}

/** What was refused, and why. */
export interface NotTaken {
  readonly kind: "refused";
  readonly why: string;
}

/** A pack, and the toolchain that it is said to be; undefined: it is to be found out. */
export interface Asked {
  readonly digest: Digest | undefined;
  readonly root: Digest;
}

export interface Unpacked {
  readonly kind: "unpacked";
  readonly installed: Installed;
  readonly bytes: number;
}

/** Of the topmost directory. */
const ABOUT = "toolchain";
const ROOT = "root";

const { entries: mostEntries, depth: mostDepth, bytes: mostBytes } = limits.toolchains;

/** @returns undefined where it is larger than what is sent to others @throws {CairnError} usage for names that no tree can tell */
export function packOf(about: ToolchainPack, { files, links }: Laid, codecs: PackCodecs): Packed | undefined {
  if (files.length + links.length > mostEntries) return undefined;
  const small = new Map<Digest, Uint8Array>();
  const keep = (content: Uint8Array | undefined): { digest: Digest; size: number } | undefined => {
    if (content === undefined) return undefined;
    const digest = digestOf(content);
    small.set(digest, content);
    return { digest, size: content.length };
  };
  const growing: Growing = new Map();
  for (const { path, digest, size, executable } of files) put(growing, path, { kind: "file", digest, size, executable });
  for (const { path, target } of links) put(growing, path, { kind: "link", target });
  const directoryOf = (entries: Growing): TreeEntry | undefined => {
    const directory = new Map<string, TreeEntry>();
    for (const [name, entry] of entries) {
      const known = entry instanceof Map ? directoryOf(entry) : entry;
      if (known === undefined) return undefined;
      directory.set(name, known);
    }
    const node = keep(codecs.trees.encodeDirectory(directory));
    return node && { kind: "directory", ...node };
  };
  const told = keep(codecs.messages.encodeToolchainPack(about));
  const below = directoryOf(growing);
  if (told === undefined || below === undefined) return undefined;
  const top: Directory = new Map([
    [ABOUT, { kind: "file", ...told, executable: false }],
    [ROOT, below],
  ]);
  const root = keep(codecs.trees.encodeDirectory(top));
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (root === undefined || bytes > mostBytes) return undefined;
  const { family, version, target, platform, compiler } = about;
  return { offer: { root: root.digest, bytes, family, version, target, platform, compiler }, files, small };
}

type Growing = Map<string, Growing | TreeEntry>;

/** @param path where no part of it is a file or link */
function put(root: Growing, path: string, entry: TreeEntry): void {
  const names = path.split("/").filter((name) => name !== "");
  const last = names.pop() ?? "";
  let at = root;
  for (const name of names) {
    const below = at.get(name);
    const next: Growing = below instanceof Map ? below : new Map();
    at.set(name, next);
    at = next;
  }
  at.set(last, entry);
}

/** The file that tells what a pack is; undefined: it is none. */
export function aboutIn(root: Digest, nodes: Nodes): LaidFile | undefined {
  const about = nodes.get(root)?.get(ABOUT);
  return about?.kind === "file" && about.size <= limits.toolchains.packBytes ? about : undefined;
}

/** Judges a tree whose directories are here, before any program in it is fetched. @param about content of that file */
export async function unpack(asked: Asked, nodes: Nodes, about: Uint8Array, codecs: PackCodecs): Promise<Unpacked | NotTaken> {
  let pack: ToolchainPack;
  let entries: ReadonlyMap<string, TreeEntry>;
  try {
    pack = codecs.messages.decodeToolchainPack(about);
    entries = flatten(asked.root, nodes);
  } catch (error) {
    if (!(error instanceof CairnError)) throw error;
    return refused(String(error.facts.what ?? error.code));
  }
  const ground = groundIn(entries);
  const found = await layOut([...pack.files, ...pack.beside], ground);
  if (found === undefined) return refused("a file is missing, or no plain one");
  const { laid, contents } = found;
  if ([...laid.files, ...laid.links].some(({ path }) => isSandboxPlace(path))) return refused("a file at a place of the sandbox");
  if (!pack.files.includes(pack.compiler)) return refused("the driver is none of its files");
  const again = packOf(pack, laid, codecs);
  // Made of what was met on the way: whatever else there is makes another tree.
  if (again?.offer.root !== asked.root) return refused("more in it than its files, or too much");
  const { family, version, target, compiler, files, absent, beside } = pack;
  const digest = toolchainDigest({ family, version, target, files }, compiler, contents);
  if (asked.digest !== undefined && asked.digest !== digest) return refused("another digest");
  const layout = { root: asked.root, ...laid };
  const what = { family, version, target, platform: pack.platform, targets: [target] };
  const toolchain: Toolchain = { ...what, digest, files, absent, earlierOnPath: [], beside, layout };
  return { kind: "unpacked", installed: { compiler, toolchain }, bytes: again.offer.bytes };
}

/**
 * Whether this machine can execute it: the heads of its programs, once they are here.
 *
 * @param machine `x86_64`
 * @param head of a program, by its digest
 * @returns why not; undefined: it can
 */
export async function objectionToPrograms(
  { installed }: Unpacked,
  machine: string,
  head: (digest: Digest) => Promise<Elf | undefined>,
): Promise<string | undefined> {
  const { layout } = installed.toolchain;
  const files = new Map(layout?.files.map((file) => [file.path, file]));
  const links = new Map(layout?.links.map(({ path, target }) => [path, target]));
  const ground: Ground = { link: (path) => links.get(path), file: (path) => Promise.resolve(files.get(path)) };
  for (const { path, digest } of [...files.values()].filter(({ executable }) => executable)) {
    const elf = await head(digest);
    if (elf === undefined) return `${path} is a script`;
    if (elf.machine !== machine) return `${path} is for ${elf.machine}`;
    const { interpreter } = elf;
    if (interpreter === undefined) continue;
    if (!interpreter.startsWith("/") || (await layOut([interpreter], ground)) === undefined) return `${path} needs ${interpreter}`;
  }
  return undefined;
}

/** All below the root, by path. @throws {CairnError} limit-exceeded, frame-invalid */
function flatten(root: Digest, nodes: Nodes): ReadonlyMap<string, TreeEntry> {
  const top = nodes.get(root)?.get(ROOT);
  const entries = new Map<string, TreeEntry>();
  const walk = (digest: Digest, above: string, depth: number): void => {
    const directory = nodes.get(digest);
    if (directory === undefined || depth > mostDepth) throw new CairnError("frame-invalid", { what: "too deep" });
    for (const [name, entry] of directory) {
      const path = `${above}/${name}`;
      if (entries.size >= mostEntries) throw new CairnError("limit-exceeded", { what: "too many entries" });
      if (path.length > limits.toolchains.pathBytes) throw new CairnError("limit-exceeded", { what: "too long a path" });
      entries.set(path, entry);
      if (entry.kind === "directory") walk(entry.digest, path, depth + 1);
    }
  };
  if (top?.kind !== "directory") throw new CairnError("frame-invalid", { what: "no pack" });
  walk(top.digest, "", 0);
  return entries;
}

function groundIn(entries: ReadonlyMap<string, TreeEntry>): Ground {
  return {
    link: (path) => {
      const entry = entries.get(path);
      return entry?.kind === "link" ? entry.target : undefined;
    },
    file: (path) => {
      const entry = entries.get(path);
      const file: LaidFile | undefined =
        entry?.kind === "file" ? { digest: entry.digest, size: entry.size, executable: entry.executable } : undefined;
      return Promise.resolve(file);
    },
  };
}

function refused(why: string): NotTaken {
  return { kind: "refused", why };
}
