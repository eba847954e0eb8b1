/**
 * Where two results that should be the same part ways: in which of the files that a compile writes, and at which place of it.
 *
 * Knows: texts, and objects as far as sections and symbols. Does not know: how the text of an earlier stage is had, which of both is right.
 */
import { type ObjectPlace, objectDifference, type Stage } from "../compile/index.ts";
import type { StoredResult } from "../contracts/index.ts";
import { type FirstDifference, firstDifference } from "./first-difference.ts";
import type { Finding, RunFacts } from "./ingest.ts";

export interface Parting {
  readonly stage: Stage | "dependency file" | "messages";
  readonly place: TextPlace | ObjectPlace;
  /** Whether all stages before it are known to be the same. */
  readonly isFirst: boolean;
  /** Whose `before` and `after` are. */
  readonly between: readonly [Side, Side];
}

/** What was kept, what this machine or another one makes of it now, and what one machine makes of it twice. */
export type Side = "kept" | "here" | "there" | "now" | "once" | "again";

export type TextPlace = Extract<FirstDifference, { readonly line: number }>;

/** What a compile has written, as far as it is to be the same. */
export interface Written {
  readonly files: readonly { readonly role: string; readonly content: Buffer }[];
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export function writtenBy({ finding, report }: { readonly finding: Finding; readonly report: RunFacts }): Written {
  return { files: finding.files, stdout: report.stdout, stderr: report.stderr };
}

/** @param read the content of a blob @returns undefined where it is not kept any more */
export async function writtenIn(
  { outputs, stdout, stderr }: StoredResult,
  read: (digest: string) => Promise<Buffer | undefined>,
): Promise<Written | undefined> {
  const files: { role: string; content: Buffer }[] = [];
  for (const { role, digest } of outputs) {
    const content = await read(digest);
    if (content === undefined) return undefined;
    files.push({ role, content });
  }
  return { files, stdout: Buffer.from(stdout, "base64"), stderr: Buffer.from(stderr, "base64") };
}

/** @param last the stage that the compile ends with @returns undefined where both are the same, or are not the same files */
export function partingOf(before: Written, after: Written, last: Stage): Pick<Parting, "stage" | "place"> | undefined {
  for (const { role, content } of before.files) {
    const other = after.files.find((one) => one.role === role);
    const place = other && placeOf(content, other.content);
    if (place !== undefined) return { stage: role === "depfile" ? "dependency file" : last, place };
  }
  const place = placeOf(before.stdout, after.stdout) ?? placeOf(before.stderr, after.stderr);
  return place && { stage: "messages", place };
}

/** Undefined where they are the same. */
export function placeOf(before: Buffer, after: Buffer): Parting["place"] | undefined {
  const found = firstDifference(before, after);
  return found === undefined || "line" in found ? found : objectDifference(before, after);
}
