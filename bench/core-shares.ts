/**
 * Parts of a core: a control group for whatever is started in it, and for what that starts.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PERIOD_US = 100_000;
const ROOT = "/sys/fs/cgroup";
const POLL_MS = 50;

export class CoreShare implements AsyncDisposable {
  readonly #directory: string;

  /** Undefined where this process may make no control groups. @param part of a core, up to 1 */
  static make(name: string, part: number): CoreShare | undefined {
    const first = existsSync(join(ROOT, "cpu")); // Version 1 has a directory for each resource.
    const directory = join(ROOT, first ? "cpu" : "", `cairn-bench-${process.pid}-${name}`);
    try {
      if (!first) writeFileSync(join(ROOT, "cgroup.subtree_control"), "+cpu");
      mkdirSync(directory);
      const quotaUs = String(Math.round(part * PERIOD_US));
      if (first) {
        writeFileSync(join(directory, "cpu.cfs_period_us"), String(PERIOD_US));
        writeFileSync(join(directory, "cpu.cfs_quota_us"), quotaUs);
      } else writeFileSync(join(directory, "cpu.max"), `${quotaUs} ${PERIOD_US}`);
      return new CoreShare(directory);
    } catch {
      return undefined;
    }
  }

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Stands before a command that is to run in it. */
  get prefix(): readonly string[] {
    return ["sh", "-c", `echo $$ > ${join(this.#directory, "cgroup.procs")}; exec "$0" "$@"`];
  }

  /** Waits until nothing runs in it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (readFileSync(join(this.#directory, "cgroup.procs"), "utf8") !== "") await sleep(POLL_MS);
    rmdirSync(this.#directory);
  }
}
