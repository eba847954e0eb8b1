/**
 * The build river for compilers: a question comes in; it is answered from what is known, or the asker runs the compiler and what came
 * of it is kept.
 *
 * Knows: the order of steps, what is counted and remembered of each.
 * Does not know: sockets, records, databases, how compilers are asked.
 */
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Log, limits } from "../base/index.ts";
import { actionKey, type PassReason } from "../compile/index.ts";
import type { Execution, Files, LocalStore, ManifestEntry, ResultIndex, Sharing, StoredResult, Toolchains } from "../contracts/index.ts";
import { dependenciesOf } from "./dependencies.ts";
import { type Difference, describeDifferences, mostDifferences } from "./differences.ts";
import { compare, type Found, find } from "./find.ts";
import { entryWeight, type Finished, finishedWeight, ownReport } from "./finished.ts";
import { countsOf, countsOfWork } from "./givers.ts";
import { Glances } from "./glances.ts";
import { examine, keep } from "./ingest.ts";
import { type Job, Jobs } from "./jobs.ts";
import { Later } from "./later.ts";
import { Look } from "./look.ts";
import { type Brought, Others } from "./others.ts";
import { type Placement, placementOf, type Validity, validityOf } from "./plan.ts";
import { namesPlace } from "./prove-place.ts";
import { RecentAnswers } from "./recent-answers.ts";
import { bodyOf, bodyOfPassed, describe, type Known, readRemembered, type Work } from "./remembered.ts";
import { type Good, type Helpers, Remote } from "./remote.ts";
import { absolutePath, type CompileQuestion, hasHeaders, type RunReport, searchOf, type Understood } from "./request.ts";
import { readOutputs } from "./run-outputs.ts";
import { SourceFacts } from "./source-facts.ts";
import type { Counts, Statistics } from "./statistics.ts";
import { responseReader, type Understanding, understand } from "./understand.ts";

export interface CompileParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
  readonly store: LocalStore;
  readonly index: ResultIndex;
  readonly statistics: Statistics;
  readonly sharing: Sharing;
  /** Members that compile for this one; undefined where there is no network, or nothing is to leave this machine. */
  readonly helpers: () => Helpers | undefined;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface CompileOptions {
  readonly homeDirectory: string;
}

export type Answer =
  /** @property validity undefined while a file is too young; asking again a little later gives it */
  | {
      readonly kind: "hit";
      readonly placement: Placement;
      readonly validity: Validity | undefined;
      /** The same was answered before, with the same validity. */
      readonly again: boolean;
      /** Set for somebody else's result: resolves when it is kept here, with false when it must not be. */
      readonly kept?: Promise<boolean>;
    }
  | { readonly kind: "run"; readonly job: bigint; readonly args: readonly string[]; readonly environment: readonly string[] }
  | { readonly kind: "pass"; readonly reason: PassReason };

export interface NotStored {
  readonly kind: "not-stored";
}

export type Outcome =
  | { readonly kind: "stored"; readonly placement: Placement | undefined; readonly validity: Validity | undefined }
  | NotStored;

/** `taken`: will be stored when a core is idle or somebody asks for it. */
export type Taken = { readonly kind: "taken"; readonly outcome: Promise<Outcome> } | NotStored;

const ELSEWHERE: readonly Difference[] = [{ kind: "directory", name: "the result names the directory it was made in" }];

/** With so many compiles at once, one more thing to do would take a core from them. */
const CORES_FOR_BUILDS = Math.max(1, availableParallelism() - 1);

/** Names of files that compilers compile. */
const SOURCE_NAME = /^[^-].*\.(?:c|cc|cp|cpp|cxx|c\+\+|C|CPP|m|mm|M|i|ii|mi|mii|s|S|sx)$/;

/** When and with what a result was made. */
type Made = Omit<Execution, "signer">;

type Hit = Extract<Found, { kind: "hit" }>;

export class CompileFlow implements AsyncDisposable {
  readonly #parts: CompileParts;
  readonly #options: CompileOptions;
  readonly #facts: SourceFacts;
  readonly #glances: Glances;
  readonly #answers: RecentAnswers = new RecentAnswers();
  readonly #jobs = new Jobs();
  /** Compiles that have ended and are to be digested, and others' results that are to be kept. */
  readonly #later: Later = new Later({ isBusy: () => this.#jobs.size >= CORES_FOR_BUILDS || this.#others.isAsked });
  readonly #others: Others;
  readonly #remote: Remote;
  /** Compiles that have ended and are being looked at. */
  readonly #taking = new Set<Promise<Taken>>();
  readonly #stop = new AbortController();
  /** Results that wait for a quiet moment to be settled, by action. */
  readonly #presumed = new Map<string, { readonly question: CompileQuestion; readonly execution: Made }>();
  /** ms, monotonic: clocks are set. */
  #askedAt = 0;

