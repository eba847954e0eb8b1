/**
 * What a daemon does when nobody asks: takes in the hits that wrappers noted, flushes counters, lets the store tidy up, shows that it
 * is alive, and notices when its home has gone.
 *
 * Knows: when. Does not know: how.
 */
import { rmSync, statSync } from "node:fs";
import { type Home, type Log, reasonOf } from "../base/index.ts";
import type { HitsLog, HotRecords, RecordsAhead } from "../doors/index.ts";
import type { CompileFlow, Statistics, TaskFlow } from "../flows/index.ts";
import type { DiskStore, SqliteIndex } from "../store/index.ts";
import { MovedHits, type ToldHit } from "./moved-hits.ts";
import { boundLog } from "./own-log.ts";
import type { HomePaths } from "./prepare-home.ts";

const TICK_MS = 1_000;
/** Uses of blobs are noted this often, for eviction is about days; and machines that always build are tidied. */
const SELDOM_TICKS = 60;
const SWEEP_TICKS = 3_600;
const STDERR = 2;
const TIDY_BUDGET_MS = 20;
/** Of each tick, for questions to the preprocessor that nobody waits for. */
const SETTLE_BUDGET_MS = 800;
/** Requests whose last hit is remembered for `explain`. */
const RECENT_HITS = 20_000;

export interface HousekeeperParts {
  readonly store: DiskStore;
  readonly index: SqliteIndex;
  readonly statistics: Statistics;
  readonly flow: CompileFlow;
  readonly tasks: Pick<TaskFlow, "verifyNext" | "isIdle">;
  readonly records: HotRecords;
  readonly hits: HitsLog;
  readonly ahead: Pick<RecordsAhead, "served">;
  readonly log: Log;
  /** Called each time when nobody asks. */
  readonly quiet: (signal: AbortSignal) => Promise<void>;
  /** Called about once an hour, first when nobody has asked for anything. */
  readonly sweep: () => void;
  readonly end: (why: string) => void;
}

export class Housekeeper implements AsyncDisposable {
  readonly #parts: HousekeeperParts;
  readonly #paths: HomePaths;
  readonly #runInode: bigint;
  readonly #runDir: string;
  readonly #log: string;
  readonly #timer: NodeJS.Timeout;
  /** Request key → ms since the epoch, in order of time. */
  readonly #lastHits = new Map<string, number>();
  #latestHit: ToldHit | undefined;
  readonly #moved: MovedHits;
  readonly #toNote = new Set<string>();
  readonly #stop = new AbortController();
  #ticks = 0;
  #sweepAtTick = 0;
  #tick: Promise<void> | undefined;
  /** Results of others that are executed here. */
  #verifying: { readonly pause: AbortController; readonly ended: Promise<void> } | undefined;
  /** Commands of others, which take long: only while nobody asks for anything. */
  #areTasksNext = false;

  constructor(parts: HousekeeperParts, options: { home: Home; paths: HomePaths }) {
    this.#parts = parts;
    this.#paths = options.paths;
    this.#moved = new MovedHits({ ...parts, told: (hit) => this.#noteHit(hit) });
    this.#runDir = options.home.runDir;
    this.#log = options.home.daemonLog;
    this.#runInode = statSync(this.#runDir, { bigint: true }).ino;
    this.#timer = setInterval(() => {
      this.#tick ??= this.#work()
        .catch((error: unknown) =>
          parts.log.event("warn", "housekeeping.failed", { error: error instanceof Error ? error.message : String(error) }),
        )
        .finally(() => {
          this.#tick = undefined;
        });
    }, TICK_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#tick;
    await this.#verifying?.ended;
    if (!this.#homeIsThere()) return;
    await this.takeHits();
    await this.#noteUses();
  }

  /** When the wrapper last served this request alone, ms since the epoch. */
  lastHit(request: string): number | undefined {
    return this.#lastHits.get(request);
  }

  /** The last time that a wrapper served a request alone. */
  get latestHit(): ToldHit | undefined {
    return this.#latestHit;
  }

  /** See {@link MovedHits.tellOf}. */
  tellOf(file: string): void {
    this.#moved.tellOf(file);
  }

