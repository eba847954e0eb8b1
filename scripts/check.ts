/**
 * `npm test`: every quality gate in order. Stops at the first that fails, and always ends with a summary.
 *
 *     npm test                  all stages
 *     npm test -- format types  only these
 *     npm test -- units --part 2/4 --report FILE
 *
 * Knows: which commands check what. Does not know: what they find.
 */
import { spawn, spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { exit, hrtime, kill, stderr, stdout } from "node:process";
import { CommandLine } from "./command-line.ts";

const HELP = `usage: npm test -- [STAGE...] [options]

Stages: format, types, lint, unused, house, units, system; all of them where none is named.

  --part 2/4      of units and system the second of four parts, as cairn partition makes them of how long they took before
  --report FILE   of units or of system, whichever is run alone, as JUnit's XML; cairn partition --learn FILE learns from it
`;

const ROOT: string = join(import.meta.dirname, "..");
const HOUSE = "test/system/house.test.ts";
/** All stages together; a stage that hangs is ended with everything it started. */
const BUDGET_MS: number = 24 * 60_000;

interface Stage {
  readonly name: string;
  readonly about: string;
  readonly command: readonly [string, ...string[]];
}

interface Wishes {
  readonly part: string | undefined;
  /** Absolute. */
  readonly report: string | undefined;
}

function stages({ part, report }: Wishes): Stage[] {
  const reports = report === undefined ? [] : ["--test-reporter=junit", `--test-reporter-destination=${report}`];
  const test = (atOnce: number, ...files: string[]): [string, ...string[]] => [
    process.execPath,
    "--test",
    `--test-concurrency=${atOnce}`,
    `--test-reporter=${join(ROOT, "scripts/test-reporter.ts")}`,
    "--test-reporter-destination=stdout",
    ...(files[0] === HOUSE ? [] : reports),
    ...files,
  ];
  const own = (files: readonly string[]): string[] => (part === undefined ? files.toSorted() : partOf(part, files));
  const units = own(globSync("{src,scripts,bench,test/sim}/**/*.test.ts", { cwd: ROOT }));
  const system = own(globSync("test/system/**/*.test.ts", { cwd: ROOT }).filter((file) => file !== HOUSE));
  return [
    { name: "format", about: "biome", command: ["biome", "check", "--error-on-warnings", "."] },
    { name: "types", about: "tsc", command: ["tsc"] },
    { name: "lint", about: "oxlint, with types", command: ["oxlint", "--type-aware", "--deny-warnings"] },
    { name: "unused", about: "knip", command: ["knip"] },
    { name: "house", about: "the arrows of ARCHITECTURE.md", command: test(1, HOUSE) },
    // Many of them wait for something, so that two cores have room for three.
    { name: "units", about: `${units.length} files`, command: test(3, ...units) },
    { name: "system", about: `${system.length} files, each with daemons of its own`, command: test(2, ...system) },
  ];
}

/** Those files whose tests one of several machines runs. Ends the process where there are none. */
function partOf(part: string, files: readonly string[]): string[] {
  const input = files.join("\n");
  const listed = spawnSync(join(ROOT, "bin/cairn"), ["partition", part, "--from", "-"], { cwd: ROOT, input, encoding: "utf8" });
  stderr.write(listed.stderr);
  const own = listed.stdout.split("\n").filter((name) => name !== "");
  return listed.status === 0 && own.length > 0 ? own : line.fail(`no tests are in part ${part}`);
}

/** @returns the exit code; 124 when the time ran out */
function run(stage: Stage, remainingMs: number): Promise<number> {
  const [program, ...args] = stage.command;
  return new Promise((resolve) => {
    const path = `${join(ROOT, "node_modules/.bin")}${delimiter}${process.env.PATH}`;
    // A process group of its own, so that nothing a test started outlives a stage that is ended.
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, PATH: path },
      detached: true,
    });
    let timedOut = false;
    const end = (signal: NodeJS.Signals): void => {
      if (child.pid !== undefined) kill(-child.pid, signal);
    };
    const timer = setTimeout(() => {
      timedOut = true;
      end("SIGKILL");
    }, remainingMs);
    const interrupted = (signal: NodeJS.Signals): void => end(signal);
    process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
    const finish = (code: number): void => {
      clearTimeout(timer);
      process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
      resolve(code);
    };
    child.once("error", (error) => {
      stderr.write(`${program}: ${error.message}\n`);
      finish(127);
    });
    child.once("exit", (code) => finish(timedOut ? 124 : (code ?? 130)));
  });
}

function elapsedMs(since: bigint): number {
  return Number((hrtime.bigint() - since) / 1_000_000n);
}

const line = new CommandLine("npm test", HELP);
const { values, positionals: wanted } = line.read({
  allowPositionals: true,
  options: { part: { type: "string" }, report: { type: "string" } },
});
if (values.report !== undefined && !(wanted.length === 1 && (wanted[0] === "units" || wanted[0] === "system")))
  line.fail("--report is of units or of system, whichever is run alone");
const all = stages({ part: values.part, report: values.report === undefined ? undefined : resolve(values.report) });
const unknown = wanted.filter((name) => !all.some((stage) => stage.name === name));
if (unknown.length > 0) line.fail(`there is no stage ${unknown.join(", ")}`);

const began = hrtime.bigint();
const summary: string[] = [];
let failed = false;
for (const stage of all.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  if (failed) {
    summary.push(`  -     ${stage.name.padEnd(8)} not run`);
    continue;
  }
  stdout.write(`\n── ${stage.name}: ${stage.about}\n`);
  const start = hrtime.bigint();
  const code = await run(stage, Math.max(1, BUDGET_MS - elapsedMs(began)));
  failed = code !== 0;
  const verdict = failed ? "FAIL" : "ok  ";
  const why = code === 124 ? `  (the ${BUDGET_MS / 60_000} minutes for all stages were over)` : "";
  summary.push(`  ${verdict}  ${stage.name.padEnd(8)} ${(elapsedMs(start) / 1000).toFixed(1).padStart(6)} s${why}`);
}
stdout.write(`\n── summary\n${summary.join("\n")}\n`);
exit(failed ? 1 : 0);
