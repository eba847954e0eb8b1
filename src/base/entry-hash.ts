/**
 * The text of which both what is signed about an entry and what the shelf holds of it are digests: it names a thousand paths, so it is made and
 * hashed once.
 */
import { createHash, type Hash } from "node:crypto";
import type { Digest } from "./digest.ts";

/** What an entry of a manifest says; nobody changes one. */
interface EntryFacts {
  readonly action: Digest;
  readonly place: Digest | undefined;
  readonly presumed: boolean;
  readonly terminal: Digest | undefined;
  readonly inputs: readonly { readonly path: string; readonly digest: Digest }[];
  readonly absent: readonly string[];
}

const begun = new WeakMap<EntryFacts, Hash>();

/** SHA-256 of an entry's JSON array, which is not ended: whoever asks says what follows the absent paths. */
export function entryHash(entry: EntryFacts): Hash {
  let hash = begun.get(entry);
  if (hash === undefined) {
    const { action, place, presumed, terminal, inputs, absent } = entry;
    const read = inputs.map(({ path, digest }) => [path, digest]);
    const text = JSON.stringify([action, place ?? null, presumed, terminal ?? null, read, absent]);
    hash = createHash("sha256").update(text.slice(0, -1));
    begun.set(entry, hash);
  }
  return hash.copy();
}
