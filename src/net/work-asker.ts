/**
 * What this node asks one member to compile, over one channel: contents of inputs go there, outputs come back.
 *
 * Knows: who is late, and what must not come. Does not know: what is worth sending, or what a result is worth.
 */
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { CompileAction, FrameChannel, GeneralAction, OutputFile, Row, Voucher, WorkerOutcome } from "../contracts/index.ts";
import type { NetworkCodec, WorkDone, WorkEnd, WorkFrame, WorkPiece } from "../wire/index.ts";
import { HeldContents } from "./held-contents.ts";
import { Pace } from "./pace.ts";
import { WorkTalk } from "./work-talk.ts";

export type Contents = (digest: Digest, signal: AbortSignal) => Promise<Uint8Array | undefined>;

export interface WorkAskerParts {
  readonly codec: NetworkCodec;
  /** Whether bytes are worth compressing on the way to this member. */
  readonly compress: () => boolean;
  /** ms, monotonic */
  readonly now: () => number;
  /** @param isOffence whether the member has not kept to the rules */
  readonly ended: (why: string, isOffence: boolean) => void;
}

/** What is asked for: a compile, or a general action. */
export type Asked =
  | { readonly kind: "compile"; readonly action: CompileAction }
  | { readonly kind: "general"; readonly action: GeneralAction };

interface Job {
  readonly asked: Asked;
  readonly content: Contents;
  readonly resolve: (outcome: WorkerOutcome) => void;
  /** Ends the giving of contents. */
  readonly over: AbortController;
  /** Runs while somebody waits for it. */
  readonly late: NodeJS.Timeout;
  readonly row: Row | undefined;
  isWanted: boolean;
  /** As the worker has told last. */
  isWaiting: boolean;
  /** The worker was told that it is, if it still waits. */
  isWantedBack: boolean;
  /** Somebody still waits for it. */
  isAwaited: boolean;
  /** Set while nobody waits for it, and the worker has not said that it has ended. */
  ending: NodeJS.Timeout | undefined;
  /** What has come of a result. */
  result: Result | undefined;
}

/** A signature that the worker may still send. */
interface Awaited {
  readonly resolve: (voucher: Voucher | undefined) => void;
  readonly late: NodeJS.Timeout;
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
export const SILENT_LOOKS: number = Math.ceil(work.silentMs / work.aliveMs);

export class WorkAsker {
  readonly #parts: WorkAskerParts;
  readonly #talk: WorkTalk;
  readonly #jobs = new Map<number, Job>();
  /** Of results that have come, by job, the oldest first. */
  readonly #vouchers = new Map<number, Awaited>();
  /** So many words on signatures are to come, whether or not somebody waits for them still. */
  #owed = 0;
  /** Contents that the worker had for what it has done. */
  readonly #there = new HeldContents(work.knownThere);
  readonly #pace: Pace;
  /** It has taken something on: before, it gets to see no contents. */
  #isWilling = false;
  #number = 0;
  #looking: NodeJS.Timeout | undefined;
  #silentLooks = 0;

