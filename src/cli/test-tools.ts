/**
 * Test runners: how each lists what it would run, and how it is told to run some of it.
 *
 * Knows: their options and what they print. Does not know: durations.
 */
import { execFile } from "node:child_process";
import { relative } from "node:path";
import { CairnError } from "../base/index.ts";

export const testTools = ["vitest", "jest", "pytest", "go", "ctest"] as const;
export type TestTool = (typeof testTools)[number];

interface Tool {
  /** Prints all tests. */
  readonly list: readonly [program: string, ...args: string[]];
  readonly read: (printed: string, cwd: string) => string[];
}

const TOOLS: Readonly<Record<TestTool, Tool>> = {
  vitest: {
    list: ["npx", "--no-install", "vitest", "list", "--filesOnly", "--json"],
    read: (printed, cwd) => (json(printed, "[") as readonly { readonly file: string }[]).map(({ file }) => relative(cwd, file)),
  },
  jest: {
    list: ["npx", "--no-install", "jest", "--listTests", "--json"],
    read: (printed, cwd) => (json(printed, "[") as readonly string[]).map((file) => relative(cwd, file)),
  },
  pytest: {
    list: ["python3", "-m", "pytest", "--collect-only", "-q"],
    read: (printed) => printed.split("\n").flatMap((line) => /^(\S+?\.py)(?:::|: \d)/.exec(line)?.[1] ?? []),
  },
  go: {
    list: ["go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}", "./..."],
    read: (printed) => printed.split("\n").filter((line) => line !== ""),
  },
  ctest: {
    list: ["ctest", "--show-only=json-v1"],
    read: (printed) => (json(printed, "{") as { readonly tests: readonly { readonly name: string }[] }).tests.map(({ name }) => name),
  },
};

/** Runners, and files that configure them, print remarks before what was asked for, some of which begin like it. @throws where there is none */
function json(printed: string, start: "[" | "{"): unknown {
  const lines = [...printed.matchAll(/^[[{]/gm)].filter(([sign]) => sign === start);
  for (const { index } of lines.slice(0, REMARKS)) {
    try {
      return JSON.parse(printed.slice(index));
    } catch {
      // A remark, then.
    }
  }
  throw new SyntaxError("nothing of what was printed is JSON to the end");
}

const REMARKS = 1_000;

const PRINTED_BYTES = 67_108_864;

/** What the runner lists by what it has printed, each once. @throws where that is none of its lists */
export function testsIn(tool: TestTool, printed: string, cwd: string): string[] {
  return [...new Set(TOOLS[tool].read(printed, cwd))];
}

/** All tests of the runner, in the directory `cwd`. @throws {CairnError} usage: it cannot be run, or says something else */
export async function listTests(tool: TestTool, cwd: string, signal: AbortSignal): Promise<string[]> {
  const { list } = TOOLS[tool];
  const [program, ...args] = list;
  const { printed, trouble } = await new Promise<{ printed: string; trouble: string }>((resolve) => {
    execFile(program, args, { cwd, signal, maxBuffer: PRINTED_BYTES }, (error, stdout, stderr) =>
      resolve({ printed: stdout, trouble: error === null ? "" : stderr.trim().split("\n").at(-1) || error.message }),
    );
  });
  signal.throwIfAborted();
  try {
    const tests = testsIn(tool, printed, cwd);
    if (tests.length > 0) return tests;
  } catch {
    // Told below.
  }
  throw new CairnError("usage", {
    why: `${list.join(" ")} lists no tests${trouble === "" ? "" : `: ${trouble}`}`,
    advice: "run it yourself, and hand over what it lists: … | cairn partition 1/4 --from -",
  });
}

/** CTest takes a pattern; the others take names. One that matches nothing where there is nothing to run. */
export function spellTests(tool: TestTool | undefined, tests: readonly string[]): string[] {
  if (tool !== "ctest") return [...tests];
  return [`^(${tests.map((test) => test.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")).join("|")})$`];
}
