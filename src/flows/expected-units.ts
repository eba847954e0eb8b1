/**
 * What a build will ask for next, answered from what members have given for it: they have made it after what was used last.
 *
 * Knows: how a result leads to the request for it. Does not know: what is fetched, where answers lie.
 */
import { type Digest, Generations, limits } from "../base/index.ts";
import type { HistoryRow, LocalStore, Sharing } from "../contracts/index.ts";
import type { KeyOf } from "./checkouts.ts";
import type { Look } from "./look.ts";
import type { Others } from "./others.ts";
import { Patterns } from "./patterns.ts";
import { type Placement, placementOf, type Validity, validityOf } from "./plan.ts";
import { bodyOf } from "./remembered.ts";
import type { CompileQuestion, Understood } from "./request.ts";

export interface ExpectedUnitsParts {
  readonly sharing: Pick<Sharing, "expected">;
  readonly others: Pick<Others, "bringExpected">;
  readonly store: LocalStore;
  /** What a question means; undefined where it is nothing for a cache. */
  readonly understand: (question: CompileQuestion, look: Look, signal: AbortSignal) => Promise<Understood | undefined>;
  /** See Verifying. */
  readonly isUnverified: (action: Digest) => boolean;
}

/** What is told of a prepared answer once it is used. */
export interface PreparedUse {
  readonly manifest: Digest;
  readonly action: Digest;
  readonly compileMs: number;
  readonly row: Omit<HistoryRow, "at">;
}

/** An answer to a request that nobody has made yet. */
export interface Prepared {
  readonly placement: Placement;
  readonly validity: Validity;
  readonly use: PreparedUse;
}

/** `left`: what was looked at is left to who asks; `none`: nothing is expected that was not looked at */
export type Next = { readonly kind: "none" } | { readonly kind: "left" } | { readonly kind: "prepared"; readonly prepared: Prepared };

export class ExpectedUnits {
  readonly #parts: ExpectedUnitsParts;
  readonly #patterns = new Patterns();
  /** By request that is expected, the last pattern that was tried. */
  #tried = new Map<Digest, number>();
  /** In which order requests were expected, and up to which of them they are left to who asks. */
  readonly #places = new Generations<Digest, number>(limits.laidOutUnused);
  #seen = 0;
  #left = 0;
  /** The last of them that was looked at. */
  #reached = 0;

  constructor(parts: ExpectedUnitsParts) {
    this.#parts = parts;
  }

  /** Somebody has asked that, and was answered with the work of a member. */
  saw(understood: Understood): void {
    this.#patterns.saw(understood);
  }

  /** Another build begins: how far the one before came says nothing of it. */
  began(): void {
    this.#places.clear();
    this.#seen = 0;
    this.#left = 0;
    this.#reached = 0;
    this.came();
  }

  /** More is expected. */
  came(): void {
    for (const { manifest } of this.#parts.sharing.expected()) if (!this.#places.has(manifest)) this.#places.set(manifest, ++this.#seen);
  }

  /**
   * The build has come so far: what comes right behind is asked for already.
   *
   * @param underWay so many
   * @returns whether that is as far as there are answers
   */
  asked(manifest: Digest, underWay: number): boolean {
    const place = this.#places.get(manifest);
    if (place === undefined) return false;
    this.#places.delete(manifest); // Who expects it again comes after all that is expected now.
    this.#left = Math.max(this.#left, place + underWay);
    return this.#left >= this.#reached;
  }

  /** Makes the next answer, if there is something to make one of. @param lookFor what is seen of files */
  async next(lookFor: (question: CompileQuestion) => Look, keyOf: KeyOf, signal: AbortSignal): Promise<Next> {
    const all = this.#parts.sharing.expected();
    this.#tried = new Map(all.map(({ manifest }) => [manifest, this.#tried.get(manifest) ?? 0]));
    const placeOf = (manifest: Digest): number => this.#places.get(manifest) ?? 0;
    const expected = all.find(({ manifest }) => placeOf(manifest) > this.#left && this.#patterns.hasSince(this.#tried.get(manifest) ?? 0));
    if (expected === undefined) return { kind: "none" };
    const { manifest } = expected;
    this.#reached = Math.max(this.#reached, placeOf(manifest));
    const tried = this.#tried.get(manifest) ?? 0;
    this.#tried.set(manifest, this.#patterns.latest);
    for (const guess of this.#patterns.guesses(expected, tried)) {
      const question: CompileQuestion = { ...guess.question, key: keyOf({ ...guess.question, key: "" }) };
      const look = lookFor(question);
      const understood = await this.#parts.understand(question, look, signal);
      if (understood?.manifest !== manifest) continue;
      const prepared = await this.#prepare(understood, look, signal);
      return prepared === undefined ? { kind: "left" } : { kind: "prepared", prepared };
    }
    return { kind: "left" };
  }

  async #prepare(understood: Understood, look: Look, signal: AbortSignal): Promise<Prepared | undefined> {
    const { others, store, isUnverified } = this.#parts;
    const { question, manifest, sourcePath } = understood;
    const brought = await others.bringExpected(look, understood, signal);
    if (brought === undefined || isUnverified(brought.entry.action)) return undefined;
    const { entry, result, from } = brought;
    const placement = await placementOf(store, understood, result, signal);
    const validity = validityOf(look, understood, entry);
    if (placement === undefined || validity === undefined) return undefined;
    const { action, inputs } = entry;
    const body = bodyOf(understood, { action, compileMs: result.compileMs, inputs: inputs.length, from });
    const row = { source: sourcePath, request: question.key, outcome: "hit_peer", body };
    return { placement, validity, use: { manifest, action, compileMs: placement.compileMs, row } };
  }
}
