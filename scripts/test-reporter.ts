/**
 * What `npm test` prints of its tests: a line for each file when all of it has run, and what failed at once, so that a run which is
 * ended in the middle has told it. Ends with the files that took longest.
 *
 * Knows: the events of node:test. Does not know: which tests there are.
 */
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

type Failure = Extract<TestEvent, { type: "test:fail" }>["data"];

const SLOWEST = 12;
/** Of an error with its causes; a comparison of two long texts is longer. */
const ERROR_CHARACTERS = 6_000;

// oxlint-disable-next-line import/no-default-export -- What node:test takes.
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const took = new Map<string, number>();
  const failures: string[] = [];
  for await (const { type, data } of events) {
    if (type === "test:fail" && isOwn(data)) {
      failures.push(`${placeOf(data)}: ${data.name}`);
      yield `\n  ✖ ${failures.at(-1)} (${seconds(data.details.duration_ms)})\n${errorOf(data)}\n`;
    } else if (type === "test:summary" && data.file !== undefined) {
      const { counts, success, duration_ms: ms } = data;
      const file = shortened(data.file);
      took.set(file, ms);
      const not = [
        ["skipped", counts.skipped],
        ["to do", counts.todo],
      ] as const;
      const besides = not.filter(([, count]) => count > 0).map(([what, count]) => `, ${count} ${what}`);
      yield `${success ? "  ok  " : "  FAIL"} ${seconds(ms).padStart(8)}  ${file} (${counts.tests}${besides.join("")})\n`;
    }
  }
  const slowest = [...took].toSorted(([, a], [, b]) => b - a).slice(0, SLOWEST);
  if (took.size > 1) yield `  longest: ${slowest.map(([file, ms]) => `${file} ${seconds(ms)}`).join(", ")}\n`;
  if (failures.length > 0) yield `\n  failed:\n${failures.map((line) => `    ${line}\n`).join("")}`;
}

/** Not what fails because something in it has failed, nor what is known to fail. */
function isOwn({ todo, details: { error } }: Failure): boolean {
  return (todo === undefined || todo === false) && !("failureType" in error && error.failureType === "subtestsFailed");
}

/** The error without what node:test wraps it in. */
function errorOf({ details: { error } }: Failure): string {
  const text = inspect(error.cause ?? error, { depth: 6, maxStringLength: ERROR_CHARACTERS });
  return text.slice(0, ERROR_CHARACTERS).replaceAll(/^/gm, "      ");
}

function placeOf({ file, line }: Failure): string {
  return file === undefined ? "" : `${shortened(file)}:${line ?? 0}`;
}

function shortened(file: string): string {
  return relative(process.cwd(), file);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
