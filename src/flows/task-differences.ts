/**
 * What two runs of one task have left and printed, side by side: where they part ways, for people.
 *
 * Knows: texts and bytes. Does not know: which of them is right, or what follows.
 */
import { mostDifferences } from "./differences.ts";
import { firstDifference } from "./first-difference.ts";
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
