/**
 * Brings one toolchain of a member here, or what is missing of one that was here before, and judges it.
 *
 * Knows: the order of fetching and judging. Does not know: whether somebody may send it, what it is needed for.
 */
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import { type Elf, readElf } from "../exec/index.ts";
import type { DiskStore } from "../store/index.ts";
import type { TreeCodec } from "../wire/index.ts";
import { type Asked, aboutIn, type NotTaken, objectionToPrograms, type PackCodecs, type Unpacked, unpack } from "./toolchain-pack.ts";
import { TreeFetch, type TreeNetwork } from "./tree-fetch.ts";

export interface ToolchainFetchParts {
  readonly store: DiskStore;
  readonly codecs: PackCodecs & { readonly trees: TreeCodec };
  /** Undefined: only what is here counts. */
  readonly network: TreeNetwork | undefined;
  /** Files of this machine's own compilers by content: what is in them need not be fetched. */
  readonly own: ReadonlyMap<Digest, string>;
  /** What this machine executes: `x86_64`. */
  readonly machine: string;
}

export interface Brought extends Unpacked {
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  /** What came from members. */
  readonly cameBytes: number;
}

/** The two directories of a pack itself, and the file beside them, as well. */
const entriesMost = limits.toolchains.entries + 2;

/** It could be had another time. */
export interface Postponed {
  readonly kind: "postponed";
  readonly why: string;
}

/** Why a tree's files are not fetched. */
class NotFetched extends Error {
  readonly outcome: NotTaken | Postponed;

  constructor(outcome: NotTaken | Postponed) {
    super(outcome.why);
    this.outcome = outcome;
  }
}

/**
 * @param from who has it at least
 * @param admit is told how many bytes are missing, before any of its programs is fetched; a word why not, or undefined
 * @param held keeps its blobs for as long as the caller does
 * @throws {CairnError} blob-absent, home-unwritable, usage where there is no room on the disk; the signal's reason
 */
export async function bringToolchain(
  parts: ToolchainFetchParts,
  asked: Asked,
  from: readonly Key[],
  admit: (bytes: number) => string | undefined,
  held: Set<Digest>,
  signal: AbortSignal,
): Promise<Brought | NotTaken | Postponed> {
  const { store, codecs, network, machine } = parts;
  const fetch = new TreeFetch({ store, codec: codecs.trees, network, held, tell: () => undefined, first: from, entriesMost }, signal);
  let unpacked: Unpacked | NotTaken | undefined;
  try {
    const { nodes } = await fetch.all({ digest: asked.root, codec: "directory" }, async (tree) => {
      unpacked = await judged(parts, fetch, asked, tree.nodes, signal);
      if (unpacked.kind === "refused") throw new NotFetched(unpacked);
      await copyOwn(unpacked, parts, held, signal);
      const why = admit(missingOf(unpacked, store));
      if (why !== undefined) throw new NotFetched({ kind: "postponed", why });
    });
    if (unpacked?.kind !== "unpacked") return { kind: "refused", why: "no pack" };
    const why = await objectionToPrograms(unpacked, machine, (digest) => elfOf(store, digest));
    if (why !== undefined) return { kind: "refused", why };
    const sizes = new Map<Digest, number>();
    for (const node of [asked.root, ...nodes.keys()]) sizes.set(node, store.sizeOf(node) ?? 0);
    for (const node of nodes.values()) for (const entry of node.values()) if (entry.kind === "file") sizes.set(entry.digest, entry.size);
    const blobs = [...sizes].map(([digest, size]) => ({ digest, size }));
    return { ...unpacked, blobs, cameBytes: fetch.counts.bytes };
  } catch (error) {
    if (error instanceof NotFetched) return error.outcome;
    if (error instanceof CairnError && (error.code === "frame-invalid" || error.code === "limit-exceeded"))
      return { kind: "refused", why: String(error.facts.what ?? error.code) };
    throw error;
  }
}

/** A file that has changed meanwhile is another blob, and fetched. */
async function copyOwn(
  { installed }: Unpacked,
  { store, own }: ToolchainFetchParts,
  held: Set<Digest>,
  signal: AbortSignal,
): Promise<void> {
  for (const { digest } of installed.toolchain.layout?.files ?? []) {
    const path = own.get(digest);
    held.add(digest);
    if (path !== undefined && store.sizeOf(digest) === undefined) await store.copyIn(path, signal);
  }
}

function missingOf({ installed }: Unpacked, store: DiskStore): number {
  const missing = new Map(installed.toolchain.layout?.files.map(({ digest, size }) => [digest, size]));
  for (const digest of missing.keys()) if (store.sizeOf(digest) !== undefined) missing.delete(digest);
  return [...missing.values()].reduce((sum, size) => sum + size, 0);
}

async function judged(
  { store, codecs }: ToolchainFetchParts,
  fetch: TreeFetch,
  asked: Asked,
  nodes: Parameters<typeof unpack>[1],
  signal: AbortSignal,
): Promise<Unpacked | NotTaken> {
  const about = aboutIn(asked.root, nodes);
  if (about === undefined) return { kind: "refused", why: "no pack" };
  await fetch.file(about);
  const read = await store.read(about.digest, signal);
  return read.kind === "miss" ? { kind: "refused", why: "no pack" } : unpack(asked, nodes, read.bytes, codecs);
}

async function elfOf(store: DiskStore, digest: Digest): Promise<Elf | undefined> {
  const place = await store.place(digest);
  return place === undefined ? undefined : readElf(place);
}
