/**
 * Runs the simulation of lost holders as people ask for it, and prints a table.
 */
import { spread } from "../../bench/statistics.ts";
import { format, type Report, row, verdict } from "../../bench/table.ts";
import { type CopiesFound, simulateCopies } from "./copies.ts";

const SCHEDULES = 100;
const NOTHING = { must: 0, aim: 0 };

/** @returns whether nothing was lost in any schedule */
export async function copies(options: {
  readonly nodes: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}): Promise<boolean> {
  const schedules = options.nodes ?? SCHEDULES;
  const found: CopiesFound[] = [];
  for (let i = 0; i < schedules; i++)
    found.push(await simulateCopies({ seed: options.seed * schedules + i, nodes: 5 + (i % 5), domains: 1 + (i % 3), rounds: 1 }));
  const sum = (of: (one: CopiesFound) => number): number => found.reduce((total, one) => total + of(one), 0);
  const total = (value: number): { median: number; p25: number; p75: number } => ({ median: value, p25: value, p75: value });
  const rows = [
    row("results unavailable afterwards", "", total(sum(({ unavailable }) => unavailable)), NOTHING),
    row("results that are without three copies after 3 min", "", total(sum(({ notRepaired }) => notRepaired)), NOTHING),
    row("results that lost two holders, in a schedule", "", spread(found.map(({ struck }) => struck))),
    row("offers, in a schedule", "", spread(found.map(({ offers }) => offers))),
  ];
  const notes = [
    `${schedules} schedules of 5 to 9 nodes in 1 to 3 domains, seed ${options.seed}; two of three holders of a result are killed within 40 s`,
    "one offer in twenty is not answered, one in ten comes at a bad time, one fetch in fifty fails",
  ];
  const report: Report = { benchmark: "copies, simulated", rows, notes };
  const judged = rows.map((one) => ({ ...one, verdict: verdict(one) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((one) => one.verdict !== "MISSES");
}
