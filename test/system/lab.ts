/**
 * The lab: real daemons in networks built of Linux network namespaces, as a command.
 *
 *     npm run lab -- nat-matrix
 */
import { parseArgs } from "node:util";
import { isInside, runInside, whyNoNamespaces } from "./lab-namespaces.ts";
import { natKinds } from "./lab-nat.ts";
import { describe, isAsItMust, natMatrix, type Pair } from "./lab-nat-matrix.ts";

const HELP = `usage: npm run lab -- nat-matrix [options]

Real daemons in network namespaces without a way out. Needs Linux, iproute2, nftables, and to be root or to be allowed
user namespaces.

nat-matrix: a machine behind each kind of NAT meets one behind each kind. Prints how they are linked (direct, relayed, none), after how
long, and how much later directly. Ends with 1 when a pair is not linked, or not directly although both NATs map every port to one port.

  --kind K         only this kind; may be given several times: ${natKinds.join(", ")}
  --no-public      without a member that everybody can reach
  --loss PERCENT   of the packets through each NAT (default 0)
  --patience S     seconds that a pair has to become direct (default 10)
  --json           the outcome as JSON on standard output
  --help

examples:
  npm run lab -- nat-matrix
  npm run lab -- nat-matrix --kind port-restricted --kind symmetric --loss 5
`;

function table(pairs: readonly Pair[]): string {
  const kinds = [...new Set(pairs.map(({ a }) => a))];
  const cells = kinds.map((a) => [
    a,
    ...kinds.map((b) =>
      pairs
        .filter((pair) => pair.a === a && pair.b === b)
        .map(describe)
        .join(),
    ),
  ]);
  const rows = [["", ...kinds], ...cells];
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      kind: { type: "string", multiple: true, default: [...natKinds] },
      public: { type: "boolean", default: true },
      loss: { type: "string", default: "0" },
      patience: { type: "string", default: "10" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const kinds = natKinds.filter((kind) => values.kind.includes(kind));
  const numbers = [values.loss, values.patience].map(Number);
  const isUsable = kinds.length > 0 && numbers.every((number) => number >= 0 && number <= 100);
  if (values.help || positionals.join() !== "nat-matrix" || !isUsable) {
    (values.help ? process.stdout : process.stderr).write(HELP);
    return values.help ? 0 : 2;
  }
  if (!isInside()) {
    const why = whyNoNamespaces();
    if (why === undefined) return runInside(import.meta.filename, process.argv.slice(2));
    process.stderr.write(`lab: cannot be built here: ${why}\n`);
    return 1;
  }
  const tell = (line: string): void => void (values.json || process.stderr.write(`${line}\n`));
  const [lossPercent = 0, patienceS = 0] = numbers;
  const pairs = await natMatrix({ kinds, withPublic: values.public, lossPercent, patienceMs: patienceS * 1_000, tell });
  process.stdout.write(values.json ? `${JSON.stringify({ pairs }, null, 2)}\n` : `${table(pairs)}\n`);
  return pairs.every(isAsItMust) ? 0 : 1;
}

process.exitCode = await main();
