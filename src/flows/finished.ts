/**
 * A compile that has ended and was looked at, but not stored yet: what of it waits, and how much memory that takes.
 *
 * Knows: what must be held, in memory of its own. Does not know: how long it waits.
 */
import { ownBytes } from "../base/index.ts";
import type { ManifestEntry } from "../contracts/index.ts";
import type { Finding, RunFacts } from "./ingest.ts";
import type { Job } from "./jobs.ts";
import type { Validity } from "./plan.ts";
import type { RunReport } from "./request.ts";

export interface Finished {
  readonly job: Job;
  readonly report: RunFacts;
  readonly finding: Finding;
  readonly validity: Validity | undefined;
}

const UNDERSTOOD_BYTES = 16_384;
const PATH_BYTES = 200;

/** What must be kept of a report. */
export function ownReport({ startNs, endNs, cpuUs, stdout, stderr }: RunReport): RunFacts {
  return { startNs, endNs, cpuUs, stdout: ownBytes(stdout), stderr: ownBytes(stderr) };
}

/** About what it takes in memory, bytes. */
export function finishedWeight({ report, finding }: Finished): number {
  const content = finding.files.reduce((sum, file) => sum + file.content.length, report.stdout.length + report.stderr.length);
  return entryWeight(finding.entry) + content;
}

/** The same of an entry, and of the request that led to it. */
export function entryWeight({ inputs, absent }: ManifestEntry): number {
  return UNDERSTOOD_BYTES + PATH_BYTES * (inputs.length + absent.length);
}
