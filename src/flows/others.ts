/**
 * Results that others have executed: is there one for this request, and may it be used here? Then it is brought here, the asker is
 * answered, and only later is it kept.
 *
 * Knows: what must fit before anything of it is fetched. Does not know: who is believed; what is offered has been judged.
 */
import { type Digest, Generations, type Log, limits, orAborted } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { ManifestEntry, Offer, SharedResult, Sharing, StoredResult } from "../contracts/index.ts";
import { belongs, compare } from "./find.ts";
import { entryWeight } from "./finished.ts";
import type { Later } from "./later.ts";
import type { Look } from "./look.ts";
import type { From } from "./remembered.ts";
import type { Understood } from "./request.ts";
import type { Verifying } from "./verifying.ts";

/** A result of somebody else whose blobs are here now. */
export interface Taken {
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
  readonly from: From;
}

/** One that somebody has asked for. */
export interface Brought extends Taken {
  /** Whether the index has it, once that is known. */
  readonly kept: Promise<boolean>;
}

export interface OthersParts {
  readonly sharing: Sharing;
  readonly later: Pick<Later, "add">;
  readonly verifying: Pick<Verifying, "expect" | "took" | "giveUp">;
  readonly log: Log;
}

export class Others {
  readonly #parts: OthersParts;
  /** ms, monotonic: clocks are set. */
  #broughtAt = Number.NEGATIVE_INFINITY;
  /** Whose results were brought before anybody asked, by action, until somebody has used them. */
  readonly #unused = new Generations<Digest, From>(2 * limits.laidOutUnused);
  /** By request, what is being brought before anybody has asked. */
  readonly #expected = new Map<Digest, Promise<unknown>>();

  constructor(parts: OthersParts) {
    this.#parts = parts;
  }

  /** Whether somebody builds with others' results just now. */
  get isAsked(): boolean {
    return performance.now() - this.#broughtAt < limits.bringingMs;
  }

  /** Resolves when nothing of a request is being brought that nobody had asked for. @throws the signal's reason, when it aborts first */
  async settled(manifest: Digest, signal: AbortSignal): Promise<void> {
    const expected = this.#expected.get(manifest);
    if (expected !== undefined) await orAborted(expected, signal);
  }

  /** Whether it was brought ahead, and nobody has used it yet. */
  isUnused(action: Digest): boolean {
    return this.#unused.has(action);
  }

  /** From whom a result is that was brought before anybody asked, the first time that it is used. */
  takeUnused(action: Digest): From | undefined {
    const from = this.#unused.get(action);
    this.#unused.delete(action);
    return from;
  }

  /** Results do not hold any more. @param action whose; undefined: those of many */
  recalled(action: Digest | undefined): void {
    if (action === undefined) this.#unused.clear();
    else this.#unused.delete(action);
  }

  /**
   * The same as {@link bring} for a request that is expected: nobody is asked, and nothing is fetched. It is kept at once: answers are made of it
   * that are used without a question, and what takes results back finds what is kept.
   */
  async bringExpected(look: Look, understood: Understood, signal: AbortSignal): Promise<Taken | undefined> {
    const { manifest } = understood;
    const bringing = this.#bringExpected(look, understood, signal);
    const settled = bringing.catch(() => undefined);
    this.#expected.set(manifest, settled);
    try {
      return await bringing;
    } finally {
      if (this.#expected.get(manifest) === settled) this.#expected.delete(manifest);
    }
  }

  async #bringExpected(look: Look, understood: Understood, signal: AbortSignal): Promise<Taken | undefined> {
    const { sharing } = this.#parts;
    const offers = sharing.findExpected(understood.manifest, understood.project.sharing).filter(({ tier }) => tier !== "speculative");
    const found = await this.#take(offers, look, understood, signal);
    if (found === undefined || !this.#keep(found.offer, understood)) return undefined;
    const { taken } = found;
    this.#unused.set(taken.entry.action, taken.from);
    sharing.tookExpected(understood.manifest);
    return taken;
  }

  /**
   * Looks among the offers for one that is true of the files as they were seen, and brings it here. What they are by now does not matter: a
   * compiler would have read them when it was asked, too.
   * Costs nothing where nobody has anything.
   *
   * @param look begun after the question was asked
   */
  async bring(look: Look, understood: Understood, signal: AbortSignal): Promise<Brought | undefined> {
    const { sharing, later } = this.#parts;
    const { manifest } = understood;
    const began = performance.now();
    const offers = await sharing.find(manifest, understood.project.sharing, signal);
    const found = await this.#take(offers, look, understood, signal, began);
    if (found === undefined) return undefined;
    const { offer, taken } = found;
    // The index and a signature in it take as long as all else together, and the asker needs neither.
    const kept = later.add(manifest, entryWeight(taken.entry), () => Promise.resolve(this.#keep(offer, understood)));
    return { ...taken, kept };
  }

  async #take(
    offers: readonly Offer[],
    look: Look,
    understood: Understood,
    signal: AbortSignal,
    began: number = performance.now(),
  ): Promise<{ readonly offer: Offer; readonly taken: Taken } | undefined> {
    const { sharing } = this.#parts;
    for (const offer of offers) {
      const { entry, result, execution } = offer.shared;
      const { tier, domains } = offer;
      if (!isOfItsAction(offer.shared)) {
        sharing.useless(offer);
        continue;
      }
      if (!fits(understood, offer) || compare(look, understood, entry).differences.length > 0) continue;
      const { complete, bytes } = await sharing.bring(offer, signal);
      if (!complete) continue;
      this.#broughtAt = performance.now();
      const tookMs = Math.round(performance.now() - began);
      const from = { signer: execution.signer, member: offer.from[0] ?? "", bytes, tookMs, tier, domains };
      return { offer, taken: { entry, result, from } };
    }
    return undefined;
  }

  #keep(offer: Offer, understood: Understood): boolean {
    const { sharing, verifying } = this.#parts;
    try {
      const isKept = verifying.expect(offer) && sharing.keep(offer);
      if (isKept) verifying.took(understood, offer);
      else verifying.giveUp(offer.shared.entry.action);
      return isKept;
    } catch (error) {
      verifying.giveUp(offer.shared.entry.action);
      this.#parts.log.event("warn", "sharing.not-kept", { action: offer.shared.entry.action, error: String(error) });
      return false;
    }
  }
}

/** Whether an offer of its action is about this very request: its outputs are written where this request's would be, and nowhere else. */
function fits(understood: Understood, { shared }: Offer): boolean {
  const { manifest, invocation, places } = understood;
  const { entry, result } = shared;
  return (
    shared.manifest === manifest &&
    entry.inputs[0]?.path === places.portable(invocation.source) &&
    result.outputs.length === invocation.outputs.length &&
    belongs(understood, result)
  );
}

/**
 * Whether a result of somebody else is one of the action that it names. Whoever takes one in without having asked for it must look: results
 * are found by their action alone.
 */
export function isOfItsAction({ manifest, entry, result }: Pick<SharedResult, "manifest" | "entry" | "result">): boolean {
  return (
    !entry.presumed &&
    entry.action === actionKey(manifest, entry.place, entry.terminal, entry.inputs) &&
    result.outputs.every(({ role, template }) => !template || role === "depfile")
  );
}
