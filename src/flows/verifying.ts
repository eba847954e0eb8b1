/**
 * Results that somebody else has executed, executed here as well: those that only one domain vouches for, a sample of the others, and what
 * people ask about. What does not come out again is recalled.
 *
 * Knows: what follows from a second execution. Does not know: who is believed, who must be told: what this node signs is told to all.
 */
import { type Digest, Generations, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { HistoryRow, LocalStore, ManifestEntry, Offer, ResultIndex, Sharing, StoredResult } from "../contracts/index.ts";
import { keep, tokensOfProject } from "./ingest.ts";
import { isSameOutcome, type OnceMore, type Outcome } from "./once-more.ts";
import type { Made } from "./own-compiles.ts";
import { type Parting, partingOf, type Written, writtenBy, writtenIn } from "./partings.ts";
import type { CompileQuestion, Understood } from "./request.ts";
import type { Settling } from "./settling.ts";
import type { SourceFacts } from "./source-facts.ts";
import type { Told } from "./told.ts";

/** What is known of a question's very inputs, as of now. */
export interface KnownResult {
  readonly understood: Understood;
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
  /** Who had executed it for this node alone, where that is known of this very result. */
  readonly member?: Key | undefined;
}

/** Actions whose results are used on condition that they are soon executed here; outlives the process. */
export interface UnverifiedMarks {
  actions(): readonly Digest[];
  /** @returns false where it could not be written */
  add(action: Digest): boolean;
  delete(action: Digest): void;
}

export interface VerifyingParts {
  readonly once: Pick<OnceMore, "execute" | "textParting">;
  readonly index: Pick<ResultIndex, "add" | "forget" | "history">;
  readonly unverified: UnverifiedMarks;
  readonly store: LocalStore;
  readonly facts: SourceFacts;
  readonly sharing: Pick<Sharing, "checked" | "executed" | "isOthers">;
  readonly settling: Pick<Settling, "settle">;
  readonly told: Pick<Told, "count" | "remember" | "waits" | "write">;
  readonly find: (question: CompileQuestion, signal: AbortSignal) => Promise<KnownResult | undefined>;
  /** What a question means as files are now; undefined where it is nothing for a cache. */
  readonly understand: (question: CompileQuestion, signal: AbortSignal) => Promise<Understood | undefined>;
  /** Forgets what came of an action, and whatever was made of it. Calls {@link Verifying.settled}. */
  readonly takeBack: (action: Digest) => void;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
  /** A signal that is given after so long. */
  readonly deadline: (ms: number) => AbortSignal;
}

/** Why a member has not executed something: it did not answer in time. */
const NO_ANSWER = "no_answer";

/** What the history says of a compile whose result was taken back. */
const RECALLED = "recalled";
const NOT_BELIEVED = "not believed any more: what it has written must be built again";

/** What came of a second execution, beside what was known. */
export type Verdict =
  | { readonly kind: "same" }
  /** @property repeatable whether a third one led to the same as the second; undefined where nobody looked; `stage` and `place`: where it is known */
  | ({ readonly kind: "differs"; readonly repeatable: boolean | undefined } & Partial<Parting>)
  | { readonly kind: "not-executed"; readonly reason: string; readonly detail: string };

/** Answers to `verify` and `challenge`. */
export interface Verified {
  readonly action: Digest;
  readonly source: string;
  readonly here: Verdict;
  /** `isLate`: whether its time was over before it had answered all that it was asked. */
  readonly members: readonly (Verdict & { readonly member: Key; readonly isLate: boolean })[];
}

/** A result of somebody else's, and by what it was asked for. */
interface Taken {
  readonly question: CompileQuestion;
  /** Absolute */
  readonly source: string;
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
  readonly member: Key | undefined;
}

/** What of an offer is asked here. */
interface Taking extends Pick<Offer, "tier" | "isToVerify"> {
  /** Who has executed it for this node alone. */
  readonly member?: Key;
  readonly shared: Pick<Offer["shared"], "entry" | "result">;
}

interface Waiting extends Taken {
  /** ms since the epoch, both: since when it waits, and when it is tried next. */
  readonly since: number;
  readonly dueAt: number;
  /** How many times it could not be executed. */
  readonly failed: number;
}

/** Who is asked for the texts before a result, and until when. */
interface Texts {
  readonly sides: Parting["between"];
  readonly of: readonly [Key | undefined, Key | undefined];
  readonly deadline?: AbortSignal;
}

export class Verifying {
  readonly #parts: VerifyingParts;
  /** By action, who has waited longest first. */
  readonly #waiting = new Map<Digest, Waiting>();
  /** Actions whose results may not be used for longer than it takes to execute them here. */
  readonly #unverified = new Set<Digest>();
  /** By action. */
  readonly #taken = new Generations<Digest, Taken>(limits.trust.taken);

  /** Actions whose results are not believed any more, and since when, ms since the epoch. */
  readonly #forgotten = new Generations<Digest, number>(limits.trust.forgotten);

  constructor(parts: VerifyingParts) {
    this.#parts = parts;
  }

  /** What an earlier process was yet to execute is not used any more: nobody knows by what it was asked for. */
  forgetUnverified(): void {
    for (const action of this.#parts.unverified.actions()) {
      this.#parts.index.forget(action);
      this.#parts.unverified.delete(action);
    }
  }

  /** A result of somebody else's is about to be kept. @returns false where it must not be, as nobody would know that it is to be executed here */
  expect({ shared, tier }: Taking): boolean {
    const { action } = shared.entry;
    if (tier !== "speculative") return true;
    if (!this.#parts.unverified.add(action)) return false;
    this.#unverified.add(action);
    return true;
  }

  /** It was kept. Where it is to be executed here, that is when nobody builds. */
  took({ question, sourcePath }: Pick<Understood, "question" | "sourcePath">, { shared, isToVerify, member }: Taking): void {
    const { entry, result } = shared;
    const taken = { question, source: sourcePath, entry, result, member };
    this.#taken.set(entry.action, taken);
    const now = this.#parts.now();
    if (isToVerify) this.#wait({ ...taken, since: now, dueAt: now, failed: 0 });
  }

  /** Whether a result may turn out to be wrong any moment: what answers for long must not be made of it. */
  isUnverified(action: Digest): boolean {
    return this.#unverified.has(action);
  }

  /** It is not unverified any more: executed, or gone. @returns whether it was */
  settled(action: Digest): boolean {
    if (!this.#unverified.delete(action)) return false;
    this.#parts.unverified.delete(action);
    return true;
  }

  /** It is not believed any more: whoever asks about the last compile of its source is told. Of what was taken long ago nobody is. */
  tellForgotten(action: Digest): void {
    const { index, told, now } = this.#parts;
    this.#forgotten.set(action, now());
    const taken = this.#taken.get(action);
    const row = taken && index.history(taken.source);
    if (taken === undefined || row === undefined || row.outcome === RECALLED) return;
    const body = JSON.parse(row.body) as { readonly action?: Digest };
    if (body.action !== action) return;
    told.write(taken.question, taken.source, RECALLED, JSON.stringify({ ...body, detail: NOT_BELIEVED }));
  }

  /** A row as it is told of now. Others were answered by the same, in other checkouts as well: of those nothing is written, they may be many. */
  judged(row: HistoryRow): HistoryRow {
    if (!row.outcome.startsWith("hit")) return row;
    const body = JSON.parse(row.body) as { readonly action?: Digest };
    const at = body.action === undefined ? undefined : this.#forgotten.get(body.action);
    if (at === undefined || at < row.at) return row;
    return { ...row, at, outcome: RECALLED, body: JSON.stringify({ ...body, detail: NOT_BELIEVED }) };
  }

  /** What cannot be executed here is not used any more, but where it was only a sample. */
  giveUp(action: Digest): void {
    const { takeBack, log } = this.#parts;
    this.#waiting.delete(action);
    if (!this.#unverified.has(action)) return;
    takeBack(action);
    log.event("info", "verify.given-up", { action });
  }

  /** Members differ about what came of an action: where its result was taken here and its files are still the same, it is executed here soon. @returns whether it is */
  speak(action: Digest): boolean {
    const taken = this.#taken.get(action);
    if (taken !== undefined) this.#wait({ ...taken, since: 0, dueAt: 0, failed: 0 });
    return taken !== undefined;
  }

  /** Where too many wait, the oldest is not executed. */
  #wait(waiting: Waiting): void {
    this.#waiting.delete(waiting.entry.action); // It waits behind the others.
    this.#waiting.set(waiting.entry.action, waiting);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > limits.trust.verifyWaiting && oldest !== undefined) this.giveUp(oldest);
  }

  #next(): Waiting | undefined {
    const now = this.#parts.now();
    for (const one of this.#waiting.values()) if (one.dueAt <= now) return one;
    return undefined;
  }

  /** Whether one has waited for so long that builds have to make room for it: others may hold it, too. */
  get isOverdue(): boolean {
    const next = this.#next();
    return next !== undefined && this.#parts.now() - next.since > limits.trust.verifyWithinMs;
  }

  /** Verifies one that waits. Where it is aborted, that one waits on. @returns whether another waits */
  async next(signal: AbortSignal): Promise<boolean> {
    const next = this.#next();
    if (next === undefined) return false;
    const { action } = next.entry;
    const isDone = await this.#isExecuted(next, signal);
    if (this.#waiting.get(action) === next) {
      const failed = next.failed + 1;
      if (isDone) this.#waiting.delete(action);
      else if (failed >= limits.trust.verifyAttempts) this.giveUp(action);
      else this.#wait({ ...next, failed, dueAt: this.#parts.now() + limits.trust.verifyAgainMs });
    }
    return this.#next() !== undefined;
  }

  async #isExecuted({ question, entry, result, member }: Waiting, signal: AbortSignal): Promise<boolean> {
    const { understand, log } = this.#parts;
    try {
      const understood = await understand(question, signal);
      if (understood === undefined) return false;
      // The record may have been taken back since; whether the files are still the same shows when they are compiled.
      const known = { understood, entry, result, member };
      return (await this.#verify(known, { isOthers: true, isAsked: false }, signal)).kind !== "not-executed";
    } catch (error) {
      signal.throwIfAborted();
      log.event("warn", "verify.failed", { action: entry.action, error: reasonOf(error) });
      return false;
    }
  }

  /**
   * Executes it here and at members, now.
   *
   * @param isOthers whether somebody else has executed what is known: what does not come out again is recalled then
   * @returns undefined where nothing is known of the question's files as they are now
   */
  async verify(question: CompileQuestion, members: readonly Key[], isOthers: boolean, signal: AbortSignal): Promise<Verified | undefined> {
    const known = await this.#parts.find(question, signal);
    if (known === undefined) return undefined;
    const { entry, understood } = known;
    const asked: Verified["members"][number][] = [];
    for (const member of members) {
      const deadline = this.#parts.deadline(limits.trust.challengeMs);
      const verdict = await this.#ask(known, member, deadline, signal);
      asked.push({ member, isLate: deadline.aborted, ...verdict });
    }
    const here = await this.#verify(known, { isOthers: isOthers || this.#parts.sharing.isOthers(entry.action), isAsked: true }, signal);
    return { action: entry.action, source: understood.sourcePath, here, members: asked };
  }

  async #ask(known: KnownResult, member: Key, deadline: AbortSignal, signal: AbortSignal): Promise<Verdict> {
    const { understood, entry, result } = known;
    const theirs = await within(deadline, signal, (bounded) => this.#parts.once.execute(understood, entry, member, bounded));
    if (theirs === undefined) return { kind: "not-executed", reason: NO_ANSWER, detail: "" };
    if (theirs.kind === "not-executed") return theirs;
    if (isSameOutcome(theirs.outcome.result, result)) return { kind: "same" };
    const written = { sides: ["kept", "there"], files: [await this.#kept(result, signal), writtenBy(theirs.outcome)] } as const;
    const texts = { sides: ["here", "there"], of: [undefined, member], deadline } as const;
    return { kind: "differs", repeatable: undefined, ...(await this.#parting(known, written, texts, signal)) };
  }

  /** @param why `isAsked`: somebody waits for the answer, and wants to know where it differs */
  async #verify(known: KnownResult, why: { readonly isOthers: boolean; readonly isAsked: boolean }, signal: AbortSignal): Promise<Verdict> {
    const { isOthers, isAsked } = why;
    const { once, sharing, log, told } = this.#parts;
    const { understood, entry, result, member } = known;
    const facts = { source: understood.sourcePath, action: entry.action };
    const first = await once.execute(understood, entry, undefined, signal);
    if (first.kind === "not-executed") return this.#notExecuted(known, first, signal);
    if (isSameOutcome(first.outcome.result, result)) {
      told.count({ verified: 1 }, "");
      log.event("debug", "verify.same", facts);
      if (this.settled(entry.action)) told.waits(understood.sourcePath); // From now on it may answer for every checkout.
      sharing.checked(entry.action, true, member);
      if (isOthers) await this.#vouch(known, first.outcome, signal);
      return { kind: "same" };
    }
    const second = await once.execute(understood, entry, undefined, signal);
    if (second.kind === "not-executed") return this.#notExecuted(known, second, signal); // Nobody knows which of them is right.
    const repeatable = isSameOutcome(first.outcome.result, second.outcome.result);
    told.count({ [repeatable ? "verify_refuted" : "verify_unrepeatable"]: 1 }, "");
    log.event("warn", repeatable ? "verify.refuted" : "verify.unrepeatable", facts);
    if (repeatable) sharing.checked(entry.action, false, member);
    const kept = isAsked && repeatable ? await this.#kept(result, signal) : undefined;
    if (isOthers) await this.#recall(known, repeatable ? first.outcome : undefined, signal);
    if (!isAsked) return { kind: "differs", repeatable };
    const [one, other] = [writtenBy(first.outcome), writtenBy(second.outcome)];
    const twice = ["once", "again"] as const;
    const parting = repeatable
      ? await this.#parting(known, { sides: ["kept", "now"], files: [kept, one] }, undefined, signal)
      : await this.#parting(known, { sides: twice, files: [one, other] }, { sides: twice, of: [undefined, undefined] }, signal);
    return { kind: "differs", repeatable, ...parting };
  }

  async #earlier(understood: Understood, entry: ManifestEntry, { of, deadline }: Texts, signal: AbortSignal) {
    const compare = (bounded: AbortSignal) => this.#parts.once.textParting(understood, entry, of, bounded);
    return deadline === undefined ? compare(signal) : within(deadline, signal, compare);
  }

  async #kept(result: StoredResult, signal: AbortSignal): Promise<Written | undefined> {
    return writtenIn(result, async (digest) => {
      const found = await this.#parts.store.read(digest, signal);
      return found.kind === "hit" ? found.bytes : undefined;
    });
  }

  /** @param texts who can be asked for what comes before it; undefined where one of both is not there any more */
  async #parting(
    { understood, entry }: KnownResult,
    written: { readonly sides: Parting["between"]; readonly files: readonly [Written | undefined, Written] },
    texts: Texts | undefined,
    signal: AbortSignal,
  ): Promise<Parting | undefined> {
    const last = understood.invocation.mode === "assembly" ? "assembly" : "object";
    const [before, after] = written.files;
    const found = before && partingOf(before, after, last);
    const isCode = found === undefined || found.stage === last;
    const earlier = isCode ? texts && (await this.#earlier(understood, entry, texts, signal)) : "same";
    if (texts !== undefined && typeof earlier === "object") return { ...earlier, isFirst: true, between: texts.sides };
    return found && { ...found, isFirst: earlier === "same", between: written.sides };
  }

  #notExecuted({ understood, entry }: KnownResult, why: Extract<Verdict, { kind: "not-executed" }>, signal: AbortSignal): Verdict {
    signal.throwIfAborted(); // Who was ended says nothing of what it was to execute.
    const { told, log } = this.#parts;
    told.count({ verify_not_executed: 1 }, "");
    const { reason, detail } = why;
    log.event("info", "verify.not-executed", { source: understood.sourcePath, action: entry.action, reason, detail });
    return why;
  }

  /** It is wrong, or not always the same. What comes of it here is signed where it is always the same here: that is what others hear. */
  async #recall(known: KnownResult, outcome: Outcome | undefined, signal: AbortSignal): Promise<void> {
    const { told, takeBack } = this.#parts;
    const { understood, entry } = known;
    takeBack(entry.action);
    const detail = "compiled here as well, something else came of it: what it has written must be built again";
    told.remember(understood, RECALLED, { action: entry.action, detail });
    if (outcome !== undefined) await this.#vouch(known, outcome, signal);
  }

  /**
   * Keeps and signs what came of it here. Where that is of the very action that was looked at, all who hold that hear of it; of another one
   * nothing is said: what bears this checkout's place, or was printed for this terminal, is signed as that alone.
   */
  async #vouch({ understood, entry: known }: KnownResult, { finding, report }: Outcome, signal: AbortSignal): Promise<void> {
    const { index, store, facts, sharing, settling, now, log } = this.#parts;
    try {
      const isSame = finding.entry.action === known.action;
      // Who has executed and signed it first has found out that it depends on its place.
      const entry = isSame && !known.presumed ? { ...finding.entry, presumed: false } : finding.entry;
      const { result } = await keep(store, understood, report, finding, signal);
      const endedAtMs = now();
      const startedAtMs = Math.max(0, endedAtMs - result.compileMs);
      const execution: Made = { toolchain: understood.toolchain.digest, startedAtMs, endedAtMs };
      index.add(understood.manifest, entry, result, tokensOfProject(facts, understood, entry), "here");
      if (entry.presumed) await settling.settle(understood, entry, result, execution, signal);
      else sharing.executed(understood.manifest, entry, result, execution);
    } catch (error) {
      signal.throwIfAborted();
      log.event("warn", "verify.not-kept", { action: known.action, error: reasonOf(error) });
    }
  }
}

/** Whoever is asked may say nothing for hours. @returns undefined where its time was over @throws the signal's reason */
async function within<T>(deadline: AbortSignal, signal: AbortSignal, ask: (bounded: AbortSignal) => Promise<T>): Promise<T | undefined> {
  try {
    return await ask(AbortSignal.any([signal, deadline]));
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw error;
    return undefined;
  }
}
