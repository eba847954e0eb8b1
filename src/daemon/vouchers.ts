/**
 * Signatures for what members had executed here: one after the other, and only while a slot is left over that nobody waits for.
 *
 * Knows: how many wait, how large they are, and for how long. Does not know: what may be signed, or how.
 */
import type { Key, Log } from "../base/index.ts";
import { Allowance, Generations, limits, reasonOf } from "../base/index.ts";
import type { Execution, SharedResult, Voucher } from "../contracts/index.ts";
import { type Executed, Facts, type Witness } from "../flows/index.ts";
import type { LeftOver } from "./work-slots.ts";

type Unsigned = Omit<SharedResult, "execution" | "signature"> & { readonly execution: Omit<Execution, "signer"> };

export interface VouchersParts {
  readonly witness: Pick<Witness, "look">;
  /** Whether this node still works for whom it was made, and with what it was made by. */
  readonly mayRun: (made: ForSigning) => boolean;
  /** Signs what this node has executed, and tells members; undefined where that cannot travel, or there is no network. */
  readonly sign: (made: Unsigned) => Voucher["signature"] | undefined;
  /** A slot that nobody else wants, until somebody does; undefined: there is none. */
  readonly slot: (from: Key) => LeftOver | undefined;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** A compile that was executed here for a member. */
export interface ForSigning extends Executed {
  readonly from: Key;
  /** ms since the epoch */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Of its inputs, which are held for it. */
  readonly inputBytes: number;
}

/** A command that was executed here for a member. */
export interface CommandForSigning extends Pick<ForSigning, "from" | "done"> {
  /** What it is called in the log. */
  readonly source: string;
}

interface Waiting {
  readonly made: ForSigning;
  /** Inputs that it needs. */
  readonly held: AsyncDisposable;
  /** What is kept for it until it has been looked at. */
  readonly bytes: number;
  readonly since: number;
  /** Whether it has been taken from what may be signed for that member: it may be looked at more than once. */
  isPaid: boolean;
  readonly resolve: (voucher: Voucher | undefined) => void;
}

/** How often it is looked whether a slot is left. */
const LOOK_MS = 100;

export class Vouchers implements AsyncDisposable {
  readonly #parts: VouchersParts;
  readonly #waiting: Waiting[] = [];
  /** Of each member, those that wait or are being looked at. */
  readonly #countOf = new Map<Key, number>();
  #count = 0;
  #bytes = 0;
  readonly #allowances = new Generations<Key, Allowance>(limits.peers);
  readonly #facts = new Facts();
  readonly #stop = new AbortController();
  #working: Promise<void> | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor(parts: VouchersParts) {
    this.#parts = parts;
  }

  /** Whether that one may wait, too. */
  hasRoom(made: ForSigning): boolean {
    return this.#hasRoom(made.from, bytesOf(made));
  }

  /** Never rejects. @param held is disposed of when it has been looked at, or is not looked at any more */
  add(made: ForSigning, held: AsyncDisposable): Promise<Voucher | undefined> {
    const { promise, resolve } = Promise.withResolvers<Voucher | undefined>();
    const bytes = bytesOf(made);
    this.#waiting.push({ made, held, bytes, since: this.#parts.now(), isPaid: false, resolve });
    this.#hold(made.from, bytes);
    this.#lookSoon(0);
    return promise;
  }

