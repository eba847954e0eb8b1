/**
 * Runs the simulation of a partition as people ask for it, and prints a table.
 */
import { spread } from "../../bench/statistics.ts";
import { format, type Report, row, verdict } from "../../bench/table.ts";
import type { SimOptions } from "./main.ts";
import { simulatePartition } from "./partition.ts";

const NODES = 20;
const WRITES = 10_000;
const HEALED_S = { must: 5, aim: 2 };
const RATIO = { must: 3, aim: 1.5 };

/** @returns whether all copies were equal in time, and little more was sent than was missing */
export async function partition(options: SimOptions): Promise<boolean> {
  const nodes = options.nodes ?? NODES;
  const found = await simulatePartition({ nodes, common: 0, writes: WRITES, seed: options.seed });
  const one = (value: number): ReturnType<typeof spread> => spread([value]);
  const rows = [
    row("from the first link between the halves until all sets are equal", "s", one(found.healedMs / 1_000), HEALED_S),
    row("bytes exchanged / bytes missing", "x", one(found.sentBytes / found.missingBytes), RATIO),
    row("bytes that were missing, of all nodes", "MB", one(found.missingBytes / 1e6)),
    row("CPU of the node that computed most", "s", one(found.cpuMs / 1_000)),
    row("frames", "", one(found.frames)),
  ];
  const notes = [
    `${nodes} nodes in two halves, ${WRITES} attestations made in each while they were apart, seed ${options.seed}`,
    "each node takes the time that its computing takes here, signatures included, as if it were alone on such a machine; links of 1 ms and 12.5 MB/s",
  ];
  const report: Report = { benchmark: "partition, simulated", rows, notes };
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((each) => each.verdict !== "MISSES");
}
