/**
 * Runs the simulation of directory upkeep as people ask for it, and prints a table with the formula beside it.
 */
import { spread } from "../../bench/statistics.ts";
import { format, type Report, row } from "../../bench/table.ts";
import { simulateDirectory } from "./directory.ts";
import type { SimOptions } from "./main.ts";

const NODES = 1_000;
const LINKS = 75;
const RESULTS_PER_SECOND = 10;
const SECONDS = 60;
const COPIES = 3;
/** A prefix, and its share of a frame that tells few of them. */
const TOLD_BYTES = 8 + 20;

/** @returns true: there is no bar, the figure is reported */
export async function directory(options: SimOptions): Promise<boolean> {
  const nodes = options.nodes ?? NODES;
  const links = Math.min(LINKS, nodes - 1);
  const found = await simulateDirectory({ nodes, links, resultsPerSecond: RESULTS_PER_SECOND, seconds: SECONDS, seed: options.seed });
  const summaries = (RESULTS_PER_SECOND * (1 + COPIES) * links * TOLD_BYTES) / nodes;
  const one = (value: number): ReturnType<typeof spread> => spread([value]);
  const report: Report = {
    benchmark: "directory, simulated",
    rows: [
      row("bytes a second that a node sends about attestations", "B/s", one(found.setBytesPerSecond)),
      row("… for each result in the network", "B", one(found.setBytesPerSecond / RESULTS_PER_SECOND)),
      row("bytes a second that a node sends in summaries, computed", "B/s", one(summaries)),
      ...found.known.map(({ ageMs, share }) => row(`attestations ${ageMs / 1_000} s old that a node knows`, "%", one(100 * share))),
    ],
    notes: [
      `${nodes} nodes with ${links} links each, ${RESULTS_PER_SECOND} results a second in the network, ${SECONDS} s after as many that are not counted, seed ${options.seed}`,
      "summaries: r (1 + k) L s / n, with r results a second, k copies, L links, s bytes for a prefix and its share of a frame, n nodes",
    ],
  };
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${format(report)}\n`);
  return true;
}
