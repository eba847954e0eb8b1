/**
 * partition: which tests of a suite one of several machines runs; and learning how long they take.
 */
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { text as allOf } from "node:stream/consumers";
import { CairnError, systemReason } from "../base/index.ts";
import { answer, type Context } from "./context.ts";
import { DURATIONS_FILE, learn, readDurations } from "./durations.ts";
import { counted, duration, harmlessJson } from "./format.ts";
import { type Part, split } from "./partition.ts";
import { readReport } from "./test-reports.ts";
import { listTests, spellTests, type TestTool } from "./test-tools.ts";
import { exitCodes } from "./troubles.ts";

export interface PartitionOptions {
  readonly from?: string | undefined;
  readonly for?: TestTool | undefined;
  readonly durations?: string | undefined;
  readonly learn?: readonly string[] | undefined;
  readonly json?: true | undefined;
}

/** More machines than this do not share a suite. */
const PARTS = 1_000;

export async function partition(
  context: Context,
  part: string | undefined,
  patterns: readonly string[],
  options: PartitionOptions,
  signal: AbortSignal,
): Promise<number> {
  const { cwd, terminal } = context;
  const file = resolve(cwd, options.durations ?? DURATIONS_FILE);
  if (options.learn !== undefined) learnFrom(context, file, options.learn, options.json);
  if (part === undefined) {
    if (options.learn !== undefined) return exitCodes.ok;
    throw new CairnError("usage", { why: "which part is wanted?", advice: "cairn partition 1/4 'src/**/*.test.ts'" });
  }
  const which = readPart(part);
  const tests = await testsOf(context, patterns, options, signal);
  const own = partOf(tests, file, which);
  answer(terminal, options.json, { part, of: tests.length, ...own }, () => {
    terminal.note(terminal.paint.dim(`${own.tests.length} of ${counted(tests.length, "test")}, ${duration(own.expectedMs)} expected`));
    return spellTests(options.for, own.tests);
  });
  return exitCodes.ok;
}

interface WhichPart {
  /** From 1 on. */
  readonly part: number;
  readonly of: number;
}

/** `2/4`. @throws {CairnError} usage */
export function readPart(text: string): WhichPart {
  const [, part = 0, of = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []).map(Number);
  if (part >= 1 && part <= of && of <= PARTS) return { part, of };
  throw new CairnError("usage", { why: `${text} is no part: 2/4 is the second of four` });
}

/** @param file with durations */
export function partOf(tests: readonly string[], file: string, { part, of }: WhichPart): Part {
  return split(tests, readDurations(file), of)[part - 1] ?? { tests: [], expectedMs: 0 };
}

/** @throws {CairnError} usage where a pattern matches nothing */
export function testsMatching(patterns: readonly string[], cwd: string): string[] {
  return patterns.flatMap((pattern) => {
    const found = existsSync(resolve(cwd, pattern)) ? [pattern] : globSync(pattern, { cwd });
    if (found.length === 0) throw new CairnError("usage", { why: `the pattern ${pattern} matches no file` });
    return found;
  });
}

async function testsOf({ cwd }: Context, patterns: readonly string[], options: PartitionOptions, signal: AbortSignal): Promise<string[]> {
  const sources = [patterns.length > 0, options.from !== undefined, options.from === undefined && options.for !== undefined];
  if (sources.filter(Boolean).length !== 1)
    throw new CairnError("usage", { why: "tests come from patterns, from --from, or from the runner that --for names: one of them" });
  if (patterns.length > 0) return testsMatching(patterns, cwd);
  if (options.from === undefined && options.for !== undefined) return listTests(options.for, cwd, signal);
  const text = options.from === "-" ? await allOf(process.stdin) : readText(resolve(cwd, options.from ?? ""));
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}

function learnFrom({ cwd, terminal }: Context, file: string, reports: readonly string[], json: true | undefined): void {
  const seen = new Map<string, number>();
  for (const report of reports) {
    const found = readReport(readText(resolve(cwd, report)), {
      cwd,
      exists: (path) => statSync(resolve(cwd, path), { throwIfNoEntry: false })?.isFile() === true,
    });
    if (found === undefined)
      throw new CairnError("usage", { why: `${report} is neither JUnit's XML, nor JSON of jest, vitest or go test` });
    for (const [test, ms] of found) seen.set(test, (seen.get(test) ?? 0) + ms);
  }
  const known = learn(file, seen);
  terminal.note(
    json === true
      ? harmlessJson({ learned: seen.size, known, file }, 0)
      : `learned of ${counted(seen.size, "test")}; ${file} knows ${known}`,
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CairnError("usage", { why: `${file} cannot be read: ${systemReason(error)}` }, error);
  }
}
