/**
 * What one member asks this node to compile, over one channel: which contents are missing, and what came of it.
 *
 * Knows: what a member may ask for at once, and when it breaks the rules. Does not know: who works, or whether there is a slot.
 */
import { Allowance, CairnError, type Digest, digestOf, type Key, limits } from "../base/index.ts";
import type { FrameChannel, Voucher, WorkDesk, WorkerOutcome } from "../contracts/index.ts";
import type { NetworkCodec, WorkEnd, WorkFrame, WorkPiece } from "../wire/index.ts";
import type { Asked } from "./work-asker.ts";
import { type Assembling, WorkAssembly } from "./work-assembly.ts";
import { WorkTalk } from "./work-talk.ts";

export interface WorkAnswererParts {
  readonly codec: NetworkCodec;
  readonly desk: WorkDesk;
  readonly assembling: Assembling;
  /** Of results, to all members. */
  readonly unsent: Unsent;
  /** ms, monotonic */
  readonly now: () => number;
  readonly compress: () => boolean;
  readonly failed: (error: unknown) => void;
  /** @param isOffence whether the member has not kept to the rules */
  readonly ended: (why: string, isOffence: boolean) => void;
}

/** What is in memory until members have read it. */
export interface Unsent {
  bytes: number;
}

interface Job {
  readonly asked: Asked;
  /** Contents that came with it, until they are wanted. */
  along: ReadonlyMap<Digest, Uint8Array>;
  readonly over: AbortController;
  /** Set while contents are to come. */
  bringing: Bringing | undefined;
  /** It has all contents, and no slot yet. */
  isWaiting: boolean;
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
  /** Of results, to this member. */
  #unsent = 0;
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
        return this.#ask(frame, { kind: "compile", action: frame.action });
      case "act":
        return this.#ask(frame, { kind: "general", action: frame.action });
      case "give":
        return this.#give(frame.job, frame.pieces);
      case "cancel":
        return this.#cancel(frame);
      case "want":
      case "end":
      case "more":
      case "alive":
      case "voucher":
        throw broken(frame.kind);
    }
  }

  #ask({ job: number, along, bytes }: Extract<WorkFrame, { kind: "ask" | "act" }>, asked: Asked): void {
    if (number <= this.#last) throw broken("number");
    if (this.#jobs.size >= work.jobsPerMember) throw broken("jobs");
    this.#pay(1 + bytes / BYTES_PER_ASK, "asks");
    this.#last = number;
    if (this.#isLate) return this.#talk.say(this.#parts.codec.encodeWorkEnd(number, { kind: "busy" }, false));
    const job: Job = { asked, along, over: new AbortController(), bringing: undefined, isWaiting: false };
    this.#jobs.set(number, job);
    this.#alive ??= setInterval(() => this.#talk.say(this.#parts.codec.encodeWorkAlive(this.#waiting)), work.aliveMs).unref();
    void this.#work(number, job);
  }

  /** Jobs that wait for a slot. */
  get #waiting(): number[] {
    return [...this.#jobs].flatMap(([number, { isWaiting }]) => (isWaiting ? [number] : []));
  }

  /** @throws {CairnError} frame-invalid */
  #cancel({ job: number, waiting }: Extract<WorkFrame, { kind: "cancel" }>): void {
    if (number > this.#last) throw broken("cancel");
    const job = this.#jobs.get(number);
    if (job !== undefined && (!waiting || job.isWaiting)) job.over.abort();
  }

  async #work(number: number, job: Job): Promise<void> {
    const outcome = await this.#outcomeOf(number, job);
    job.bringing = undefined;
    const isOver = job.over.signal.aborted;
    const isTold = await this.#tell(number, isOver ? { kind: "cancelled" } : outcome);
    this.#jobs.delete(number);
    if (!isOver && outcome.kind === "done" && outcome.voucher !== undefined) void this.#vouch(number, outcome.voucher, isTold);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#alive);
    this.#alive = undefined;
  }

  /** Behind the result, whenever that is: no job of this stream waits for it. */
  async #vouch(number: number, promised: Promise<Voucher | undefined>, isTold: boolean): Promise<void> {
    const voucher = await promised;
    if (isTold) await this.#talk.send(this.#parts.codec.encodeWorkVoucher(number, voucher));
  }

  /** Never rejects. */
  async #outcomeOf(number: number, job: Job): Promise<Exclude<WorkEnd, { kind: "done" }> | Done> {
    const { signal } = job.over;
    const bring = (wanted: readonly Digest[], take: (digest: Digest, bytes: Uint8Array) => void): Promise<readonly Digest[]> =>
      this.#bring(number, job, wanted, take);
    const { asked } = job;
    const waits = (isWaiting: boolean): void => void (job.isWaiting = isWaiting);
    try {
      return asked.kind === "compile"
        ? await this.#parts.desk.compile(this.key, asked.action, bring, signal, waits)
        : await this.#parts.desk.act(this.key, asked.action, bring, signal);
    } catch (error) {
      if (signal.aborted) return { kind: "cancelled" };
      if (!(error instanceof CairnError)) this.#parts.failed(error);
      return { kind: "busy" };
    }
  }

  /** It has not read what was done for it before, or others have not: there may be no room for one more result. */
  get #isLate(): boolean {
    return this.#unsent * 2 >= work.unsentPerMember || this.#parts.unsent.bytes * 2 >= work.unsentBytes;
  }

  /** Whether there is room for a result; to who reads for one always. */
  #hasRoom(bytes: number): boolean {
    const fits = this.#parts.unsent.bytes + bytes <= work.unsentBytes;
    return fits && (this.#unsent === 0 || this.#unsent + bytes <= work.unsentPerMember);
  }

  /** @returns whether a result has gone, whole */
  async #tell(number: number, outcome: Exclude<WorkEnd, { kind: "done" }> | Done): Promise<boolean> {
    const { codec, unsent } = this.#parts;
    const say = (end: Exclude<WorkEnd, { kind: "done" }>): false => {
      this.#talk.say(codec.encodeWorkEnd(number, end, false));
      return false;
    };
    if (outcome.kind !== "done") return say(outcome);
    const { stdout, stderr, outputs, left = [] } = outcome;
    const list = codec.encodeWorkLeft(left);
    const contents = left.flatMap((one) => (one.kind === "file" ? [one.content] : []));
    const all = [stdout, stderr, ...outputs.map(({ content }) => content), list, ...contents];
    const bytes = all.reduce((sum, { length }) => sum + length, 0);
    if (!this.#hasRoom(bytes)) return say({ kind: "busy" });
    const late = setTimeout(() => this.end("reads too slowly"), work.sendMs).unref();
    this.#unsent += bytes;
    unsent.bytes += bytes;
    try {
      return await this.#send(number, { ...outcome, left }, list, all);
    } finally {
      clearTimeout(late);
      this.#unsent -= bytes;
      unsent.bytes -= bytes;
    }
  }

  /** @param all that it consists of, in the order in which it travels */
  async #send(
    number: number,
    outcome: Done & Required<Pick<Done, "left">>,
    list: Uint8Array,
    all: readonly Uint8Array[],
  ): Promise<boolean> {
    const { codec, compress } = this.#parts;
    const { stdout, stderr, outputs, left } = outcome;
    const [body = [], ...more] = pieces(all, work.pieceBytes);
    const sizes = { stdoutBytes: stdout.length, stderrBytes: stderr.length };
    const named = outputs.map(({ name, content }) => ({ name, size: content.length }));
    const contentBytes = left.reduce((sum, one) => sum + (one.kind === "file" ? one.content.length : 0), 0);
    const leftSizes = { listBytes: list.length, contentBytes };
    const isSent = await this.#talk.send(
      codec.encodeWorkEnd(number, { ...outcome, ...sizes, outputs: named, left: leftSizes, body: Buffer.concat(body) }, compress()),
    );
    for (const piece of more) if (!(await this.#talk.send(codec.encodeWorkMore(number, Buffer.concat(piece), compress())))) return false;
    return isSent;
  }

  /** @throws {CairnError} limit-exceeded; or the signal's reason */
  async #bring(
    number: number,
    job: Job,
    wanted: readonly Digest[],
    take: (digest: Digest, bytes: Uint8Array) => void,
  ): Promise<readonly Digest[]> {
    const { asked, over } = job;
    over.signal.throwIfAborted();
    const left = new Set(wanted.filter((digest) => !this.#came(job, digest, take)));
    job.along = new Map();
    if (left.size === 0) return [];
    const inputs = [...asked.action.inputs.entries()].filter(([, { digest }]) => left.delete(digest));
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
      return assembly.isComplete ? assembly.absent : inputs.map(([, { digest }]) => digest);
    } finally {
      clearTimeout(late);
      over.signal.removeEventListener("abort", onAbort);
      job.bringing = undefined;
    }
  }

  /** Takes a content that came with the action. @returns whether it did @throws {CairnError} frame-invalid */
  #came({ along }: Job, digest: Digest, take: (digest: Digest, bytes: Uint8Array) => void): boolean {
    const bytes = along.get(digest);
    if (bytes === undefined) return false;
    if (digestOf(bytes) !== digest) {
      this.#talk.offend("frame-invalid: content");
      throw broken("content");
    }
    take(digest, bytes);
    return true;
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

/** The same bytes in one row, cut into pieces; each is in parts. */
function pieces(buffers: readonly Uint8Array[], most: number): Uint8Array[][] {
  const all: Uint8Array[][] = [];
  let room = 0;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length; ) {
      if (room === 0) {
        all.push([]);
        room = most;
      }
      const part = buffer.subarray(at, at + room);
      all.at(-1)?.push(part);
      at += part.length;
      room -= part.length;
    }
  }
  return all;
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
