/**
 * Cold builds: the cache is empty before each one. What does it cost to fill it?
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Built, build, calm } from "./builds.ts";
import { type Contender, type ContenderName, enterAll } from "./contenders.ts";
import { meter } from "./meter.ts";
import { Practice } from "./practice.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";
import { reference } from "./warm.ts";

const CONTENDERS: readonly ContenderName[] = ["none", "ccache", "ccache depend", "sccache", "cairn"];
const JOBS = 2;
const BAR = { must: 1.04, aim: 1.02 } as const;

interface Cold extends Built {
  /** Emptying the cache, starting what serves it, and the first sight of the compilers. */
  readonly startCpuMs: number;
  /** What was left for a quiet moment after the build. */
  readonly afterCpuMs: number;
}

export async function cold(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes: string[] = [`at most ${settings.coldUnits} units of each project, spread over it, with -j${JOBS}`];
  for (const name of settings.projects) {
    const found = await coldProject(settings, name);
    rows.push(...found.rows);
    notes.push(...found.notes);
  }
  return { benchmark: "cold", rows, notes };
}

async function coldProject(settings: Settings, name: ProjectName): Promise<{ rows: Row[]; notes: string[] }> {
  using workshop = new Workshop();
  const project = Project.make(name, workshop.path("project"), settings.coldUnits);
  await using stack = new AsyncDisposableStack();
  const notes: string[] = [];
  const contenders = await enterAll(CONTENDERS, workshop, { stack, notes });
  const parts = await reference(settings, workshop, project);
  notes.push(`${name}: ${project.objects.length} units of ${project.language}; every build's objects have the checksum ${parts.expected}`);
  const practice = await Practice.prepare(settings, workshop, name);
  notes.push(`${name}: ${practice.note}`);
  settings.progress(`${name}: ${settings.rounds} rounds`);
  const measured = await interleave(contenders, settings.rounds, async (contender): Promise<Cold> => {
    const startCpuMs = (await contender.reset()) + (await meetCompilers(workshop, contender));
    if (contender.name === "cairn") await practice.of(contender);
    const built = await build(parts, contender, JOBS);
    return { ...built, startCpuMs, afterCpuMs: await calm(contender, settings.calmMs) };
  });
  notes.push(...[...parts.wrong].map((other) => `${name}: ${other} wrote other objects than the compiler`));
  const samples = new Map([...measured].map(([contender, all]) => [contender.name, all]));
  return { rows: rowsOf(name, samples), notes };
}

/** A daemon looks at each compiler once in its life, not once a build: a first compile of something else. @returns CPU time, ms */
export async function meetCompilers(workshop: Workshop, contender: Contender): Promise<number> {
  if (contender.name !== "cairn" || contender.launcher === undefined) return 0;
  const directory = workshop.path("other");
  mkdirSync(directory, { recursive: true });
  const before = contender.backgroundCpuMs();
  for (const [compiler, source] of [
    ["/usr/bin/cc", "other.c"],
    ["/usr/bin/c++", "other.cc"],
  ] as const) {
    writeFileSync(join(directory, source), "int other;\n");
    const argv = [contender.launcher, compiler, "-c", source, "-o", `${source}.o`] as const;
    await meter(workshop.native, { argv, cwd: directory, env: contender.env });
  }
  await sleep(100); // What is done after the answer.
  return contender.backgroundCpuMs() - before;
}

function rowsOf(title: string, samples: ReadonlyMap<string, readonly Cold[]>): Row[] {
  const of = (name: ContenderName, value: (sample: Cold) => number): number[] => (samples.get(name) ?? []).map(value);
  const cpu = ({ cpuMs }: Cold): number => cpuMs;
  const wall = ({ wallMs }: Cold): number => wallMs;
  const none = of("none", cpu);
  const rows = [
    row(`${title}: CPU / none`, "x", spread(ratios(of("cairn", cpu), none)), BAR),
    row(
      `${title}: CPU of the daemon / of all else in the same build`,
      "x",
      spread(of("cairn", (sample) => sample.backgroundCpuMs / (sample.cpuMs - sample.backgroundCpuMs))),
    ),
    row(
      `${title}: CPU until the build has ended / none`,
      "x",
      spread(
        ratios(
          of("cairn", (sample) => sample.cpuMs - sample.backgroundCpuMs + sample.meanwhileCpuMs),
          none,
        ),
      ),
    ),
    row(`${title}: wall / none`, "x", spread(ratios(of("cairn", wall), of("none", wall)))),
    row(
      `${title}: CPU with what is done in quiet moments after the build / none`,
      "x",
      spread(
        ratios(
          of("cairn", (sample) => sample.cpuMs + sample.afterCpuMs),
          none,
        ),
      ),
    ),
    row(
      `${title}: CPU with start-up and first sight of the compilers / none`,
      "x",
      spread(
        ratios(
          of("cairn", (sample) => sample.cpuMs + sample.startCpuMs),
          none,
        ),
      ),
    ),
    row(`${title}: start-up and first sight of the compilers, CPU`, "ms", spread(of("cairn", ({ startCpuMs }) => startCpuMs))),
  ];
  for (const name of ["ccache", "ccache depend", "sccache"] as const)
    if (samples.has(name)) rows.push(row(`${title}: ${name}, CPU / none`, "x", spread(ratios(of(name, cpu), none))));
  for (const [name, all] of samples) rows.push(row(`${title}: ${name}, CPU`, "ms", spread(all.map(cpu))));
  return rows;
}
