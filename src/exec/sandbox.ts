/**
 * The sandbox: runs others' actions on this machine behind walls (docs/execution.md), or says that it does not.
 *
 * Knows: the order in which an action is looked at, laid out, run and collected.
 * Does not know: who asks, whether compilers' arguments are harmless, whether results are believed.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Digest, type Log, limits, systemCode } from "../base/index.ts";
import type { Executor, ExecutorAction, ExecutorOutcome, Files, Toolchain, Usage } from "../contracts/index.ts";
import { checkAction, refused } from "./action-check.ts";
import type { Blobs } from "./sandbox-files.ts";
import { type Entries, places, planRoot } from "./sandbox-plan.ts";
import { runBubblewrap } from "./sandbox-process.ts";
import { readReport, reportOverhead, type SandboxReport } from "./sandbox-report.ts";
import { SandboxRoot } from "./sandbox-root.ts";
import { type Lack, type SandboxOptions, type SandboxSetup, setUp } from "./sandbox-setup.ts";
import { toolchainEntries } from "./sandbox-toolchain.ts";

export interface SandboxParts {
  /** Where the contents of inputs come from. */
  readonly blobs: Blobs;
  /** What this machine's files contain: toolchains are copied by content. */
  readonly files: Files;
  readonly log: Log;
}

/** Roots that nobody uses, by what they are made for. */
interface IdleRoot {
  readonly toolchain: Digest | undefined;
  readonly root: SandboxRoot;
}

export class SandboxExecutor implements Executor, AsyncDisposable {
  readonly #parts: SandboxParts;
  readonly #options: SandboxOptions;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #toolchains = new Map<Digest, Promise<Entries | undefined>>();
  readonly #idle: IdleRoot[] = [];
  #setup: Promise<SandboxSetup | Lack> | undefined;
  #rootsMade = 0;

