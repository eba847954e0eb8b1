/**
 * What a build will ask for next, answered from what members have given for it: they have made it after what was used last.
 *
 * Knows: how a result leads to the request for it. Does not know: what is fetched, where answers lie.
 */
import type { Digest } from "../base/index.ts";
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

/** An answer to a request that nobody has made yet. */
export interface Prepared {
  readonly question: CompileQuestion;
  readonly manifest: Digest;
  readonly action: Digest;
  readonly placement: Placement;
  readonly validity: Validity;
  /** What is remembered of it once it is used. */
  readonly row: Omit<HistoryRow, "at">;
}

/** @property manifest of the request that was looked at; `none`: nothing is expected that was not looked at */
export type Next = { readonly kind: "none" } | { readonly kind: "left" } | { readonly kind: "prepared"; readonly prepared: Prepared };

export class ExpectedUnits {
  readonly #parts: ExpectedUnitsParts;
  readonly #patterns = new Patterns();
  /** By request that is expected, the last pattern that was tried. */
  #tried = new Map<Digest, number>();

  constructor(parts: ExpectedUnitsParts) {
    this.#parts = parts;
  }

  /** Somebody has asked that, and was answered with the work of a member. */
  saw(understood: Understood): void {
    this.#patterns.saw(understood);
  }

  /** Makes the next answer, if there is something to make one of. @param lookFor what is seen of files */
  async next(lookFor: (question: CompileQuestion) => Look, keyOf: KeyOf, signal: AbortSignal): Promise<Next> {
    const all = this.#parts.sharing.expected();
    this.#tried = new Map(all.map(({ manifest }) => [manifest, this.#tried.get(manifest) ?? 0]));
    const expected = all.find(({ manifest }) => this.#patterns.hasSince(this.#tried.get(manifest) ?? 0));
    if (expected === undefined) return { kind: "none" };
    const { manifest } = expected;
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
    return { question, manifest, action, placement, validity, row };
  }
}
