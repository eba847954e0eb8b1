/**
 * Without a daemon: how much later does the compiler run? The compiler is a program that does nothing, so that what is left is the
 * wrapper's delay.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import { plainEnvironment } from "./contenders.ts";
import { type Measured, meter } from "./meter.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { paired, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

/** Runs one after the other before another contender has its turn. */
const BLOCK = 10;
const BAR = { must: 1, aim: 0.3 } as const;

interface Case {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
}

export async function absent(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  const { wrapper, floor } = workshop.native;
  mkdirSync(workshop.path("bin"));
  const compiler = workshop.path("bin", "gcc");
  copyFileSync(floor, compiler);
  writeFileSync(workshop.path("unit.c"), "int unit;\n");
  const env = plainEnvironment(workshop.directory);
  const args = [compiler, "-O2", "-c", "unit.c", "-o", "unit.o"] as const;
  const wrapped = (name: string, more: Record<string, string>): Case => ({ name, argv: [wrapper, ...args], env: { ...env, ...more } });

  await using dead = new CairnNode(workshop.path("dead"));
  await dead.start();
  await dead.stop("SIGKILL"); // Its socket stays and refuses.
  await using hung = new CairnNode(workshop.path("hung"));
  await hung.start();
  hung.signal("SIGSTOP");
  const silent = wrapped("hung", hung.env);
  const once = async (one: Case, times: number): Promise<Measured[]> =>
    meter(workshop.native, { argv: one.argv, cwd: workshop.directory, env: one.env }, times);

  settings.progress("a hung daemon");
  const [first] = await once(silent, 1);
  const marked = await once(silent, BLOCK);
  hung.signal("SIGCONT");
  await sleep(10);
  await hung.stop("SIGKILL");

  const cases: Case[] = [
    { name: "the compiler alone", argv: args, env },
    wrapped("never there", { CAIRN_HOME: workshop.path("nowhere"), CAIRN_NO_AUTOSTART: "1" }),
    wrapped("killed", dead.env),
    wrapped("switched off", { ...dead.env, CAIRN_DISABLE: "1" }),
  ];
  const rounds = Math.max(settings.rounds, Math.ceil(settings.runs / BLOCK));
  settings.progress(`${rounds * BLOCK} runs each`);
  const measured = await interleave(cases, rounds, async (one) => once(one, BLOCK));
  const samples = new Map([...measured].map(([one, blocks]) => [one.name, blocks.flat().map(({ wallMs }) => wallMs)]));
  const alone = samples.get("the compiler alone") ?? [];
  const rows: Row[] = [];
  for (const [name, walls] of samples) {
    if (name === "the compiler alone") rows.push(row("the compiler alone (it does nothing)", "ms", spread(walls)));
    else rows.push(row(`delay, daemon ${name}`, "ms", spread(paired(walls, alone, (own, bare) => own - bare)), BAR));
  }
  const floorMs = spread(alone).median;
  rows.push(row("delay, daemon hung: the first who asks", "ms", spread([(first?.wallMs ?? 0) - floorMs])));
  rows.push(row("delay, daemon hung: those after it", "ms", spread(marked.map(({ wallMs }) => wallMs - floorMs)), BAR));
  return {
    benchmark: "absent",
    rows,
    notes: [`${rounds * BLOCK} runs each, ${BLOCK} in a row; delays are differences of paired runs; the hung daemon is measured once`],
  };
}