  constructor(parts: CompileParts, options: CompileOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#facts = new SourceFacts(parts);
    this.#glances = new Glances(parts);
    this.#others = new Others({ ...parts, later: this.#later });
    this.#remote = new Remote({
      ...parts,
      facts: this.#facts,
      running: () => this.#jobs.size,
      look: ({ question }) => this.#look(question),
    });
  }

  get running(): number {
    return this.#jobs.size;
  }

  /** Compiles that other members have. */
  get away(): number {
    return this.#remote.away;
  }

  /** Results that have yet to be stored. */
  get waiting(): number {
    return this.#later.size;
  }

  /** Of answers given lately some do not hold any more, whatever the files are. */
  forgetAnswers(): void {
    this.#answers.clear();
  }

  /** Stores what waits to be. */
  async catchUp(): Promise<void> {
    await Promise.all(this.#taking);
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
    let look = new Look(await this.#glances.next(), question.cwd);
    const again = await this.#answerAgain(question, look);
    if (again !== undefined) return again;
    const understanding = await this.#understand(question, look, signal);
    if (understanding.kind === "pass") return this.#pass(question, understanding.reason, understanding.detail);
    const { understood } = understanding;
    await this.#later.demand(understood.manifest);
    let found = this.#find(understood, look);
    if (found.kind === "presumed") {
      await this.#settle(understood, found.entry, found.result, undefined, signal);
      look = this.#look(question); // Files may have changed meanwhile.
      found = this.#find(understood, look);
    }
    const brought = found.kind === "hit" ? undefined : await this.#others.bring(look, understood, signal);
    if (brought !== undefined) found = { kind: "hit", how: "direct", entry: brought.entry, result: brought.result };
    if (found.kind === "hit") {
      // The asker has found one of them damaged: reading verifies, and removes what is.
      if (question.why === "blob-missing") for (const output of found.result.outputs) await this.#parts.store.read(output.digest, signal);
      const placement = await placementOf(this.#parts.store, understood, found.result, signal);
      if (placement !== undefined) return this.#hit(understood, look, found, placement, brought);
      // A result whose blobs are gone is no result. Somebody else may have them.
      this.#parts.index.forget(found.entry.action);
      const healed = brought === undefined ? await this.#heal(understood, look, signal) : undefined;
      return healed ?? this.#make(understood, look, [{ kind: "blob", name: "an output is no longer in the store" }], gone, signal);
    }
    return this.#make(understood, look, found.kind === "miss" ? found.nearest : ELSEWHERE, gone, signal);
  }

  /** It is nowhere: somebody has to compile it. */
  #make(
    understood: Understood,
    look: Look,
    nearest: readonly Difference[] | undefined,
    gone: AbortSignal,
    signal: AbortSignal,
  ): Promise<Answer> {
    return this.#remote.answer<Answer>({
      understood,
      look,
      gone,
      here: () => {
        const answer = this.#run(understood, look, nearest, signal);
        return { answer, job: answer.job };
      },
      take: (made, by, late) => this.#takeFrom(understood, made, by, late),
      keptHere: (reason) => this.#count({ [`kept_here:${reason}`]: 1 }, understood.question.session),
    });
  }

  /** What a member made is kept for this node alone, which has not executed it and cannot vouch for it. */
  async #takeFrom(understood: Understood, { finding, report, look }: Good, by: Work, late: boolean): Promise<Answer | undefined> {
    const { store, index, log } = this.#parts;
    const { entry } = finding;
    const { result, tokens, bytes } = await keep({ store, facts: this.#facts }, understood, report, finding, this.#stop.signal);
    const placement = await placementOf(store, understood, result, this.#stop.signal);
    if (placement === undefined) return undefined;
    const kept = this.#later.add(understood.manifest, entryWeight(entry), () => {
      index.add(understood.manifest, entry, result, tokens);
      return Promise.resolve(true);
    });
    // The compiler that was begun here is counted when it ends.
    if (late) {
      this.#count({ built_elsewhere_late: 1 }, understood.question.session);
      return undefined;
    }
    this.#count({ built_elsewhere: 1, stored_bytes: bytes, ...countsOfWork(by) }, understood.question.session);
    const { action, inputs } = entry;
    this.#remember(understood, "built_elsewhere", { action, compileMs: result.compileMs, inputs: inputs.length, by });
    log.event("debug", "compile.built-elsewhere", { source: understood.sourcePath, action, member: by.member });
    return { kind: "hit", placement, validity: validityOf(look, understood, entry), again: false, kept };
  }

  async #heal(understood: Understood, look: Look, signal: AbortSignal): Promise<Answer | undefined> {
    const brought = await this.#others.bring(look, understood, signal);
    if (brought === undefined) return undefined;
    const { entry, result } = brought;
    const placement = await placementOf(this.#parts.store, understood, result, signal);
    return placement === undefined
      ? undefined
      : this.#hit(understood, look, { kind: "hit", how: "direct", entry, result }, placement, brought);
  }

  async #answerAgain(question: CompileQuestion, look: Look): Promise<Answer | undefined> {
    if (question.why !== "no-record" && question.why !== "input-changed") return undefined;
    const answer = this.#answers.find(question.key, look);
    if (answer === undefined) return undefined;
    const { manifest, action, placement, validity, source, body } = answer;
    for (const { digest, content } of placement.outputs)
      if (content === undefined && (await this.#parts.store.plain(digest)) === undefined) return undefined;
    this.#parts.index.touch(manifest, action);
    this.#count({ hit_daemon: 1, saved_ms: placement.compileMs }, question.session);
    this.#write(question, source, "hit_daemon", body);
    this.#parts.log.event("debug", "compile.hit", { how: "again", source, action });
    return { kind: "hit", placement, validity, again: true };
  }

  /** Since somebody built here: without a compile under way, after the last question. ms */
  get idleMs(): number {
    return this.#jobs.size > 0 ? 0 : performance.now() - this.#askedAt;
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
    const [next] = this.#presumed;
    if (next === undefined) return false;
    const [key, { question, execution }] = next;
    this.#presumed.delete(key);
    const found = await this.#directHit(question, signal);
    if (found?.entry.presumed === true) await this.#settle(found.understood, found.entry, found.result, execution, signal);
    return true;
  }

  /**
   * Asks the preprocessor whether the place matters, and keeps the entry accordingly.
   * @param made set when nobody waits
   */
  async #settle(
    understood: Understood,
    entry: ManifestEntry,
    result: StoredResult,
    made: Made | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { toolchains, index, log } = this.#parts;
    const readText = responseReader(this.#parts.files, understood.question.cwd);
    const named = await namesPlace(toolchains, understood, readText, made !== undefined, signal);
    if (named === undefined) return;
    // The preprocessor must have read what the entry speaks of.
    const found = this.#find(understood, this.#look(understood.question));
    if (found.kind === "miss" || found.entry.action !== entry.action) return;
    log.event("debug", "compile.place-settled", { source: understood.sourcePath, named });
    const action = named ? entry.action : actionKey(understood.manifest, undefined, entry.terminal, entry.inputs);
    const settled = { ...entry, action, place: named ? entry.place : undefined, presumed: false };
    index.add(understood.manifest, settled, result, new Map());
    if (made !== undefined) this.#parts.sharing.executed(understood.manifest, settled, result, made);
    this.#count({ [named ? "place_matters" : "place_free"]: 1 }, "");
  }

  #find(understood: Understood, look: Look): Found {
    return find({ index: this.#parts.index, facts: this.#facts }, look, understood);
  }

  /** The answer to a question once more, without counting it: for files that were too young to be believed the first time. */
  async recheck(question: CompileQuestion, signal: AbortSignal): Promise<{ placement: Placement; validity: Validity } | undefined> {
    const found = await this.#directHit(question, signal);
    if (found === undefined) return undefined;
    const { look, understood, entry, result } = found;
    const placement = await placementOf(this.#parts.store, understood, result, signal);
    const validity = validityOf(look, understood, entry);
    return placement === undefined || validity === undefined ? undefined : { placement, validity };
  }

  /** What is known of a question's very inputs, as of now. */
  async #directHit(
    question: CompileQuestion,
    signal: AbortSignal,
  ): Promise<{ look: Look; understood: Understood; entry: ManifestEntry; result: StoredResult } | undefined> {
    const look = this.#look(question);
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
  async ran(id: bigint, report: RunReport, signal: AbortSignal): Promise<Taken> {
    const job = this.#endJob(id);
    if (job === undefined) return { kind: "not-stored" };
    const { understood } = job;
    if (report.waitStatus !== 0) {
      this.#count({ compiler_failed: 1 }, understood.question.session);
      this.#remember(understood, "compiler_failed", { differences: job.differences });
      return { kind: "not-stored" };
    }
    const taken = this.#take(job, report, signal).catch((error: unknown) => this.#failed(job, error));
    this.#taking.add(taken);
    return taken.finally(() => this.#taking.delete(taken));
  }

  /** The asker went away without running, or without telling. */
  abandon(id: bigint): void {
    this.#endJob(id);
  }

  #endJob(id: bigint): Job | undefined {
    const job = this.#jobs.end(id);
    this.#remote.ended(id);
    return job;
  }

  #understand(question: CompileQuestion, look: Look, signal: AbortSignal): Promise<Understanding> {
    return understand(this.#parts, this.#options.homeDirectory, question, look, signal);
  }

  #look(question: CompileQuestion): Look {
    return new Look(this.#glances.now(), question.cwd);
  }

  #pass(question: CompileQuestion, reason: PassReason, detail: string | undefined): Answer {
    this.#count({ [`pass:${reason}`]: 1 }, question.session);
    this.#parts.log.event("debug", "compile.passed", { reason, detail: detail ?? null, cwd: question.cwd });
    const source = question.argv.findLast((argument) => SOURCE_NAME.test(argument));
    if (source !== undefined) this.#write(question, absolutePath(question.cwd, source), `pass:${reason}`, bodyOfPassed(question, detail));
    return { kind: "pass", reason };
  }

  #hit(understood: Understood, look: Look, { how, entry, result }: Hit, placement: Placement, brought: Brought | undefined): Answer {
    const { index, log } = this.#parts;
    const from = brought?.from;
    if (how === "direct") index.touch(understood.manifest, entry.action);
    // The changed inputs lead to the same result from now on.
    else index.add(understood.manifest, entry, result, new Map());
    const outcome = from !== undefined ? "hit_peer" : how === "direct" ? "hit_daemon" : "hit_equivalent";
    const traffic: Counts = from === undefined ? {} : countsOf(from);
    const savedMs = Math.max(0, result.compileMs - (from?.tookMs ?? 0));
    this.#count({ [outcome]: 1, saved_ms: savedMs, ...traffic }, understood.question.session);
    const facts = { action: entry.action, compileMs: result.compileMs, inputs: entry.inputs.length, from };
    const body = this.#remember(understood, outcome, facts);
    log.event("debug", "compile.hit", { how: from === undefined ? how : "peer", source: understood.sourcePath, action: entry.action });
    const validity = validityOf(look, understood, entry);
    if (validity !== undefined) {
      const { manifest, sourcePath: source, question } = understood;
      const remember = (): void =>
        this.#answers.remember(question.key, { manifest, action: entry.action, placement, validity, source, body });
      // What is not kept must not be answered again.
      if (brought === undefined) remember();
      else void brought.kept.then((isKept) => isKept && remember());
    }
    return { kind: "hit", placement, validity, again: false, ...(brought !== undefined && { kept: brought.kept }) };
  }

  #run(
    understood: Understood,
    look: Look,
    nearest: readonly Difference[] | undefined,
    signal: AbortSignal,
  ): Extract<Answer, { kind: "run" }> {
    const { invocation, question } = understood;
    const { toolchains, log, statistics } = this.#parts;
    const ownDepfile = hasHeaders(invocation) && invocation.depfile === undefined;
    const search = searchOf(toolchains, understood, signal);
    search.catch(() => undefined); // It is awaited when the compiler has run, if it ever does.
    statistics.count({ miss: 1 }, question.session);
    const differences = this.#whyMissed(understood, look, nearest);
    const outputs = invocation.outputs.map(({ path }) => absolutePath(question.cwd, path));
    const job = this.#jobs.begin({ understood, ownDepfile, search, differences, outputs, contested: false });
    log.event("debug", "compile.missed", {
      source: understood.sourcePath,
      manifest: understood.manifest,
      first: differences[0]?.name ?? null,
    });
    // The empty argument stands for a pipe of the asker's: a compiler whose dependency file cannot be written fails.
    const args = ownDepfile ? ["-MD", "-MF", "", "-MT", "x"] : [];
    return { kind: "run", job, args, environment: [] };
  }

  #whyMissed(understood: Understood, look: Look, nearest: readonly Difference[] | undefined): readonly Difference[] {
    if (nearest !== undefined) return nearest;
    const row = this.#parts.index.history(understood.sourcePath);
    if (row === undefined) return [];
    const before = readRemembered(row);
    const entry = this.#parts.index.entries(before.manifest).find(({ action }) => action === before.action);
    const contents = entry === undefined ? [] : compare(look, understood, entry).differences;
    return [...describeDifferences(before, describe(understood)), ...contents.filter(({ kind }) => kind !== "directory")].slice(
      0,
      mostDifferences,
    );
  }

  async #take(job: Job, report: RunReport, signal: AbortSignal): Promise<Taken> {
    const { understood, search } = job;
    if (job.contested) return this.#refuse(job, "output_modified", "by another compile");
    const read = readOutputs(understood, report);
    if (read.kind === "refused") return this.#refuse(job, read.reason, read.detail);
    const { written } = read;
    const dependencies = await dependenciesOf(this.#parts, job, report, written, signal);
    if (dependencies === undefined) return this.#refuse(job, "dependency_file_unreadable", "");
    const searchPaths = await search;
    if (searchPaths === undefined) return this.#refuse(job, "unknown_compiler", "its search directories");
    const again = await this.#parts.toolchains.identify(understood.question.compiler, understood.question.environment, signal);
    if (again.kind === "unknown" || again.toolchain.digest !== understood.toolchain.digest)
      return this.#refuse(job, "input_modified_during_compile", "compiler");

    const look = this.#look(understood.question);
    const examined = await examine(this.#facts, {
      understood,
      report,
      readFromNs: report.startNs,
      search: searchPaths,
      look,
      written,
      ...dependencies,
    });
    if (examined.kind === "refused") return this.#refuse(job, examined.reason, examined.detail);
    const { finding } = examined;
    const finished: Finished = { job, report: ownReport(report), finding, validity: validityOf(look, understood, finding.entry) };
    return { kind: "taken", outcome: this.#later.add(understood.manifest, finishedWeight(finished), () => this.#digest(finished)) };
  }

  async #digest(finished: Finished): Promise<Outcome> {
    try {
      return await this.#keep(finished, this.#stop.signal);
    } catch (error) {
      return this.#failed(finished.job, error);
    }
  }

  async #keep({ job, report, finding, validity }: Finished, signal: AbortSignal): Promise<Outcome> {
    const { understood, differences } = job;
    const { store, index, sharing } = this.#parts;
    const { entry } = finding;
    const { result, tokens, bytes } = await keep({ store, facts: this.#facts }, understood, report, finding, signal);
    index.add(understood.manifest, entry, result, tokens);
    const execution = { toolchain: understood.toolchain.digest, startedAtMs: msOf(report.startNs), endedAtMs: msOf(report.endNs) };
    // What may depend on its place is of no use elsewhere before that is known.
    if (!entry.presumed) sharing.executed(understood.manifest, entry, result, execution);
    else if (this.#presumed.size < limits.proofsWaiting) this.#presumed.set(entry.action, { question: understood.question, execution });
    this.#count({ stored: 1, stored_bytes: bytes, compile_ms: result.compileMs }, understood.question.session);
    const outputs = result.outputs.map((output) => understood.places.resolve(output.path));
    const { action, inputs } = entry;
    this.#remember(understood, "miss", { action, compileMs: result.compileMs, inputs: inputs.length, outputs, differences });
    const placement = validity === undefined ? undefined : await placementOf(store, understood, result, signal);
    return { kind: "stored", placement, validity };
  }

  #failed(job: Job, error: unknown): NotStored {
    return this.#refuse(job, "storing_failed", error instanceof Error ? error.message : String(error));
  }

  #refuse({ understood, differences }: Job, reason: PassReason, detail: string): NotStored {
    this.#count({ [`not_stored:${reason}`]: 1 }, understood.question.session);
    this.#remember(understood, `not_stored:${reason}`, { detail, differences });
    this.#parts.log.event("info", "compile.not-stored", { reason, detail, source: understood.sourcePath });
    return { kind: "not-stored" };
  }

  #count(changes: Counts, session: string): void {
    this.#parts.statistics.count(changes, session);
  }

  /** @returns the body of the row */
  #remember(understood: Understood, outcome: string, facts: Partial<Known>): string {
    const body = bodyOf(understood, facts);
    this.#write(understood.question, understood.sourcePath, outcome, body);
    return body;
  }

  #write(question: CompileQuestion, source: string, outcome: string, body: string): void {
    this.#parts.index.remember({ source, request: question.key, at: this.#parts.now(), outcome, body });
  }
}

function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
