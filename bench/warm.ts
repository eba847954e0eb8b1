/**
 * Warm builds: everything is in the cache. What does a wrapper cost above a launcher that does nothing, and how does a build compare
 * with other caches?
 */
import { type BuildParts, type Built, build, fill } from "./builds.ts";
import { type ContenderName, enterAll, enterNone } from "./contenders.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { median, paired, ratios, spread } from "./statistics.ts";
import { type Bar, type Report, type Row, row } from "./table.ts";

const CONTENDERS: readonly ContenderName[] = ["floor", "ccache", "ccache inode", "ccache tuned", "sccache", "cairn"];
/** It preprocesses on every hit: one -j is enough to know. */
const SCCACHE_JOBS = 2;

const BARS = {
  aboveFloor: { must: 1 / 3, aim: 1 / 8 },
  ccache: { C: { must: 0.55, aim: 0.4 }, "C++": { must: 0.42, aim: 0.3 } },
  inode: { must: 0.65, aim: 0.45 },
  sccache: { must: 0.2, aim: 0.14 },
} as const;

type Samples = ReadonlyMap<string, readonly Built[]>;

export async function warm(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const name of settings.projects) {
    const found = await warmProject(settings, name);
    rows.push(...found.rows);
    notes.push(...found.notes);
  }
  return { benchmark: "warm", rows, notes };
}

async function warmProject(settings: Settings, name: ProjectName): Promise<{ rows: Row[]; notes: string[] }> {
  using workshop = new Workshop();
  const project = Project.make(name, workshop.path("project"), settings.warmUnits);
  await using stack = new AsyncDisposableStack();
  const notes: string[] = [];
  const contenders = await enterAll(CONTENDERS, workshop, { stack, notes });
  const parts = await reference(settings, workshop, project);
  notes.push(`${name}: ${project.objects.length} units of ${project.language}; every build's objects have the checksum ${parts.expected}`);
  for (const contender of contenders.filter((one) => one.name !== "floor")) {
    settings.progress(`${name}: filling ${contender.name}`);
    await fill(parts, contender, SCCACHE_JOBS);
  }
  const rows: Row[] = [];
  for (const jobs of settings.jobs) {
    settings.progress(`${name}: ${settings.rounds} rounds with -j${jobs}`);
    const present = contenders.filter((one) => one.name !== "sccache" || jobs === SCCACHE_JOBS || settings.jobs.length === 1);
    const measured = await interleave(present, settings.rounds, async (contender) => build(parts, contender, jobs));
    const samples: Samples = new Map([...measured].map(([contender, all]) => [contender.name, all]));
    rows.push(...rowsOf(project, `${name} -j${jobs}`, samples));
  }
  notes.push(...[...parts.wrong].map((other) => `${name}: ${other} wrote other objects than the compiler`));
  return { rows, notes };
}

/** The compiler alone: what all others must equal. */
export async function reference(settings: Settings, workshop: Workshop, project: Project): Promise<BuildParts> {
  settings.progress(`${project.name}: compiling ${project.objects.length} units without a cache`);
  const bare = await enterNone(workshop);
  const parts = { native: workshop.native, project, calmMs: settings.calmMs, wrong: new Set<string>() };
  await build({ ...parts, expected: undefined }, bare, SCCACHE_JOBS);
  return { ...parts, expected: project.checksum() };
}

function rowsOf(project: Project, title: string, samples: Samples): Row[] {
  const units = project.objects.length;
  const times = (name: ContenderName, kind: keyof Built): number[] => (samples.get(name) ?? []).map((sample) => sample[kind]);
  const aboveFloor = (name: ContenderName): number[] =>
    paired(times(name, "cpuMs"), times("floor", "cpuMs"), (own, floor) => ((own - floor) * 1_000) / units);
  const own = aboveFloor("cairn");
  const rows = [row(`${title}: wrapper above the floor, CPU a unit`, "µs", spread(own))];
  const daemon = times("cairn", "backgroundCpuMs").map((ms) => (ms * 1_000) / units);
  rows.push(row(`${title}: of that the daemon's, CPU a unit`, "µs", spread(daemon)));
  const against = (name: ContenderName, kind: keyof Built, bar?: Bar): void => {
    if (!samples.has(name)) return;
    const label = kind === "cpuMs" ? "CPU" : "wall";
    rows.push(row(`${title}: ${label} / ${name}`, "x", spread(ratios(times("cairn", kind), times(name, kind))), bar));
  };
  for (const name of ["ccache", "ccache inode", "ccache tuned"] as const) {
    const theirs = aboveFloor(name);
    if (theirs.length === 0) continue;
    // A ratio of medians: differences of single rounds can be near nothing.
    const each = spread(ratios(own, theirs));
    const bar = name === "ccache" ? BARS.aboveFloor : undefined;
    rows.push(row(`${title}: wrapper above the floor / ${name}`, "x", { ...each, median: median(own) / median(theirs) }, bar));
  }
  against("ccache", "wallMs", BARS.ccache[project.language]);
  against("ccache", "cpuMs", BARS.ccache[project.language]);
  against("ccache inode", "cpuMs", BARS.inode);
  against("ccache tuned", "wallMs");
  against("ccache tuned", "cpuMs");
  against("sccache", "wallMs", BARS.sccache);
  against("floor", "wallMs");
  for (const [name, all] of samples) {
    rows.push(row(`${title}: ${name}, wall`, "ms", spread(all.map(({ wallMs }) => wallMs))));
    rows.push(row(`${title}: ${name}, CPU`, "ms", spread(all.map(({ cpuMs }) => cpuMs))));
  }
  return rows;
}
