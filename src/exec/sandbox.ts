/**
 * The sandbox: runs others' actions on this machine behind walls (docs/execution.md), or says that it does not.
 *
 * Knows: the order in which an action is looked at, laid out, run and collected.
 * Does not know: who asks, whether compilers' arguments are harmless, whether results are believed.
 */
import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, type Log, limits, systemCode, Turns } from "../base/index.ts";
import type { ActionLimit, ActionLimits, Executor, ExecutorAction, ExecutorOutcome, Toolchain, Usage } from "../contracts/index.ts";
import { checkAction, refused } from "./action-check.ts";
import { MemoryLedger } from "./memory-ledger.ts";
import { Pace } from "./pace.ts";
import { type Entries, places, planRoot, workPlaces } from "./sandbox-plan.ts";
import { runBubblewrap } from "./sandbox-process.ts";
import { readReport, reportOverhead, type SandboxReport, ShownRecords } from "./sandbox-report.ts";
import { SandboxRoot } from "./sandbox-root.ts";
import { type Lack, type SandboxOptions, type SandboxSetup, type SetupParts, setUp } from "./sandbox-setup.ts";
import { InputStage } from "./sandbox-stage.ts";
import { SandboxView } from "./sandbox-view.ts";

export interface SandboxParts extends SetupParts {
  readonly log: Log;
}

/** Roots that nobody uses, by what they are made for. */
interface IdleRoot {
  readonly kind: string;
  readonly root: SandboxRoot;
}

export class SandboxExecutor implements Executor, AsyncDisposable {
  readonly #parts: SandboxParts;
  readonly #options: SandboxOptions;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #turns = new Turns({ jobs: limits.sandbox.jobs, bytes: limits.sandbox.reportsBytes });
  /** Of jobs that others ask for. */
  readonly #together: MemoryLedger;
  readonly #idle: IdleRoot[] = [];
  #setup: Promise<SandboxSetup | Lack> | undefined;
  #rootsMade = 0;

  constructor(parts: SandboxParts, options: SandboxOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#together = new MemoryLedger(options.othersBytes);
  }

