/**
 * Runs forgeries against the reader as people ask for it, and prints a table.
 */
import { same } from "../../bench/statistics.ts";
import { format, type Report, row, verdict } from "../../bench/table.ts";
import { forge, forgeryKinds } from "./forgeries.ts";
import type { SimOptions } from "./main.ts";

const ATTEMPTS = 1_000_000;
const NONE = { must: 0, aim: 0 };

/** @returns whether none was believed */
export function forgeries(options: SimOptions): boolean {
  const attempts = options.nodes ?? ATTEMPTS;
  const began = process.cpuUsage();
  const believed: string[] = [];
  for (let number = 0; number < attempts; number++) {
    const kind = forgeryKinds[number % forgeryKinds.length] ?? "";
    if (forge(kind, options.seed, number)) believed.push(`${kind} (attempt ${number})`);
  }
  const { user, system } = process.cpuUsage(began);
  const rows = [
    row("forgeries believed", "", same(believed.length), NONE),
    row("attempts", "", same(attempts)),
    row("kinds", "", same(forgeryKinds.length)),
    row("CPU", "s", same((user + system) / 1e6)),
  ];
  const notes = [
    `policy team in a network of 5 domains, one of them hostile; seed ${options.seed}`,
    "real keys, membership, encodings and signatures; the desk that takes attestations in, and the reader's rule",
    ...believed.slice(0, 20).map((one) => `BELIEVED: ${one}`),
  ];
  const report: Report = { benchmark: "forgeries", rows, notes };
  const judged = rows.map((each) => ({ ...each, verdict: verdict(each) }));
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, rows: judged }, null, 2)}\n` : `${format(report)}\n`);
  return believed.length === 0;
}
