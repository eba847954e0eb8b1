/**
 * What one member asks this node to compile, over one channel: which contents are missing, and what came of it.
 *
 * Knows: what a member may ask for at once, and when it breaks the rules. Does not know: who works, or whether there is a slot.
 */
import { CairnError, type Digest, type Key, limits } from "../base/index.ts";
import type { CompileAction, FrameChannel, WorkDesk, WorkerOutcome } from "../contracts/index.ts";
import type { NetworkCodec, WorkEnd, WorkFrame, WorkPiece } from "../wire/index.ts";
import { Allowance } from "./allowance.ts";
import { type Assembling, WorkAssembly } from "./work-assembly.ts";
import { WorkTalk } from "./work-talk.ts";

export interface WorkAnswererParts {
  readonly codec: NetworkCodec;
  readonly desk: WorkDesk;
  readonly assembling: Assembling;
  /** ms, monotonic */
  readonly now: () => number;
  readonly compress: () => boolean;
  readonly failed: (error: unknown) => void;
  /** @param isOffence whether the member has not kept to the rules */
  readonly ended: (why: string, isOffence: boolean) => void;
}

interface Job {
  readonly action: CompileAction;
  readonly over: AbortController;
  /** Set while contents are to come. */
  bringing: Bringing | undefined;
}

interface Bringing {
  readonly assembly: WorkAssembly;
  readonly heard: () => void;
  readonly settle: (error?: unknown) => void;
}

type Done = Extract<WorkerOutcome, { kind: "done" }>;

const { work } = limits;
/** An action of so many bytes counts as one more that is asked for. */
const BYTES_PER_ASK = 65_536;

export class WorkAnswerer {
  readonly #parts: WorkAnswererParts;
  readonly #talk: WorkTalk;
  readonly #jobs = new Map<number, Job>();
  readonly #allowance: Allowance;
  #last = 0;
  #alive: NodeJS.Timeout | undefined;

  constructor(parts: WorkAnswererParts, channel: FrameChannel) {
    this.#parts = parts;
    this.#allowance = new Allowance({ burst: work.asksBurst, perSecond: work.asksPerSecond }, parts.now());
    this.#talk = new WorkTalk(
      { codec: parts.codec, heard: (frame) => this.#heard(frame), ended: (...how) => this.#ended(...how) },
      channel,
    );
  }

  get key(): Key {
    return this.#talk.key;
  }

  get counts(): WorkTalk["counts"] {
    return this.#talk.counts;
  }

  end(why: string): void {
    this.#talk.end(why);
  }

  /** @throws {CairnError} frame-invalid */
  #heard(frame: WorkFrame): void {
    switch (frame.kind) {
      case "ask":
        return this.#ask(frame.job, frame.action, frame.bytes);
      case "give":
        return this.#give(frame.job, frame.pieces);
      case "cancel":
        if (frame.job > this.#last) throw broken("cancel");
        return this.#jobs.get(frame.job)?.over.abort();
      case "want":
      case "end":
      case "more":
      case "alive":
        throw broken(frame.kind);
    }
  }

  #ask(number: number, action: CompileAction, bytes: number): void {
    if (number <= this.#last) throw broken("number");
    if (this.#jobs.size >= work.jobsPerMember) throw broken("jobs");
    this.#pay(1 + bytes / BYTES_PER_ASK, "asks");
    this.#last = number;
    const job: Job = { action, over: new AbortController(), bringing: undefined };
    this.#jobs.set(number, job);
    this.#alive ??= setInterval(() => this.#talk.say(this.#parts.codec.encodeWorkAlive()), work.aliveMs).unref();
    void this.#work(number, job);
  }

  async #work(number: number, job: Job): Promise<void> {
    const outcome = await this.#outcomeOf(number, job);
    job.bringing = undefined;
    await this.#tell(number, outcome);
    this.#jobs.delete(number);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#alive);
    this.#alive = undefined;
  }

