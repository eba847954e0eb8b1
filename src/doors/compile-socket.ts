/**
 * The door of the compiler wrapper: docs/protocol/compile-socket.md. One connection, one invocation.
 *
 * Knows: frames, connections, deadlines. Does not know: what an answer means.
 */
import { createServer, type Server, type Socket } from "node:net";
import { CairnError, type Digest, type Log, limits } from "../base/index.ts";
import type { Answer, CompileFlow, CompileQuestion, Placement, Ready, Unit, Validity } from "../flows/index.ts";
import {
  type CompileRequest,
  type DaemonFrame,
  FrameSplitter,
  protocolVersion,
  type RanReport,
  readWrapperFrame,
  writeDaemonFrame,
} from "../wire/index.ts";
import type { HotRecords } from "./hot-records.ts";
import type { RecordsAhead } from "./records-ahead.ts";

/** Well below the wrapper's patience for a first frame (1,000 ms), so that slow work is not taken for death. */
const WORKING_EVERY_MS = 80;
/** Once files are no longer too young to be believed. */
const RECHECK_AFTER_MS = 4 * limits.racyWindowMs;

export interface CompileDoorParts {
  readonly flow: CompileFlow;
  readonly records: HotRecords;
  readonly ahead: RecordsAhead;
  readonly log: Log;
}

export class CompileDoor implements AsyncDisposable {
  readonly #parts: CompileDoorParts;
  readonly #server: Server;
  readonly #stop = new AbortController();
  readonly #sockets = new Set<Socket>();
  readonly #pending: Pending = { bytes: 0 };
  readonly #waiting = new Waiting();
  readonly #rechecks = new Map<string, NodeJS.Timeout>();

  /**
   * @param path of the socket; what lies there is replaced, so the caller must own the home
   * @param connections served at once; who comes when there are so many is told at once to go
   */
  static async open(parts: CompileDoorParts, path: string, connections: number): Promise<CompileDoor> {
    const door = new CompileDoor(parts, connections);
    await new Promise<void>((resolve, reject) => {
      door.#server.once("error", reject);
      door.#server.listen({ path, backlog: limits.connections }, resolve);
    });
    door.#server.on("error", (error) => parts.log.event("error", "compile-door.failed", { error: error.message }));
    return door;
  }

  private constructor(parts: CompileDoorParts, connections: number) {
    this.#parts = parts;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = connections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#waiting[Symbol.dispose]();
    for (const timer of this.#rechecks.values()) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const recheckSoon = (question: CompileQuestion): void => this.#recheckSoon(question);
    const conversation = new Conversation(this.#parts, {
      socket,
      pending: this.#pending,
      waiting: this.#waiting,
      signal: this.#stop.signal,
      recheckSoon,
    });
    socket.setTimeout(limits.jobDeadlineMs, () => socket.destroy());
    socket.on("data", (chunk) => conversation.receive(chunk));
    socket.on("error", () => undefined); // "close" follows.
    socket.on("close", () => {
      this.#sockets.delete(socket);
      conversation.ended();
    });
  }

  /** Leaves a record as soon as the files it speaks of are old enough to be believed. */
  #recheckSoon(question: CompileQuestion): void {
    if (this.#rechecks.has(question.key) || this.#rechecks.size >= limits.connections) return;
    const timer = setTimeout(() => {
      this.#rechecks.delete(question.key);
      this.#parts.flow.recheck(question, this.#stop.signal).then(
        (checked) => {
          if (checked !== undefined && checked.recalls === this.#parts.flow.recalls)
            this.#parts.records.leave(question.key, checked.placement, checked.validity);
        },
        (error: unknown) => this.#parts.log.event("debug", "compile.recheck-failed", { error: String(error) }),
      );
    }, RECHECK_AFTER_MS);
    timer.unref();
    this.#rechecks.set(question.key, timer);
  }
}

/** Who is told now and then that it is being worked for. One clock serves all, and stops when it has found nobody. */
class Waiting implements Disposable {
  readonly #tells = new Set<() => void>();
  #clock: NodeJS.Timeout | undefined;

  add(tell: () => void): void {
    this.#tells.add(tell);
    this.#clock ??= setInterval(() => this.#tick(), WORKING_EVERY_MS);
  }

  delete(tell: () => void): void {
    this.#tells.delete(tell);
  }

