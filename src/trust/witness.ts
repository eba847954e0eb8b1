/**
 * The witness's rule: a log's further checkpoint is taken only when its tree is the one that was seen before and what was added to it; and what
 * other witnesses have seen must be of the same tree.
 *
 * Knows: https://c2sp.org/tlog-witness, but that the new hashes themselves come in place of a proof that there are some: with them a witness
 * can show of any two checkpoints that they do not go together. Does not know: members, files, clocks, or how anything travels.
 */
import { type Key, limits } from "../base/index.ts";
import { type Head, isHead, isSameHead, rootOf } from "./checkpoints.ts";
import { CompactRange } from "./compact-range.ts";
import { compareHead, type Fork, type KnownLog } from "./forks.ts";
import { HASH_BYTES, type Hash, isSameHash } from "./merkle.ts";

/** A further checkpoint. */
export interface LogUpdate {
  readonly head: Head;
  /** Hashes of the entries after those that the witness has. */
  readonly leaves: readonly Hash[];
}

export type Verdict =
  /** The caller keeps the hashes and then the checkpoint, on disk, and then cosigns it. */
  | { readonly kind: "grown" }
  /** It is the one that is known. */
  | { readonly kind: "same" }
  /** The asker does not know what this witness has; it is told. */
  | { readonly kind: "stale" }
  | { readonly kind: "refused"; readonly why: "signature" | "entries" }
  | { readonly kind: "forked"; readonly fork: Fork };

/** @param known undefined for a log that this witness knows nothing of */
export function judgeUpdate(known: KnownLog | undefined, { head, leaves }: LogUpdate): Verdict {
  if (!isHead(head)) return { kind: "refused", why: "signature" };
  const size = known?.head.size ?? 0;
  if (known !== undefined && head.size <= size) {
    const compared = compareHead(known, head);
    if (compared.kind === "forked") return compared;
    return { kind: isSameHead(known.head, head) ? "same" : "stale" };
  }
  if (leaves.length !== head.size - size) return { kind: "stale" };
  if (!leaves.every(({ length }) => length === HASH_BYTES)) return { kind: "refused", why: "entries" };
  const range = new CompactRange(known?.read ?? nothing, size);
  for (const leaf of leaves) range.push(leaf);
  const root = range.root();
  return root !== undefined && isSameHash(root, rootOf(head)) ? { kind: "grown" } : { kind: "refused", why: "entries" };
}

function nothing(): never {
  throw new RangeError("an empty log has no nodes");
}

const { heard: TELLERS, logs: LOGS } = limits.transparency;

/**
 * Checkpoints that others have seen, and that are ahead of what is known here: of each domain that tells the last one, so that nobody's are
 * pushed out by another's.
 */
export class HeardHeads {
  readonly #logs = new Map<Key, Map<string, Head>>();

  /**
   * @param head signed by whose log it is; @param teller the domain that says to have seen it
   * @returns a fork, where it is one with what is known here or with what another has told
   */
  hear(known: KnownLog | undefined, head: Head, teller: string): Fork | undefined {
    const compared = known === undefined ? ({ kind: "ahead" } as const) : compareHead(known, head);
    if (compared.kind === "forked") return compared.fork;
    if (compared.kind === "consistent") return undefined;
    const told = this.#logs.get(head.log) ?? new Map<string, Head>();
    const other = [...told.values()].find(({ size, root }) => size === head.size && root !== head.root);
    if (other !== undefined) return { older: other, newer: head, root: rootOf(head), proof: [] };
    const isFull = this.#logs.has(head.log) ? told.size >= TELLERS && !told.has(teller) : this.#logs.size >= LOGS;
    if (!isFull) this.#logs.set(head.log, told.set(teller, head));
    return undefined;
  }

  /** More is known of a log than before. @returns a fork, where what was ahead was one of another tree */
  grown(known: KnownLog): Fork | undefined {
    const told = this.#logs.get(known.head.log);
    if (told === undefined) return undefined;
    for (const [teller, head] of told) {
      const compared = compareHead(known, head);
      if (compared.kind === "forked") return compared.fork;
      if (compared.kind === "consistent") told.delete(teller);
    }
    if (told.size === 0) this.#logs.delete(known.head.log);
    return undefined;
  }

  forget(log: Key): void {
    this.#logs.delete(log);
  }
}
