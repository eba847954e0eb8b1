/**
 * Who is to have copies, and who sees to it: a pure function of what a node knows, the same in a daemon and in the simulator.
 *
 * Knows: who is there and who has it. Does not know: what it is, or how copies travel.
 */
import type { Digest, Key } from "../base/index.ts";
import { type Candidate, nearest, rendezvousOrder } from "./rendezvous-hash.ts";

export interface CopiesKnown {
  readonly digest: Digest;
  readonly self: Key;
  /** Members that are there, this node among them. */
  readonly present: readonly Candidate[];
  /** Members that have it, as far as this node knows; this node among them where it does. */
  readonly holders: ReadonlySet<Key>;
  /** Members that do not take it. */
  readonly refusing: ReadonlySet<Key>;
  /** How many members are to have it. */
  readonly copies: number;
}

export interface CopiesPlan {
  /** Members that are to be offered a copy. */
  readonly offerTo: readonly Key[];
  /** How many holders come before this node: who has turn 0 offers at once, the others only when that does not help. */
  readonly turn: number;
}

/** What this node, which has it, is to do about it. */
export function planCopies({ digest, self, present, holders, refusing, copies }: CopiesKnown): CopiesPlan {
  const having = present.filter(({ key }) => holders.has(key));
  const turn = rendezvousOrder(digest, having).findIndex(({ key }) => key === self);
  if (turn < 0) return { offerTo: [], turn: 0 };
  // No more than those that refuse are passed over.
  const order = nearest(digest, present, copies + refusing.size).map(({ key }) => key);
  const wanted = order.filter((key) => holders.has(key) || !refusing.has(key)).slice(0, copies);
  return { offerTo: wanted.filter((key) => !holders.has(key)), turn };
}