  #tick(): void {
    if (this.#tells.size === 0) this[Symbol.dispose]();
    for (const tell of this.#tells) tell();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#clock);
    this.#clock = undefined;
  }
}

/** What unfinished frames take, all connections together. */
interface Pending {
  bytes: number;
}

interface Connection {
  readonly socket: Socket;
  readonly pending: Pending;
  readonly waiting: Waiting;
  readonly signal: AbortSignal;
  readonly recheckSoon: (question: CompileQuestion) => void;
}

/** One wrapper and what it wants. */
class Conversation {
  readonly #parts: CompileDoorParts;
  readonly #socket: Socket;
  readonly #pending: Pending;
  readonly #waiting: Waiting;
  readonly #signal: AbortSignal;
  readonly #recheckSoon: (question: CompileQuestion) => void;
  /** Runs while a frame is awaited or unfinished; a wrapper that runs its compiler may be silent for hours. */
  #frameDeadline: NodeJS.Timeout | undefined;
  #unfinishedBytes = 0;
  readonly #splitter = new FrameSplitter();
  #question: CompileQuestion | undefined;
  #job: bigint | undefined;
  /** What the wrapper was told to take instead of what its compiler makes. */
  #instead: Ready | undefined;
  readonly #gone = new AbortController();
  /** Nothing is under way that somebody who goes would interrupt. */
  #isAnswered = false;
  #over = false;

  constructor(parts: CompileDoorParts, connection: Connection) {
    this.#parts = parts;
    this.#socket = connection.socket;
    this.#pending = connection.pending;
    this.#waiting = connection.waiting;
    this.#signal = connection.signal;
    this.#recheckSoon = connection.recheckSoon;
    this.#awaitFrame();
  }

