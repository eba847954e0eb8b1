/**
 * Offers of copies as bytes and back: schema/keep.proto.
 *
 * Knows: frames and their bounds. Does not know: what is kept, or why.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import { KeepAnswerSchema, KeepOfferSchema, KeepTreeOfferSchema, KeepVerdict as Verdict } from "./generated/keep_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, invalid, list } from "./message-fields.ts";
import type { Root } from "./tree.ts";

const { itemsPerOffer, frameBytes } = limits.replication;

/** Results of one request that another member is to keep, too. */
export interface KeepItem {
  readonly manifest: Digest;
  readonly actions: readonly Digest[];
}

/** A file, a directory or a signed result that another member is to keep, too. */
export interface KeepTree {
  /** Of the blob, of the topmost directory, or of the result's action. */
  readonly digest: Digest;
  readonly codec: Root["codec"] | "result";
  /** Of a result, and of nothing else. */
  readonly manifest?: Digest;
  /** Of all blobs that belong to it, each once. */
  readonly bytes: number;
  /** For so long, s; 0: the speaker does not want it to be kept any more. */
  readonly leaseS: number;
  /** Who has pinned it; another than the speaker where that keeps a copy, too. */
  readonly pinner: Key;
}

/** What became of it: `refused` is about this one, `full` and `busy` about the member, `failed` about this attempt. */
export type KeepVerdict = "kept" | "refused" | "failed" | "full" | "busy";

const VERDICTS = {
  kept: Verdict.KEPT,
  refused: Verdict.REFUSED,
  failed: Verdict.FAILED,
  full: Verdict.FULL,
  busy: Verdict.BUSY,
} as const satisfies Record<KeepVerdict, Verdict>;
const WORDS: ReadonlyMap<number, KeepVerdict> = new Map(Object.entries(VERDICTS).map(([word, verdict]) => [verdict, word as KeepVerdict]));

export function encodeKeepOffer(items: readonly KeepItem[]): Uint8Array {
  return encode(KeepOfferSchema, {
    items: items.map(({ manifest, actions }) => ({ manifest: bytesOf(manifest), actions: actions.map(bytesOf) })),
  });
}

/** @throws {CairnError} frame-invalid */
export function decodeKeepOffer(bytes: Uint8Array): KeepItem[] {
  const { items } = decodeAny(KeepOfferSchema, bytes, frameBytes);
  if (items.length === 0) throw invalid("nothing");
  return list(items, itemsPerOffer).map(({ manifest, actions }) => ({
    manifest: hexOf(manifest, 32),
    actions: list(actions, limits.shareResultsPerManifest).map((action) => hexOf(action, 32)),
  }));
}

export function encodeKeepTrees(trees: readonly KeepTree[]): Uint8Array {
  return encode(KeepTreeOfferSchema, {
    trees: trees.map(({ digest, codec, manifest, bytes, leaseS, pinner }) => ({
      root: bytesOf(digest),
      directory: codec === "directory",
      bytes: BigInt(bytes),
      leaseS,
      pinner: bytesOf(pinner),
      manifest: bytesOf(manifest ?? ""),
    })),
  });
}

/** @throws {CairnError} frame-invalid */
export function decodeKeepTrees(bytes: Uint8Array): KeepTree[] {
  const { trees } = decodeAny(KeepTreeOfferSchema, bytes, frameBytes);
  if (trees.length === 0) throw invalid("nothing");
  if (new Set(trees.map(({ root }) => hexOf(root, 32))).size < trees.length) throw invalid("twice");
  return list(trees, itemsPerOffer).map(({ root, directory, bytes: size, leaseS, pinner, manifest }) => {
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("bytes");
    const told = { digest: hexOf(root, 32), bytes: Number(size), leaseS, pinner: hexOf(pinner, 32) };
    if (manifest.length > 0) return { ...told, codec: "result", manifest: hexOf(manifest, 32) };
    return { ...told, codec: directory ? "directory" : "raw" };
  });
}

export function encodeKeepAnswer(verdicts: readonly KeepVerdict[]): Uint8Array {
  return encode(KeepAnswerSchema, { verdicts: verdicts.map((verdict) => VERDICTS[verdict]) });
}

/** @throws {CairnError} frame-invalid */
export function decodeKeepAnswer(bytes: Uint8Array): KeepVerdict[] {
  return list(decodeAny(KeepAnswerSchema, bytes, frameBytes).verdicts, itemsPerOffer).map((verdict) => {
    const word = WORDS.get(verdict);
    if (word === undefined) throw invalid("verdict");
    return word;
  });
}
