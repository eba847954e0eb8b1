/**
 * `npm test`: every quality gate in order. Stops at the first that fails, and always ends with a summary.
 *
 *     npm test                  all stages
 *     npm test -- format types  only these
 *
 * Knows: which commands check what. Does not know: what they find.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { delimiter, join } from "node:path";
import { exit, hrtime, kill, stderr, stdout } from "node:process";

const ROOT: string = join(import.meta.dirname, "..");
const HOUSE = "test/system/house.test.ts";
/** All stages together; a stage that hangs is ended with everything it started. */
const BUDGET_MS: number = 23 * 60_000;

interface Stage {
  readonly name: string;
  readonly about: string;
  readonly command: readonly [string, ...string[]];
}

function stages(): Stage[] {
  const test = (atOnce: number, ...files: string[]): [string, ...string[]] => [
    process.execPath,
    "--test",
    `--test-concurrency=${atOnce}`,
    `--test-reporter=${join(ROOT, "scripts/test-reporter.ts")}`,
    "--test-reporter-destination=stdout",
    ...files,
  ];
  const units = globSync("{src,scripts,bench,test/sim}/**/*.test.ts", { cwd: ROOT }).toSorted();
  const system = globSync("test/system/**/*.test.ts", { cwd: ROOT }).filter((file) => file !== HOUSE);
  return [
    { name: "format", about: "biome", command: ["biome", "check", "--error-on-warnings", "."] },
    { name: "types", about: "tsc", command: ["tsc"] },
    { name: "lint", about: "oxlint, with types", command: ["oxlint", "--type-aware", "--deny-warnings"] },
    { name: "unused", about: "knip", command: ["knip"] },
    { name: "house", about: "the arrows of ARCHITECTURE.md", command: test(1, HOUSE) },
    // Many of them wait for something, so that two cores have room for three.
    { name: "units", about: `${units.length} files`, command: test(3, ...units) },
    { name: "system", about: `${system.length} files, each with daemons of its own`, command: test(2, ...system.toSorted()) },
  ];
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

const wanted = process.argv.slice(2);
const all = stages();
const unknown = wanted.filter((name) => !all.some((stage) => stage.name === name));
if (unknown.length > 0) {
  stderr.write(`There is no stage ${unknown.join(", ")}; there are ${all.map((stage) => stage.name).join(", ")}.\n`);
  exit(2);
}

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
