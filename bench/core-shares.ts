/**
 * Parts of a core: a control group for whatever is started in it, and for what that starts.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Who has used up its part stands still until the next one begins, which a slow core does not: so they are short. */
const PERIOD_US = 20_000;
const ROOT = "/sys/fs/cgroup";
const POLL_MS = 50;

export class CoreShare implements AsyncDisposable {
  /** Where it is bounded, and where its time is counted; the same but for version 1, which has a directory for each resource. */
  readonly #bounded: string;
  readonly #counted: string;
  readonly #isFirst: boolean;

  /** Without a bound yet. Undefined where this process may make no control groups. */
  static make(name: string): CoreShare | undefined {
    try {
      return new CoreShare(`cairn-bench-${process.pid}-${name}`);
    } catch {
      return undefined;
    }
  }

  private constructor(name: string) {
    this.#isFirst = existsSync(join(ROOT, "cpu"));
    this.#bounded = join(ROOT, this.#isFirst ? "cpu" : "", name);
    this.#counted = join(ROOT, this.#isFirst ? "cpuacct" : "", name);
    if (!this.#isFirst) writeFileSync(join(ROOT, "cgroup.subtree_control"), "+cpu");
    for (const directory of this.#directories) mkdirSync(directory);
  }

  /** From now on. @param part of a core, up to 1 */
  bound(part: number): void {
    const quotaUs = Math.round(part * PERIOD_US);
    if (this.#isFirst) {
      writeFileSync(join(this.#bounded, "cpu.cfs_period_us"), String(PERIOD_US));
      writeFileSync(join(this.#bounded, "cpu.cfs_quota_us"), String(quotaUs));
    } else writeFileSync(join(this.#bounded, "cpu.max"), `${quotaUs} ${PERIOD_US}`);
  }

  /** Stands before a command that is to run in it. */
  get prefix(): readonly string[] {
    const enter = [...this.#directories].map((directory) => `echo $$ > ${join(directory, "cgroup.procs")}`).join("; ");
    return ["sh", "-c", `${enter}; exec "$0" "$@"`];
  }

  /** What all that ran in it has taken of processors; ms. */
  get usedMs(): number {
    if (this.#isFirst) return Number(readFileSync(join(this.#counted, "cpuacct.usage"), "utf8")) / 1e6;
    return Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(this.#counted, "cpu.stat"), "utf8"))?.[1]) / 1e3;
  }

  /** Waits until nothing runs in it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const directory of this.#directories) {
      while (readFileSync(join(directory, "cgroup.procs"), "utf8") !== "") await sleep(POLL_MS);
      rmdirSync(directory);
    }
  }

  get #directories(): ReadonlySet<string> {
    return new Set([this.#bounded, this.#counted]);
  }
}
