/**
 * Eight machines with an eighth of a core each, against one of them: a real project's units, compiled by the compiler alone on one, and by all
 * for one more machine. What more processors would bring cannot be seen on two cores; what is lost on the way can.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { areOffered, Crowd } from "./busy.ts";
import { type CompileCommand, compileCommands } from "./compile-commands.ts";
import { CoreShare } from "./core-shares.ts";
import { Member } from "./machines.ts";
import { HERE } from "./places.ts";
import { Project, type ProjectName } from "./projects.ts";
import { type Settings, Workshop } from "./settings.ts";
import { same } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

/** For eight machines. */
const BAR = { must: 5, aim: 7, lower: true } as const;
/** So many compiles a core that here is no place for one more: a unit takes eight times as long elsewhere, and as long again where it waits. */
const CROWD = 32;
/** One slot: by its share of time each machine is less than one core, and the daemon sees all of them. */
const SETTINGS = { CAIRN_WORK_SHARE: "1%" } as const;
/** Each machine has compiled something before it counts: it lays a compiler out once. */
const PRACTICE_MOST = 8;

export async function workers(settings: Settings): Promise<Report> {
  const notes = [
    "each machine's daemon is part of its eighth, and has compiled something before; the one that asks has what is left of the cores, and compiles nothing",
  ];
  const rows: Row[] = [];
  for (const name of settings.projects) rows.push(...(await measureProject(settings, name, notes)));
  return { benchmark: "workers", rows, notes };
}

async function measureProject(settings: Settings, name: ProjectName, notes: string[]): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const workshop = stack.use(new Workshop());
  const commands = compileCommands(Project.make(name, workshop.path("project"), settings.coldUnits));
  const { machines } = settings;
  const alone = stack.use(CoreShare.make("alone"));
  if (alone === undefined) {
    notes.push("this process may make no control groups");
    return [];
  }
  const builder = stack.use(new Member(workshop.native, workshop.path("builder")));
  await builder.start();
  stack.use(await Crowd.gather(builder, workshop.path("crowd"), CROWD));
  builder.cairn("init");
  const shares: CoreShare[] = [];
  const helpers: Member[] = [];
  for (let at = 0; at < machines; at++) {
    const share = stack.use(CoreShare.make(`worker${at}`)) ?? alone;
    const helper = stack.use(new Member(workshop.native, workshop.path(`worker${at}`), { ...HERE, prefix: share.prefix }, SETTINGS));
    await helper.start();
    helper.cairn("join", String(builder.cairn("invite").line), "--machine", `worker${at}`);
    shares.push(share);
    helpers.push(helper);
  }
  if (!(await areOffered(builder, helpers))) {
    notes.push("the other machines do not compile for others; cairn doctor there says why");
    return [];
  }
  settings.progress(`${name}: ${machines} machines are there`);
  const env = { PATH: process.env.PATH, ...builder.env };
  for (const share of [...shares, alone]) share.bound(1 / machines); // Not before: a daemon starts for half a minute in an eighth of a core.
  if (!(await practise(helpers, workshop.path("practice"), (small) => compileAll(small, machines, [builder.launcher], env))))
    notes.push("some of the machines had compiled nothing before");
  const counters = async (): Promise<Record<string, number>> =>
    ((await builder.node.ask("/stats")) as { counters: Record<string, number> }).counters;
  const before = await counters();
  settings.progress(`${name}: ${commands.length} units by ${machines} machines`);
  const together = await timed(shares, () => compileAll(commands, 2 * machines, [builder.launcher], env));
  const since = Object.entries(await counters()).map(([counter, count]) => [counter, count - (before[counter] ?? 0)] as const);
  const built = new Map(since).get("built_elsewhere") ?? 0;
  for (const [counter, count] of since) if (counter.startsWith("kept_here") && count > 0) notes.push(`${name}: ${count} times ${counter}`);
  settings.progress(`${name}: the same on one`);
  const single = await timed([alone], () => compileAll(commands, 1, alone.prefix, { PATH: process.env.PATH }));
  const title = `${name}, ${commands.length} units`;
  const bar = machines === 8 ? BAR : undefined;
  return [
    row(`${title}: ${machines} are so many times as fast as one`, "x", same(single.tookMs / together.tookMs), bar),
    // What the machine that asks compiles after all it does on more than an eighth of a core.
    row(`${name}: of the units, compiled by the ${machines}`, "%", same((100 * built) / commands.length)),
    row(`${name}: ${machines}`, "s", same(together.tookMs / 1_000)),
    row(`${name}: one`, "s", same(single.tookMs / 1_000)),
    row(`${name}: time of processors, ${machines} / one`, "x", same(together.usedMs / single.usedMs)),
    // On a machine that does nothing else the one uses all of its part; what the others do not use of theirs, they waited.
    row(`${name}: of their parts of a core, used by ${machines}`, "x", same(together.usedMs / together.tookMs)),
    row(`${name}: of its part of a core, used by one`, "x", same((machines * single.usedMs) / single.tookMs)),
  ];
}

async function timed(
  shares: readonly CoreShare[],
  work: () => Promise<number>,
): Promise<{ readonly tookMs: number; readonly usedMs: number }> {
  const used = (): number => shares.reduce((sum, { usedMs }) => sum + usedMs, 0);
  const before = used();
  const tookMs = await work();
  return { tookMs, usedMs: used() - before };
}

/** Has small units compiled until each machine has done one. @returns false where one has not */
async function practise(
  helpers: readonly Member[],
  directory: string,
  compile: (commands: readonly CompileCommand[]) => Promise<unknown>,
): Promise<boolean> {
  mkdirSync(directory);
  const haveAll = (): boolean => helpers.every(({ node }) => node.events("work.ended").length > 0);
  for (let turn = 0; turn < PRACTICE_MOST && !haveAll(); turn++) {
    const commands = helpers.map((_, at) => {
      const [source, output] = [`unit${turn}_${at}.cc`, `unit${turn}_${at}.o`];
      writeFileSync(join(directory, source), `#include <string>\nstd::string practice${turn}_${at}() { return "${at}"; }\n`);
      return { words: ["c++", "-O2", "-c", source, "-o", output], cwd: directory, source, output };
    });
    await compile(commands);
  }
  return haveAll();
}

/** @returns ms until all are done */
async function compileAll(
  commands: readonly CompileCommand[],
  atOnce: number,
  prefix: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  for (const { cwd, output } of commands) rmSync(join(cwd, output), { force: true });
  const waiting = [...commands];
  const began = performance.now();
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [file = "", ...args] = [...prefix, ...next.words];
      const child = spawn(file, args, { cwd: next.cwd, env, stdio: "ignore" });
      await once(child, "close");
      if (child.exitCode !== 0) throw new Error(`${next.output}: ${child.exitCode}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return performance.now() - began;
}
