/**
 * The build river for compilers: a question comes in; it is answered from what is known, or the asker runs the compiler and what came
 * of it is kept.
 *
 * Knows: the order of steps, what is counted and remembered of each.
 * Does not know: sockets, records, databases, how compilers are asked.
 */
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { actionKey, type PassReason } from "../compile/index.ts";
import type {
  Executor,
  Files,
  HistoryRow,
  Listings,
  LocalStore,
  ManifestEntry,
  ResultIndex,
  SharedResult,
  Sharing,
  StoredResult,
  Toolchains,
  Voucher,
  WordOf,
  Workers,
} from "../contracts/index.ts";
import { Checkouts, type Elsewhere, type KeyOf, type Unit } from "./checkouts.ts";
import type { Difference } from "./differences.ts";
import { ExpectedUnits, type Next, type PreparedUse } from "./expected-units.ts";
import { compare, type Found, find } from "./find.ts";
import { entryWeight } from "./finished.ts";
import { countsOf, countsOfWork } from "./givers.ts";
import { Glances } from "./glances.ts";
import { keep, tokensOfProject } from "./ingest.ts";
import { Later } from "./later.ts";
import { Look } from "./look.ts";
import { type Movable, type MovableParts, movableOf } from "./movable.ts";
import { MovedMessages, type Printed } from "./moved-messages.ts";
import { isSameOutcome, OnceMore } from "./once-more.ts";
import { type Brought, Others } from "./others.ts";
import { OwnCompiles, type Run, type Taken } from "./own-compiles.ts";
import type { RootOf } from "./parcel.ts";
import { type Placement, placementOf, type Validity, validityOf } from "./plan.ts";
import { type ProjectPolicy, projectPolicyOf } from "./project-policy.ts";
import { RecentAnswers } from "./recent-answers.ts";
import { bodyOfPassed, questionOf, readRemembered, type Work } from "./remembered.ts";
import { type Good, type Helpers, Remote } from "./remote.ts";
import { absolutePath, type CompileQuestion, type RunReport, type Understood } from "./request.ts";
import { Settling } from "./settling.ts";
import { SourceFacts } from "./source-facts.ts";
import type { Counts, Statistics } from "./statistics.ts";
import { questionOfTask } from "./task-history.ts";
import { Told } from "./told.ts";
import { type Understanding, understand } from "./understand.ts";
import { type UnverifiedMarks, type Verified, Verifying } from "./verifying.ts";
import { withoutPlace } from "./witness.ts";

export interface CompileParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
  /** See {@link RootOf}. */
  readonly rootOf: RootOf;
  readonly listings: Listings;
  readonly store: LocalStore;
  readonly index: ResultIndex;
  readonly statistics: Statistics;
  readonly sharing: Sharing;
  /** Members that compile for this one; undefined where there is no network, or nothing is to leave this machine. */
  readonly helpers: () => Helpers | undefined;
  /** What this machine executes on its own account, beside builds. */
  readonly executor: Executor;
  readonly unverified: UnverifiedMarks;
  /** Forgets the result of an action, which may have been served before. Calls {@link CompileFlow.recall}. */
  readonly takeBack: (action: Digest) => void;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface CompileOptions {
  readonly homeDirectory: string;
}

/** What the asker places. */
export interface Ready {
  readonly kind: "hit";
  readonly placement: Placement;
  /** Undefined while a file is too young; asking again a little later gives it. */
  readonly validity: Validity | undefined;
  /** The same was answered before, with the same validity. */
  readonly again: boolean;
  /** Otherwise it is made from memory: it holds where files are what the validity says. */
  readonly isChecked: boolean;
  /** What {@link CompileFlow.recalls} was when this was found: where it is another by now, nothing lasting may be made of this. */
  readonly recalls: number;
  /** Unset where the same was answered a moment ago. */
  readonly unit?: Unit;
  /** Set for somebody else's result: resolves when it is kept here, with false when it must not be. */
  readonly kept?: Promise<boolean>;
}

/** What the asker runs. */
export interface Running extends Run {
  /** Set while a member does the same: resolves when it is done, and never when nothing came of it. */
  readonly instead?: Promise<Ready>;
}

export type Answer = Ready | Running | { readonly kind: "pass"; readonly reason: PassReason };

