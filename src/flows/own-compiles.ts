/**
 * Compiles that run here: the asker runs the compiler, and what came of it is looked at, and kept when a core is idle.
 *
 * Knows: the order of these steps. Does not know: why it was not answered from what is known.
 */
import { type Log, reasonOf } from "../base/index.ts";
import type { PassReason } from "../compile/index.ts";
import type { Execution, Files, LocalStore, ResultIndex, Sharing, Toolchains } from "../contracts/index.ts";
import { dependenciesOf } from "./dependencies.ts";
import { type Difference, describeDifferences, mostDifferences } from "./differences.ts";
import { compare } from "./find.ts";
import { type Finished, finishedWeight, ownReport } from "./finished.ts";
import { examine, keep, tokensOfProject } from "./ingest.ts";
import { type Job, Jobs } from "./jobs.ts";
import type { Later } from "./later.ts";
import type { Look } from "./look.ts";
import { type Placement, placementOf, type Validity, validityOf } from "./plan.ts";
import { describe, readRemembered } from "./remembered.ts";
import { absolutePath, type CompileQuestion, hasHeaders, type RunReport, searchOf, type Understood } from "./request.ts";
import { readOutputs } from "./run-outputs.ts";
import type { SourceFacts } from "./source-facts.ts";
import type { Told } from "./told.ts";

/** When and with what a result was made. */
export type Made = Omit<Execution, "signer">;

/** What the asker is told that is to run its compiler. */
export interface Run {
  readonly kind: "run";
  readonly job: bigint;
  readonly args: readonly string[];
  readonly environment: readonly string[];
}

/** Why a compiler runs, and does so here. */
export interface Why {
  /** How what is known differs; undefined: nothing was found. */
  readonly nearest: readonly Difference[] | undefined;
  /** See Known. */
  readonly here: string | undefined;
}

export interface NotStored {
  readonly kind: "not-stored";
}

export type Outcome =
  | { readonly kind: "stored"; readonly placement: Placement | undefined; readonly validity: Validity | undefined }
  | NotStored;

/** `taken`: will be stored when a core is idle or somebody asks for it. */
export type Taken = { readonly kind: "taken"; readonly outcome: Promise<Outcome> } | NotStored;

export interface OwnCompilesParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
  readonly store: LocalStore;
  readonly index: ResultIndex;
  readonly sharing: Sharing;
  readonly facts: SourceFacts;
  readonly later: Pick<Later, "add" | "look">;
  readonly told: Told;
  /** A look that begins now. */
  readonly look: (question: CompileQuestion) => Look;
  /** A job has ended, or will not run. @param done what it was when it ended well, and the time of processors that it took */
  readonly ended: (job: bigint, done?: { readonly understood: Understood; readonly cpuMs: number }) => void;
  /** A result was kept that may depend on its place. */
  readonly presumed: (action: string, made: { readonly question: CompileQuestion; readonly execution: Made }) => void;
  /** Ends keeping. */
  readonly stop: AbortSignal;
  readonly log: Log;
}

export class OwnCompiles {
  readonly #parts: OwnCompilesParts;
  readonly #jobs = new Jobs();
  /** Compiles that have ended and are being looked at. */
  readonly #taking = new Set<Promise<Taken>>();

  constructor(parts: OwnCompilesParts) {
    this.#parts = parts;
  }

  get running(): number {
    return this.#jobs.size;
  }