  /** Signs at once what follows from what ran by itself. Never rejects. @param look finds that out; undefined: nothing does */
  async sign(ran: CommandForSigning, look: () => Promise<Unsigned | undefined>): Promise<Voucher | undefined> {
    const { sign, log, now } = this.#parts;
    const { from, source, done } = ran;
    const unsigned = (why: string): undefined => {
      log.event("debug", "work.not-signed", { peer: from, source, why });
    };
    const bytes = heldBy(done);
    if (!this.#hasRoom(from, bytes)) return unsigned("no room");
    if (!this.#allowanceOf(from).take(1, now())) return unsigned("too many");
    this.#hold(from, bytes);
    try {
      const made = await look();
      if (made === undefined) return unsigned("unclear");
      const signature = sign(made);
      if (signature === undefined) return unsigned("signed enough, or no network");
      log.event("debug", "work.signed", { peer: from, source, action: made.entry.action });
      const { startedAtMs, endedAtMs } = made.execution;
      return { placed: made.entry.place !== undefined, startedAtMs, endedAtMs, signature };
    } catch (error) {
      return unsigned(reasonOf(error));
    } finally {
      this.#release(from, bytes);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#looking);
    await this.#working;
    for (const waiting of this.#waiting.splice(0)) await this.#end(waiting, undefined);
  }

  #lookSoon(ms: number): void {
    if (this.#stop.signal.aborted) return;
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined;
      this.#working ??= this.#work().finally(() => {
        this.#working = undefined;
        if (this.#waiting.length > 0) this.#lookSoon(LOOK_MS);
      });
    }, ms).unref();
  }

  /** Until no slot is left over. Never rejects. */
  async #work(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined && !this.#stop.signal.aborted; next = this.#waiting[0]) {
      const isLate = this.#parts.now() - next.since > limits.work.vouchingMs;
      using slot = isLate ? undefined : this.#parts.slot(next.made.from);
      if (slot === undefined && !isLate) return;
      const voucher = slot === undefined ? undefined : await this.#voucher(next, slot.wanted);
      if (voucher === "again") return;
      this.#waiting.shift();
      await this.#end(next, voucher);
    }
  }

  /** @returns `again`: a job wanted the slot before it was known what may be signed */
  async #voucher(waiting: Waiting, wanted: AbortSignal): Promise<Voucher | "again" | undefined> {
    const { witness, mayRun, sign, log } = this.#parts;
    const { made } = waiting;
    const facts = { peer: made.from, source: made.asked.source };
    waiting.isPaid ||= this.#allowanceOf(made.from).take(1, this.#parts.now());
    if (!waiting.isPaid) {
      log.event("debug", "work.not-signed", { ...facts, why: "too many" });
      return undefined;
    }
    try {
      if (!mayRun(made)) {
        log.event("debug", "work.not-signed", { ...facts, why: "withdrawn" });
        return undefined;
      }
      const seen = await witness.look(made, this.#facts, AbortSignal.any([this.#stop.signal, wanted]));
      if (seen.kind === "unclear") {
        if (wanted.aborted) return "again";
        log.event("debug", "work.not-signed", { ...facts, why: seen.why.slice(0, limits.work.detailCharacters) });
        return undefined;
      }
      const { manifest, entry, result } = seen;
      const { startedAtMs, endedAtMs } = made;
      const signature = sign({ manifest, entry, result, execution: { toolchain: made.asked.toolchain, startedAtMs, endedAtMs } });
      if (signature === undefined) return undefined;
      log.event("debug", "work.signed", { ...facts, action: entry.action });
      return { placed: entry.place !== undefined, startedAtMs, endedAtMs, signature };
    } catch (error) {
      if (wanted.aborted) return "again";
      if (!this.#stop.signal.aborted) log.event("warn", "work.not-signed", { ...facts, why: reasonOf(error) });
      return undefined;
    }
  }

  /** Each signature is kept and told to all: nobody has so many made that others fall out. */
  #allowanceOf(member: Key): Allowance {
    const known = this.#allowances.get(member);
    if (known !== undefined) return known;
    const { vouchedBurst: burst, vouchedPerSecond: perSecond } = limits.work;
    const allowance = new Allowance({ burst, perSecond }, this.#parts.now());
    this.#allowances.set(member, allowance);
    return allowance;
  }

  #hasRoom(from: Key, bytes: number): boolean {
    const { vouching, vouchingPerMember, vouchingBytes } = limits.work;
    if (this.#stop.signal.aborted || this.#count >= vouching || (this.#countOf.get(from) ?? 0) >= vouchingPerMember) return false;
    return this.#bytes + bytes <= vouchingBytes;
  }

  #hold(from: Key, bytes: number): void {
    this.#countOf.set(from, (this.#countOf.get(from) ?? 0) + 1);
    this.#count++;
    this.#bytes += bytes;
  }

  #release(from: Key, bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
    const left = (this.#countOf.get(from) ?? 1) - 1;
    if (left > 0) this.#countOf.set(from, left);
    else this.#countOf.delete(from);
  }

  async #end({ made, held, bytes, resolve }: Waiting, voucher: Voucher | undefined): Promise<void> {
    resolve(voucher);
    this.#release(made.from, bytes);
    await held[Symbol.asyncDispose]();
  }
}

function bytesOf({ done, inputBytes }: ForSigning): number {
  return heldBy(done) + inputBytes;
}

/** What is held for it: a part of a buffer holds all of it. */
function heldBy({ stdout, stderr, outputs, left = [] }: ForSigning["done"]): number {
  const files = left.flatMap((one) => (one.kind === "file" ? [one.content] : []));
  const buffers = new Set([stdout, stderr, ...outputs.map(({ content }) => content), ...files].map(({ buffer }) => buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}
