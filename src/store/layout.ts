/**
 * Where a blob lies: `<directory>/<2 hex>/<62 hex>` plain, `<62 hex>.zst` compressed; half-written files in `<directory>/tmp`.
 * The compiler wrapper finds plain blobs by the same rule (docs/protocol/hot-record.md).
 */
import type { Digest } from "../base/index.ts";

export const TEMPORARY = "tmp";
const COMPRESSED = ".zst";
const NAME = /^([0-9a-f]{62})(\.zst)?$/;
const PART = "part-";
const PART_NAME = /^part-[0-9a-f]{64}$/;
const TEMPORARY_NAME = /^(\d{1,10})-[0-9a-z]+-[0-9a-z]+$/;

/** 00 … ff */
export const SHARDS: readonly string[] = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, "0"));

export function plainPath(directory: string, digest: Digest): string {
  return `${directory}/${digest.slice(0, 2)}/${digest.slice(2)}`;
}

export function compressedPath(directory: string, digest: Digest): string {
  return plainPath(directory, digest) + COMPRESSED;
}

/** What a file in a shard directory is, or undefined when it is not ours. */
export function recognise(shard: string, name: string): { readonly digest: Digest; readonly compressed: boolean } | undefined {
  const match = NAME.exec(name);
  if (match?.[1] === undefined) return undefined;
  return { digest: shard + match[1], compressed: match[2] !== undefined };
}

/** Where a large blob grows while it is fetched; what is there after a crash is gone on with. */
export function partPath(directory: string, digest: Digest): string {
  return `${directory}/${TEMPORARY}/${PART}${digest}`;
}

/** Whether that is the name of a part of a blob. */
export function isPart(name: string): boolean {
  return PART_NAME.test(name);
}

/** Names of temporary files tell who writes them, so that what a dead process left can be cleared at once. */
export function temporaryName(pid: number, startedMs: number, counter: number): string {
  return `${pid}-${startedMs.toString(36)}-${counter.toString(36)}`;
}

/** The process that a temporary file belongs to, or undefined when the name is not ours. */
export function temporaryOwner(name: string): number | undefined {
  const pid = TEMPORARY_NAME.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
