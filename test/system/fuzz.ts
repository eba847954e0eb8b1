/**
 * The differential fuzzer of the compile cache, as a command and for tests: campaigns over seeds and projects, what was found, and
 * what the cache did meanwhile.
 *
 *     npm run fuzz -- --help
 */
import { CommandLine } from "../../scripts/command-line.ts";
import { Campaign, type Totals, type Wrong } from "./fuzz-campaign.ts";
import { compilers } from "./fuzz-commands.ts";
import { projectNames, projectOf } from "./fuzz-projects.ts";

const HELP = `usage: npm run fuzz -- [options]

Random edits, flags, environments and directories; after each step what the compiler leaves with Cairn must be what it leaves
without, byte for byte. Ends with 1 and the shortest sequence found where it is not.

  --seed N        the first seed (default: chosen and printed)
  --steps N       steps for each project (default 500)
  --minutes N     no new step after so many minutes (default: no limit)
  --project P     ${projectNames.join(", ")}, or a directory with C or C++ sources;
                  may be given several times (default: all of those named)
  --compiler C    only this one: ${compilers.join(", ")}
  --keep-going    do not end at the first difference
  --json          the outcome as JSON on standard output
  --help

examples:
  npm run fuzz -- --seed 7 --steps 200 --project maze-c
  npm run fuzz -- --minutes 30 --project ~/src/lua --compiler gcc
`;

export interface FuzzOptions {
  readonly seed: number;
  readonly steps: number;
  readonly projects: readonly string[];
  readonly compiler: string | undefined;
  readonly deadlineMs: number;
  readonly keepGoing: boolean;
  readonly tell: (line: string) => void;
}

export interface Outcome {
  readonly project: string;
  readonly seed: number;
  readonly totals: Totals;
  readonly seconds: number;
  readonly wrong: readonly (Wrong & { readonly shortest: readonly string[] })[];
}

/** Campaigns one after the other, the seed counting up. */
export async function fuzz(options: FuzzOptions): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [at, name] of options.projects.entries()) {
    if (performance.now() >= options.deadlineMs) break;
    const outcome = await campaign(options, name, options.seed + at);
    outcomes.push(outcome);
    if (outcome.wrong.length > 0 && !options.keepGoing) break;
  }
  return outcomes;
}

async function campaign(options: FuzzOptions, name: string, seed: number): Promise<Outcome> {
  const { compiler, tell } = options;
  const project = projectOf(name);
  const began = performance.now();
  const wrong: (Wrong & { shortest: readonly string[] })[] = [];
  tell(`${name}: seed ${seed}, ${project.units.length} units, ${project.tree.size} files`);
  await using run = await Campaign.start({ project, seed, compiler });
  for (let step = 0; step < options.steps && performance.now() < options.deadlineMs; step++) {
    const found = await run.step(step);
    if (found === undefined) continue;
    tell(`${name}: seed ${seed}, step ${step}: ${found.command}\n  ${found.differences.join("\n  ")}`);
    tell(`  the steps before:\n    ${found.log.join("\n    ")}`);
    const shortest = await shorten({ project, seed, compiler }, step);
    tell(`  the shortest sequence that does it again: ${shortest.length === 0 ? "none found" : `\n    ${shortest.join("\n    ")}`}`);
    wrong.push({ ...found, shortest });
    if (!options.keepGoing || wrong.length >= 20) break;
  }
  await run.count();
  return { project: name, seed, totals: run.totals, seconds: (performance.now() - began) / 1000, wrong };
}

const SUFFIXES = [1, 2, 4, 8, 16, 32, 64, 128];
const REPLAYS_MOST = 40;
const SHORTEN_MS = 60_000;

/** Plays the end of the sequence again in a fresh home, then leaves out step after step. */
async function shorten(
  options: { project: ReturnType<typeof projectOf>; seed: number; compiler: string | undefined },
  failing: number,
): Promise<string[]> {
  const deadlineMs = performance.now() + SHORTEN_MS;
  let replays = 0;
  const replay = async (steps: readonly number[]): Promise<readonly string[] | undefined> => {
    if (replays++ >= REPLAYS_MOST || performance.now() > deadlineMs) return undefined;
    await using run = await Campaign.start(options);
    for (const step of steps) {
      const found = await run.step(step);
      if (found !== undefined) return step === failing ? found.log : undefined;
    }
    return undefined;
  };
  for (const length of SUFFIXES) {
    let steps = Array.from({ length: Math.min(length, failing + 1) }, (_, i) => Math.max(0, failing + 1 - length) + i);
    let log = await replay(steps);
    if (log === undefined) {
      if (length > failing) break;
      continue;
    }
    for (const step of steps.slice(0, -1).toReversed()) {
      const fewer = steps.filter((kept) => kept !== step);
      const shorter = await replay(fewer);
      if (shorter !== undefined) [steps, log] = [fewer, shorter];
    }
    return [...log];
  }
  return [];
}

/** What the cache did, as one line for people. */
export function mixOf(totals: Totals): { hitShare: number; text: string } {
  const { counters } = totals;
  const hits = (counters.hit_local ?? 0) + (counters.hit_daemon ?? 0) + (counters.hit_equivalent ?? 0);
  const hitShare = totals.compiles === 0 ? 0 : hits / totals.compiles;
  const shown = Object.entries(counters).filter(([name]) => /^(hit_|miss$|stored$|not_stored:|pass:|compiler_failed$)/.test(name));
  return { hitShare, text: shown.map(([name, count]) => `${name} ${count}`).join(", ") };
}

async function main(): Promise<number> {
  const line = new CommandLine("fuzz", HELP);
  const { values } = line.read({
    options: {
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      steps: { type: "string", default: "500" },
      minutes: { type: "string" },
      project: { type: "string", multiple: true },
      compiler: { type: "string" },
      "keep-going": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : line.whole("minutes", values.minutes, 1);
  const outcomes = await fuzz({
    seed: line.whole("seed", values.seed, 0),
    steps: line.whole("steps", values.steps, 1),
    projects: values.project ?? projectNames,
    compiler: values.compiler,
    deadlineMs: performance.now() + minutes * 60_000,
    keepGoing: values["keep-going"],
    tell: (line) => process.stderr.write(`${line}\n`),
  });
  if (values.json) process.stdout.write(`${JSON.stringify(outcomes, null, 2)}\n`);
  for (const { project, seed: used, totals, seconds, wrong } of outcomes) {
    const { hitShare, text } = mixOf(totals);
    process.stderr.write(
      `${project}: seed ${used}, ${totals.steps} steps in ${seconds.toFixed(0)} s (${(totals.steps / seconds).toFixed(1)}/s), ${totals.compiles} compiles, ` +
        `${(hitShare * 100).toFixed(0)} % hits, ${totals.failedCompiles} failed, ${totals.undecided} undecided, ${wrong.length} wrong\n  ${text}\n`,
    );
  }
  return outcomes.some(({ wrong }) => wrong.length > 0) ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
