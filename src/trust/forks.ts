/**
 * Forks: two checkpoints that one key has signed, of which no log can have had both.
 *
 * Knows: what shows it to anybody who has nothing else. Does not know: who was shown which.
 */
import type { LogFork } from "../contracts/index.ts";
import { type Head, isHead, rootOf } from "./checkpoints.ts";
import { consistencyProof, isConsistent, isSameHash, type ReadNode, rootAt } from "./merkle.ts";

/**
 * What shows that `newer`, of the same log and as large or larger, did not grow out of `older`: the root of its first entries, as many as
 * `older` has, and the proof that they are.
 */
export type Fork = LogFork;

/** A checkpoint of a log, and the nodes of its tree. */
export interface KnownLog {
  readonly head: Head;
  readonly read: ReadNode;
}

/** How a checkpoint goes together with what is known of a log. */
export type Compared = { readonly kind: "consistent" } | { readonly kind: "ahead" } | { readonly kind: "forked"; readonly fork: Fork };

/**
 * Whether two signed checkpoints convict whose log it is. A tree has one root for its first entries, so a proof that they have another one than
 * was signed says that one of the two was made for somebody who was not to know of the other.
 */
export function isFork({ older, newer, root, proof }: Fork): boolean {
  if (older.log !== newer.log || older.size > newer.size || isSameHash(root, rootOf(older))) return false;
  return isConsistent(older.size, newer.size, proof, root, rootOf(newer)) && isHead(older) && isHead(newer);
}

/** @param head signed by whose log it is */
export function compareHead({ head: known, read }: KnownLog, head: Head): Compared {
  if (head.size > known.size) return { kind: "ahead" };
  const root = head.size === known.size ? rootOf(known) : rootAt(read, head.size);
  if (isSameHash(root, rootOf(head))) return { kind: "consistent" };
  return { kind: "forked", fork: { older: head, newer: known, root, proof: consistencyProof(read, head.size, known.size) } };
}
