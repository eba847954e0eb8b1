/**
 * Reputations: what this node has seen of members. They say whom to ask first and where work goes; nothing is believed for a good one, and nothing
 * forgiven. They stay on this node, and nobody's word about others counts.
 */
import type { Key } from "../base/index.ts";

/** Something that a member did, as far as it was seen here. `work` is a kind of work, as in {@link Unit}. */
export type Observation =
  /** @property expectedMs how long it was expected to take */
  | { readonly kind: "work"; readonly work: string; readonly outcome: "done"; readonly expectedMs: number; readonly tookMs: number }
  | { readonly kind: "work"; readonly work: string; readonly outcome: "late" | "lost" }
  /** It was asked for what it says that it has. `missed`: it had not; `failed`: it did not answer properly, or not in time. */
  | { readonly kind: "fetch"; readonly outcome: "gave" | "missed" | "failed" }
  /** What it gave was used in place of a compile. */
  | { readonly kind: "hit" }
  /** What it signed was executed here, too. */
  | { readonly kind: "checked"; readonly isSame: boolean }
  | { readonly kind: "seen"; readonly isThere: boolean; readonly forMs: number };

/** From a floor above 0, so that everybody is asked now and then, up to 1: nothing speaks against it. */
export interface Reputations {
  observe(member: Key, what: Observation): void;
  forWork(member: Key, work: string): number;
  forFetch(member: Key): number;
}