  /** Whether this machine can run others' actions: which walls there are, or what is missing. */
  async look(): Promise<{ readonly kind: "walled"; readonly walls: string } | Lack> {
    const before = this.#setup;
    // What was missing may have been installed meanwhile; somebody else who looks may have begun anew already.
    if (before !== undefined && "kind" in (await before) && this.#setup === before) this.#setup = undefined;
    const setup = await this.#ready();
    return "kind" in setup ? setup : { kind: "walled", walls: setup.walls };
  }

  /** Holds those contents that are here, and says which are missing. @throws {Error} of the system, or the signal's reason */
  async stage(digests: Iterable<Digest>, signal: AbortSignal): Promise<InputStage | Lack> {
    const setup = await this.#ready();
    return "kind" in setup ? setup : InputStage.of(setup.files, digests, signal);
  }

  /**
   * What an action would see, whose inputs are held.
   *
   * @returns undefined when it cannot be run, for whatever reason @throws {Error} of the system, or the signal's reason
   */
  async view(action: ExecutorAction, signal: AbortSignal): Promise<(SandboxView & Disposable) | undefined> {
    const setup = await this.#ready();
    if ("kind" in setup || action.toolchain === undefined || checkAction(action) !== undefined) return undefined;
    const toolchain = await setup.toolchains.take(action.toolchain, signal);
    if (toolchain === undefined) return undefined;
    using held = new DisposableStack();
    held.use(toolchain);
    const planned = await planRoot(action, toolchain.entries, signal);
    if (planned.kind === "refused") return undefined;
    const { files } = setup;
    const content = (digest: Digest): Buffer | undefined => files.read(digest);
    const view = new SandboxView({ entries: planned.entries, content, sizeOf: (digest) => files.bytesOf(digest) });
    const kept = held.move();
    return Object.assign(view, { [Symbol.dispose]: () => kept.dispose() });
  }

  /** Waits until fewer others run, if many do. Who asks says by the signal how long that may be, and bounds how many wait. */
  async run(action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
    const refusal = checkAction(action);
    if (refusal !== undefined) return refusal;
    const setup = await this.#ready();
    if ("kind" in setup) return setup;
    signal.throwIfAborted();
    const run = this.#run(setup, action, AbortSignal.any([signal, this.#stop.signal]));
    this.#running.add(run);
    try {
      return await run;
    } catch (error) {
      signal.throwIfAborted();
      if (this.#stop.signal.aborted) return stopping;
      throw error;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Copies a toolchain before the first job needs it, where there is a sandbox. @throws {Error} of the system; the signal's reason */
  async prepare(toolchain: Toolchain, signal: AbortSignal): Promise<void> {
    const setup = await this.#ready();
    if ("kind" in setup) return;
    (await setup.toolchains.take(toolchain, signal))?.[Symbol.dispose]();
  }

  /** Nothing of any action runs any more when it resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([...this.#running, this.#setup]);
    rmSync(this.#options.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Never rejects. */
  async #ready(): Promise<SandboxSetup | Lack> {
    if (this.#stop.signal.aborted) return stopping;
    this.#setup ??= setUp(this.#parts, this.#options, this.#stop.signal).then(
      (setup) => {
        if ("kind" in setup) this.#parts.log.event("warn", "sandbox.unavailable", { reason: setup.reason, detail: setup.detail });
        else this.#parts.log.event("info", "sandbox.ready", { walls: setup.walls });
        return setup;
      },
      () => stopping,
    );
    return this.#setup;
  }

  async #run(setup: SandboxSetup, action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
    await using held = new AsyncDisposableStack();
    held.use(await this.#turns.take(heldBytesOf(action), signal));
    held.defer(() => setup.files.shrink());
    let root: SandboxRoot;
    try {
      const prepared = await this.#prepare(setup, action, held, signal);
      if (!(prepared instanceof SandboxRoot)) return prepared;
      root = prepared;
    } catch (error) {
      signal.throwIfAborted();
      return lackOfSystem(error);
    }
    held.defer(() => this.#giveBack({ kind: kindOf(action), root }));
    return await this.#runIn(setup, root.directory, action, signal); // Not before it has ended may others have what is held.
  }

  /** @param held what the action needs stays until this is disposed of */
  async #prepare(
    setup: SandboxSetup,
    action: ExecutorAction,
    held: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<SandboxRoot | ExecutorOutcome> {
    let base = setup.base;
    if (action.toolchain !== undefined) {
      const toolchain = await setup.toolchains.take(action.toolchain, signal);
      if (toolchain === undefined) return refused("input_missing", `toolchain ${action.toolchain.digest}`);
      base = held.use(toolchain).entries;
    }
    if (action.usesSystem === true) base = setup.system.entries;
    const planned = await planRoot(action, base, signal);
    if (planned.kind === "refused") return planned;
    const pace = new Pace(signal);
    for (const { path, digest, executable, bytes = 0 } of action.inputs) {
      const isHere =
        bytes > LARGE_BYTES ? setup.files.fetchLarge(digest, executable, signal) : setup.files.fetch(digest, executable, signal);
      if (!(await isHere)) return refused("input_missing", path);
      held.defer(() => setup.files.release(digest, executable));
      if (pace.isDue(1)) await pace.rest();
    }
    return this.#layOut(setup, action, planned.entries, signal);
  }

  /** @throws {Error} of the system, or the signal's reason */
  async #layOut(
    setup: SandboxSetup,
    action: ExecutorAction,
    entries: Entries,
    signal: AbortSignal,
  ): Promise<SandboxRoot | ExecutorOutcome> {
    const root = this.#takeRoot(setup, kindOf(action));
    try {
      await root.layOut(entries, signal);
      return root;
    } catch (error) {
      await rm(root.directory, { recursive: true, force: true });
      // With the directory before it a path may be longer than the system takes, or a name than the file system does.
      if (systemCode(error) === "ENAMETOOLONG") return refused("bad_path", "longer than this machine takes");
      throw error;
    }
  }

  #takeRoot(setup: SandboxSetup, kind: string): SandboxRoot {
    const at = this.#idle.findLastIndex((idle) => idle.kind === kind);
    const [taken] = at < 0 ? [] : this.#idle.splice(at, 1);
    return taken?.root ?? new SandboxRoot({ files: setup.files }, join(this.#options.directory, `root${this.#rootsMade++}`));
  }

  async #giveBack(idle: IdleRoot): Promise<void> {
    this.#idle.push(idle);
    if (this.#idle.length <= limits.sandbox.roots) return;
    const oldest = this.#idle.shift();
    if (oldest !== undefined) await rm(oldest.root.directory, { recursive: true, force: true });
  }

  async #runIn(setup: SandboxSetup, root: string, action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
    const { limits: most, outputs, work } = action;
    const startedAt = performance.now();
    const end = await runBubblewrap(
      setup.bubblewrap,
      {
        root,
        mounts: action.usesSystem === true ? setup.system.mounts : [],
        writableBytes: most.outputBytes,
        environment: new Map([["TMPDIR", places.scratch], ...action.environment]),
        ...(action.show === undefined ? {} : { sift: sifting(action.show, 2 * most.printedBytes) }),
        words: wordsOf(action),
        reportBytes: reportBytesOf(action),
        wallMs: most.wallMs,
        memoryBytes: action.heldBytes ?? most.memoryBytes,
        isStrict: action.heldBytes !== undefined,
        together: action.heldBytes === undefined ? undefined : this.#together,
      },
      signal,
    );
    const wallMs = performance.now() - startedAt;
    switch (end.kind) {
      case "overdue":
        return { kind: "killed", limit: "wall", used: { wallMs, cpuMs: undefined, residentBytes: undefined } };
      case "excess":
        return { kind: "killed", limit: "output", used: { wallMs, cpuMs: undefined, residentBytes: undefined } };
      case "memory":
        return { kind: "killed", limit: "memory", used: { wallMs, cpuMs: undefined, residentBytes: undefined } };
      case "crowded":
        return { kind: "unavailable", reason: "memory_taken", detail: CROWDED };
      case "ended": {
        const report = end.code === 0 ? readReport(end.report, work === undefined ? outputs : "work") : undefined;
        if (report !== undefined) return outcomeOf(report, end.threads, action);
        this.#parts.log.event("warn", "sandbox.failed", { code: end.code ?? null, trouble: end.trouble });
        return { kind: "unavailable", reason: "sandbox_failed", detail: end.trouble };
      }
    }
  }
}

function sifting(show: NonNullable<ExecutorAction["show"]>, mostBytes: number): (chunk: Buffer) => Buffer {
  const shown = new ShownRecords(show, mostBytes);
  return (chunk) => shown.take(chunk);
}

const CROWDED = "jobs of members hold more of its memory together than they may";

const stopping: Lack = { kind: "unavailable", reason: "stopping", detail: "" };

function lackOfSystem(error: unknown): Lack {
  return { kind: "unavailable", reason: "workspace", detail: systemCode(error) ?? String(error) };
}

/** What the report of a run may hold. */
function reportBytesOf({ outputs, work, limits: most }: ExecutorAction): number {
  const overhead = work === undefined ? reportOverhead(outputs.length) : limits.action.workLeft * LEFT_HEAD_BYTES;
  return most.outputBytes + 2 * most.printedBytes + overhead;
}

/**
 * What is kept free for the report of a run. Of own work much may come, and seldom does: if each of its runs waited for as much room as it may
 * need, two at once would be all.
 */
function heldBytesOf(action: ExecutorAction): number {
  const most = reportBytesOf(action);
  return action.work === undefined ? most : Math.min(most, limits.sandbox.workReportBytes);
}

/** Roots of one kind differ little. */
function kindOf({ toolchain, work, usesSystem = false }: ExecutorAction): string {
  return `${toolchain?.digest ?? ""} ${usesSystem} ${work !== undefined}`;
}

function wordsOf({ program, arguments: words, cwd, outputs, work, show, limits: most }: ExecutorAction): string[] {
  const numbers = [
    Math.ceil(most.cpuMs / 1_000),
    most.memoryBytes,
    most.processes,
    most.fileBytes,
    most.printedBytes,
    most.outputBytes,
    limits.sandbox.filesWritten,
  ];
  const spelled = words.map((word) => (typeof word === "string" ? word : `${places.out}/${word.output}`));
  const run = [program, ...spelled];
  if (work === undefined) return [...numbers.map(String), cwd, String(outputs.length), ...outputs, ...run];
  const place = workPlaces.work + cwd.slice(work.root.length);
  return [show === undefined ? "work" : "shown", ...numbers.map(String), place, String(work.outputs.length), ...work.outputs, ...run];
}

/** What is larger is copied, and not read. */
const LARGE_BYTES = 4_194_304;
/** Of what is left in a place to work in, beside its content: most paths are no longer. */
const LEFT_HEAD_BYTES = 256;

const SIGKILL = 9;
const SIGXCPU = 24;
const SIGXFSZ = 25;

function outcomeOf(report: SandboxReport, threads: number, { limits: most }: ExecutorAction): ExecutorOutcome {
  const { waitStatus, wallMs, cpuMs, residentBytes, stdout, stderr, outputs, strange, left } = report;
  const used: Usage = { wallMs, cpuMs, residentBytes };
  if (report.tooManyFiles) return { kind: "killed", limit: "files", used };
  const signal = waitStatus & 0x7f;
  if (signal === SIGXCPU || (signal === SIGKILL && cpuMs >= most.cpuMs)) return { kind: "killed", limit: "cpu", used };
  if (signal === SIGXFSZ) return { kind: "killed", limit: "file_size", used };
  // Whatever it exits with: it was refused more, or would have been.
  if (report.room === "full" || report.tooLarge || stdout.length > most.printedBytes || stderr.length > most.printedBytes)
    return { kind: "killed", limit: "output", used };
  const exitCode = signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
  const near = nearOf(report, threads, most);
  return { kind: "done", exitCode, stdout, stderr, outputs, strange, left, used, ...(near !== undefined && { near }) };
}

/**
 * A limit that a program may have run into unseen. Room is looked at a hundred times a second, processes 100 ms after each look; what ends a process by its
 * processor time ends only that, so where all of them took much less together, none has.
 */
function nearOf({ room, cpuMs }: SandboxReport, threads: number, most: ActionLimits): ActionLimit | "processes" | undefined {
  if (room === "half-taken") return "output";
  if (cpuMs > most.cpuMs / 2) return "cpu";
  return threads > most.processes / 2 ? "processes" : undefined;
}
