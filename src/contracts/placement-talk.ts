/**
 * What members say to each other about who computes what: docs/protocol/placement.md.
 */
import type { Key } from "../base/index.ts";

/** A member that could do a unit, and how long the asker expects that to take when it need not wait there. */
export interface Able {
  readonly member: Key;
  readonly expectedMs: number;
  /** Of these, the time on the way, there and back. */
  readonly travelMs: number;
}

export interface PlacementQuestion {
  /** Chosen by the asker, for the answer; a whole number below 2^32. */
  readonly id: number;
  /** What it takes the asker itself: nobody who takes longer is an answer. */
  readonly hereMs: number;
  /** The best first; one of them is the answer, or none. */
  readonly able: readonly Able[];
}

export type PlacementFrame =
  /** `term`: of the lease by which the other is asked; 0: asked for itself, as one that may be able. */
  | { readonly kind: "ask"; readonly term: number; readonly questions: readonly PlacementQuestion[] }
  /** `term`: as in the question; another one: the speaker does not hold that lease. `member` undefined: nobody has room. */
  | {
      readonly kind: "answer";
      readonly term: number;
      readonly placed: readonly { readonly id: number; readonly member: Key | undefined }[];
    }
  /** Units that the other has placed are done, or will not be sent. */
  | { readonly kind: "release"; readonly term: number; readonly members: readonly Key[] }
  /** Is the holder of that lease well? */
  | { readonly kind: "check"; readonly term: number }
  /** `term`: of the lease that the speaker holds; 0: of none. */
  | { readonly kind: "well"; readonly term: number };
