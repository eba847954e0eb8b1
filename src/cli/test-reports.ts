/**
 * How long tests took, from the reports that test runners write: JUnit's XML, the JSON of Jest and Vitest, the lines of `go test -json`.
 *
 * Knows: those formats, as far as they tell names and times. Does not know: which files there are; that is asked.
 */
import { isAbsolute, relative } from "node:path";

export interface ReportPlace {
  /** Absolute; names of files are told relative to it. */
  readonly cwd: string;
  /** Whether it is a file. */
  readonly exists: (path: string) => boolean;
}

/** ms by test: a file, a package of Go, or a test of CTest. @returns undefined where it is no report that is known */
export function readReport(text: string, place: ReportPlace): Map<string, number> | undefined {
  const start = text.trimStart();
  if (start.startsWith("<")) return readJunit(start, place);
  if (!start.startsWith("{")) return undefined;
  try {
    return readJest(JSON.parse(start), place);
  } catch {
    return readGo(start);
  }
}

/** Texts of tests may hold whatever looks like a tag. */
const HIDDEN = /<!\[CDATA\[[\s\S]*?\]\]>|<!--[\s\S]*?-->/g;
const TAG = /<(\/?)(testsuite|testcase)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*\/?>/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function readJunit(text: string, place: ReportPlace): Map<string, number> {
  const found = new Map<string, number>();
  /** Of the suite that a test is in. */
  let suite = "";
  for (const [, end, kind, attributes = ""] of text.replace(HIDDEN, "").matchAll(TAG)) {
    if (end === "/") continue;
    const read = attributesOf(attributes);
    if (kind === "testsuite") suite = read.get("file") ?? read.get("name") ?? "";
    else add(found, testOf(read, suite, place), Number(read.get("time") ?? 0) * MS_PER_S);
  }
  return found;
}

const MS_PER_S = 1_000;

function attributesOf(text: string): ReadonlyMap<string, string> {
  const read = new Map<string, string>();
  for (const [, name = "", double, single] of text.matchAll(ATTRIBUTE)) read.set(name, unescaped(double ?? single ?? ""));
  return read;
}

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = Number.parseInt(decimal ?? hex ?? "", decimal === undefined ? 16 : 10);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : whole;
  });
}

/** The file, where a report tells it in one of the ways that there are; otherwise the test's own name, as CTest has it. */
function testOf(read: ReadonlyMap<string, string>, suite: string, place: ReportPlace): string {
  const className = read.get("classname") ?? "";
  const told = [read.get("file") ?? "", suite, className].filter((one) => one !== "").map((one) => named(one, place));
  const file = told.find(place.exists) ?? moduleOf(className, place);
  return file ?? read.get("name") ?? "";
}

/** pytest names a file by its module, and a class of it perhaps. */
function moduleOf(className: string, { exists }: ReportPlace): string | undefined {
  const parts = className.split(".");
  for (let length = parts.length; length > 0; length--) {
    const file = `${parts.slice(0, length).join("/")}.py`;
    if (exists(file)) return file;
  }
  return undefined;
}

function readJest(value: unknown, place: ReportPlace): Map<string, number> {
  const results = (value as { readonly testResults?: unknown }).testResults;
  if (!Array.isArray(results)) throw new Error("no test results");
  const found = new Map<string, number>();
  for (const one of results as readonly { readonly name?: unknown; readonly startTime?: unknown; readonly endTime?: unknown }[]) {
    const took = Number(one.endTime) - Number(one.startTime);
    if (typeof one.name === "string") add(found, named(one.name, place), took);
  }
  return found;
}

/** One object a line; those without a test are of a package, and one whose tests did not run took no time. @returns undefined where none is */
function readGo(text: string): Map<string, number> | undefined {
  const found = new Map<string, number>();
  const cached = new Set<string>();
  let isGo = false;
  for (const line of text.split("\n")) {
    const { Action: action, Package: name, Test: test, Elapsed: elapsed, Output: output } = objectOf(line);
    if (typeof name !== "string" || test !== undefined) continue;
    if (action === "output" && /^ok\s.*\t\(cached\)/.test(String(output))) cached.add(name);
    if (action !== "pass" && action !== "fail") continue;
    isGo = true;
    if (!cached.has(name)) add(found, name, Number(elapsed) * MS_PER_S);
  }
  return isGo ? found : undefined;
}

/** What programs print stands in between. */
function objectOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function named(path: string, { cwd, exists }: ReportPlace): string {
  if (!isAbsolute(path)) return path.replace(/^\.\//, "");
  const below = relative(cwd, path);
  return below.startsWith("../") ? (endOf(path, exists) ?? path) : below;
}

/** The runner saw the project at another place, such as in a sandbox: the longest end of the path that is a file here. */
function endOf(path: string, exists: ReportPlace["exists"]): string | undefined {
  const parts = path.split("/").slice(1);
  return parts.map((_, at) => parts.slice(at).join("/")).find(exists);
}

function add(found: Map<string, number>, test: string, ms: number): void {
  if (test !== "" && Number.isFinite(ms) && ms >= 0) found.set(test, (found.get(test) ?? 0) + ms);
}
