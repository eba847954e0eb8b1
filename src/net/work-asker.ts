/**
 * What this node asks one member to compile, over one channel: contents of inputs go there, outputs come back.
 *
 * Knows: who is late, and what must not come. Does not know: what is worth sending, or what a result is worth.
 */
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { CompileAction, FrameChannel, OutputFile, WorkerOutcome } from "../contracts/index.ts";
import type { NetworkCodec, WorkDone, WorkEnd, WorkFrame, WorkPiece } from "../wire/index.ts";
import { WorkTalk } from "./work-talk.ts";

export type Contents = (digest: Digest, signal: AbortSignal) => Promise<Uint8Array | undefined>;

export interface WorkAskerParts {
  readonly codec: NetworkCodec;
  /** Whether bytes are worth compressing on the way to this member. */
  readonly compress: () => boolean;
  /** @param isOffence whether the member has not kept to the rules */
  readonly ended: (why: string, isOffence: boolean) => void;
}

interface Job {
  readonly action: CompileAction;
  readonly content: Contents;
  readonly resolve: (outcome: WorkerOutcome) => void;
  /** Ends the giving of contents. */
  readonly over: AbortController;
  readonly timers: NodeJS.Timeout[];
  isWanted: boolean;
  /** Somebody still waits for it. */
  isAwaited: boolean;
  /** What has come of a result. */
  result: Result | undefined;
}

interface Result {
  readonly done: WorkDone;
  /** Of all that is to come. */
  readonly size: number;
  readonly parts: Uint8Array[];
  came: number;
}

const { work } = limits;
/** Looks in a row at which nothing has been heard: this node's own event loop may have stood still. */
const SILENT_LOOKS = Math.ceil(work.silentMs / work.aliveMs);

export class WorkAsker {
  readonly #parts: WorkAskerParts;
  readonly #talk: WorkTalk;
  readonly #jobs = new Map<number, Job>();
  #number = 0;
  #looking: NodeJS.Timeout | undefined;
  #silentLooks = 0;

  constructor(parts: WorkAskerParts, channel: FrameChannel) {
    this.#parts = parts;
    this.#talk = new WorkTalk(
      { codec: parts.codec, heard: (frame) => this.#heard(frame), ended: (...how) => this.#ended(...how) },
      channel,
    );
  }

  get isOpen(): boolean {
    return this.#talk.isOpen;
  }

  get counts(): WorkTalk["counts"] {
    return this.#talk.counts;
  }

  end(why: string): void {
    this.#talk.end(why);
  }

  /** See {@link Workers.compile}. */
  async compile(action: CompileAction, content: Contents, signal: AbortSignal): Promise<WorkerOutcome> {
    signal.throwIfAborted();
    if (!this.isOpen) return { kind: "lost", why: "no link" };
    if (this.#jobs.size >= work.jobsPerMember) return { kind: "busy" };
    const number = this.#number + 1;
    const ask = this.#parts.codec.encodeWorkAsk(number, action, this.#parts.compress());
    if (ask === undefined) return { kind: "refused", reason: "too_much", detail: "more than travels" };
    this.#number = number;
    const { promise, resolve } = Promise.withResolvers<WorkerOutcome>();
    const late = setTimeout(() => this.#giveUp(number, "not in time"), action.limits.wallMs + work.besideMs).unref();
    const job: Job = {
      action,
      content,
      resolve,
      over: new AbortController(),
      timers: [late],
      isWanted: false,
      isAwaited: true,
      result: undefined,
    };
    this.#jobs.set(number, job);
    if (this.#looking === undefined) {
      this.#silentLooks = 0;
      this.#looking = setInterval(() => this.#look(), work.aliveMs).unref();
    }
    this.#talk.say(ask); // Not behind contents of others, and before whatever is said of it.
    const onAbort = (): void => this.#giveUp(number, "cancelled");
    signal.addEventListener("abort", onAbort, { once: true });
    const outcome = await promise;
    signal.removeEventListener("abort", onAbort);
    signal.throwIfAborted();
    return outcome;
  }

  /** @throws {CairnError} frame-invalid */
  #heard(frame: WorkFrame): void {
    this.#silentLooks = 0;
    if (frame.kind === "alive") return;
    const job = this.#jobs.get(frame.job);
    if (job === undefined) throw broken("job");
    switch (frame.kind) {
      case "want":
        return this.#want(frame.job, job, frame.inputs);
      case "end":
        return this.#end(frame.job, job, frame.end);
      case "more":
        return this.#more(frame.job, job, frame.body);
      case "ask":
      case "give":
      case "cancel":
        throw broken(frame.kind);
    }
  }

  #want(number: number, job: Job, inputs: readonly number[]): void {
    if (job.isWanted || job.result !== undefined) throw broken("want");
    job.isWanted = true;
    const digests = inputs.map((at) => job.action.inputs[at]?.digest ?? raise("want"));
    this.#give(number, job, digests).catch(() => undefined); // Nobody waits for the job any more, or its contents cannot be read: the worker gives it up.
  }