  constructor(parts: SandboxParts, options: SandboxOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Whether this machine can run others' actions: which walls there are, or what is missing. */
  async look(): Promise<{ readonly kind: "walled"; readonly walls: string } | Lack> {
    const before = await this.#setup;
    if (before !== undefined && "kind" in before) this.#setup = undefined; // What was missing may have been installed meanwhile.
    const setup = await this.#ready();
    return "kind" in setup ? setup : { kind: "walled", walls: setup.walls };
  }

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
      if (this.#stop.signal.aborted) return { kind: "unavailable", reason: "stopping", detail: "" };
      throw error;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Nothing of any action runs any more when it resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([...this.#running, this.#setup]);
    rmSync(this.#options.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  async #ready(): Promise<SandboxSetup | Lack> {
    if (this.#stop.signal.aborted) return { kind: "unavailable", reason: "stopping", detail: "" };
    this.#setup ??= setUp(this.#parts, this.#options, this.#stop.signal).then((setup) => {
      if ("kind" in setup) this.#parts.log.event("warn", "sandbox.unavailable", { reason: setup.reason, detail: setup.detail });
      else this.#parts.log.event("info", "sandbox.ready", { walls: setup.walls });
      return setup;
    });
    return this.#setup;
  }

  async #run(setup: SandboxSetup, action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
    const base = action.toolchain === undefined ? setup.base : await this.#toolchain(setup, action.toolchain, signal);
    if (base === undefined) return refused("input_missing", `toolchain ${action.toolchain?.digest}`);
    const planned = planRoot(action, base);
    if (planned.kind === "refused") return planned;
    const root = await this.#layOut(setup, action, planned.entries, signal);
    if (!(root instanceof SandboxRoot)) return root;
    try {
      return await this.#runIn(setup, root.directory, action, signal);
    } finally {
      this.#giveBack({ toolchain: action.toolchain?.digest, root });
      setup.files.shrink();
    }
  }

  async #layOut(
    setup: SandboxSetup,
    action: ExecutorAction,
    entries: Entries,
    signal: AbortSignal,
  ): Promise<SandboxRoot | ExecutorOutcome> {
    // What was there may be forgotten while something else is waited for; once all is, nothing is waited for until it is laid out.
    for (let complete = false; !complete; ) {
      complete = true;
      for (const [path, entry] of entries) {
        if (entry.kind !== "file" || setup.files.has(entry.digest, entry.executable)) continue;
        complete = false;
        if (!(await setup.files.fetch(entry.digest, entry.executable, signal))) return refused("input_missing", path);
      }
    }
    try {
      const root = this.#takeRoot(setup, action.toolchain?.digest);
      root.layOut(entries);
      return root;
    } catch (error) {
      return { kind: "unavailable", reason: "workspace", detail: systemCode(error) ?? String(error) };
    }
  }

  /** @returns undefined when its files have changed */
  async #toolchain(setup: SandboxSetup, toolchain: Toolchain, signal: AbortSignal): Promise<Entries | undefined> {
    const { digest } = toolchain;
    const parts = { files: this.#parts.files, kept: setup.files };
    const made = this.#toolchains.get(digest) ?? toolchainEntries(parts, toolchain, setup.base, this.#stop.signal);
    this.#toolchains.delete(digest);
    this.#toolchains.set(digest, made);
    for (const oldest of this.#toolchains.keys()) {
      if (this.#toolchains.size <= limits.sandbox.toolchains) break;
      this.#toolchains.delete(oldest);
    }
    const entries = await made.catch(() => undefined);
    if (entries === undefined) this.#toolchains.delete(digest);
    signal.throwIfAborted();
    return entries;
  }

  #takeRoot(setup: SandboxSetup, toolchain: Digest | undefined): SandboxRoot {
    const at = this.#idle.findLastIndex((idle) => idle.toolchain === toolchain);
    const [taken] = at < 0 ? [] : this.#idle.splice(at, 1);
    return taken?.root ?? new SandboxRoot({ files: setup.files }, join(this.#options.directory, `root${this.#rootsMade++}`));
  }

  #giveBack(idle: IdleRoot): void {
    this.#idle.push(idle);
    if (this.#idle.length <= limits.sandbox.roots) return;
    const oldest = this.#idle.shift();
    if (oldest !== undefined) rmSync(oldest.root.directory, { recursive: true, force: true });
  }

  async #runIn(setup: SandboxSetup, root: string, action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome> {
    const { limits: most, outputs } = action;
    const startedAt = performance.now();
    const end = await runBubblewrap(
      setup.bubblewrap,
      {
        root,
        writableBytes: most.outputBytes,
        environment: new Map([["TMPDIR", places.scratch], ...action.environment]),
        words: wordsOf(action),
        reportBytes: most.outputBytes + 2 * most.printedBytes + reportOverhead(outputs.length),
        wallMs: most.wallMs,
      },
      signal,
    );
    const wallMs = performance.now() - startedAt;
    switch (end.kind) {
      case "overdue":
        return { kind: "killed", limit: "wall", used: { wallMs, cpuMs: undefined, residentBytes: undefined } };
      case "excess":
        return { kind: "killed", limit: "output", used: { wallMs, cpuMs: undefined, residentBytes: undefined } };
      case "ended": {
        const report = end.code === 0 ? readReport(end.report, outputs) : undefined;
        if (report !== undefined) return outcomeOf(report, action);
        this.#parts.log.event("warn", "sandbox.failed", { code: end.code ?? null, trouble: end.trouble });
        return { kind: "unavailable", reason: "sandbox_failed", detail: end.trouble };
      }
    }
  }
}

function wordsOf({ program, arguments: words, cwd, outputs, limits: most }: ExecutorAction): string[] {
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
  return [...numbers.map(String), cwd, String(outputs.length), ...outputs, program, ...spelled];
}

const SIGKILL = 9;
const SIGXCPU = 24;
const SIGXFSZ = 25;

function outcomeOf(report: SandboxReport, { limits: most }: ExecutorAction): ExecutorOutcome {
  const { waitStatus, wallMs, cpuMs, residentBytes, stdout, stderr, outputs, strange } = report;
  const used: Usage = { wallMs, cpuMs, residentBytes };
  if (report.tooManyFiles) return { kind: "killed", limit: "files", used };
  const signal = waitStatus & 0x7f;
  if (signal === SIGXCPU || (signal === SIGKILL && cpuMs >= most.cpuMs)) return { kind: "killed", limit: "cpu", used };
  if (signal === SIGXFSZ) return { kind: "killed", limit: "file_size", used };
  if (report.tooLarge || stdout.length > most.printedBytes || stderr.length > most.printedBytes)
    return { kind: "killed", limit: "output", used };
  const exitCode = signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
  return { kind: "done", exitCode, stdout, stderr, outputs, strange, used };
}
