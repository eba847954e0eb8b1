/**
 * A second machine: its cache is empty, another member of its network has built the same project at another path. Against the compiler
 * alone.
 *
 * Both machines are homes on this one, with real daemons that talk over loopback. Each round has a machine that is new.
 */
import { build } from "./builds.ts";
import { enterNone } from "./contenders.ts";
import { buildThere } from "./first-machine.ts";
import { Member, Newcomer } from "./machines.ts";
import type { ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

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
  await using first = new Member(workshop.native, workshop.path("first"));
  const known = await buildThere({ settings, workshop, notes }, first, { name, units: settings.coldUnits, path: workshop.directory });
  if (known === undefined) return [];
  const { elsewhere, practice } = known;
  const none = await enterNone(workshop);
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
  const units = elsewhere.project.objects.length;
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
