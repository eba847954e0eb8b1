/**
 * What signing and sharing cost a cold build: a machine of a network, with another member that is linked and does nothing, against the same
 * machine in no network.
 *
 * Each round has machines that are new, and counts what they do after the build, too, for signing waits for it. What members say to each other
 * where nobody builds is not the build's: it is measured before, and taken off for as long as the measuring takes.
 */
import { type Built, build, calm, idleShare } from "./builds.ts";
import { meetCompilers } from "./cold.ts";
import { Member, Newcomer } from "./machines.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";
import { reference } from "./warm.ts";

const JOBS = 2;
const BAR = { must: 1.03, aim: 1.01 } as const;

interface Signed extends Built {
  /** With what was done after the build. */
  readonly allCpuMs: number;
  /** What the machine takes where nobody builds, of a core. */
  readonly idle: number;
  /** Of the member that was told of the results. */
  readonly toldCpuMs: number;
}

export async function signing(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  for (const name of settings.projects) rows.push(...(await projectRows(settings, name)));
  const notes = [
    `at most ${settings.coldUnits} units of each project, -j${JOBS}; CPU from the build's start until the daemon has nothing more to do`,
  ];
  return { benchmark: "signing", rows, notes };
}

async function projectRows(settings: Settings, name: ProjectName): Promise<Row[]> {
  using workshop = new Workshop();
  const project = Project.make(name, workshop.path("project"), settings.coldUnits);
  const parts = await reference(settings, workshop, project);
  await using other = new Member(workshop.native, workshop.path("other"));
  await other.start();
  other.cairn("init");
  await using alone = new Member(workshop.native, workshop.path("alone"));
  await using sharing = new Newcomer(workshop, other);
  settings.progress(`${name}: ${settings.rounds} rounds`);
  const measured = await interleave([alone, sharing], settings.rounds, async (contender): Promise<Signed> => {
    await contender.reset();
    await meetCompilers(workshop, contender);
    await calm(contender, settings.calmMs); // What it has joined, and seen for the first time.
    const [idle, otherIdle] = await Promise.all([idleShare(contender), idleShare(other)]);
    const [before, began] = [other.backgroundCpuMs(), performance.now()];
    const idled = (share: number): number => share * (performance.now() - began);
    const built = await build(parts, contender, JOBS);
    const cpuMs = built.cpuMs - idled(idle);
    const allCpuMs = built.cpuMs + (await calm(contender, settings.calmMs, idle)) - idled(idle);
    return { ...built, cpuMs, allCpuMs, idle, toldCpuMs: other.backgroundCpuMs() - before - idled(otherIdle) };
  });
  const [off = [], on = []] = [measured.get(alone), measured.get(sharing)];
  const units = project.objects.length;
  const of = (samples: readonly Signed[], value: (sample: Signed) => number): number[] => samples.map(value);
  const all = ({ allCpuMs }: Signed): number => allCpuMs;
  const settled = ({ cpuMs }: Signed): number => cpuMs;
  return [
    row(`${name}: CPU with signing and sharing / in no network`, "x", spread(ratios(of(on, all), of(off, all))), BAR),
    row(`${name}: CPU until the build has settled / in no network`, "x", spread(ratios(of(on, settled), of(off, settled)))),
    row(`${name}: CPU more, a unit`, "ms", spread(on.map((one, i) => (one.allCpuMs - (off[i]?.allCpuMs ?? 0)) / units))),
    row(`${name}: CPU in the network where nobody builds, taken off: of a core`, "%", spread(on.map(({ idle }) => 100 * idle))),
    row(`${name}: CPU of a member that is told of it, a unit`, "ms", spread(on.map(({ toldCpuMs }) => toldCpuMs / units))),
  ];
}
