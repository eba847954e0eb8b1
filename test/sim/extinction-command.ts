/**
 * Runs the simulation of extinction as people ask for it, and prints a table.
 */
import { same } from "../../bench/statistics.ts";
import { format, type Report, type Row, row, verdict } from "../../bench/table.ts";
import { type ExtinctionOptions, simulateExtinction } from "./extinction.ts";
import type { SimOptions } from "./main.ts";

const ACTIONS = 150;
const USES = 10;
/** Poison that one machine may use, on average. */
const MOST = { team: { must: 10, aim: 5 }, release: { must: 2, aim: 1 } };
const NONE = { must: 0, aim: 0 };
const CASES: readonly Pick<ExtinctionOptions, "voices" | "habit">[] = [
  { voices: "in turn", habit: "always" },
  { voices: "in turn", habit: "sometimes" },
  { voices: 3, habit: "always" },
  { voices: 10, habit: "always" },
];

/** @returns whether machines used as little poison as they may, and nobody honest was convicted */
export async function extinction({ nodes, seed, json }: SimOptions): Promise<boolean> {
  const rows: Row[] = [];
  for (const policy of ["team", "release"] as const)
    for (const one of CASES) {
      const found = await simulateExtinction({ ...one, policy, uses: USES, machinesEach: 10, actions: nodes ?? ACTIONS, seed });
      const { usesEach } = found;
      const who = one.voices === "in turn" ? `in turn, ${one.habit}` : `${one.voices} uninvited, ${one.habit}`;
      const of = `${policy}, ${who}`;
      const mean = usesEach.reduce((sum, uses) => sum + uses, 0) / usesEach.length;
      rows.push(row(`${of}: poison that a machine used, mean`, "", same(mean), MOST[policy]));
      rows.push(row(`${of}: the same, most`, "", same(Math.max(...usesEach))));
      rows.push(row(`${of}: actions of which somebody used poison, of ${found.actions}`, "", same(found.poisons)));
      rows.push(row(`${of}: machines, of ${usesEach.length}, with which some liar's word counts in the end`, "", same(found.open)));
      rows.push(row(`${of}: honest machines convicted`, "", same(found.honestConvicted), NONE));
    }
  const notes = [
    `100 machines of 10 domains; 33 of them, some in each domain, tell the same lies; each action is needed by ${USES}; seed ${seed}`,
    "in turn: a hostile machine lies of what it needs; uninvited: so many of other domains lie before anybody honest has executed it",
    "real keys, envelopes and memberships; the reader's rule, the rule of convictions and that of samples are those of the product",
  ];
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  const report: Report = { benchmark: "beyond what is assumed, simulated", rows, notes };
  process.stdout.write(json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((each) => each.verdict !== "MISSES");
}
