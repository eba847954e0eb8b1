/**
 * What two runs of one task have left and printed, side by side: where they part ways, for people.
 *
 * Knows: texts and bytes. Does not know: which of them is right, or what follows.
 */
import { isUtf8 } from "node:buffer";
import { mostDifferences } from "./differences.ts";
import type { Whole } from "./task-outputs.ts";
import type { TaskDone } from "./task-results.ts";

/** `before` and `after` are lines of text, kinds, targets of links, exit codes; none of bytes that are no text. */
export interface OutcomeDifference {
  readonly what: "exit-code" | "missing" | "new" | "kind" | "executable" | "link" | "content" | "stdout" | "stderr";
  /** Path below the project's root; "" of what is no output. */
  readonly path: string;
  /** The first line that differs, from 1; of texts. */
  readonly line?: number;
  /** The first byte that differs, from 0; of what is no text. */
  readonly byte?: number;
  readonly before?: string;
  readonly after?: string;
}

const PRINTED: ReadonlySet<string> = new Set(["stdout", "stderr"]);
/** Of a line. */
const SHOWN_LENGTH = 120;
const LINE_END = 10;
/** Compared at once. */
const PIECE_BYTES = 65_536;

/** The first of them, what is printed last. None: the very same came of both. */
export function compareOutcomes(before: TaskDone, after: TaskDone): OutcomeDifference[] {
  const found: OutcomeDifference[] = [];
  if (before.exitCode !== after.exitCode)
    found.push({ what: "exit-code", path: "", before: String(before.exitCode), after: String(after.exitCode) });
  found.push(...compareLeft(before.left, after.left));
  const printed = (["stdout", "stderr"] as const).flatMap((what) => {
    const place = firstDifference(before[what], after[what]);
    return place === undefined ? [] : [{ what, path: "", ...place }];
  });
  return [...found.slice(0, mostDifferences), ...printed];
}

/** Whether what is left, and how it ended, is the same: a command may print how long it took. */
export function isInPrintAlone(differences: readonly OutcomeDifference[]): boolean {
  return differences.every(({ what }) => PRINTED.has(what));
}

function compareLeft(before: readonly Whole[], after: readonly Whole[]): OutcomeDifference[] {
  const [old, now] = [before, after].map((left) => new Map(left.map((one) => [one.path, one])));
  const paths = [...new Set([...before, ...after].map(({ path }) => path))].toSorted();
  return paths.flatMap((path) => compareOne(path, old?.get(path), now?.get(path)));
}

function compareOne(path: string, before: Whole | undefined, after: Whole | undefined): OutcomeDifference[] {
  if (before === undefined) return [{ what: "new", path }];
  if (after === undefined) return [{ what: "missing", path }];
  if (before.kind === "link" && after.kind === "link")
    return before.target === after.target ? [] : [{ what: "link", path, before: before.target, after: after.target }];
  if (before.kind !== "file" || after.kind !== "file")
    return before.kind === after.kind ? [] : [{ what: "kind", path, before: before.kind, after: after.kind }];
  const place = firstDifference(before.content, after.content);
  if (place !== undefined) return [{ what: "content", path, ...place }];
  return before.executable === after.executable ? [] : [{ what: "executable", path }];
}

function firstDifference(before: Uint8Array, after: Uint8Array): Pick<OutcomeDifference, "line" | "byte" | "before" | "after"> | undefined {
  const [old, now] = [before, after].map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length)) as [Buffer, Buffer];
  if (old.equals(now)) return undefined;
  const shorter = Math.min(old.length, now.length);
  let at = 0;
  while (at < shorter && old.subarray(at, at + PIECE_BYTES).equals(now.subarray(at, at + PIECE_BYTES))) at += PIECE_BYTES;
  while (at < shorter && old[at] === now[at]) at++;
  at = Math.min(at, shorter);
  if (![old, now].every(isText)) return { byte: at };
  const begin = at === 0 ? 0 : old.lastIndexOf(LINE_END, at - 1) + 1;
  let line = 1;
  for (let end = old.indexOf(LINE_END); end >= 0 && end < begin; end = old.indexOf(LINE_END, end + 1)) line++;
  return { line, before: lineAt(old, begin), after: lineAt(now, begin) };
}

function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

function lineAt(text: Buffer, begin: number): string {
  const end = text.indexOf(LINE_END, begin);
  const line = text.toString("utf8", begin, end < 0 ? text.length : end);
  return line.length > SHOWN_LENGTH ? `${line.slice(0, SHOWN_LENGTH)}…` : line;
}
