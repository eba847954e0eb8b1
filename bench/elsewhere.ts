/**
 * What it costs to have a unit compiled by another machine: a real project's units, each by the compiler alone, by a member over loopback or a
 * cable (`--rtt`), and by distcc's server where that is installed, by turns. Before each the source gets another last line, as if somebody had worked
 * on it.
 *
 * The member that asks has no idle core: every one of them waits for a pipe, which takes no time of a processor.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { digestOf } from "../src/base/index.ts";
import { areOffered, Crowd } from "./busy.ts";
import { type CompileCommand, compileCommands } from "./compile-commands.ts";
import { Distcc } from "./distcc.ts";
import { Member } from "./machines.ts";
import { Cable, HERE } from "./places.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { paired, ratios, same, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const BAR = { must: 1, aim: 0.5 } as const;
/** So many compiles a core: then even a cheap unit is worth sending. */
const CROWD = 8;

type Way = "alone" | "cairn" | "distcc";

export async function elsewhere(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes = [
    settings.rttMs === 0 ? "over loopback" : `round trip ${settings.rttMs} ms, a packet at a time is delayed in user space, MTU 1500`,
    "above: the difference within a pair, median of all units and rounds; the member has the headers from the first round on, and no source",
  ];
  for (const name of settings.projects) rows.push(...(await measureProject(settings, name, notes)));
  return { benchmark: "elsewhere", rows, notes };
}

async function measureProject(settings: Settings, name: ProjectName, notes: string[]): Promise<Row[]> {
  using workshop = new Workshop();
  await using cable = settings.rttMs === 0 ? undefined : await Cable.lay(workshop.native, settings.rttMs);
  const { near, far } = cable ?? { near: HERE, far: HERE };
  await using builder = new Member(workshop.native, workshop.path("builder"), near);
  await using helper = new Member(workshop.native, workshop.path("helper"), far);
  await Promise.all([builder.start(), helper.start()]);
  await using crowd = await Crowd.gather(builder, workshop.path("crowd"), CROWD); // In a network they would be looked at for sending.
  builder.cairn("init");
  helper.cairn("join", String(builder.cairn("invite").line));
  if (!(await areOffered(builder, [helper]))) {
    notes.push("the other machine does not compile for others; cairn doctor there says why");
    return [];
  }
  const distcc = await Distcc.start(workshop.path("distcc"), far, near);
  if (distcc === undefined) notes.push("distcc is not installed");
  const ways: readonly Way[] = distcc === undefined ? ["alone", "cairn"] : ["alone", "cairn", "distcc"];
  try {
    const commands = compileCommands(Project.make(name, workshop.path("project"), settings.coldUnits));
    settings.progress(`${name}: ${commands.length} units, ${settings.rounds} rounds, ${crowd.size} compiles that wait`);
    const { samples, others } = await measured(settings, ways, commands, { builder, distcc });
    if (others > 0) notes.push(`${name}: ${others} of ${commands.length} objects are others with distcc`);
    const { counters } = (await builder.node.ask("/stats")) as { counters: Record<string, number> };
    const wanted = (settings.rounds + 1) * commands.length;
    if (counters.built_elsewhere !== wanted) notes.push(`${name}: ${counters.built_elsewhere ?? 0} of ${wanted} were compiled elsewhere`);
    return rowsOf(`${name}, ${commands.length} units`, samples, (counters.elsewhere_ms ?? 0) / Math.max(1, counters.built_elsewhere ?? 0));
  } finally {
    await distcc?.[Symbol.asyncDispose]();
  }
}

async function measured(
  settings: Settings,
  ways: readonly Way[],
  commands: readonly CompileCommand[],
  { builder, distcc }: { readonly builder: Member; readonly distcc: Distcc | undefined },
): Promise<{ readonly samples: ReadonlyMap<Way, number[]>; readonly others: number }> {
  const samples = new Map<Way, number[]>(ways.map((way) => [way, []]));
  let edits = 0;
  const by = async (way: Way, command: CompileCommand): Promise<number> => {
    appendFileSync(resolve(command.cwd, command.source), `// ${edits++}\n`);
    if (way === "cairn") await builder.node.tell("/gc", { all: true });
    const launcher = { alone: [], cairn: [builder.launcher], distcc: [distcc?.launcher ?? ""] }[way];
    const env = { alone: {}, cairn: builder.env, distcc: distcc?.env ?? {} }[way];
    return compile([...launcher, ...command.words], command, env);
  };
  let others = 0;
  for (const command of commands) {
    await by("alone", command);
    const expected = objectOf(command);
    for (const way of ways.slice(1)) {
      await by(way, command);
      if (objectOf(command) === expected) continue;
      if (way === "cairn") throw new Error(`${command.output}: another object`);
      others += 1; // With -g, distcc's server names its own working directory.
    }
    const taken = await interleave(ways, settings.rounds, (way) => by(way, command));
    for (const way of ways) samples.get(way)?.push(...(taken.get(way) ?? []));
  }
  return { samples, others };
}

function rowsOf(title: string, samples: ReadonlyMap<Way, number[]>, elsewhereMs: number): Row[] {
  const of = (way: Way): number[] => samples.get(way) ?? [];
  const above = (way: Way): number[] => paired(of(way), of("alone"), (one, alone) => one - alone);
  const [own, theirs] = [spread(above("cairn")), of("distcc").length === 0 ? undefined : spread(above("distcc"))];
  return [
    row(`${title}: a member above the compiler alone`, "ms", own),
    row(`${title}: a member / the compiler alone`, "x", spread(ratios(of("cairn"), of("alone")))),
    ...(theirs === undefined
      ? []
      : [
          row(`${title}: distcc above the compiler alone`, "ms", theirs),
          row(`${title}: distcc / the compiler alone`, "x", spread(ratios(of("distcc"), of("alone")))),
          row(`${title}: a member's overhead / distcc's`, "x", same(own.median / theirs.median), BAR),
        ]),
    row(`${title}: the compiler alone`, "ms", spread(of("alone"))),
    row(`${title}: of a member's, compiling there`, "ms", same(elsewhereMs)),
  ];
}

/** @returns ms */
async function compile(words: readonly string[], { cwd, output }: CompileCommand, env: Readonly<Record<string, string>>): Promise<number> {
  rmSync(join(cwd, output), { force: true });
  const [file = "", ...args] = words;
  const began = performance.now();
  const child = spawn(file, args, { cwd, env: { PATH: process.env.PATH, ...env }, stdio: "ignore" });
  await once(child, "close");
  const tookMs = performance.now() - began;
  if (child.exitCode !== 0) throw new Error(`${words.join(" ")}: ${child.exitCode}`);
  return tookMs;
}

function objectOf({ cwd, output }: CompileCommand): string {
  return digestOf(readFileSync(join(cwd, output)));
}
