/**
 * Files: what this machine's files contain, remembered for as long as their stat identity is unchanged.
 * All calls are synchronous: a synchronous stat costs a quarter of an asynchronous one in Node.
 */
import type { Digest } from "../base/index.ts";

/** A stat fingerprint as docs/protocol/hot-record.md defines it: two u32. Both 0: not to be trusted. */
export interface Fingerprint {
  readonly fp0: number;
  readonly fp1: number;
}

export type FileState =
  | {
      readonly kind: "file";
      readonly digest: Digest;
      readonly size: number;
      /** Both words 0 while the file is too young for its stat to be believed. */
      readonly fingerprint: Fingerprint;
      /** The later of mtime and ctime, ns since the epoch. */
      readonly changedNs: bigint;
    }
  | { readonly kind: "absent" }
  /** A directory, device or pipe, a file too large to be a source, or one that may not be read. */
  | { readonly kind: "other" };

/** The names in a directory. */
export interface Listing {
  /** docs/protocol/hot-record.md */
  readonly digest: Digest;
  readonly names: ReadonlySet<string>;
}

export interface Files {
  /**
   * What `path` holds now, links followed. Reads and hashes the file when its stat identity is new or too young.
   * @param visit is given the content whenever it was read
   */
  state(path: string, visit?: (content: Buffer, digest: Digest) => void): FileState;
  /** What `path` held when it was last looked at, where that need not be looked at again before it is believed: by who checks its stat. */
  remembered(path: string): FileState | undefined;
  /** Hashes a large file piecemeal, so that the `state` that follows is cheap. Does nothing for small or known files. */
  prepare(path: string, signal: AbortSignal): Promise<void>;
  /** The content, when it still has that digest. */
  content(path: string, digest: Digest): Buffer | undefined;
  /** Nothing at all at `path` (ENOENT or ENOTDIR). */
  absent(path: string): boolean;
  /** Fingerprint of a directory (or file); undefined when there is none; both words 0 when too young. */
  fingerprint(path: string): Fingerprint | undefined;
}

export interface Listings {
  /** What a directory holds; undefined where there is none, where that is more than limits.listedNames, and where it has just changed. */
  listing(path: string): Listing | undefined;
}
