/**
 * What a compiler that ran has written, and whether all of it, and nothing but it, is that run's.
 */
import { type BigIntStats, lstatSync, readFileSync } from "node:fs";
import { limits } from "../base/index.ts";
import type { ResultOutput } from "../contracts/index.ts";
import { Refusal, type Refused, refusedBy } from "./refusal.ts";
import { absolutePath, RACY_NS, type RunReport, type Understood } from "./request.ts";

export interface WrittenFile {
  readonly path: string;
  readonly role: ResultOutput["role"];
  readonly content: Buffer;
}

const CLOCK_TOLERANCE_NS = 50_000_000n;

/** To be called before anything that waits: the sooner the outputs are read, the less can have happened to them. */
export function readOutputs(
  understood: Understood,
  report: RunReport,
): { readonly kind: "read"; readonly written: readonly WrittenFile[] } | Refused {
  try {
    checkClock(report); // Or no time below means anything.
    return { kind: "read", written: outputsOf(understood, report) };
  } catch (error) {
    return refusedBy(error);
  }
}

/** A clock that was set while the compiler ran makes "older than the compile" meaningless. */
function checkClock(report: RunReport): void {
  const drift = report.endNs - report.startNs - report.steadyNs;
  if (drift > CLOCK_TOLERANCE_NS || drift < -CLOCK_TOLERANCE_NS) throw new Refusal("clock_stepped", `${drift / 1_000_000n} ms`);
}

function outputsOf(understood: Understood, report: RunReport): WrittenFile[] {
  const written: WrittenFile[] = [];
  for (const output of understood.invocation.outputs) {
    const path = absolutePath(understood.question.cwd, output.path);
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    const fresh = stats !== undefined && changedNs(stats) >= report.startNs - RACY_NS;
    // A file that an earlier run left is not this run's.
    if (!fresh) throw new Refusal("missing_output", output.path);
    if (!stats.isFile()) throw new Refusal("output_not_regular", output.path);
    if (stats.size > BigInt(limits.blobBytes)) throw new Refusal("too_large", output.path);
    // ext4 notes the time of a truncation a millisecond after it: an empty file with blocks is being emptied.
    if (stats.size === 0n && stats.blocks > 0n) throw new Refusal("output_modified", output.path);
    const content = readFileSync(path);
    const after = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    // The asker may not have waited for us, and strip or objcopy have come; or two compiles have written there at once.
    const own = changedNs(stats) <= report.endNs && after !== undefined && sameFile(stats, after) && BigInt(content.length) === stats.size;
    if (!own) throw new Refusal("output_modified", output.path);
    written.push({ path: output.path, role: output.role, content });
  }
  return written;
}

function sameFile(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs;
}

function changedNs(stats: BigIntStats): bigint {
  return stats.ctimeNs > stats.mtimeNs ? stats.ctimeNs : stats.mtimeNs;
}
