/**
 * What all processes of a job hold in memory together, and how many they are, looked at from outside while it runs: a limit of one process holds
 * nothing that starts many, and who may start no more may take no notice of it.
 *
 * Ordinary users get no control group on most systems, so this looks now and then, and what grows between two looks is above the limit for so
 * long. What the kernel only has to write down is read at once: to wait for each of those files costs ten times as much, ten times a second.
 * Knows: what the kernel tells of processes. Does not know: jobs, or what ends one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { limits, systemCode } from "../base/index.ts";
import type { LedgerPlace } from "./memory-ledger.ts";

const { lookAfterMs, lookEveryMs, lookMs } = limits.sandbox.memory;
const KIB = 1_024;
/** Processes that are looked at before others get their turn. */
const AT_ONCE = 16;
/** What is read of a process that has ended. */
const GONE: ReadonlySet<string> = new Set(["ENOENT", "ESRCH"]);

export interface MemoryBounds {
  /** Of all its processes together, what is swapped out included. */
  readonly mostBytes: number;
  /** Where it is counted with what other jobs hold; undefined: it is not. */
  readonly place: LedgerPlace | undefined;
}

/** Looks until it is disposed of, or until there is too much. */
export class MemoryWatch implements Disposable {
  readonly #pid: number;
  readonly #bounds: MemoryBounds;
  readonly #exceeded: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #threads = 0;

  /**
   * @param pid who has started all of it
   * @param exceeded called once at most: it holds too much by itself
   */
  constructor(pid: number, bounds: MemoryBounds, exceeded: () => void) {
    this.#pid = pid;
    this.#bounds = bounds;
    this.#exceeded = exceeded;
    this.#lookIn(lookAfterMs);
  }

  /** The most that were seen at once, of all processes. */
  get threads(): number {
    return this.#threads;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { mostBytes, place } = this.#bounds;
    const enoughBytes = Math.min(mostBytes, place?.leftBytes ?? mostBytes);
    const { bytes, threads } = await lookBelow(this.#pid, { mostBytes, enoughBytes });
    this.#threads = Math.max(this.#threads, threads);
    if (this.#isOver) return;
    if (bytes > mostBytes) {
      this.#isOver = true;
      this.#exceeded();
    } else place?.note(bytes, bytes > enoughBytes);
    this.#lookIn(lookEveryMs);
  }
}

/**
 * What the processes below one hold together, and how many threads they have.
 *
 * @param bounds.enoughBytes where it is no more than that, nobody asks how much less it is: what several share is told apart above it alone
 * @param bounds.mostBytes nor how much more than that
 * @param exactMs what it may take to tell apart what several share; whatever has not been looked at by then counts in each of them
 * @returns bytes: no less than it is, and exact between the two bounds
 */
export async function lookBelow(
  pid: number,
  { mostBytes, enoughBytes = mostBytes }: { readonly mostBytes: number; readonly enoughBytes?: number },
  exactMs: number = lookMs,
): Promise<{ readonly bytes: number; readonly threads: number }> {
  // The sum counts what several share as often: it is too much before there is too much, and takes a quick look.
  const each = new Map<number, number>();
  let threads = 0;
  for (const one of await below(pid)) {
    if ((each.size + 1) % AT_ONCE === 0) await setImmediate();
    const status = toldAtOnce(`/proc/${one}/status`);
    each.set(one, KIB * sumOf(status, "VmRSS", "VmSwap"));
    threads += Math.max(1, sumOf(status, "Threads")); // It was there a moment ago.
  }
  let most = 0;
  for (const bytes of each.values()) most += bytes;
  const until = performance.now() + exactMs;
  let exact = 0;
  for (const [one, bytes] of each) {
    if (most <= enoughBytes || exact > mostBytes || performance.now() >= until) break;
    // A process may keep its own from being read: then all that it holds is its own.
    const shares = await told(`/proc/${one}/smaps_rollup`);
    const own = shares === undefined ? bytes : KIB * sumOf(shares, "Pss", "SwapPss");
    exact += own;
    most += own - bytes;
  }
  return { bytes: most, threads };
}

/** Processes that one has started, and those that they have. */
async function below(pid: number): Promise<number[]> {
  const found: number[] = [];
  const waiting = [pid];
  let looked = 0;
  for (let next = waiting.pop(); next !== undefined && found.length < limits.action.most.processes; next = waiting.pop()) {
    if (++looked % AT_ONCE === 0) await setImmediate();
    const children = childrenOf(next);
    found.push(...children);
    waiting.push(...children);
  }
  return found;
}

/** Of all its threads; none where it has ended. */
function childrenOf(pid: number): number[] {
  const lists = threadsOf(pid).map((thread) => toldAtOnce(`/proc/${pid}/task/${thread}/children`));
  return lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** A file that the kernel writes without having to count or to wait; empty where it is not told. */
function toldAtOnce(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** A file that the kernel writes; empty where its process has gone, undefined where it is not told. */
function told(path: string): Promise<string | undefined> {
  return readFile(path, "latin1").catch((error: unknown) => (GONE.has(systemCode(error) ?? "") ? "" : undefined));
}

/** Of some of its lines. */
function sumOf(text: string, ...names: readonly string[]): number {
  return names.reduce((sum, name) => sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0), 0);
}
