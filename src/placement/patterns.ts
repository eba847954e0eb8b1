/**
 * The three patterns of one node, one of them in force, and what others say to it about placing. Any node answers whatever it is asked, so
 * members may follow different patterns, and each may change its own at any time.
 *
 * Knows: which part hears of what. Does not know: how words travel, or what a unit is.
 */
import type { Digest, Key, PlacementPattern } from "../base/index.ts";
import type { Capacity, Placed, PlacedOutcome, Placement, PlacementFrame, Slots, Unit } from "../contracts/index.ts";
import { Capacities } from "./capacities.ts";
import { Desk } from "./desk.ts";
import { HybridPlacement } from "./hybrid.ts";
import { type Held, Lease, type LeaseParts } from "./lease.ts";
import type { Measured } from "./measured.ts";
import { MeshPlacement } from "./mesh.ts";
import { OverlayPlacement } from "./overlay.ts";
import { type Here, OwnView } from "./own-view.ts";
import { Questions } from "./questions.ts";

export interface PatternsParts extends Pick<LeaseParts, "self" | "isLinked" | "linked" | "seats" | "tell" | "log" | "now"> {
  readonly measured: Measured;
  /** Whether a unit of this node's may go to a member at all. */
  readonly mayWork: (member: Key, unit: Unit) => boolean;
  /** Whether the member's trust domain has signed a result of that request already. */
  readonly hasSpoken: (member: Key, request: Digest) => boolean;
  /** The last round trip to a member; undefined: none yet. */
  readonly rttMs: (member: Key) => number | undefined;
  /** See OwnViewParts. */
  readonly lackedBytes: (member: Key, contents: ReadonlyMap<Digest, number>) => number | undefined;
  readonly bytesPerMs: (member: Key) => number | undefined;
  /** Members in the order in which something belongs to them, the same for all. */
  readonly order: (digest: Digest, members: readonly Key[]) => readonly Key[];
  readonly send: (to: Key, frame: PlacementFrame) => void;
  /** Calls `what` after so long; 0: when all that came together has been looked at. */
  readonly after: (ms: number, what: () => void) => Disposable;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface PatternsOptions {
  /** The greatest term that this node heard of before it started. */
  readonly top: number;
  /** What the order of coordinators follows from: the network. */
  readonly network: Digest;
  readonly pattern: PlacementPattern;
}

export class Patterns implements Placement, Slots {
  readonly lease: Lease;
  readonly capacities: Capacities;
  readonly #parts: PatternsParts;
  readonly #questions: Questions;
  readonly #desk: Desk;
  readonly #view: OwnView;
  readonly #hybrid: HybridPlacement;
  readonly #all: Readonly<Record<PlacementPattern, Placement>>;
  #pattern: PlacementPattern;

  constructor(parts: PatternsParts, { top, network, pattern }: PatternsOptions) {
    this.#parts = parts;
    const capacities = new Capacities(parts);
    this.capacities = capacities;
    this.#questions = new Questions(parts);
    this.#desk = new Desk({ ...parts, capacities });
    this.lease = new Lease({ ...parts, inOrder: (members) => parts.order(network, members) }, { top });
    this.#view = new OwnView({ ...parts, capacities });
    const asking = { ...parts, view: this.#view, questions: this.#questions };
    this.#hybrid = new HybridPlacement({
      ...asking,
      lease: this.lease,
      fair: (held, able) => this.#desk.fair(parts.self, held, able),
    });
    this.#all = {
      hybrid: this.#hybrid,
      mesh: new MeshPlacement(asking),
      overlay: new OverlayPlacement({ ...asking, responsible: parts.order }),
    };
    this.#pattern = pattern;
    this.lease.pause(pattern !== "hybrid");
  }

  get pattern(): PlacementPattern {
    return this.#pattern;
  }

  /** Who places for this node; undefined: nobody but itself. */
  get coordinator(): Held | undefined {
    return this.#pattern === "hybrid" ? this.lease.current : undefined;
  }

  /** Units of others that this node has placed and that are not done. */
  get placedForOthers(): number {
    return this.#desk.granted;
  }

  /** From the next unit on. What is under way ends as it began. */
  follow(pattern: PlacementPattern): void {
    this.#pattern = pattern;
    this.lease.pause(pattern !== "hybrid");
  }

  async place(unit: Unit, here: Here, tried: readonly Key[], signal: AbortSignal): Promise<Placed> {
    const { now, log } = this.#parts;
    const askedMs = now();
    const placed = await this.#all[this.#pattern].place(unit, here, tried, signal);
    const facts = { why: placed.why ?? "", kind: unit.kind, waitedMs: Math.round(now() - askedMs) };
    if (placed.kind === "here") log.event("debug", "placement.here", facts);
    else log.event("debug", "placement.sent", { peer: placed.member, ...facts });
    return placed;
  }

  free(unit: Unit, tried: readonly Key[]): ReadonlyMap<Key, number> {
    return this.#view.free(unit, tried);
  }

  ended(unit: Unit, where: Placed, outcome: PlacedOutcome, tookMs: number, ranMs?: number): void {
    // It may have been placed by a pattern that is not in force any more. This one tells a coordinator, where there was one.
    this.#hybrid.ended(unit, where, outcome, tookMs, ranMs);
  }

  /** What a member has told that it can do; this node too. */
  told(capacity: Capacity): void {
    const before = this.capacities.of(capacity.member)?.toolchains ?? [];
    // Refused while it was on its way there, perhaps.
    for (const toolchain of capacity.toolchains) if (!before.includes(toolchain)) this.#parts.measured.has(capacity.member, toolchain);
    this.capacities.told(capacity);
  }

  /** A member has said something. */
  heard(from: Key, frame: PlacementFrame): void {
    const { send } = this.#parts;
    switch (frame.kind) {
      case "ask":
        if (frame.term === 0) return send(from, this.#desk.delegate(from, frame.questions));
        if (frame.term === this.#ownTerm) return send(from, this.#desk.coordinate(from, frame.term, frame.questions));
        return send(from, { kind: "answer", term: this.#ownTerm, placed: frame.questions.map(({ id }) => ({ id, member: undefined })) });
      case "answer":
        return this.#questions.answered(from, frame);
      case "release":
        return this.#desk.release(from, frame.members);
      case "check":
        return send(from, { kind: "well", term: this.#ownTerm });
      case "well":
        return this.#hybrid.well(from, frame.term);
    }
  }

  /** An epoch was decided. */
  seated(): void {
    this.lease.seated();
  }

  connected(): void {
    this.lease.connected();
  }

  lost(peer: Key): void {
    this.#questions.lost(peer);
    this.#desk.lost(peer);
    this.capacities.lost(peer);
    this.lease.lost();
  }

  /** Who is a member has changed. */
  forget(isGone: (member: Key) => boolean): void {
    this.capacities.forget(isGone);
    this.lease.forget(isGone);
  }

  /** To be called every limits.placement.lease.beatMs. */
  beat(): void {
    this.lease.beat();
  }

  /** To be called as often as the coordinator's health is to be checked. */
  check(): void {
    if (this.#pattern === "hybrid") this.#hybrid.check();
  }

  /** Of the lease that this node holds; 0: it holds none. */
  get #ownTerm(): number {
    const { current } = this.lease;
    return current?.holder === this.#parts.self ? current.term : 0;
  }
}