  constructor(parts: WorkAskerParts, channel: FrameChannel) {
    this.#parts = parts;
    this.#pace = new Pace(parts.now);
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

  /** How fast the link takes contents; undefined: too few have gone. */
  get bytesPerMs(): number | undefined {
    return this.#pace.bytesPerMs;
  }

  /** Of some contents, what the worker is not known to have. */
  lackedBytes(contents: ReadonlyMap<Digest, number>): number {
    return this.#there.lackedBytes(contents);
  }

  end(why: string): void {
    this.#talk.end(why);
  }

  /** See {@link Workers}. */
  async ask(asked: Asked, content: Contents, signal: AbortSignal, row?: Row): Promise<WorkerOutcome> {
    signal.throwIfAborted();
    const { action } = asked;
    if (!this.isOpen) return { kind: "lost", why: "no link" };
    const along = await this.#along(action, content, signal);
    if (this.#jobs.size >= work.jobsPerMember) return { kind: "busy" };
    if (!this.isOpen) return { kind: "lost", why: "no link" };
    const number = this.#number + 1;
    const ask = this.#encoded(number, asked, along);
    if (ask === undefined) return { kind: "refused", reason: "too_much", detail: "more than travels" };
    this.#number = number;
    const { promise, resolve } = Promise.withResolvers<WorkerOutcome>();
    const late = setTimeout(() => this.#giveUp(number, "not in time"), action.limits.wallMs + work.besideMs).unref();
    const job: Job = {
      asked,
      content,
      resolve,
      over: new AbortController(),
      late,
      row,
      isWanted: false,
      isWaiting: false,
      isWantedBack: false,
      isAwaited: true,
      ending: undefined,
      result: undefined,
    };
    this.#jobs.set(number, job);
    if (this.#looking === undefined) {
      this.#silentLooks = 0;
      this.#looking = setInterval(() => this.#look(), work.aliveMs).unref();
    }
    this.#talk.say(ask); // Not behind contents of others, and before whatever is said of it.
    const onAbort = (): void => this.#giveUp(number, "cancelled");
    const onBack = (): void => this.#wantBack(number);
    signal.addEventListener("abort", onAbort, { once: true });
    row?.back.addEventListener("abort", onBack, { once: true });
    const outcome = await promise;
    signal.removeEventListener("abort", onAbort);
    row?.back.removeEventListener("abort", onBack);
    signal.throwIfAborted();
    return outcome;
  }

  /** What the worker would ask for anyway, so that it need not: mostly the source. */
  async #along(action: Asked["action"], content: Contents, signal: AbortSignal): Promise<ReadonlyMap<Digest, Uint8Array>> {
    const along = new Map<Digest, Uint8Array>();
    if (!this.#isWilling) return along;
    let left: number = work.alongBytes;
    for (const { digest } of action.inputs) {
      if (this.#there.has(digest) || along.has(digest)) continue;
      const bytes = await content(digest, signal);
      signal.throwIfAborted();
      if (bytes === undefined || bytes.length > work.alongContentBytes) continue;
      left -= bytes.length;
      if (left < 0) break;
      along.set(digest, bytes);
    }
    return along;
  }

  #encoded(number: number, asked: Asked, along: ReadonlyMap<Digest, Uint8Array>): Uint8Array | undefined {
    const { codec, compress } = this.#parts;
    const ask =
      asked.kind === "compile"
        ? codec.encodeWorkAsk(number, asked.action, along, compress())
        : codec.encodeWorkAct(number, asked.action, along, compress());
    return ask === undefined && along.size > 0 ? this.#encoded(number, asked, new Map()) : ask;
  }

  /** @throws {CairnError} frame-invalid */
  #heard(frame: WorkFrame): void {
    this.#silentLooks = 0;
    if (frame.kind === "alive") return this.#wait(frame.waiting);
    if (frame.kind === "voucher") return this.#vouched(frame.job, frame.voucher);
    const job = this.#jobs.get(frame.job);
    if (job === undefined) throw broken("job");
    // Results come one behind the other: while some come, the end of another may not be able to.
    if (frame.kind === "end" || frame.kind === "more") for (const other of this.#jobs.values()) if (!other.isAwaited) this.#awaitEnd(other);
    switch (frame.kind) {
      case "want":
        return this.#want(frame.job, job, frame.inputs);
      case "end":
        return this.#end(frame.job, job, frame.end);
      case "more":
        return this.#more(frame.job, job, frame.body);
      case "ask":
      case "act":
      case "give":
      case "cancel":
        throw broken(frame.kind);
    }
  }

  #want(number: number, job: Job, inputs: readonly number[]): void {
    if (job.isWanted || job.result !== undefined) throw broken("want");
    job.isWanted = this.#isWilling = true;
    const digests = inputs.map((at) => job.asked.action.inputs[at]?.digest ?? raise("want"));
    this.#give(number, job, digests).catch(() => undefined); // Nobody waits for the job any more, or its contents cannot be read: the worker gives it up.
  }

  /** Contents in the order in which they are wanted, as many as fit into each frame. */
  async #give(number: number, { content, over: { signal } }: Job, digests: readonly Digest[]): Promise<void> {
    let pieces: WorkPiece[] = [];
    let room: number = work.pieceBytes;
    const send = async (): Promise<void> => {
      const frame = this.#parts.codec.encodeWorkGive(number, pieces, this.#parts.compress());
      const bytes = work.pieceBytes - room;
      [pieces, room] = [[], work.pieceBytes];
      await this.#pace.sending(bytes, this.#talk.send(frame));
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
      if (job.isAwaited && !job.isWantedBack) throw broken("cancelled");
      return this.#settle(number, job, { kind: "busy" });
    }
    if (end.kind !== "done") return this.#settle(number, job, end);
    job.result = { done: end, size: sizeOfResult(end, job.asked), parts: [], came: 0 };
    this.#more(number, job, end.body);
  }

  #more(number: number, job: Job, body: Uint8Array): void {
    const { result } = job;
    if (result === undefined) throw broken("more");
    result.came += body.length;
    if (result.came > result.size || (body.length === 0 && result.size > 0)) throw broken("more");
    if (job.isAwaited) result.parts.push(body);
    if (result.came < result.size) return;
    const outcome: WorkerOutcome = job.isAwaited ? this.#outcomeOf(number, result, job.asked) : { kind: "busy" }; // Which nobody hears.
    if (isToBeSigned(job.asked) && result.done.exitCode === 0) this.#owed++;
    this.#isWilling = true;
    for (const { digest } of job.asked.action.inputs) this.#there.add(digest);
    this.#settle(number, job, outcome);
  }