  receive(chunk: Buffer): void {
    if (this.#over) return;
    try {
      const frames = this.#splitter.push(chunk);
      this.#account(frames.length > 0);
      for (const { type, payload } of frames) {
        const frame = readWrapperFrame(type, payload);
        const work = frame.kind === "compile" ? this.#compile(frame.request) : this.#ran(frame.report);
        work.catch((error: unknown) => this.#fail(error));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  ended(): void {
    this.#over = true;
    if (!this.#isAnswered) this.#gone.abort();
    clearTimeout(this.#frameDeadline);
    this.#pending.bytes -= this.#unfinishedBytes;
    if (this.#job !== undefined) this.#parts.flow.abandon(this.#job, this.#instead && this.#question);
    this.#job = undefined;
    if (this.#instead !== undefined) this.#placed(this.#instead).catch((error: unknown) => this.#fail(error));
  }

  /** Bounds what unfinished frames may take, and how long. */
  #account(finishedOne: boolean): void {
    const before = this.#unfinishedBytes;
    const after = this.#splitter.pendingBytes;
    this.#unfinishedBytes = after;
    this.#pending.bytes += after - before;
    if (this.#pending.bytes > limits.pendingFrameBytes) throw new CairnError("limit-exceeded", { what: "unfinished frames" });
    if (after === 0 || finishedOne) clearTimeout(this.#frameDeadline);
    if (after > 0 && (before === 0 || finishedOne)) this.#awaitFrame();
  }

  #awaitFrame(): void {
    clearTimeout(this.#frameDeadline);
    this.#frameDeadline = setTimeout(() => this.#late(), limits.frameDeadlineMs).unref();
  }

  #late(): void {
    this.#parts.log.event("debug", "compile-door.late", { bytes: this.#splitter.pendingBytes });
    this.#socket.destroy();
  }

  async #compile(request: CompileRequest): Promise<void> {
    if (request.version !== protocolVersion)
      return this.#end({ kind: "refused", why: `the daemon speaks version ${protocolVersion}, the wrapper ${request.version}` });
    // Paths that are not UTF-8 would come back changed.
    if (!request.exact) return this.#end({ kind: "pass", reason: "not_utf8" });
    if (this.#question !== undefined) return this.#end({ kind: "refused", why: "one question a connection" });
    const question: CompileQuestion = { ...request, session: request.session === 0n ? "" : request.session.toString(16).padStart(16, "0") };
    this.#question = question;
    if (question.why !== "no-record") this.#parts.ahead.failed(question.key);
    const answer = await this.#answer(question);
    if (answer.kind === "pass") return this.#end({ kind: "pass", reason: answer.reason });
    if (answer.kind === "run") {
      if (this.#over) return this.#parts.flow.abandon(answer.job);
      const { job, args, environment, instead } = answer;
      this.#job = job;
      this.#send({ kind: "run", job, rivalled: instead !== undefined, args, environment });
      if (instead !== undefined) this.#overtake(job, await instead);
      return;
    }
    if (question.why === "no-record" && answer.unit !== undefined) this.#follow(answer.unit, question.key);
    if (!answer.isChecked && answer.validity !== undefined) return this.#endUnchecked(question.key, answer, answer.validity);
    const record = this.#parts.records.answer(question.key, answer.placement);
    this.#end(record === undefined ? { kind: "pass", reason: "too_large" } : { kind: "done", record });
    await this.#placed(answer);
  }

  async #answer(question: CompileQuestion): Promise<Answer> {
    using _ = this.#parts.ahead.question();
    return await this.#patiently(this.#parts.flow.answer(question, this.#gone.signal, this.#signal));
  }

  /** Once the answer is on its way. */
  #follow(unit: Unit, request: Digest): void {
    setImmediate(() => void this.#parts.ahead.follow(unit, request));
  }

  /** Both the wrapper and who comes after it hold the record against the files. */
  #endUnchecked(key: string, { placement, recalls }: Ready, validity: Validity): void {
    const record = this.#parts.records.unchecked(key, placement, validity);
    this.#end(record === undefined ? { kind: "pass", reason: "too_large" } : { kind: "done", record });
    if (record !== undefined && recalls === this.#parts.flow.recalls) this.#parts.records.leaveBytes(key, record);
  }

  /** Tells the wrapper that its compiler is not needed any more. It goes away then, or reports all the same. */
  #overtake(job: bigint, ready: Ready): void {
    if (this.#over || this.#job !== job || this.#question === undefined) return;
    const record = this.#parts.records.answer(this.#question.key, ready.placement);
    if (record === undefined) return;
    this.#instead = ready;
    this.#send({ kind: "done", record });
  }

  /** Leaves a record of what the wrapper was given. */
  async #placed({ placement, validity, again, recalls, kept }: Ready): Promise<void> {
    const question = this.#question;
    if (question === undefined || (await kept) === false || recalls !== this.#parts.flow.recalls) return;
    // Who does not see a record that is there need not be left it again.
    const unseen = again && question.why === "no-record" && this.#parts.records.has(question.key);
    if (!unseen) this.#leave(question, placement, validity);
  }

  async #ran(report: RanReport): Promise<void> {
    const question = this.#question;
    if (question === undefined || this.#job === undefined || report.job !== this.#job)
      return this.#end({ kind: "refused", why: "no such job" });
    this.#job = this.#instead = undefined;
    const taken = await this.#patiently(this.#parts.flow.ran(report.job, report, this.#signal));
    this.#end({ kind: "stored", taken: taken.kind === "taken" });
    const outcome = taken.kind === "taken" ? await taken.outcome : taken;
    if (outcome.kind === "stored") this.#leave(question, outcome.placement, outcome.validity);
  }

  #leave(question: CompileQuestion, placement: Placement | undefined, validity: Validity | undefined): void {
    if (placement === undefined || validity === undefined) this.#recheckSoon(question);
    else this.#parts.records.leave(question.key, placement, validity);
  }

  /** Tells the wrapper now and then that its question is being worked on. */
  async #patiently<T>(work: Promise<T>): Promise<T> {
    const tell = (): void => this.#send({ kind: "working" });
    this.#waiting.add(tell);
    try {
      return await work;
    } finally {
      this.#waiting.delete(tell);
    }
  }

  #send(frame: DaemonFrame): void {
    if (!this.#over && this.#socket.writable) this.#socket.write(writeDaemonFrame(frame));
  }

  #end(frame: DaemonFrame): void {
    if (this.#over || !this.#socket.writable) return;
    this.#isAnswered = true;
    this.#socket.write(writeDaemonFrame(frame));
    this.#socket.destroySoon(); // Once it is written, also when the other side never closes.
  }

  #fail(error: unknown): void {
    if (error === this.#gone.signal.reason) return; // Nobody waits for it.
    this.#parts.log.event("warn", "compile-door.error", { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    this.#socket.destroy(); // The wrapper then runs the compiler.
  }
}