  /** Contents in the order in which they are wanted, as many as fit into each frame. */
  async #give(number: number, { content, over: { signal } }: Job, digests: readonly Digest[]): Promise<void> {
    let pieces: WorkPiece[] = [];
    let room: number = work.pieceBytes;
    const send = async (): Promise<void> => {
      const frame = this.#parts.codec.encodeWorkGive(number, pieces, this.#parts.compress());
      [pieces, room] = [[], work.pieceBytes];
      await this.#talk.send(frame);
      signal.throwIfAborted();
    };
    for (const digest of digests) {
      const bytes = await content(digest, signal);
      signal.throwIfAborted();
      let left = bytes === undefined || bytes.length > work.contentBytes ? undefined : bytes;
      if (left === undefined) pieces.push({ absent: true });
      while (left !== undefined) {
        const piece = left.subarray(0, room);
        pieces.push({ absent: false, size: left === bytes ? bytes.length : undefined, bytes: piece });
        room -= piece.length;
        left = piece.length < left.length ? left.subarray(piece.length) : undefined;
        if (left !== undefined) await send();
      }
      if (room === 0 || pieces.length === work.piecesAtOnce) await send();
    }
    if (pieces.length > 0) await send();
  }

  #end(number: number, job: Job, end: WorkEnd): void {
    if (job.result !== undefined) throw broken("end");
    if (end.kind === "cancelled") {
      if (job.isAwaited) throw broken("cancelled");
      return this.#settle(number, job, { kind: "busy" });
    }
    if (end.kind !== "done") return this.#settle(number, job, end);
    job.result = { done: end, size: sizeOfResult(end, job.action), parts: [], came: 0 };
    this.#more(number, job, end.body);
  }

  #more(number: number, job: Job, body: Uint8Array): void {
    const { result } = job;
    if (result === undefined) throw broken("more");
    result.came += body.length;
    if (result.came > result.size || (body.length === 0 && result.size > 0)) throw broken("more");
    result.parts.push(body);
    if (result.came === result.size) this.#settle(number, job, outcomeOf(result));
  }

  #settle(number: number, job: Job, outcome: WorkerOutcome): void {
    this.#jobs.delete(number);
    this.#close(job, outcome);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #close(job: Job, outcome: WorkerOutcome): void {
    for (const timer of job.timers) clearTimeout(timer);
    job.over.abort();
    job.isAwaited = false;
    job.resolve(outcome);
  }

  /** Nobody waits for it any more; the worker still says that it has ended. */
  #giveUp(number: number, why: string): void {
    const job = this.#jobs.get(number);
    if (job === undefined || !job.isAwaited) return;
    this.#close(job, { kind: "lost", why });
    this.#talk.say(this.#parts.codec.encodeWorkCancel(number));
    job.timers.push(setTimeout(() => this.#talk.offend("does not end its jobs"), work.cancelMs).unref());
  }

  #look(): void {
    if (++this.#silentLooks > SILENT_LOOKS) this.#talk.end("silent");
  }

  #ended(why: string, isOffence: boolean): void {
    clearInterval(this.#looking);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    this.#parts.ended(why, isOffence);
    for (const job of jobs) this.#close(job, { kind: "lost", why }); // Last: who waited asks somebody else now.
  }
}

/** @throws {CairnError} frame-invalid when it is not a result of that action */
function sizeOfResult({ stdoutBytes, stderrBytes, outputs }: WorkDone, { dependencies, limits: most }: CompileAction): number {
  const declared = dependencies === undefined ? ["object"] : ["object", "dependencies"];
  const names = outputs.map(({ name }) => name);
  if (new Set(names).size !== names.length || !names.every((name) => declared.includes(name))) throw broken("outputs");
  if (stdoutBytes > most.printedBytes || stderrBytes > most.printedBytes) throw broken("printed");
  const bytes = outputs.reduce((sum, { size }) => sum + size, 0);
  if (bytes > most.outputBytes) throw broken("outputs");
  return bytes + stdoutBytes + stderrBytes;
}

function outcomeOf({ done, parts }: Result): WorkerOutcome {
  const [first = new Uint8Array(0)] = parts;
  const bytes = parts.length > 1 ? Buffer.concat(parts) : Buffer.from(first.buffer, first.byteOffset, first.byteLength);
  const { exitCode, stdoutBytes, stderrBytes, used, queuedMs } = done;
  let at = 0;
  const next = (size: number): Buffer => bytes.subarray(at, (at += size));
  const [stdout, stderr] = [next(stdoutBytes), next(stderrBytes)];
  const outputs: OutputFile[] = done.outputs.map(({ name, size }) => ({ name, content: next(size), executable: false }));
  return { kind: "done", exitCode, stdout, stderr, outputs, used, queuedMs };
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}

function raise(what: string): never {
  throw broken(what);
}
