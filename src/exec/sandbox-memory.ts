/**
 * What all processes of a job hold in memory together, looked at from outside while it runs: a limit of one process holds nothing that starts many.
 *
 * Ordinary users get no control group on most systems, so this looks now and then, and what grows between two looks is above the limit for so
 * long. Knows: what the kernel tells of processes. Does not know: jobs, or what ends one.
 */
import { readdir, readFile } from "node:fs/promises";
import { limits, systemCode } from "../base/index.ts";

const { lookAfterMs, lookEveryMs, lookMs } = limits.sandbox.memory;
const KIB = 1_024;
/** What is read of a process that has ended. */
const GONE: ReadonlySet<string> = new Set(["ENOENT", "ESRCH"]);

/** Looks until it is disposed of, or until there is too much. */
export class MemoryWatch implements Disposable {
  readonly #pid: number;
  readonly #mostBytes: number;
  readonly #exceeded: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /**
   * @param pid who has started all of it
   * @param mostBytes of all together, what is swapped out included
   * @param exceeded called once at most
   */
  constructor(pid: number, mostBytes: number, exceeded: () => void) {
    this.#pid = pid;
    this.#mostBytes = mostBytes;
    this.#exceeded = exceeded;
    this.#lookIn(lookAfterMs);
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
    const isTooMuch = await holdsMore(this.#pid, this.#mostBytes);
    if (isTooMuch && !this.#isOver) {
      this.#isOver = true;
      this.#exceeded();
    }
    this.#lookIn(lookEveryMs);
  }
}

/**
 * Whether the processes below one hold more than so much together.
 *
 * @param exactMs what it may take to tell apart what several share; whatever has not been looked at by then counts in each of them
 */
export async function holdsMore(pid: number, mostBytes: number, exactMs: number = lookMs): Promise<boolean> {
  // The sum counts what several share as often: it is too much before there is too much, and takes a quick look.
  const each = new Map<number, number>();
  for (const one of await below(pid)) each.set(one, (await figures(`/proc/${one}/status`, "VmRSS", "VmSwap")) ?? 0);
  let most = 0;
  for (const bytes of each.values()) most += bytes;
  const until = performance.now() + exactMs;
  let exact = 0;
  for (const [one, bytes] of each) {
    if (most <= mostBytes || exact > mostBytes || performance.now() >= until) break;
    // A process may keep its own from being read: then all that it holds is its own.
    const own = (await figures(`/proc/${one}/smaps_rollup`, "Pss", "SwapPss")) ?? bytes;
    exact += own;
    most += own - bytes;
  }
  return most > mostBytes;
}

/** Processes that one has started, and those that they have. */
async function below(pid: number): Promise<number[]> {
  const found: number[] = [];
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined && found.length < limits.action.most.processes; next = waiting.pop()) {
    const children = await childrenOf(next);
    found.push(...children);
    waiting.push(...children);
  }
  return found;
}

/** Of all its threads; none where it has ended. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = [];
  for (const thread of threads) lists.push(await readFile(`/proc/${pid}/task/${thread}/children`, "latin1").catch(() => ""));
  return lists.flatMap((list) => list.split(" ").filter(Boolean).map(Number));
}

/** The sum of some lines of a file that the kernel writes; 0 where its process has gone, undefined where it is not told. @returns bytes */
async function figures(path: string, ...names: readonly string[]): Promise<number | undefined> {
  const text = await readFile(path, "latin1").catch((error: unknown) => (GONE.has(systemCode(error) ?? "") ? "" : undefined));
  return text === undefined
    ? undefined
    : names.reduce((sum, name) => sum + KIB * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0), 0);
}
