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

export interface PinnedResults {
  /** The result of an action, where one is here that somebody has signed. */
  pinned(action: Digest): PinnedResult | undefined;
  /** Fetches it from a member, by the reader's rule. Never rejects. */
  bring(from: Key, manifest: Digest, action: Digest, signal: AbortSignal): Promise<KeepVerdict>;
}
