/**
 * Runs the simulation of gossip as people ask for it, and prints a table.
 */
import { same, spread } from "../../bench/statistics.ts";
import { format, type Report, row, verdict } from "../../bench/table.ts";
import { simulateGossip } from "./gossip.ts";

const NODES = 10_000;
const LINKS = 40;
const MESSAGES = 20;
/** Messages before those that are measured, where some pass nothing on. */
const BEFORE = 40;
const SILENT = 0.33;
const HOPS = { must: 6, aim: 6 };

/** @returns whether all messages reached all within the hops that they may take */
export function gossip(options: { readonly nodes: number | undefined; readonly seed: number; readonly json: boolean }): boolean {
  const nodes = options.nodes ?? NODES;
  const links = Math.min(LINKS, nodes - 1);
  const rows = [0, SILENT].flatMap((silent) => {
    const before = silent === 0 ? 0 : BEFORE;
    const found = simulateGossip({ nodes, links, silent, before, messages: MESSAGES, seed: options.seed });
    const who = silent === 0 ? "all honest" : `${SILENT * 100} % silent`;
    const worst = Math.max(...found.hops);
    return [
      row(`${who}: hops to reach all, median`, "", spread(found.hops), HOPS),
      row(`${who}: hops to reach all, the worst message`, "", { median: worst, p25: worst, p75: worst }, HOPS),
      row(`${who}: until all have it`, "ms", spread(found.reachedMs)),
      row(`${who}: copies a node receives`, "", spread(found.copies)),
      ...(silent === 0
        ? []
        : [
            row(`${who}: their share of honest nodes' meshes, at first`, "", same(found.silentInMesh.first)),
            row(`${who}: their share of honest nodes' meshes, after ${BEFORE + MESSAGES} messages`, "", same(found.silentInMesh.last)),
          ]),
    ];
  });
  const notes = [
    `${nodes} nodes with ${links} links each, ${MESSAGES} messages, seed ${options.seed}; each hop takes 45 to 54 ms`,
    `silent nodes take all and pass nothing on, and hold meshes like others; ${BEFORE} messages went before those that are measured`,
  ];
  const report: Report = { benchmark: "gossip, simulated", rows, notes };
  const judged = rows.map((one) => ({ ...one, verdict: verdict(one) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((one) => one.verdict !== "MISSES");
}