  /** Counts what wrappers noted so far. */
  async takeHits(): Promise<void> {
    const { hits, statistics } = this.#parts;
    const bySession = new Map<string, { count: number; savedMs: number; tookUs: number }>();
    for (const hit of await hits.drain()) {
      const session = hit.session === 0n ? "" : hit.session.toString(16).padStart(16, "0");
      if (hit.passed !== undefined) {
        statistics.count({ [`pass:${hit.passed}`]: 1 }, session);
        continue;
      }
      const at = Number(hit.atNs / 1_000_000n);
      if (hit.root !== undefined || !this.#parts.ahead.served(hit.key, at, session)) {
        const sum = bySession.get(session) ?? { count: 0, savedMs: 0, tookUs: 0 };
        bySession.set(session, { count: sum.count + 1, savedMs: sum.savedMs + hit.compileMs, tookUs: sum.tookUs + hit.tookUs });
      }
      this.#toNote.add(hit.key);
      if (hit.root === undefined) this.#noteHit({ request: hit.key, at });
      else this.#moved.add({ key: hit.key, root: hit.root, at });
    }
    for (const [session, { count, savedMs, tookUs }] of bySession)
      statistics.count({ hit_local: count, saved_ms: savedMs, hit_local_us: tookUs }, session);
  }

  #noteHit({ request, at }: ToldHit): void {
    this.#lastHits.delete(request);
    this.#lastHits.set(request, at);
    const [oldest] = this.#lastHits.keys();
    if (oldest !== undefined && this.#lastHits.size > RECENT_HITS) this.#lastHits.delete(oldest);
    if (at > (this.#latestHit?.at ?? 0)) this.#latestHit = { request, at };
  }

  async #work(): Promise<void> {
    const { index, store, flow, end } = this.#parts;
    if (!this.#homeIsThere()) return end("its home is gone");
    this.#ticks += 1;
    rmSync(this.#paths.unresponsive, { force: true });
    this.#parts.records.inherit();
    await this.takeHits();
    const seldom = this.#ticks % SELDOM_TICKS === 0;
    if (seldom) await this.#noteUses();
    index.flush();
    if (flow.quiet || seldom) index.tidy(TIDY_BUDGET_MS);
    if (flow.quiet || seldom || store.isPressed) await store.tidy(TIDY_BUDGET_MS);
    const until = performance.now() + SETTLE_BUDGET_MS;
    while (flow.quiet && performance.now() < until && (await flow.settleNext(this.#stop.signal)));
    const isQuiet = (): boolean => flow.quiet && this.#moved.isQuiet(Date.now()) && performance.now() < until;
    while (isQuiet() && this.#moved.tellNext());
    while (isQuiet() && (await this.#leaveMovable()));
    this.#verify();
    if (flow.quiet) await this.#parts.quiet(this.#stop.signal);
    if (this.#ticks >= this.#sweepAtTick && (flow.quiet || seldom)) {
      this.#sweepAtTick = this.#ticks + SWEEP_TICKS;
      this.#parts.sweep();
    }
    if (seldom) boundLog(this.#log, STDERR); // Last: a full disk ends the tick.
  }

  /** Leaves an answer for every checkout, if one can be made of something that was compiled lately. @returns whether there was something */
  async #leaveMovable(): Promise<boolean> {
    const { flow, records } = this.#parts;
    const next = await flow.movableNext(this.#stop.signal);
    if (next?.movable !== undefined && next.recalls === flow.recalls)
      this.#moved.replaced(records.leaveMovable(next.question, next.movable));
    return next !== undefined;
  }

  /** Goes on beside the ticks: a compile takes as long as it takes. Who builds comes first, unless what was taken has waited too long. */
  #verify(): void {
    const { flow, tasks, log } = this.#parts;
    const isIdle = (): boolean => flow.quiet && tasks.isIdle && !flow.isVerifyingOverdue;
    const may = (): boolean => (this.#areTasksNext ? isIdle() : flow.quiet || flow.isVerifyingOverdue);
    if (this.#verifying !== undefined) {
      if (!may()) this.#verifying.pause.abort();
      return;
    }
    if (!may()) return;
    const pause = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, pause.signal]);
    const work = async (): Promise<void> => {
      while (may() && !signal.aborted && (await flow.verifyNext(signal)));
      this.#areTasksNext = true;
      while (may() && !signal.aborted && (await tasks.verifyNext(signal)));
    };
    const ended = work()
      .catch((error: unknown) => {
        if (!signal.aborted) log.event("warn", "housekeeping.failed", { error: reasonOf(error) });
      })
      .finally(() => {
        this.#verifying = undefined;
        this.#areTasksNext = false;
      });
    this.#verifying = { pause, ended };
  }

  /** Blobs that only wrappers touch are in use, too. */
  async #noteUses(): Promise<void> {
    for (const key of this.#toNote) for (const blob of this.#parts.records.blobs(key)) await this.#parts.store.plain(blob);
    this.#toNote.clear();
  }

  #homeIsThere(): boolean {
    const stats = statSync(this.#runDir, { bigint: true, throwIfNoEntry: false });
    return stats?.ino === this.#runInode && statSync(this.#paths.compileSocket, { throwIfNoEntry: false }) !== undefined;
  }
}