  /** Never rejects. */
  async #outcomeOf(number: number, job: Job): Promise<Exclude<WorkEnd, { kind: "done" }> | Done> {
    const { signal } = job.over;
    const bring = (wanted: readonly Digest[], take: (digest: Digest, bytes: Uint8Array) => void): Promise<readonly Digest[]> =>
      this.#bring(number, job, wanted, take);
    try {
      return await this.#parts.desk.compile(this.key, job.action, bring, signal);
    } catch (error) {
      if (signal.aborted) return { kind: "cancelled" };
      if (!(error instanceof CairnError)) this.#parts.failed(error);
      return { kind: "busy" };
    }
  }

  async #tell(number: number, outcome: Exclude<WorkEnd, { kind: "done" }> | Done): Promise<void> {
    const { codec, compress } = this.#parts;
    if (outcome.kind !== "done") return this.#talk.say(codec.encodeWorkEnd(number, outcome, false));
    const { stdout, stderr, outputs } = outcome;
    const [body = new Uint8Array(0), ...more] = slices([stdout, stderr, ...outputs.map(({ content }) => content)], work.pieceBytes);
    const sizes = { stdoutBytes: stdout.length, stderrBytes: stderr.length };
    const named = outputs.map(({ name, content }) => ({ name, size: content.length }));
    await this.#talk.send(codec.encodeWorkEnd(number, { ...outcome, ...sizes, outputs: named, body }, compress()));
    for (const slice of more) if (!(await this.#talk.send(codec.encodeWorkMore(number, slice, compress())))) return;
  }

  /** @throws {CairnError} limit-exceeded; or the signal's reason */
  async #bring(
    number: number,
    job: Job,
    wanted: readonly Digest[],
    take: (digest: Digest, bytes: Uint8Array) => void,
  ): Promise<readonly Digest[]> {
    const { action, over } = job;
    over.signal.throwIfAborted();
    const left = new Set(wanted);
    const inputs = [...action.inputs.entries()].filter(([, { digest }]) => left.delete(digest));
    using assembly = new WorkAssembly(
      { assembling: this.#parts.assembling, take },
      inputs.map(([, { digest }]) => digest),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => resolve(), work.giveMs).unref();
    const onAbort = (): void => reject(over.signal.reason);
    over.signal.addEventListener("abort", onAbort, { once: true });
    job.bringing = {
      assembly,
      heard: () => late.refresh(),
      settle: (error) => (error === undefined ? resolve() : reject(error)),
    };
    this.#talk.say(
      this.#parts.codec.encodeWorkWant(
        number,
        inputs.map(([at]) => at),
      ),
    );
    try {
      await promise;
      return assembly.isComplete ? assembly.absent : wanted;
    } finally {
      clearTimeout(late);
      over.signal.removeEventListener("abort", onAbort);
      job.bringing = undefined;
    }
  }

  #give(number: number, pieces: readonly WorkPiece[]): void {
    if (number > this.#last) throw broken("give");
    const bringing = this.#jobs.get(number)?.bringing;
    // What was on its way when the job ended, or what comes too late.
    if (bringing === undefined) return this.#pay(1, "strays");
    bringing.heard();
    try {
      for (const piece of pieces) bringing.assembly.push(piece);
    } catch (error) {
      if (error instanceof CairnError && error.code === "frame-invalid") throw error;
      return bringing.settle(error);
    }
    if (bringing.assembly.isComplete) bringing.settle();
  }

  /** @throws {CairnError} frame-invalid when the member has nothing left */
  #pay(amount: number, what: string): void {
    if (!this.#allowance.take(amount, this.#parts.now())) throw broken(what);
  }

  #ended(why: string, isOffence: boolean): void {
    clearInterval(this.#alive);
    for (const { over } of this.#jobs.values()) over.abort();
    this.#parts.ended(why, isOffence);
  }
}

/** The same bytes in one row; only small ones are copied. */
function slices(buffers: readonly Buffer[], most: number): Uint8Array[] {
  if (buffers.reduce((sum, { length }) => sum + length, 0) <= most) return [Buffer.concat(buffers)];
  return buffers.flatMap((buffer) =>
    Array.from({ length: Math.ceil(buffer.length / most) }, (_, slice) => buffer.subarray(slice * most, (slice + 1) * most)),
  );
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