const ELSEWHERE: readonly Difference[] = [{ kind: "directory", name: "the result names the directory it was made in" }];

/** With so many compiles at once, one more thing to do would take a core from them. */
const CORES_FOR_BUILDS = Math.max(1, availableParallelism() - 1);

/** Names of files that compilers compile. */
const SOURCE_NAME = /^[^-].*\.(?:c|cc|cp|cpp|cxx|c\+\+|C|CPP|m|mm|M|i|ii|mi|mii|s|S|sx)$/;

type Hit = Extract<Found, { kind: "hit" }>;

/** What an answer is made of, beside what is known. */
interface Material extends Pick<Ready, "placement" | "recalls"> {
  readonly brought: Brought | undefined;
  /** Set where the answer is made from memory. */
  readonly fromMemory?: Validity;
}

/** What a record can be made of, as long as nothing has been recalled since. */
interface Lasting extends Pick<Ready, "placement" | "recalls"> {
  readonly validity: Validity;
  readonly action: Digest;
}

/** What an answer for every checkout can be made of, as long as nothing has been recalled since. */
interface MovableNext extends Pick<Ready, "recalls"> {
  readonly question: CompileQuestion;
  /** Undefined where each checkout has to ask. */
  readonly movable: Movable | undefined;
}

/** Answers questions that nobody has asked yet: what is seen of files on behalf of one holds for the next. */
export type Foresee = (question: CompileQuestion, signal: AbortSignal) => Promise<Lasting | undefined>;

export class CompileFlow implements AsyncDisposable {
  readonly #parts: CompileParts;
  readonly #options: CompileOptions;
  readonly #facts: SourceFacts;
  readonly #glances: Glances;
  readonly #answers: RecentAnswers = new RecentAnswers();
  readonly #told: Told;
  /** Compiles that have ended and are to be digested, and others' results that are to be kept. */
  readonly #later: Later = new Later({ isBusy: () => this.#own.running >= CORES_FOR_BUILDS || this.#others.isAsked });
  readonly #others: Others;
  readonly #expected: ExpectedUnits;
  readonly #remote: Remote;
  readonly #own: OwnCompiles;
  readonly #settling: Settling;
  readonly #messages: MovedMessages;
  readonly #checkouts: Checkouts;
  readonly #verifying: Verifying;
  readonly #stop = new AbortController();
  /** ms, monotonic: clocks are set. */
  #askedAt = 0;
  #recalls = 0;

