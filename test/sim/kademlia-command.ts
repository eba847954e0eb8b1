/**
 * Runs the simulation of the overlay as people ask for it, and prints a table.
 */
import { quantile, same, spread } from "../../bench/statistics.ts";
import { format, type Report, type Row, row, verdict } from "../../bench/table.ts";
import { type KademliaSettings, simulateKademlia } from "./kademlia.ts";

const NODES = 1_000;
const LOOKUPS = 1_000;
const DOMAINS = 30;
const SILENT = 0.33;
/** Members beside which one domain has machines, and how many. */
const SURROUNDED = 10;
const LIARS = 40;

/** @returns whether the hops of 99 lookups in 100 are as few as they must be, and all members were found */
export function kademlia(options: { readonly nodes: number | undefined; readonly seed: number; readonly json: boolean }): boolean {
  const nodes = options.nodes ?? NODES;
  const usual = { nodes, domains: DOMAINS, silent: 0, liars: 0, lookups: LOOKUPS, seed: options.seed };
  const surrounded = { ...usual, liars: LIARS, lookups: SURROUNDED };
  const rows = [
    ...describe("all answer", usual),
    ...describe("all answer, one domain", { ...usual, domains: 1 }),
    ...describe(`${SILENT * 100} % silent`, { ...usual, silent: SILENT }),
    ...describe(`${LIARS} liars beside each`, surrounded),
    notFound(`for comparison, ${LIARS} liars beside each, domains not heeded`, simulateKademlia({ ...surrounded, domains: 1 }).failed),
  ];
  const notes = [
    `${nodes} nodes in ${DOMAINS} domains, ${LOOKUPS} lookups (${SURROUNDED} with liars), seed ${options.seed}; one way takes 20 to 39 ms, silence 2 s`,
    "silent nodes fall silent all at once, just before the lookups; every node's contacts are full of them",
    `liars: machines of one more domain, nearer to each of ${SURROUNDED} members than anybody else, there before it, naming only each other`,
  ];
  const report: Report = { benchmark: "Kademlia, simulated", rows, notes };
  const judged = rows.map((one) => ({ ...one, verdict: verdict(one) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((one) => one.verdict !== "MISSES");
}

function describe(who: string, settings: KademliaSettings): Row[] {
  const { hops, questions, tookMs, failed, joining, contacts } = simulateKademlia(settings);
  const log2 = Math.log2(settings.nodes);
  return [
    row(`${who}: hops, median`, "", spread(hops)),
    row(`${who}: hops, p99`, "", same(p99(hops)), { must: log2, aim: log2 / 2 }),
    row(`${who}: questions, median`, "", spread(questions)),
    row(`${who}: questions, p99`, "", same(p99(questions))),
    row(`${who}: time, median`, "ms", spread(tookMs)),
    row(`${who}: time, p99`, "ms", same(p99(tookMs))),
    notFound(who, failed, { must: 0, aim: 0 }),
    row(`${who}: questions to join`, "", spread(joining)),
    row(`${who}: contacts of a node`, "", spread(contacts)),
  ];
}

function notFound(who: string, failed: number, bar?: { must: number; aim: number }): Row {
  return row(`${who}: members not found`, "", same(failed), bar);
}

function p99(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.99,
  );
}
