/**
 * Placement: who should compute something that is nowhere yet. test/compliance/placement.ts says what every one of them does.
 */
import type { Digest, Key } from "../base/index.ts";

/** What a member says it can do for others; told to everybody, and soon when it changes. */
export interface Capacity {
  readonly member: Key;
  /** Jobs of others that it does at once; 0: it does none. */
  readonly slots: number;
  /** Of them, those in which nothing runs; below 0: as many jobs wait for one. */
  readonly free: number;
  /** Jobs that it lets wait for a slot: as many as slots, and more where its jobs are short. */
  readonly queue: number;
  /** Those that it has, by content. */
  readonly toolchains: readonly Digest[];
  /** Whether it would fetch one that it does not have. */
  readonly takesToolchains: boolean;
  /** What it executes: `linux-x86_64`; empty where it does not say, as versions before. */
  readonly platform: string;
  /** For which its compilers build, as they call them: `x86_64-linux-gnu`, `aarch64`. */
  readonly targets: readonly string[];
}

/** What this node can do for others, as whoever does it says. */
export interface OwnCapacity {
  now(): Omit<Capacity, "member">;
  /** Calls `listener` soon after each change. */
  onChange(listener: () => void): void;
}

/** One thing that is to be computed. */
export interface Unit {
  readonly key: Digest;
  /** Language and optimization level: `c++ -O2`; of a general action `link`, `test`, `action gcc -O2`, `exec npx`. */
  readonly kind: string;
  /** Time of a core, as measured before; of a general action the time that it had one, waiting included. Undefined: nobody has done it yet. */
  readonly costMs: number | undefined;
  readonly inputBytes: number;
  /** What these are, each content with its bytes: the same map as long as the unit waits. Undefined: not told, and nobody is taken to have any of it. */
  readonly contents?: ReadonlyMap<Digest, number>;
  /** What it needs where it runs; of a general action: what is installed there. */
  readonly toolchain: Digest;
  /** What executes that toolchain: nobody else can fetch it to any use. Of a general action it is in what is installed. */
  readonly platform: string;
  /** A general action: only for members of the own trust domain that have just that installed. */
  readonly isGeneral?: boolean;
}

/** Why something is done where it is: for people who ask. */
export type PlacedWhy =
  | "core-idle" // This machine has a core that nothing runs on.
  | "nobody" // No member that is there does such work for this one.
  | "busy" // They all have their hands full.
  | "not-worth" // Sending it would take longer than waiting for a core here.
  | "own-choice" // By what this node knows.
  | "coordinator" // By the member that places for all.
  | "coordinator-silent" // By what this node knows, as that member did not answer.
  | "responsible" // By the member that is responsible for the key.
  | "claimed"; // A member said that it has room when it was asked.

/**
 * Where something is to be done; how long it is on its way, there and back; and how long it is expected to wait there, undefined where a slot is free.
 * `why` is always told by who places.
 */
export type Placed = (
  | { readonly kind: "here" }
  | { readonly kind: "member"; readonly member: Key; readonly travelMs?: number; readonly waitMs?: number | undefined }
) & {
  readonly why?: PlacedWhy;
};

/**
 * What came of it: `busy` and `refused` cost little and say nothing about reliability; `lost` and `late` do. `cancelled`: nobody waits for it any more.
 */
export type PlacedOutcome = "done" | "busy" | "refused" | "lost" | "late" | "cancelled";

/** What is known of others' slots without asking anybody. */
export interface Slots {
  /**
   * Members that may do a unit, none of `tried`, and have a slot in which nothing runs: it may be worth placing the unit anew.
   *
   * @returns of each how many units this node has given it so far: where that has not changed, none of them has had the slot since
   */
  free(unit: Unit, tried: readonly Key[]): ReadonlyMap<Key, number>;
}

export interface Placement {
  /**
   * Never waits long (limits.placement.answerMs): with nobody to ask it is decided here.
   *
   * @param here compiles that run on this machine, this one not among them, and its cores; how long it has waited for one of them, for as long it may
   *   wait again
   * @param tried members that have failed for this unit
   * @throws the signal's reason
   */
  place(
    unit: Unit,
    here: { readonly running: number; readonly cores: number; readonly waitedMs?: number },
    tried: readonly Key[],
    signal: AbortSignal,
  ): Promise<Placed>;
  /**
   * What came of it, once for each answer of `place` that was a member: measured speed and reliability weigh next time. And of what was done
   * here, asked about or not, what it costs.
   *
   * @param tookMs from sending it to having what came of it; here: as the cost of a unit
   * @param ranMs how long it ran at the member, as that one says: of what nobody knew what it costs it may be this that took long, and not the member
   */
  ended(unit: Unit, where: Placed, outcome: PlacedOutcome, tookMs: number, ranMs?: number): void;
}
