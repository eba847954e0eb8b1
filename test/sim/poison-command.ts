/**
 * Runs the simulation of poison as people ask for it, and prints a table.
 */
import { same } from "../../bench/statistics.ts";
import { format, type Report, type Row, row, verdict } from "../../bench/table.ts";
import { COPIERS, simulateCopying } from "./copying.ts";
import type { SimOptions } from "./main.ts";
import { type PoisonOptions, STRATEGIES, simulatePoison, simulateSlander, tolerated } from "./poison.ts";

const ATTEMPTS = 100_000;
const NONE = { must: 0, aim: 0 };
/** Executions for each use of what is used ten times. */
const COST = { must: 0.25, aim: 0.2 };
const USES = 10;

/** @returns whether nothing was believed that no compiler has written, while no more domains are hostile than is assumed */
export function poison(options: SimOptions): boolean {
  const attempts = options.nodes ?? ATTEMPTS;
  const of = (more: Partial<PoisonOptions>): ReturnType<typeof simulatePoison> =>
    simulatePoison({
      policy: "team",
      hostileDomains: 0,
      strategy: "always",
      attempts: 1,
      uses: 3,
      seed: options.seed,
      ...more,
    });
  const rows: Row[] = [];
  for (const policy of ["team", "release"] as const) {
    for (const strategy of STRATEGIES) {
      const each = Math.ceil(attempts / STRATEGIES.length / 2);
      const hostileDomains = tolerated(policy);
      const found = of({ policy, strategy, hostileDomains, attempts: each });
      rows.push(
        row(
          `${policy}, ${hostileDomains} of 10 domains hostile, ${strategy}: poison used, of ${found.attempts}`,
          "",
          same(found.accepted),
          NONE,
        ),
      );
    }
  }
  const honest = of({ attempts: Math.min(attempts, 500), uses: USES });
  rows.push(row(`team, executions for each of ${USES} uses`, "", same(honest.executions / honest.uses), COST));
  const slander = simulateSlander({ accusations: attempts, seed: options.seed });
  rows.push(
    row(
      `a third of the machines of each domain slander: honest machines convicted, of ${slander.accusations} accusations`,
      "",
      same(slander.honestConvicted),
      NONE,
    ),
  );
  rows.push(row("the same: slanderers convicted", "", same(slander.hostileConvicted)));
  for (const copier of COPIERS) {
    const found = simulateCopying({ copier, hasRounds: true, attempts: Math.ceil(attempts / 20), seed: options.seed });
    if (copier !== "guessing")
      rows.push(
        row(`asked in a round, ${copier}: voices that count and have executed nothing, of ${found.copied}`, "", same(found.counted), NONE),
      );
    else {
      const believed = found.wrong - found.discredited;
      rows.push(row(`asked in a round, guessing: still believed who was wrong, of ${found.wrong}`, "", same(believed), NONE));
    }
    rows.push(row("the same: honest machines believed no more", "", same(found.honestDiscredited), NONE));
  }
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  // What lies beyond the assumption is shown, and judged by nobody.
  for (const policy of ["team", "release"] as const) {
    const hostileDomains = tolerated(policy) + 1;
    const beyond = of({ policy, strategy: "colluding", hostileDomains, hostileEach: 1, attempts: Math.min(attempts, 500) });
    const share = beyond.accepted / beyond.uses;
    rows.push(
      row(`beyond: ${policy}, one machine in each of ${hostileDomains} domains colludes: share of uses that are poison`, "", same(share)),
    );
  }
  const notes = [
    `10 domains; those that are hostile have a third of all machines, but where it says otherwise; seed ${options.seed}; nobody is banned but by the slandered judge; hostile machines always speak first`,
    "real keys, envelopes and memberships; the reader's rule and the rule of convictions are those of the product",
  ];
  const before = simulateCopying({ copier: "waiting", hasRounds: false, attempts: Math.min(attempts, 500), seed: options.seed });
  rows.push(row(`without rounds: voices that count and have executed nothing, of ${before.copied}`, "", same(before.counted)));
  const report: Report = { benchmark: "poison, simulated", rows, notes };
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ ...report, rows: rows.map((each) => ({ ...each, verdict: verdict(each) })) }, null, 2)}\n`
      : `${format(report)}\n`,
  );
  return judged.every((each) => each.verdict !== "MISSES");
}
