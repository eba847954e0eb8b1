/**
 * Eight machines with an eighth of a core each, against one of them: a real project's units, compiled by the compiler alone on one, and by all
 * for one more machine. What more processors would bring cannot be seen on two cores; what is lost on the way can.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
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
/** So many compiles a core that here is no place for one more. */
const CROWD = 16;

export async function workers(settings: Settings): Promise<Report> {
  const notes = [`each machine's daemon is part of its eighth; the one that asks has what is left of the two cores, and compiles nothing`];
  const rows: Row[] = [];
  for (const name of settings.projects) rows.push(...(await measureProject(settings, name, notes)));
  return { benchmark: "workers", rows, notes };
}

async function measureProject(settings: Settings, name: ProjectName, notes: string[]): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const workshop = stack.use(new Workshop());
  const commands = compileCommands(Project.make(name, workshop.path("project"), settings.coldUnits));
  const { machines } = settings;
  const alone = stack.use(CoreShare.make("alone", 1 / machines));
  if (alone === undefined) {
    notes.push("this process may make no control groups");
    return [];
  }
  const builder = stack.use(new Member(workshop.native, workshop.path("builder")));
  await builder.start();
  stack.use(await Crowd.gather(builder, workshop.path("crowd"), CROWD));
  builder.cairn("init");
  const helpers: Member[] = [];
  for (let at = 0; at < machines; at++) {
    const share = stack.use(CoreShare.make(`worker${at}`, 1 / machines));
    const helper = stack.use(new Member(workshop.native, workshop.path(`worker${at}`), { ...HERE, prefix: share?.prefix ?? [] }));
    await helper.start();
    helper.cairn("join", String(builder.cairn("invite").line), "--machine", `worker${at}`);
    helpers.push(helper);
  }
  if (!(await areOffered(builder, helpers))) {
    notes.push("the other machines do not compile for others; cairn doctor there says why");
    return [];
  }
  settings.progress(`${name}: ${commands.length} units by ${machines} machines`);
  const env = { PATH: process.env.PATH, ...builder.env };
  const together = await compileAll(commands, 2 * machines, [builder.launcher], env);
  settings.progress(`${name}: the same on one`);
  const single = await compileAll(commands, 1, alone.prefix, { PATH: process.env.PATH });
  const { counters } = (await builder.node.ask("/stats")) as { counters: Record<string, number> };
  notes.push(`${name}: ${counters.built_elsewhere ?? 0} of ${commands.length} units were compiled by the ${machines}`);
  return [
    row(
      `${name}, ${commands.length} units: ${machines} are so many times as fast as one`,
      "x",
      same(single / together),
      machines === 8 ? BAR : undefined,
    ),
    row(`${name}: ${machines}`, "s", same(together / 1_000)),
    row(`${name}: one`, "s", same(single / 1_000)),
  ];
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
