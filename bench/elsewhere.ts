/**
 * What it costs to have a unit compiled by another machine: a real project's units, each by the compiler alone, by a member over loopback or a
 * cable (`--rtt`), and by distcc's server and icecc's where they are installed, by turns. Before each the source gets another last line, as if somebody had worked
 * on it.
 *
 * The member that asks has no idle core: every one of them waits for a pipe, which takes no time of a processor.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "../src/base/index.ts";
import { areOffered, Crowd } from "./busy.ts";
import { type CompileCommand, compileCommands } from "./compile-commands.ts";
import { Distcc } from "./distcc.ts";
import { Icecc } from "./icecc.ts";
import { Member } from "./machines.ts";
import { Cable, HERE } from "./places.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { paired, ratios, type Spread, same, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const BAR = { must: 1, aim: 0.5 } as const;
/** So many compiles a core: then even a cheap unit is worth sending. */
const CROWD = 8;

/** Who compiles elsewhere, too, to compare with. */
interface Rival {
  readonly name: string;
  readonly launcher: string;
  readonly env: Readonly<Record<string, string>>;
}

const ALONE = "the compiler alone";
const CAIRN = "a member";
/** A rival's, for each compile, and how long it then avoids its server. */
const RIVALS_FAILURES = 2;
const AVOIDED_MS = 2_500;
/** By who compiles, in ms: the same units in the same order for all. */
type Samples = ReadonlyMap<string, number[]>;

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
  await using stack = new AsyncDisposableStack();
  const cable = settings.rttMs === 0 ? undefined : stack.use(await Cable.lay(workshop.native, settings.rttMs));
  const { near, far } = cable ?? { near: HERE, far: HERE };
  const builder = stack.use(new Member(workshop.native, workshop.path("builder"), near));
  const helper = stack.use(new Member(workshop.native, workshop.path("helper"), far));
  await Promise.all([builder.start(), helper.start()]);
  const crowd = stack.use(await Crowd.gather(builder, workshop.path("crowd"), CROWD)); // In a network they would be looked at for sending.
  builder.cairn("init");
  helper.cairn("join", String(builder.cairn("invite").line));
  if (!(await areOffered(builder, [helper]))) {
    notes.push("the other machine does not compile for others; cairn doctor there says why");
    return [];
  }
  const distcc = stack.use(await Distcc.start(workshop.path("distcc"), far, near));
  if (distcc === undefined) notes.push("distcc is not installed");
  const icecc = await Icecc.start(far, near);
  if (typeof icecc === "string") notes.push(icecc);
  else stack.use(icecc);
  const rivals: Rival[] = [distcc, typeof icecc === "string" ? undefined : icecc].filter((rival) => rival !== undefined);
  const commands = compileCommands(Project.make(name, workshop.path("project"), settings.coldUnits));
  settings.progress(`${name}: ${commands.length} units, ${settings.rounds} rounds, ${crowd.size} compiles that wait`);
  const before = typeof icecc === "string" ? 0 : icecc.compiledThere;
  const { samples, others } = await measured(settings, rivals, commands, builder);
  for (const [rival, count] of others) notes.push(`${name}: ${count} of ${commands.length} objects are others with ${rival}`);
  const { counters } = (await builder.node.ask("/stats")) as { counters: Record<string, number> };
  const wanted = (settings.rounds + 1) * commands.length;
  if (counters.built_elsewhere !== wanted) notes.push(`${name}: ${counters.built_elsewhere ?? 0} of ${wanted} were compiled elsewhere`);
  const byIcecc = typeof icecc === "string" ? 0 : icecc.compiledThere - before;
  if (typeof icecc !== "string") notes.push(`${name}: ${byIcecc} of ${wanted} were compiled by icecc's other daemon, by its log`);
  const counted = rivals.filter((rival) => rival !== icecc || byIcecc === wanted); // What it did itself says nothing of how it sends.
  const title = `${name}, ${commands.length} units`;
  const elsewhereMs = (counters.elsewhere_ms ?? 0) / Math.max(1, counters.built_elsewhere ?? 0);
  const names = counted.map((rival) => rival.name);
  return [...rowsOf(title, samples, names, notes), row(`${title}: of a member's, compiling there`, "ms", same(elsewhereMs))];
}

async function measured(
  settings: Settings,
  rivals: readonly Rival[],
  commands: readonly CompileCommand[],
  builder: Member,
): Promise<{ readonly samples: Samples; readonly others: ReadonlyMap<string, number> }> {
  const launchers = new Map<string, Pick<Rival, "launcher" | "env">>([
    [CAIRN, builder],
    ...rivals.map((rival) => [rival.name, rival] as const),
  ]);
  const ways = [ALONE, ...launchers.keys()];
  const samples = new Map<string, number[]>(ways.map((way) => [way, []]));
  let edits = 0;
  const by = async (way: string, command: CompileCommand): Promise<number> => {
    appendFileSync(resolve(command.cwd, command.source), `// ${edits++}\n`);
    if (way === CAIRN) await builder.node.tell("/gc", { all: true });
    const through = launchers.get(way);
    const words = through === undefined ? command.words : [through.launcher, ...command.words];
    for (let failures = 0; ; failures++) {
      try {
        return await compile(words, command, through?.env ?? {});
      } catch (error) {
        // distcc gives up where a connection was closed once.
        if (way === ALONE || way === CAIRN || failures >= RIVALS_FAILURES) throw error;
        await sleep(AVOIDED_MS);
      }
    }
  };
  const others = new Map<string, number>();
  for (const command of commands) {
    await by(ALONE, command);
    const expected = objectOf(command);
    for (const way of launchers.keys()) {
      await by(way, command);
      if (objectOf(command) === expected) continue;
      if (way === CAIRN) throw new Error(`${command.output}: another object`);
      others.set(way, (others.get(way) ?? 0) + 1); // With -g, distcc's server names its own working directory.
    }
    const taken = await interleave(ways, settings.rounds, (way) => by(way, command));
    for (const way of ways) samples.get(way)?.push(...(taken.get(way) ?? []));
  }
  return { samples, others };
}

function rowsOf(title: string, samples: Samples, rivals: readonly string[], notes: string[]): Row[] {
  const of = (way: string): number[] => samples.get(way) ?? [];
  const above = (way: string): Spread => spread(paired(of(way), of(ALONE), (one, alone) => one - alone));
  const own = above(CAIRN);
  const [slower, others] = [rivals.filter((rival) => above(rival).median > 0), rivals.filter((rival) => above(rival).median <= 0)];
  for (const rival of others)
    notes.push(`${title}: ${rival} took no longer than ${ALONE}: too much else runs here, or too few rounds, to compare with it`);
  return [
    ...[CAIRN, ...rivals].flatMap((way) => [
      row(`${title}: ${way} above ${ALONE}`, "ms", above(way)),
      row(`${title}: ${way} / ${ALONE}`, "x", spread(ratios(of(way), of(ALONE)))),
    ]),
    ...slower.map((rival) => row(`${title}: a member's overhead / ${rival}'s`, "x", same(own.median / above(rival).median), BAR)),
    row(`${title}: ${ALONE}`, "ms", spread(of(ALONE))),
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
