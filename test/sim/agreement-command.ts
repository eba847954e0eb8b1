/**
 * Runs the simulation of agreement as people ask for it, and prints a table.
 */
import { quantile, same } from "../../bench/statistics.ts";
import { format, type Report, row, verdict } from "../../bench/table.ts";
import { faultyMost } from "../../src/trust/index.ts";
import { loadNetworkCodec } from "../../src/wire/index.ts";
import { type AgreementFound, realKeys, simulateAgreement, tokens } from "./agreement.ts";
import type { SimOptions } from "./main.ts";

const SEEDS = 100_000;
const DOMAINS = 20;
const LOSS_PERCENT = 30;
/** One seed of so many has real keys and frames that travel as bytes; honest nodes fall and come back in another. */
const REAL_ONE_OF = 100;
const CRASHES_ONE_OF = 10;
/** With more liars than is assumed, some seeds decide two things; so many are looked at. */
const BEYOND = { domains: 4, hostile: 2, oneOf: 50, most: 500 };
const NONE = { must: 0, aim: 0 };
const DECIDED_S = { must: 2, aim: 1.5 };

/** @returns whether no two things were ever decided, and one soon enough */
export async function agreement(options: SimOptions): Promise<boolean> {
  const seeds = options.nodes ?? SEEDS;
  const codec = await loadNetworkCodec();
  const hostile = faultyMost(DOMAINS);
  const found: AgreementFound[] = [];
  const restarted: AgreementFound[] = [];
  const beyond: AgreementFound[] = [];
  for (let i = 0; i < seeds; i++) {
    const settings = { domains: DOMAINS, hostile, lossPercent: LOSS_PERCENT, seed: options.seed * SEEDS + i, crashes: false };
    found.push(simulateAgreement(settings, i % REAL_ONE_OF === 0 ? realKeys(codec, settings) : tokens()));
    if (i % CRASHES_ONE_OF === 0) restarted.push(simulateAgreement({ ...settings, crashes: true }, tokens()));
    if (i % BEYOND.oneOf === 0 && beyond.length < BEYOND.most)
      beyond.push(simulateAgreement({ ...settings, domains: BEYOND.domains, hostile: BEYOND.hostile, way: "equivocate" }, tokens()));
  }
  const tookS = found.map(({ tookMs }) => (tookMs ?? Number.POSITIVE_INFINITY) / 1_000).toSorted((a, b) => a - b);
  const all = [...found, ...restarted];
  const rows = [
    row(`two things decided, or one that may not be, of ${seeds} seeds`, "", same(found.filter(isBroken).length), NONE),
    row(`the same while honest nodes fall and come back, of ${restarted.length} seeds`, "", same(restarted.filter(isBroken).length), NONE),
    row("honest domains that seem to contradict themselves", "", same(sumOf(all, (one) => one.honestExposed)), NONE),
    row("seeds in which somebody had decided nothing after a minute", "", same(all.filter((one) => one.tookMs === undefined).length), NONE),
    row("until the last honest domain has decided, p99", "s", same(quantile(tookS, 0.99)), DECIDED_S),
    row("the same, median", "s", same(quantile(tookS, 0.5))),
    row("the same, the slowest", "s", same(tookS.at(-1) ?? 0)),
    row("views until then, the most", "", same(Math.max(...found.map(({ views }) => views)))),
    row("frames sent, a seed", "", same(sumOf(found, (one) => one.frames) / seeds)),
    row("liars caught contradicting themselves", "", same(sumOf(found, (one) => one.exposed))),
    row(
      `beyond the assumption, ${BEYOND.hostile} liars of ${BEYOND.domains}: two things decided, of ${beyond.length} seeds`,
      "",
      same(beyond.filter(isBroken).length),
    ),
  ];
  const notes = [
    `${DOMAINS} domains, ${hostile} of them hostile in six ways; round trips of 50 ms, ${LOSS_PERCENT} % of frames lost, one of ten overtaken; seeds from ${options.seed * SEEDS}`,
    `one seed of ${REAL_ONE_OF} with Ed25519 keys and encoded frames; the others with signatures that only their makers can make`,
  ];
  const report: Report = { benchmark: "agreement, simulated", rows, notes };
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((each) => each.verdict !== "MISSES");
}

function isBroken({ decided, wrong }: AgreementFound): boolean {
  return decided > 1 || wrong > 0;
}

function sumOf(all: readonly AgreementFound[], of: (one: AgreementFound) => number): number {
  return all.reduce((sum, one) => sum + of(one), 0);
}
