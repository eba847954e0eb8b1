/**
 * A second machine: its cache is empty, another member of its network has built the same project at another path. Against the compiler
 * alone.
 *
 * Both machines are homes on this one, with real daemons that talk over loopback. Each round has a machine that is new.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build, calm } from "./builds.ts";
import { enter } from "./contenders.ts";
import { Member, Newcomer } from "./machines.ts";
import { Practice } from "./practice.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";
import { reference } from "./warm.ts";

const JOBS = 2;
const BAR = { must: 0.2, aim: 0.1 } as const;

export async function sharing(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes = [`-j${JOBS}; two homes on one machine, daemons on loopback; compiled with -ffile-prefix-map for the checkout's directory`];
  for (const name of settings.projects) rows.push(...(await projectRows(settings, name, notes)));
  return { benchmark: "sharing", rows, notes };
}

async function projectRows(settings: Settings, name: ProjectName, notes: string[]): Promise<Row[]> {
  using workshop = new Workshop();
  const root = workshop.path("checkout0", "project");
  const project = Project.make(name, root, settings.coldUnits, `-ffile-prefix-map=${root}=.`);
  mkdirSync(join(root, ".git"));
  const parts = await reference(settings, workshop, project);
  await using first = new Member(workshop.native, workshop.path("first"));
  await first.start();
  first.cairn("init");
  settings.progress(`${name}: the first machine builds, and what it built is made ready for others`);
  await build(parts, first, JOBS);
  const practice = await Practice.prepare(settings, workshop, name);
  await practice.of(first);
  await calm(first, settings.calmMs);
  notes.push(`${name}: ${practice.note}`);
  const elsewhere = await reference(settings, workshop, project.copyTo(workshop.path("checkout1", "project")));
  if (elsewhere.expected !== parts.expected) {
    notes.push(`${name}: the compiler itself writes other objects at another path, so nothing can be reused`);
    return [];
  }
  const none = await enter("none", workshop.native, workshop.path("none"));
  if (none === undefined) throw new Error("there is always the compiler");
  const second = new Newcomer(workshop, first, practice);
  settings.progress(`${name}: ${settings.rounds} rounds`);
  let misses = 0;
  const measured = await interleave([none, second], settings.rounds, async (contender) => {
    await contender.reset();
    const before = first.backgroundCpuMs();
    const built = await build(elsewhere, contender, JOBS);
    if (contender === second) misses += await second.misses();
    return { ...built, servingCpuMs: first.backgroundCpuMs() - before };
  });
  await second[Symbol.asyncDispose]();
  const [bare = [], shared = []] = [measured.get(none), measured.get(second)];
  const units = project.objects.length;
  notes.push(`${name}: ${units} units; compilers that ran on the second machine in ${settings.rounds} rounds: ${misses}`);
  return [
    row(
      `${name}: wall / none`,
      "x",
      spread(
        ratios(
          shared.map(({ wallMs }) => wallMs),
          bare.map(({ wallMs }) => wallMs),
        ),
      ),
      BAR,
    ),
    row(
      `${name}: CPU / none`,
      "x",
      spread(
        ratios(
          shared.map(({ cpuMs }) => cpuMs),
          bare.map(({ cpuMs }) => cpuMs),
        ),
      ),
    ),
    row(`${name}: wall a unit`, "ms", spread(shared.map(({ wallMs }) => wallMs / units))),
    row(`${name}: the first machine's CPU a unit`, "ms", spread(shared.map(({ servingCpuMs }) => servingCpuMs / units))),
  ];
}