  constructor(parts: CompileParts, options: CompileOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#facts = new SourceFacts(parts);
    this.#told = new Told(parts);
    const isStill = (understood: Understood, entry: ManifestEntry): boolean =>
      compare(this.#look(understood.question), understood, entry).differences.length === 0;
    this.#messages = new MovedMessages({ ...parts, facts: this.#facts, isStill });
    this.#checkouts = new Checkouts(parts);
    this.#glances = new Glances(parts);
    const look = ({ question }: Understood): Look => this.#look(question);
    const workers = (): Workers | undefined => parts.helpers()?.workers;
    this.#verifying = new Verifying({
      ...parts,
      facts: this.#facts,
      told: this.#told,
      once: new OnceMore({ ...parts, facts: this.#facts, workers, look }),
      settling: { settle: (...made) => this.#settling.settle(...made) },
      deadline: (ms) => AbortSignal.timeout(ms),
      find: (question, signal) => this.#directHit(question, signal),
      understand: async (question, signal) => {
        const understanding = await this.#understand(question, this.#look(question), signal);
        return understanding.kind === "understood" ? understanding.understood : undefined;
      },
    });
    this.#others = new Others({ ...parts, later: this.#later, verifying: this.#verifying });
    this.#expected = new ExpectedUnits({
      ...parts,
      others: this.#others,
      understand: async (question, look, signal) => {
        const understanding = await this.#understand(question, look, signal);
        return understanding.kind === "understood" ? understanding.understood : undefined;
      },
      isUnverified: (action) => this.#verifying.isUnverified(action),
    });
    this.#remote = new Remote({
      ...parts,
      facts: this.#facts,
      running: () => this.#own.running,
      look: ({ question }) => this.#look(question),
    });
    this.#settling = new Settling({
      ...parts,
      told: this.#told,
      find: (understood) => this.#find(understood, this.#look(understood.question)),
    });
    this.#own = new OwnCompiles({
      ...parts,
      facts: this.#facts,
      later: this.#later,
      told: this.#told,
      look: (question) => this.#look(question),
      ended: (job, done) => this.#remote.ended(job, done),
      presumed: (action, made) => this.#settling.wait(action, made),
      stop: this.#stop.signal,
    });
  }

  get running(): number {
    return this.#own.running;
  }

  /** Compiles that other members have. */
  get away(): number {
    return this.#remote.away;
  }

  /** Results that have yet to be stored. */
  get waiting(): number {
    return this.#later.size;
  }

  /** Rises whenever some result does not hold any more, whatever the files are. */
  get recalls(): number {
    return this.#recalls;
  }

  /**
   * Results do not hold any more, and are gone from the index.
   *
   * @param action whose; undefined: those of many
   * @returns whether something may have been made of them that answers for long
   */
  recall(action: Digest | undefined): boolean {
    this.#recalls += 1;
    this.#others.recalled(action);
    if (action !== undefined) this.#verifying.tellForgotten(action);
    if (action !== undefined && this.#verifying.settled(action)) return false;
    this.#answers.clear();
    return true;
  }

  /** See {@link Verifying.judged}. */
  judged(row: HistoryRow): HistoryRow {
    return this.#verifying.judged(row);
  }

  /** Whether nothing that answers for long is made of what came of an action. */
  isUnverified(action: Digest): boolean {
    return this.#verifying.isUnverified(action);
  }

  /** See {@link Verifying.forgetUnverified}. */
  forgetUnverified(): void {
    this.#verifying.forgetUnverified();
  }

  /** Stores what waits to be. */
  async catchUp(): Promise<void> {
    await this.#own.looked();
    await this.#later.catchUp();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.race([this.catchUp(), sleep(limits.digestAtEndMs, undefined, { ref: false })]);
    if (this.waiting > 0) this.#parts.log.event("warn", "compile.not-digested", { waiting: this.waiting });
    this.#stop.abort();
    this.#remote[Symbol.dispose]();
    this.#later[Symbol.dispose]();
  }

  /**
   * @param gone aborted when the asker has gone; what others share goes on
   * @throws the reason of either signal
   */
  async answer(question: CompileQuestion, gone: AbortSignal, signal: AbortSignal): Promise<Answer> {
    this.#askedAt = performance.now();
    if (question.why === "outdated") this.#takeBack(question);
    const again = this.#answers.has(question.key) ? await this.#answerAgain(question, await this.#next(question)) : undefined;
    if (again !== undefined) return again;
    const memory = question.checks === true && question.why === "no-record" ? await this.#fromMemory(question, signal) : undefined;
    if (memory?.answer !== undefined) return memory.answer;
    let look = await this.#next(question);
    const understanding = await this.#understand(question, look, signal, memory?.understood);
    if (understanding.kind === "pass") return this.#pass(question, understanding.reason, understanding.detail);
    const { understood } = understanding;
    await this.#othersAreKept(understood, signal);
    const recalls = this.#recalls;
    let found = this.#find(understood, look);
    if (found.kind === "presumed") {
      await this.#settling.settle(understood, found.entry, found.result, undefined, signal);
      look = this.#look(question); // Files may have changed meanwhile.
      found = this.#find(understood, look);
    }
    if (found.kind === "miss" && found.printed.length > 0) {
      const moved = await this.#moveMessages(understood, found.printed, signal);
      if (moved !== undefined) ({ look, found } = moved);
    }
    const brought = found.kind === "hit" ? undefined : await this.#others.bring(look, understood, signal);
    if (brought !== undefined) found = { kind: "hit", how: "direct", entry: brought.entry, result: brought.result };
    if (found.kind === "hit") {
      // The asker has found one of them damaged: reading verifies, and removes what is.
      if (question.why === "blob-missing") for (const output of found.result.outputs) await this.#parts.store.read(output.digest, signal);
      const placement = await placementOf(this.#parts.store, understood, found.result, signal);
      if (placement !== undefined) return this.#hit(understood, look, found, { placement, brought, recalls });
      // A result whose blobs are gone is no result. Somebody else may have them.
      this.#parts.index.forget(found.entry.action);
      const healed = brought === undefined ? await this.#heal(understood, look, signal) : undefined;
      return healed ?? this.#make(understood, look, [{ kind: "blob", name: "an output is no longer in the store" }], gone, signal);
    }
    return this.#make(understood, look, found.kind === "miss" ? found.nearest : ELSEWHERE, gone, signal);
  }

  /** Nothing of a request is under way any more that would be found in the index. */
  async #othersAreKept({ manifest }: Understood, signal: AbortSignal): Promise<void> {
    await this.#others.settled(manifest, signal);
    await this.#later.demand(manifest);
  }

  /** A result whose messages name the place in which it was made, made one of this place. */
  async #moveMessages(
    understood: Understood,
    printed: readonly Printed[],
    signal: AbortSignal,
  ): Promise<{ readonly look: Look; readonly found: Found } | undefined> {
    for (const one of printed) {
      const moved = await this.#messages.move(understood, one, signal);
      if (moved === undefined) continue;
      const look = this.#look(understood.question); // Files may have changed meanwhile.
      if (compare(look, understood, moved.entry).differences.length > 0) return undefined;
      const { index } = this.#parts;
      index.add(understood.manifest, moved.entry, moved.result, new Map(), index.originOf(one.entry.action));
      this.#told.count({ messages_moved: 1 }, understood.question.session);
      return { look, found: { kind: "hit", how: "direct", ...moved } };
    }
    return undefined;
  }

  /** It is nowhere: somebody has to compile it. */
  #make(
    understood: Understood,
    look: Look,
    nearest: readonly Difference[] | undefined,
    gone: AbortSignal,
    signal: AbortSignal,
  ): Promise<Answer> {
    const instead = Promise.withResolvers<Ready>();
    let kept: string | undefined;
    return this.#remote.answer<Answer>({
      understood,
      look,
      gone,
      here: (why) => {
        const run = this.#own.begin(understood, look, { nearest, here: why === "kept" ? kept : why === "alone" ? undefined : why }, signal);
        return { answer: why === "late" ? { ...run, instead: instead.promise } : run, job: run.job };
      },
      take: async (made, by, late) => {
        const ready = await this.#takeFrom(understood, made, by, late);
        if (late && ready !== undefined && isReplaced(ready.placement)) instead.resolve(ready);
        return late ? undefined : ready;
      },
      keptHere: (reason) => {
        kept = reason;
        this.#told.count({ [`kept_here:${reason}`]: 1 }, understood.question.session);
      },
    });
  }

  /** This node has not executed what a member made, and cannot vouch for it: others are offered it once that member has signed it. */
  async #takeFrom(understood: Understood, { finding, report, look, voucher }: Good, by: Work, late: boolean): Promise<Ready | undefined> {
    const { store, sharing, log } = this.#parts;
    const { entry } = finding;
    const recalls = this.#recalls;
    const word = sharing.wordOf(by.member, understood.project.sharing);
    if (word === undefined) return undefined; // What is demanded has changed meanwhile, or what is known of that member.
    const { result, bytes } = await keep(store, understood, report, finding, this.#stop.signal);
    const placement = await placementOf(store, understood, result, this.#stop.signal);
    if (placement === undefined) return undefined;
    const kept = this.#later.add(understood.manifest, entryWeight(entry), async () => this.#keepWork(understood, entry, result, by, word));
    if (voucher !== undefined) void this.#vouched(understood, { entry, result }, by.member, voucher, kept);
    // The compiler that was begun here is a miss.
    const counts = late ? { built_elsewhere_late: 1 } : { built_elsewhere: 1, stored_bytes: bytes, ...countsOfWork(by) };
    this.#told.count(counts, understood.question.session);
    const { action, inputs } = entry;
    this.#told.remember(understood, "built_elsewhere", { action, compileMs: result.compileMs, inputs: inputs.length, by });
    log.event("debug", "compile.built-elsewhere", { source: understood.sourcePath, action, member: by.member });
    const validity = word.tier === "speculative" ? undefined : validityOf(look, understood, entry);
    return { kind: "hit", placement, validity, again: false, isChecked: true, recalls, kept };
  }

  /** With whose word it rests on. @returns false where it must not be kept */
  #keepWork(understood: Understood, entry: ManifestEntry, result: StoredResult, { member }: Work, { tier, isToVerify }: WordOf): boolean {
    const { index, sharing, log } = this.#parts;
    const { action } = entry;
    const offer = { shared: { entry, result }, tier, isToVerify, member };
    try {
      const here = index.result(action);
      // Its own work this node keeps.
      if (here !== undefined && index.originOf(action) === "here") return isSameOutcome(here, result);
      const isGood = sharing.wordOf(member, understood.project.sharing) !== undefined;
      if (isGood && sharing.restsOn(action, member) && this.#verifying.expect(offer)) {
        index.add(understood.manifest, entry, result, tokensOfProject(this.#facts, understood, entry));
        this.#verifying.took(understood, offer);
        return true;
      }
    } catch (error) {
      log.event("warn", "compile.not-stored", { source: understood.sourcePath, reason: "storing_failed", detail: reasonOf(error) });
    }
    this.#verifying.giveUp(action);
    return false;
  }

  /** What the member signed may be true of every place, where it was only presumed here that it is not. Never rejects. */
  async #vouched(
    understood: Understood,
    { entry, result }: Pick<SharedResult, "entry" | "result">,
    member: Key,
    promised: Promise<Voucher | undefined>,
    kept: Promise<boolean>,
  ): Promise<void> {
    const voucher = await promised;
    if (voucher === undefined || !(await kept)) return;
    const { sharing, index } = this.#parts;
    const { manifest, toolchain } = understood;
    // It may have been forgotten meanwhile, or another may have taken its place.
    if (!isDeepStrictEqual(contentsOf(index.result(entry.action)), contentsOf(result))) return;
    const settled = voucher.placed || !entry.presumed ? { ...entry, presumed: false } : withoutPlace(manifest, entry);
    if (!sharing.vouched(member, { manifest, entry: settled, result }, toolchain.digest, voucher)) return;
    // Nobody would take that one back with the signature.
    if (settled.action !== entry.action) index.forget(entry.action);
    this.#told.count({ built_elsewhere_signed: 1 }, understood.question.session);
  }

  async #heal(understood: Understood, look: Look, signal: AbortSignal): Promise<Answer | undefined> {
    const brought = await this.#others.bring(look, understood, signal);
    if (brought === undefined) return undefined;
    const { entry, result } = brought;
    const recalls = this.#recalls;
    const placement = await placementOf(this.#parts.store, understood, result, signal);
    return placement === undefined
      ? undefined
      : this.#hit(understood, look, { kind: "hit", how: "direct", entry, result }, { placement, brought, recalls });
  }

  /**
   * The answer by what is remembered of files, without a look at any: whoever asked looks at them all, as for a hot record.
   * Where that gives none, at least the question may have been understood.
   */
  async #fromMemory(question: CompileQuestion, signal: AbortSignal): Promise<{ answer?: Answer; understood?: Understood }> {
    const look = new Look(this.#glances.fromMemory(), question.cwd);
    const understanding = await this.#understand(question, look, signal);
    if (understanding.kind === "pass") return {};
    const { understood } = understanding;
    await this.#othersAreKept(understood, signal);
    const recalls = this.#recalls;
    const found = this.#find(understood, look);
    if (found.kind !== "hit" || found.how !== "direct" || this.#verifying.isUnverified(found.entry.action)) return { understood };
    // The first use of what a member gave ahead is told as that, once and for certain.
    if (this.#others.isUnused(found.entry.action)) return { understood };
    const fromMemory = validityOf(look, understood, found.entry);
    const placement = fromMemory && (await placementOf(this.#parts.store, understood, found.result, signal));
    if (fromMemory === undefined || placement === undefined) return { understood };
    return { answer: this.#hit(understood, look, found, { placement, brought: undefined, recalls, fromMemory }), understood };
  }

  /** What was answered from memory was no hit. */
  #takeBack({ key, session }: CompileQuestion): void {
    const answer = this.#answers.take(key);
    if (answer?.isChecked === false) this.#told.count({ hit_daemon: -1, saved_ms: -answer.placement.compileMs }, session);
  }

  async #answerAgain(question: CompileQuestion, look: Look): Promise<Answer | undefined> {
    if (question.why !== "no-record" && question.why !== "input-changed") return undefined;
    const recalls = this.#recalls;
    const answer = this.#answers.find(question.key, look);
    if (answer === undefined) return undefined;
    const { manifest, action, placement, validity, source, body } = answer;
    for (const { digest, content } of placement.outputs)
      if (content === undefined && (await this.#parts.store.plain(digest)) === undefined) return undefined;
    this.#parts.index.touch(manifest, action);
    this.#told.count({ hit_daemon: 1, saved_ms: placement.compileMs }, question.session);
    this.#told.write(question, source, "hit_daemon", body);
    this.#parts.log.event("debug", "compile.hit", { how: "again", source, action });
    return { kind: "hit", placement, validity, again: true, isChecked: true, recalls };
  }

  /** Since somebody built here: without a compile under way, after the last question. ms */
  get idleMs(): number {
    return this.#own.running > 0 ? 0 : performance.now() - this.#askedAt;
  }

  /** Whether anybody has built here since the start. */
  get wasAsked(): boolean {
    return this.#askedAt > 0;
  }

  /** True when nobody has asked for a while. */
  get quiet(): boolean {
    return this.idleMs > limits.quietMs && this.waiting === 0;
  }

  /**
   * Finds out for one result, if any waits for it, whether it really depends on its place.
   * @returns whether another waits
   */
  async settleNext(signal: AbortSignal): Promise<boolean> {
    const next = this.#settling.next();
    if (next === undefined) return false;
    const found = await this.#directHit(next.question, signal);
    if (found?.entry.presumed !== true) return true;
    const { understood, entry, result } = found;
    if (!(await this.#settling.settle(understood, entry, result, next.execution, signal))) this.#settling.again(entry.action, next);
    return true;
  }

  /** Makes an answer for every checkout of what was compiled lately, one at a time; undefined where nothing waits for that. */
  async movableNext(signal: AbortSignal): Promise<MovableNext | undefined> {
    for (let row = this.#told.takeCompiled(); row !== undefined; row = this.#told.takeCompiled()) {
      const question = questionOf(row);
      if (question !== undefined) return { question, recalls: this.#recalls, movable: await this.#movable(row, question, signal) };
    }
    return undefined;
  }

  async #movable(row: HistoryRow, question: CompileQuestion, signal: AbortSignal): Promise<Movable | undefined> {
    const found = await this.#directHit(question, signal);
    if (found === undefined || this.#verifying.isUnverified(found.entry.action)) return undefined;
    const parts: MovableParts = { ...this.#parts, ...this.#options, messages: this.#messages };
    // The preprocessor that was asked about its messages must have read what the entry speaks of.
    const isStill = async ({ action }: ManifestEntry): Promise<boolean> =>
      (await this.#directHit(question, signal))?.entry.action === action;
    const moves = await movableOf(parts, found.look, found, signal);
    if (moves.kind === "moves") return moves.movable.namesRoot && !(await isStill(found.entry)) ? undefined : moves.movable;
    this.#parts.log.event("debug", "compile.stays", { source: found.understood.sourcePath, why: moves.why });
    if (moves.why === "unanswered") this.#told.again(row, found.entry.action);
    return undefined;
  }

  /** Whether a result of somebody else's has waited too long to be executed here. */
  get isVerifyingOverdue(): boolean {
    return this.#verifying.isOverdue;
  }

  /** Executes one result of somebody else's once more, if any waits for that. @returns whether another waits */
  verifyNext(signal: AbortSignal): Promise<boolean> {
    return this.#verifying.next(signal);
  }

  /** See {@link Verifying.speak}. */
  speak(action: Digest): boolean {
    return this.#verifying.speak(action);
  }

  /** See {@link Verifying.verify}. @param row the compile that is meant */
  async verify(row: HistoryRow, members: readonly Key[], isOthers: boolean, signal: AbortSignal): Promise<Verified | undefined> {
    const question = questionOf(row);
    return question && this.#verifying.verify(question, members, isOthers, signal);
  }

  /** What the projects demand that files belong to. @param paths absolute */
  projectOf(...paths: readonly string[]): ProjectPolicy {
    return projectPolicyOf(this.#parts.files, new Look(this.#glances.now(), "/"), paths, this.#options.homeDirectory);
  }

  /** What was demanded of a compile or a command, by what is there now. */
  projectOfRow(row: HistoryRow): ProjectPolicy {
    const task = questionOfTask(row);
    return task === undefined ? this.projectOf(row.source, `${readRemembered(row).cwd}/.`) : this.projectOf(`${task.root}/.`);
  }

  #find(understood: Understood, look: Look): Found {
    return find({ ...this.#parts, facts: this.#facts }, look, understood);
  }

  /** The answer to a question once more, without counting it: for files that were too young to be believed the first time. */
  async recheck(question: CompileQuestion, signal: AbortSignal): Promise<Lasting | undefined> {
    return this.#lasting(this.#look(question), question, signal);
  }

  /** For some ms: files change. */
  foreseer(): Foresee {
    const glance = this.#glances.now();
    return (question, signal) => this.#lasting(new Look(glance, question.cwd), question, signal);
  }

  /** See {@link Checkouts.elsewhere}. */
  elsewhere(unit: Unit): Elsewhere | undefined {
    return this.#checkouts.elsewhere(unit);
  }

  /** Somebody has used what was foreseen. */
  rememberUsed(row: HistoryRow): void {
    this.#parts.index.remember(row);
  }

  /** Calls `listener` when {@link CompileFlow.prepare} may have something to do. */
  onExpected(listener: () => void): void {
    this.#parts.sharing.onExpected(() => {
      this.#expected.came();
      listener();
    });
  }

  /** Prepares answers to what is expected to be asked, one at a time: what is seen of files on behalf of one holds for the next. */
  preparer(keyOf: KeyOf): (signal: AbortSignal) => Promise<Next> {
    const glance = this.#glances.now();
    return (signal) => this.#expected.next(({ cwd }) => new Look(glance, cwd), keyOf, signal);
  }

  /** See {@link ExpectedUnits.began}. */
  beganExpected(): void {
    this.#expected.began();
  }

  /** See {@link ExpectedUnits.asked}. */
  askedExpected(manifest: Digest, underWay: number): boolean {
    return this.#expected.asked(manifest, underWay);
  }

  /**
   * Somebody has used what was prepared.
   *
   * @param at ms since the epoch
   * @param session hex, "" for none
   * @returns whether it was counted as the work of a member: the first time
   */
  usedPrepared({ action, compileMs, row }: PreparedUse, at: number, session: string): boolean {
    const from = this.#others.takeUnused(action);
    if (from === undefined) return false;
    this.#told.count({ hit_peer: 1, saved_ms: Math.max(0, compileMs - from.tookMs), ...countsOf(from) }, session);
    this.#parts.index.remember({ ...row, at });
    return true;
  }

  async #lasting(look: Look, question: CompileQuestion, signal: AbortSignal): Promise<Lasting | undefined> {
    const { recalls } = this;
    const found = await this.#directHit(question, signal, look);
    if (found === undefined) return undefined;
    const { understood, entry, result } = found;
    if (this.#verifying.isUnverified(entry.action)) return undefined;
    const placement = await placementOf(this.#parts.store, understood, result, signal);
    const validity = validityOf(look, understood, entry);
    return placement === undefined || validity === undefined ? undefined : { placement, validity, recalls, action: entry.action };
  }

  /** What is known of a question's very inputs, as of now. */
  async #directHit(
    question: CompileQuestion,
    signal: AbortSignal,
    look: Look = this.#look(question),
  ): Promise<{ look: Look; understood: Understood; entry: ManifestEntry; result: StoredResult } | undefined> {
    const understanding = await this.#understand(question, look, signal);
    if (understanding.kind === "pass") return undefined;
    const { understood } = understanding;
    const found = this.#find(understood, look);
    return found.kind === "hit" && found.how === "direct" ? { look, understood, entry: found.entry, result: found.result } : undefined;
  }

  /**
   * What came of a `run`. Resolves when all has been looked at that may change once the asker goes on.
   * Never throws for what a compiler or file system may do.
   */
  ran(id: bigint, report: RunReport, signal: AbortSignal): Promise<Taken> {
    return this.#own.ran(id, report, signal);
  }

  /** The asker went away without running, or without telling. @param question set where it was told that a member was first */
  abandon(id: bigint, question?: CompileQuestion): void {
    this.#own.abandon(id);
    if (question !== undefined) this.#told.count({ stopped_here: 1 }, question.session);
  }

  async #understand(question: CompileQuestion, look: Look, signal: AbortSignal, before?: Understood): Promise<Understanding> {
    const understanding = await understand(this.#parts, this.#options.homeDirectory, question, look, signal, before);
    if (understanding.kind === "understood") this.#messages.saw(understanding.understood);
    return understanding;
  }

  async #next(question: CompileQuestion): Promise<Look> {
    return new Look(await this.#glances.next(), question.cwd);
  }

  #look(question: CompileQuestion): Look {
    return new Look(this.#glances.now(), question.cwd);
  }

  #pass(question: CompileQuestion, reason: PassReason, detail: string | undefined): Answer {
    this.#told.count({ [`pass:${reason}`]: 1 }, question.session);
    this.#parts.log.event("debug", "compile.passed", { reason, detail: detail ?? null, cwd: question.cwd });
    const source = question.argv.findLast((argument) => SOURCE_NAME.test(argument));
    if (source !== undefined)
      this.#told.write(question, absolutePath(question.cwd, source), `pass:${reason}`, bodyOfPassed(question, detail));
    return { kind: "pass", reason };
  }

  #hit(understood: Understood, look: Look, { how, entry, result }: Hit, { placement, brought, recalls, fromMemory }: Material): Answer {
    const { index, log } = this.#parts;
    // An answer from memory may be taken back, as this machine's.
    const from = brought?.from ?? (fromMemory === undefined ? this.#others.takeUnused(entry.action) : undefined);
    if (from !== undefined) this.#expected.saw(understood);
    if (how === "direct") index.touch(understood.manifest, entry.action);
    // The changed inputs lead to the same result from now on, as an action of their own: what was signed stays as it was signed.
    else if (!this.#parts.sharing.isOthers(entry.action))
      index.add(understood.manifest, derivedFrom(entry, understood), result, new Map(), index.originOf(entry.action));
    const outcome = from !== undefined ? "hit_peer" : how === "direct" ? "hit_daemon" : "hit_equivalent";
    const traffic: Counts = from === undefined ? {} : countsOf(from);
    const savedMs = Math.max(0, result.compileMs - (from?.tookMs ?? 0));
    this.#told.count({ [outcome]: 1, saved_ms: savedMs, ...traffic }, understood.question.session);
    const facts = { action: entry.action, compileMs: result.compileMs, inputs: entry.inputs.length, from };
    const body = this.#told.remember(understood, outcome, facts);
    log.event("debug", "compile.hit", { how: from === undefined ? how : "peer", source: understood.sourcePath, action: entry.action });
    const isUnverified = from?.tier === "speculative" || this.#verifying.isUnverified(entry.action);
    const validity = isUnverified ? undefined : (fromMemory ?? validityOf(look, understood, entry));
    const isChecked = fromMemory === undefined;
    if (validity !== undefined) {
      const { manifest, sourcePath: source, question } = understood;
      const remember = (): void => {
        if (recalls !== this.#recalls) return;
        this.#answers.remember(question.key, { manifest, action: entry.action, placement, validity, isChecked, source, body });
      };
      // What is not kept must not be answered again.
      if (brought === undefined) remember();
      else void brought.kept.then((isKept) => isKept && remember());
    }
    const { manifest, sourcePath, projectRoot } = understood;
    const unit: Unit = { manifest, sourcePath, projectRoot };
    return {
      kind: "hit",
      placement,
      validity,
      again: false,
      isChecked,
      recalls,
      unit,
      ...(brought !== undefined && { kept: brought.kept }),
    };
  }
}

/** What two results have in common that are the same. */
function contentsOf(result: StoredResult | undefined): unknown {
  return result && [result.stdout, result.stderr, result.outputs.map(({ path, role, digest, size }) => [path, role, digest, size])];
}

function derivedFrom(entry: ManifestEntry, { manifest }: Understood): ManifestEntry {
  return { ...entry, action: actionKey(manifest, entry.place, entry.terminal, entry.inputs) };
}

/** Whether all outputs are new files, so that it does not matter what a compiler that is stopped has left; dependency files it leaves alone. */
function isReplaced({ outputs }: Placement): boolean {
  return outputs.every(({ mode, content }) => mode === "replace" || content !== undefined);
}
