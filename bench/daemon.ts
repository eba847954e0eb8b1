/**
 * The daemon under load: hits that the wrapper could not answer alone, over the compile socket, one connection each, as the wrapper
 * asks; and how soon a daemon that starts can be asked.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import { plainEnvironment } from "./contenders.ts";
import { meter } from "./meter.ts";
import { type Question, writeQuestions } from "./questions.ts";
import { type Settings, Workshop } from "./settings.ts";
import { spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

/** As a build with -j32 would ask. */
const CONCURRENT = 32;
/** Until all questions are hits. */
const WARM_UPS = 50;
const WARM_UP_MS = 200;
const UNITS = 4;
const BARS = {
  rate: { must: 5_000, aim: 15_000, lower: true },
  cpu: { must: 200, aim: 60 },
  start: { must: 150, aim: 100 },
} as const;

/** About 90 and 250 inputs: the medians of C and of C++ projects. */
const SOURCES = [
  {
    name: "C",
    compiler: "/usr/bin/cc",
    suffix: "c",
    headers: ["stdio", "stdlib", "string", "pthread", "signal", "sys/socket", "netinet/in", "netdb", "math", "time", "sys/wait", "regex"],
  },
  {
    name: "C++",
    compiler: "/usr/bin/c++",
    suffix: "cc",
    headers: ["iostream", "map", "unordered_map", "regex", "thread", "future", "filesystem", "random"],
  },
] as const;

export async function daemon(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  await using node = new CairnNode(workshop.path("home"));
  await node.start();
  const rows: Row[] = [];
  const notes: string[] = [`${CONCURRENT} connections at once, ${settings.questions} questions a round, ${UNITS} units in turn`];
  for (const source of SOURCES) {
    settings.progress(`load: ${source.name}`);
    const found = await load(settings, workshop, node, source);
    rows.push(...found.rows);
    notes.push(found.note);
  }
  settings.progress("starting");
  await node.stop();
  const starts: number[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    const began = performance.now();
    await node.start();
    await node.ask("/status");
    starts.push(performance.now() - began);
    await node.stop();
  }
  rows.push(row("spawn to the first answered status", "ms", spread(starts), BARS.start));
  return { benchmark: "daemon", rows, notes };
}

async function load(
  settings: Settings,
  workshop: Workshop,
  node: CairnNode,
  source: (typeof SOURCES)[number],
): Promise<{ rows: Row[]; note: string }> {
  const directory = workshop.path(source.suffix);
  mkdirSync(directory);
  const text = source.headers.map((header) => `#include <${header}${source.suffix === "c" ? ".h" : ""}>\n`).join("");
  const env = plainEnvironment(workshop.directory);
  const questions: Question[] = [];
  for (let unit = 0; unit < UNITS; unit++) writeFileSync(join(directory, `unit${unit}.${source.suffix}`), `${text}int unit${unit};\n`);
  await sleep(50); // Files that are younger than the clock's grain are not believed.
  for (let unit = 0; unit < UNITS; unit++) {
    const name = `unit${unit}.${source.suffix}`;
    const argv = [source.compiler, "-O1", "-MD", "-c", name, "-o", `${name}.o`];
    await meter(workshop.native, { argv: [workshop.native.wrapper, ...argv], cwd: directory, env: { ...env, ...node.env } });
    questions.push({ cwd: directory, compiler: source.compiler, argv, environment: [`LANG=${env.LANG}`, `PATH=${env.PATH}`] });
  }
  const inputs = await inputsOf(node, join(directory, `unit0.${source.suffix}`));
  const file = writeQuestions(directory, questions);
  const [rates, cpus, tails]: [number[], number[], number[]] = [[], [], []];
  const ask = (count: number): { answered: number; wallMs: number; p99Ms: number } => {
    const command = [node.socket, file, String(count), String(CONCURRENT)];
    const [done, wallNs, , p99Ns] = execFileSync(workshop.native.load, command, { encoding: "utf8" }).split(" ").map(Number);
    return { answered: done ?? 0, wallMs: (wallNs ?? 0) / 1e6, p99Ms: (p99Ns ?? 0) / 1e6 };
  };
  // What the compiles left is stored when a core is idle.
  for (let time = 0; ask(settings.questions).answered < settings.questions && time < WARM_UPS; time++) await sleep(WARM_UP_MS);
  for (let round = 0; round < settings.rounds; round++) {
    const before = node.cpuMs();
    const { answered, wallMs, p99Ms } = ask(settings.questions);
    if (answered !== settings.questions) throw new Error(`only ${answered} of ${settings.questions} questions were hits`);
    rates.push((answered * 1_000) / wallMs);
    cpus.push(((node.cpuMs() - before) * 1_000) / answered);
    tails.push(p99Ms);
  }
  return {
    rows: [
      row(`${source.name}: hits a second`, "/s", spread(rates), BARS.rate),
      row(`${source.name}: CPU a hit`, "µs", spread(cpus), BARS.cpu),
      row(`${source.name}: 99th percentile of a hit`, "ms", spread(tails)),
    ],
    note: `${source.name}: ${inputs} inputs a unit`,
  };
}

async function inputsOf(node: CairnNode, file: string): Promise<number> {
  const explained = (await node.ask(`/explain?file=${encodeURIComponent(file)}`)) as { record?: { inputs?: number } };
  return explained.record?.inputs ?? 0;
}
