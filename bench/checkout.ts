/**
 * A second checkout at another path: is its first build as fast as another one where the cache was filled?
 *
 * Each round has a new path, since every path is a second checkout only once.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type BuildParts, build, fill } from "./builds.ts";
import { type ContenderName, enterAll } from "./contenders.ts";
import type { Measured } from "./meter.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Bar, type Report, type Row, row } from "./table.ts";
import { reference } from "./warm.ts";

const CONTENDERS: readonly ContenderName[] = ["floor", "ccache", "ccache basedir", "cairn"];
const JOBS = 2;
/** "As warm", within what repeating it differs by. */
const BAR = { must: 1.15, aim: 1.05 } as const;

interface Pair {
  readonly first: Measured;
  readonly warm: Measured;
}

export async function checkout(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes: string[] = [
    `-j${JOBS}; the second checkout is a copy of source and build directory at a path of the same depth, its ninja files rewritten`,
    "compiled with -ffile-prefix-map for the checkout's directory; objects are compared with those that the compiler alone writes at the second path",
  ];
  for (const name of settings.projects) rows.push(...(await checkoutProject(settings, name, notes)));
  return { benchmark: "checkout", rows, notes };
}

async function checkoutProject(settings: Settings, name: ProjectName, notes: string[]): Promise<Row[]> {
  using workshop = new Workshop();
  const root = workshop.path("checkout0", "project");
  // Debug information and __FILE__ name the checkout otherwise, and no two could share anything.
  const project = Project.make(name, root, settings.coldUnits, `-ffile-prefix-map=${root}=.`);
  if (project.objects.some((object) => object.includes(root))) {
    notes.push(
      `${name}: its objects are named by their sources' absolute paths, so that commands of two checkouts ask for different things: not measured`,
    );
    return [];
  }
  await using stack = new AsyncDisposableStack();
  const contenders = await enterAll(CONTENDERS, workshop, { stack, notes, baseDir: workshop.directory });
  mkdirSync(join(root, ".git")); // What makes a directory a checkout.
  const parts = await reference(settings, workshop, project);
  for (const contender of contenders) {
    settings.progress(`${name}: filling ${contender.name}`);
    await fill(parts, contender, JOBS);
  }
  settings.progress(`${name}: ${settings.rounds} rounds, each at a new path`);
  let second: { round: number; parts: BuildParts } | undefined;
  const measured = await interleave(contenders, settings.rounds, async (contender, round): Promise<Pair> => {
    if (second?.round !== round) {
      if (second !== undefined) rmSync(second.parts.project.root, { recursive: true });
      const copy = project.copyTo(workshop.path(`checkout${round + 1}`, "project"));
      second = { round, parts: await reference(settings, workshop, copy) };
    }
    return { first: await build(second.parts, contender, JOBS), warm: await build(parts, contender, JOBS) };
  });
  const samples = new Map([...measured].map(([contender, pairs]) => [contender.name, pairs]));
  for (const other of new Set([...parts.wrong, ...(second?.parts.wrong ?? [])]))
    notes.push(`${name}: ${other} wrote other objects than the compiler`);
  const portable = second?.parts.expected === parts.expected;
  if (!portable)
    notes.push(`${name}: the compiler itself writes other objects at another path (debug information), so nothing can be reused`);
  return rowsOf(`${name}, ${project.objects.length} units`, samples, portable ? BAR : undefined);
}

function rowsOf(title: string, samples: ReadonlyMap<string, readonly Pair[]>, bar: Bar | undefined): Row[] {
  const of = (name: ContenderName, which: keyof Pair, kind: keyof Measured): number[] =>
    (samples.get(name) ?? []).map((pair) => pair[which][kind]);
  const rows: Row[] = [];
  for (const [kind, label] of KINDS)
    rows.push(
      row(
        `${title}: first build there, ${label} / own warm`,
        "x",
        spread(ratios(of("cairn", "first", kind), of("cairn", "warm", kind))),
        bar,
      ),
    );
  for (const name of ["ccache", "ccache basedir"] as const) {
    if (!samples.has(name)) continue;
    for (const [kind, label] of KINDS)
      rows.push(
        row(`${title}: first build there, ${label} / ${name}'s`, "x", spread(ratios(of("cairn", "first", kind), of(name, "first", kind)))),
      );
  }
  for (const name of samples.keys()) {
    for (const which of ["first", "warm"] as const) {
      const own = of(name as ContenderName, which, "cpuMs");
      rows.push(row(`${title}: ${name}, ${which === "first" ? "first build there" : "warm"}, CPU`, "ms", spread(own)));
    }
  }
  return rows;
}

const KINDS = [
  ["wallMs", "wall"],
  ["cpuMs", "CPU"],
] as const;
