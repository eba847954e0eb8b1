/**
 * Small units in a row, all of them compiled by one machine over a cable of so many ms (`--rtt`): how many a second, and for how much of the time its
 * slots had one. The machine that asks has no idle core, and more units than the other has room for.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { areOffered, Crowd } from "./busy.ts";
import { Member } from "./machines.ts";
import { Cable, HERE } from "./places.ts";
import { type Settings, Workshop } from "./settings.ts";
import { median, spread } from "./statistics.ts";
import { type Report, row } from "./table.ts";

/** So many compiles a core that here is no place for one more. */
const CROWD = 32;
/** Units of a round, and how many are asked for at once. */
const UNITS = 60;
const AT_ONCE = 30;
/** Of one unit: some hundredths of a second for a compiler with a core of its own, a tenth and more on a busy machine. */
const FUNCTIONS = 3;

interface Round {
  readonly perSecond: number;
  /** Of the time of all slots, that in which they had one. */
  readonly taken: number;
  /** How long one unit had a slot, on average. */
  readonly slotMs: number;
  readonly elsewhere: number;
}

export async function batches(settings: Settings): Promise<Report> {
  const notes = [
    settings.rttMs === 0 ? "over loopback" : `round trip ${settings.rttMs} ms, a packet at a time is delayed in user space`,
    `${UNITS} units a round, ${AT_ONCE} at once; a round before those that count`,
  ];
  using workshop = new Workshop();
  await using cable = settings.rttMs === 0 ? undefined : await Cable.lay(workshop.native, settings.rttMs);
  const { near, far } = cable ?? { near: HERE, far: HERE };
  await using builder = new Member(workshop.native, workshop.path("builder"), near);
  await using helper = new Member(workshop.native, workshop.path("helper"), far);
  await Promise.all([builder.start(), helper.start()]);
  await using _ = await Crowd.gather(builder, workshop.path("crowd"), CROWD);
  builder.cairn("init");
  helper.cairn("join", String(builder.cairn("invite").line));
  if (!(await areOffered(builder, [helper])))
    return { benchmark: "batches", rows: [], notes: ["the other machine does not compile for others; cairn doctor there says why"] };
  const { peers } = (await builder.node.ask("/network/peers")) as { peers: { work: { slots: number } | null }[] };
  const slots = peers[0]?.work?.slots ?? 0;
  const found: Round[] = [];
  for (let at = 0; at <= settings.rounds; at++) {
    found.push(await round({ builder, helper, slots }, workshop.path(`round${at}`), `round${at}`));
    settings.progress(`round ${at} of ${settings.rounds}: ${JSON.stringify(found.at(-1))}`);
  }
  const counted = found.slice(1);
  const of = (name: keyof Round): number[] => counted.map((one) => one[name]);
  notes.push(`${median(of("elsewhere"))} of ${UNITS} were compiled there`);
  const title = `${slots} slots`;
  return {
    benchmark: "batches",
    rows: [
      row(`${title}: units`, "a second", spread(of("perSecond"))),
      row(`${title}: of their time, with a unit`, "x", spread(of("taken"))),
      row("one unit has a slot for", "ms", spread(of("slotMs"))),
    ],
    notes,
  };
}

async function round(
  { builder, helper, slots }: { readonly builder: Member; readonly helper: Member; readonly slots: number },
  directory: string,
  name: string,
): Promise<Round> {
  mkdirSync(directory);
  const waiting = Array.from({ length: UNITS }, (_, at) => `unit${at}.c`);
  for (const [at, file] of waiting.entries()) writeFileSync(join(directory, file), sourceOf(`${name}_${at}`));
  const before = ended(helper).length;
  const began = performance.now();
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await compile(builder, directory, file);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const tookMs = performance.now() - began;
  const slotsMs = ended(helper).slice(before);
  const takenMs = slotsMs.reduce((sum, ms) => sum + ms, 0);
  return {
    perSecond: (UNITS * 1_000) / tookMs,
    taken: takenMs / (slots * tookMs),
    slotMs: takenMs / Math.max(1, slotsMs.length),
    elsewhere: slotsMs.length,
  };
}

/** Of each unit that a machine has done for others, how long it had a slot; ms. */
function ended({ node }: Member): number[] {
  return node.events("work.ended").map(({ tookMs, queuedMs }) => Number(tookMs) - Number(queuedMs));
}

async function compile(builder: Member, cwd: string, file: string): Promise<void> {
  const child = spawn(builder.launcher, ["gcc", "-O2", "-c", file, "-o", `${file}.o`], { cwd, env: builder.env, stdio: "ignore" });
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`${file}: ${child.exitCode}`);
}

function sourceOf(name: string): string {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, i) => `int ${name}_${i}(int *a, int n) { int s = ${i}; for (int k = 0; k < n; k++) s += a[k] * (s ^ k) % ${i + 2}; return s; }`,
  );
  return `${functions.join("\n")}\n`;
}