  /** @throws {CairnError} frame-invalid */
  #outcomeOf(number: number, { done, parts }: Result, asked: Asked): WorkerOutcome {
    const [first = new Uint8Array(0)] = parts;
    const bytes = parts.length > 1 ? Buffer.concat(parts) : Buffer.from(first.buffer, first.byteOffset, first.byteLength);
    const { exitCode, stdoutBytes, stderrBytes, used, queuedMs, left = NOTHING_LEFT } = done;
    let at = 0;
    const next = (size: number): Buffer => bytes.subarray(at, (at += size));
    const [stdout, stderr] = [next(stdoutBytes), next(stderrBytes)];
    const outputs: OutputFile[] = done.outputs.map(({ name, size }) => ({ name, content: next(size), executable: false }));
    const outcome = { kind: "done", exitCode, stdout, stderr, outputs, used, queuedMs } as const;
    const list = next(left.listBytes);
    const whole =
      asked.kind === "compile"
        ? outcome
        : { ...outcome, left: this.#parts.codec.decodeWorkLeft(list, next(left.contentBytes), asked.action.work.outputs) };
    return isToBeSigned(asked) && exitCode === 0 ? { ...whole, voucher: this.#voucherOf(number) } : whole;
  }

  /** Resolves with what the worker signs, if it does so in time. */
  #voucherOf(number: number): Promise<Voucher | undefined> {
    const { promise, resolve } = Promise.withResolvers<Voucher | undefined>();
    const late = setTimeout(() => this.#giveUpVoucher(number), work.voucherMs).unref();
    this.#vouchers.set(number, { resolve, late });
    if (this.#vouchers.size > work.vouchersAwaited) this.#giveUpVoucher([...this.#vouchers.keys()][0] ?? number);
    return promise;
  }

  #giveUpVoucher(number: number, voucher?: Voucher): void {
    const awaited = this.#vouchers.get(number);
    this.#vouchers.delete(number);
    clearTimeout(awaited?.late);
    awaited?.resolve(voucher);
  }

  /** @throws {CairnError} frame-invalid */
  #vouched(number: number, voucher: Voucher | undefined): void {
    if (--this.#owed < 0) throw broken("voucher");
    this.#giveUpVoucher(number, voucher);
  }

  #settle(number: number, job: Job, outcome: WorkerOutcome): void {
    this.#jobs.delete(number);
    this.#close(job, outcome);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #close(job: Job, outcome: WorkerOutcome): void {
    for (const timer of [job.late, job.ending]) clearTimeout(timer);
    job.over.abort();
    job.isAwaited = false;
    job.resolve(outcome);
  }

  /** Nobody waits for it any more; the worker still says that it has ended. */
  #giveUp(number: number, why: string): void {
    const job = this.#jobs.get(number);
    if (job === undefined || !job.isAwaited) return;
    this.#close(job, { kind: "lost", why });
    if (job.result !== undefined) job.result.parts.length = 0;
    this.#talk.say(this.#parts.codec.encodeWorkCancel(number, false));
    this.#awaitEnd(job);
  }

  #wait(numbers: readonly number[]): void {
    const waiting = new Set(numbers);
    for (const [number, job] of this.#jobs) {
      job.isWaiting = waiting.has(number);
      if (job.isAwaited) job.row?.waits(job.isWaiting);
    }
  }

  /** Only of who has told that it waits: workers of before would end it whatever it does. */
  #wantBack(number: number): void {
    const job = this.#jobs.get(number);
    if (job === undefined || !job.isAwaited || !job.isWaiting) return;
    job.isWantedBack = true;
    this.#talk.say(this.#parts.codec.encodeWorkCancel(number, true));
  }

  #awaitEnd(job: Job): void {
    clearTimeout(job.ending);
    job.ending = setTimeout(() => this.#talk.offend("does not end its jobs"), work.cancelMs).unref();
  }

  #look(): void {
    if (++this.#silentLooks > SILENT_LOOKS) this.#talk.end("silent");
  }

  #ended(why: string, isOffence: boolean): void {
    clearInterval(this.#looking);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const number of this.#vouchers.keys()) this.#giveUpVoucher(number);
    this.#parts.ended(why, isOffence);
    for (const job of jobs) this.#close(job, { kind: "lost", why }); // Last: who waited asks somebody else now.
  }
}

function isToBeSigned({ kind, action }: Asked): boolean {
  return kind === "compile" ? action.request !== undefined : action.command?.signed === true;
}

/** @throws {CairnError} frame-invalid when it is not a result of that action */
function sizeOfResult({ stdoutBytes, stderrBytes, outputs, left = NOTHING_LEFT }: WorkDone, asked: Asked): number {
  const { limits: most } = asked.action;
  const names = outputs.map(({ name }) => name);
  if (new Set(names).size !== names.length || !names.every((name) => declaredBy(asked).includes(name))) throw broken("outputs");
  if (stdoutBytes > most.printedBytes || stderrBytes > most.printedBytes) throw broken("printed");
  if (asked.kind === "compile" && left !== NOTHING_LEFT) throw broken("left");
  const bytes = outputs.reduce((sum, { size }) => sum + size, left.contentBytes);
  if (bytes > most.outputBytes || left.listBytes > work.leftListBytes) throw broken("outputs");
  return bytes + left.listBytes + stdoutBytes + stderrBytes;
}

const NOTHING_LEFT = { listBytes: 0, contentBytes: 0 };

/** Outputs by plain names. */
function declaredBy(asked: Asked): readonly string[] {
  if (asked.kind === "general") return [];
  return asked.action.dependencies === undefined ? ["object"] : ["object", "dependencies"];
}

function broken(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}

function raise(what: string): never {
  throw broken(what);
}
