/**
 * Which records of names stand: forks, replays and what has expired.
 *
 * Merging is set union, so that the order in which records come does not matter. Knows: records. Does not know: signatures, members, bytes.
 */
import { type Key, limits, type NameRecord, type SignedName } from "../base/index.ts";

/** What one author's records of one name say. */
export type NameSaid =
  | { readonly kind: "root"; readonly record: NameRecord }
  | { readonly kind: "forked"; readonly author: Key; readonly sequence: number }
  | { readonly kind: "expired"; readonly record: NameRecord }
  | { readonly kind: "nothing" };

/**
 * What is worth keeping of one author's records of one name: those with the greatest sequence. More than one of them is a fork, of which two
 * are kept as evidence; what is older is a replay, whoever brings it.
 */
export function keepNames(records: readonly SignedName[]): SignedName[] {
  const greatest = records.reduce((most, { record }) => Math.max(most, record.sequence), -1);
  const different = new Map<string, SignedName>();
  for (const one of records) if (one.record.sequence === greatest) different.set(identityOf(one.record), one);
  return [...different]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one)
    .slice(0, 2);
}

/** @param records of one author and one name, as {@link keepNames} leaves them */
export function nameSaid([first, second]: readonly SignedName[], nowMs: number): NameSaid {
  if (first === undefined) return { kind: "nothing" };
  const { record } = first;
  if (second !== undefined) return { kind: "forked", author: record.author, sequence: record.sequence };
  // Clocks of members may be wrong; the name is good for a little longer rather than gone too early.
  return record.expiresAtMs + limits.clockErrorMs < nowMs ? { kind: "expired", record } : { kind: "root", record };
}

function identityOf({ root, codec, issuedAtMs, expiresAtMs }: NameRecord): string {
  return `${root} ${codec} ${issuedAtMs} ${expiresAtMs}`;
}
