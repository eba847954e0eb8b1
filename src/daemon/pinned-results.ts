/**
 * Results of compiles as pins and their copies need them: signed, with the request that they answer.
 *
 * Knows: nothing but the words. Does not know: who has pinned what.
 */
import type { Digest, Key } from "../base/index.ts";
import type { KeepVerdict } from "../wire/index.ts";

export interface PinnedResult {
  /** The request whose result it is. */
  readonly manifest: Digest;
  /** Each once. */
  readonly blobs: readonly Digest[];
}

export interface ResultNamed {
  readonly manifest: Digest;
  readonly action: Digest;
}

export interface PinnedResults {
  /** The result of an action, where one is here that somebody has signed. */
  pinned(action: Digest): PinnedResult | undefined;
  /**
   * The action of a signed result with these blobs and no others: one of which it was presumed that it depends on its place is signed as another
   * action, once it is known that it does not.
   */
  settledAs(blobs: readonly Digest[]): Digest | undefined;
  /**
   * Fetches it from a member, by the reader's rule. Never rejects.
   *
   * @param hasRoom whether so many bytes may be fetched for it
   */
  bring(from: Key, named: ResultNamed, hasRoom: (bytes: number) => boolean, signal: AbortSignal): Promise<KeepVerdict>;
}