  /** Resolves when what has ended has been looked at. */
  async looked(): Promise<void> {
    await Promise.all(this.#taking);
  }

  /**
   * What came of a `run`. Resolves when all has been looked at that may change once the asker goes on.
   * Never throws for what a compiler or file system may do.
   */
  async ran(id: bigint, report: RunReport, signal: AbortSignal): Promise<Taken> {
    const job = this.#jobs.end(id);
    this.#parts.later.look();
    const isDone = job !== undefined && report.waitStatus === 0;
    this.#parts.ended(id, isDone ? { understood: job.understood, cpuMs: Number(report.cpuUs) / 1_000 } : undefined);
    if (job === undefined) return { kind: "not-stored" };
    const { understood } = job;
    if (report.waitStatus !== 0) {
      this.#parts.told.count({ compiler_failed: 1 }, understood.question.session);
      this.#parts.told.remember(understood, "compiler_failed", { differences: job.differences });
      return { kind: "not-stored" };
    }
    const taken = this.#take(job, report, signal).catch((error: unknown) => this.#failed(job, error));
    this.#taking.add(taken);
    return taken.finally(() => this.#taking.delete(taken));
  }

  /** The asker went away without running, or without telling. */
  abandon(id: bigint): void {
    this.#jobs.end(id);
    this.#parts.later.look();
    this.#parts.ended(id);
  }

  /** The asker is to run the compiler. */
  begin(understood: Understood, look: Look, { nearest, here }: Why, signal: AbortSignal): Run {
    const { invocation, question } = understood;
    const { toolchains, log, told } = this.#parts;
    const ownDepfile = hasHeaders(invocation) && invocation.depfile === undefined;
    const search = searchOf(toolchains, understood, signal);
    search.catch(() => undefined); // It is awaited when the compiler has run, if it ever does.
    told.count({ miss: 1 }, question.session);
    const differences = this.#whyMissed(understood, look, nearest);
    const outputs = invocation.outputs.map(({ path }) => absolutePath(question.cwd, path));
    const job = this.#jobs.begin({ understood, ownDepfile, search, differences, here, outputs, contested: false });
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
    const { question, sourcePath } = understood;
    const row = this.#parts.index.history(sourcePath);
    // Of a source that was never compiled, a compile of other text under the same name tells nothing.
    const isSource = ({ kind, name }: Difference): boolean => kind === "input" && absolutePath(question.cwd, name) === sourcePath;
    const isOther = row === undefined && nearest?.some(isSource) === true;
    if (nearest !== undefined && !isOther) return nearest;
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
    const look = this.#parts.look(understood.question);
    const again = await this.#parts.toolchains.identify(understood.question.compiler, understood.question.environment, signal, look);
    if (again.kind === "unknown" || again.toolchain.digest !== understood.toolchain.digest)
      return this.#refuse(job, "input_modified_during_compile", "compiler");

    const examined = await examine(this.#parts.facts, {
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
    return { kind: "taken", outcome: this.#parts.later.add(understood.manifest, finishedWeight(finished), () => this.#digest(finished)) };
  }

  async #digest(finished: Finished): Promise<Outcome> {
    try {
      return await this.#keep(finished, this.#parts.stop);
    } catch (error) {
      return this.#failed(finished.job, error);
    }
  }

  async #keep({ job, report, finding, validity }: Finished, signal: AbortSignal): Promise<Outcome> {
    const { understood, differences, here } = job;
    const { store, index, sharing } = this.#parts;
    const { entry } = finding;
    const { result, bytes } = await keep(store, understood, report, finding, signal);
    index.add(understood.manifest, entry, result, tokensOfProject(this.#parts.facts, understood, entry), "here");
    const execution = { toolchain: understood.toolchain.digest, startedAtMs: msOf(report.startNs), endedAtMs: msOf(report.endNs) };
    // What may depend on its place is of no use elsewhere before that is known.
    if (entry.presumed) this.#parts.presumed(entry.action, { question: understood.question, execution });
    else sharing.executed(understood.manifest, entry, result, execution);
    this.#parts.told.count({ stored: 1, stored_bytes: bytes, compile_ms: result.compileMs }, understood.question.session);
    const outputs = result.outputs.map((output) => understood.places.resolve(output.path));
    const { action, inputs } = entry;
    const known = { action, compileMs: result.compileMs, inputs: inputs.length, outputs, differences, here };
    this.#parts.told.remember(understood, "miss", known);
    const placement = validity === undefined ? undefined : await placementOf(store, understood, result, signal);
    return { kind: "stored", placement, validity };
  }

  #failed(job: Job, error: unknown): NotStored {
    return this.#refuse(job, "storing_failed", reasonOf(error));
  }

  #refuse({ understood, differences }: Job, reason: PassReason, detail: string): NotStored {
    this.#parts.told.count({ [`not_stored:${reason}`]: 1 }, understood.question.session);
    this.#parts.told.remember(understood, `not_stored:${reason}`, { detail, differences });
    this.#parts.log.event("info", "compile.not-stored", { reason, detail, source: understood.sourcePath });
    return { kind: "not-stored" };
  }
}

function msOf(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
