/**
 * Runs the simulation of one member with very many machines as people ask for it, and prints a table.
 */
import { same } from "../../bench/statistics.ts";
import { format, type Report, row, verdict } from "../../bench/table.ts";
import { limits } from "../../src/base/index.ts";
import type { SimOptions } from "./main.ts";
import { simulateSybil } from "./sybil.ts";

const FAKES = 10_000;
const DRAWS = 10_000;
const NONE = { must: 0, aim: 0 };
/** As often as any other domain; what is drawn is by chance. */
const LIKE_OTHERS = { must: 1.05, aim: 1.05 };

/** @returns whether its machines have no more words, and are drawn no more often, than one machine has and is */
export async function sybil(options: SimOptions): Promise<boolean> {
  const fakes = options.nodes ?? FAKES;
  const began = process.cpuUsage();
  const found = await simulateSybil({ fakes, draws: DRAWS });
  const { user, system } = process.cpuUsage(began);
  const percent = (share: number): ReturnType<typeof same> => same(Math.round(share * 10_000) / 100);
  const rows = [
    row(`admitted, of ${fakes} that one member invites`, "", same(found.admitted)),
    row("its share of all machines", "%", percent(found.shareOfMachines)),
    row("domains that vouch for what all of them sign, beyond its own", "", same(found.extraVotes), NONE),
    row("policies under which that is used, of team and release", "", same(found.believed), NONE),
    row("results of three honest domains that all of them together bar", "", same(found.isHonestUsed ? 0 : 1), NONE),
    row("votes on epochs, beyond that of its domain", "", same(found.extraVoices), NONE),
    row(`its share of who is asked first about ${DRAWS} disputes`, "%", percent(found.drawn)),
    row("the share of each other domain, the mean", "%", percent(found.drawnOfOthers)),
    row("the one over the other", "x", same(found.drawn / found.drawnOfOthers), LIKE_OTHERS),
    row("CPU", "s", same((user + system) / 1e6)),
  ];
  const notes = [
    `${found.domains} domains, all others of one machine; a network has ${limits.members} members at most`,
    "real keys, invitations, epochs and attestations; the reader's rule, who votes on epochs and whom a round asks are those of the product",
  ];
  const report: Report = { benchmark: "sybil, simulated", rows, notes };
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return judged.every((each) => each.verdict !== "MISSES");
}
