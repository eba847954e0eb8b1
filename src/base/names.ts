/**
 * The words of names: what a member calls a digest, for as long as it says.
 */
import type { Digest } from "./digest.ts";
import type { Key } from "./membership.ts";

/** Which epoch has given a claimed name to its owner: a greater number is a newer one, never less than the epoch's; the id says which epoch. */
export interface NameToken {
  readonly number: number;
  readonly epoch: Digest;
}

export interface NameRecord {
  readonly network: Digest;
  /** Peer key. */
  readonly author: Key;
  /** See isName. */
  readonly name: string;
  /** The greatest of one author's counts, of one name. */
  readonly sequence: number;
  /** A blob, or the action of a result. */
  readonly root: Digest;
  /** What the root is: the bytes of a file, a directory, or "" where the author did not say. */
  readonly codec: "" | "raw" | "directory";
  /** Where the author held the name. */
  readonly token?: NameToken;
  /** By the author's clock, ms since the epoch. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface SignedName {
  readonly record: NameRecord;
  readonly signature: Uint8Array;
}
