/**
 * Runs the simulation of forks as people ask for it, and prints a table.
 */
import { same } from "../../bench/statistics.ts";
import { format, type Report, type Row, row, verdict } from "../../bench/table.ts";
import { STRATEGIES, simulateForks } from "./forks.ts";
import type { SimOptions } from "./main.ts";

const SEEDS = 10_000;
const NONE = { must: 0, aim: 0 };
const ROUNDS = { must: 2, aim: 2 };
const BYTES = { must: 4_096, aim: 4_096 };

/** @param options `nodes` is the number of seeds @returns whether every fork that honest witnesses saw was found in time, and no honest log convicted */
export async function forks(options: SimOptions): Promise<boolean> {
  const seeds = Math.ceil((options.nodes ?? SEEDS) / STRATEGIES.length);
  const rows: Row[] = [];
  let [honest, honestConvicted, evidenceBytes] = [0, 0, 0];
  for (const strategy of STRATEGIES) {
    const found = await simulateForks({ seeds, seed: options.seed, strategy });
    honest += found.honest;
    honestConvicted += found.honestConvicted;
    evidenceBytes = Math.max(evidenceBytes, found.evidenceBytes);
    rows.push(
      row(`${strategy}: forks that two honest witnesses saw and nobody found, of ${found.forked}`, "", same(found.unseen), NONE),
      row(`${strategy}: rounds of gossip until somebody had found it, the most`, "", same(found.foundAfter), ROUNDS),
      row(`${strategy}: and until all had convicted`, "", same(found.convictedAfter), ROUNDS),
    );
  }
  rows.push(row(`honest logs convicted, of ${honest}`, "", same(honestConvicted), NONE));
  rows.push(row("evidence without the network's statements, the largest", "B", same(evidenceBytes), BYTES));
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  const notes = [
    `2 to 7 honest witnesses, one a domain; ${seeds} seeds each from ${options.seed} on; hostile witnesses would only be silent`,
    "real keys, trees, tiles and checkpoints; what a witness takes and what convicts are those of the product",
  ];
  const report: Report = { benchmark: "forks, simulated", rows, notes };
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((each) => each.verdict !== "MISSES");
}
