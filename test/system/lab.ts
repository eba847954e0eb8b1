/**
 * The lab: real daemons in networks built of Linux network namespaces, as a command.
 *
 *     npm run lab -- --help
 */
import { parseArgs } from "node:util";
import { isInside, runInside, whyNoNamespaces } from "./lab-namespaces.ts";
import { natKinds } from "./lab-nat.ts";
import { describe, isAsItMust, natMatrix, type Pair } from "./lab-nat-matrix.ts";
import { describeStep, natPaths } from "./lab-nat-paths.ts";
import { describeMapped, natPmp } from "./lab-nat-pmp.ts";
import { describeLoad, isSteady, relayLoad } from "./lab-relay-load.ts";

const HELP = `usage: npm run lab -- COMMAND [options]

Real daemons in network namespaces without a way out. Needs Linux, iproute2, nftables, and to be root or to be allowed
user namespaces.

nat-matrix: a machine behind each kind of NAT meets one behind each kind. Prints how they are linked (direct, relayed, none), after how
long, and how much later directly. Ends with 1 when a pair is not linked, or not directly although both NATs map every port to one port.

  --kind K         only this kind; may be given several times: ${natKinds.join(", ")}
  --no-public      without a member that everybody can reach
  --loss PERCENT   of the packets through each NAT (default 0)

nat-paths: what becomes of a way that works: the direct way is cut and mended, a cable pulled, machines stand in a row.
Prints how long each change took. Ends with 1 when something did not come about.

nat-pmp: a machine whose router does what NAT-PMP asks for, and one behind a symmetric NAT. Prints where the first can be reached, and how the
second reaches it. Ends with 1 when that is not directly.

relay-load: streams of members that cannot reach each other, all through one that relays. Prints what is relayed, how long small requests
take, and the memory of the relay. Ends with 1 when a stream breaks or waits for 10 s under the bounded load, or the memory grows.

  --streams N      (default 200)
  --minutes M      of the bounded load (default 1)
  --rate KIB       of the bounded load: KiB a second that all streams together send, and get back (default 400)

all:
  --patience S     seconds that something may take (default 10; 60 for nat-paths, nat-pmp and relay-load)
  --json           the outcome as JSON on standard output
  --help

examples:
  npm run lab -- nat-matrix
  npm run lab -- nat-matrix --kind port-restricted --kind symmetric --loss 5
  npm run lab -- nat-paths
  npm run lab -- relay-load --minutes 30
`;

interface Outcome {
  readonly json: object;
  readonly text: string;
  readonly isGood: boolean;
}

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

function options(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (error) {
    process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exit(2);
  }
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      kind: { type: "string", multiple: true, default: [...natKinds] },
      public: { type: "boolean", default: true },
      loss: { type: "string", default: "0" },
      streams: { type: "string", default: "200" },
      minutes: { type: "string", default: "1" },
      rate: { type: "string", default: "400" },
      patience: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

async function main(): Promise<number> {
  const { values, positionals } = options();
  const tell = (line: string): void => void (values.json || process.stderr.write(`${line}\n`));
  const patienceMs = (fallbackS: number): number => Number(values.patience ?? fallbackS) * 1_000;
  const commands: Record<string, () => Promise<Outcome>> = {
    "nat-matrix": async () => {
      const kinds = natKinds.filter((kind) => values.kind.includes(kind));
      const wanted = { kinds, withPublic: values.public, lossPercent: Number(values.loss), patienceMs: patienceMs(10), tell };
      const pairs = await natMatrix(wanted);
      return { json: { pairs }, text: table(pairs), isGood: pairs.every(isAsItMust) };
    },
    "nat-paths": async () => {
      const steps = await natPaths({ patienceMs: patienceMs(60), tell });
      return { json: { steps }, text: steps.map(describeStep).join("\n"), isGood: steps.every(({ tookMs }) => tookMs !== undefined) };
    },
    "nat-pmp": async () => {
      const outcome = await natPmp({ patienceMs: patienceMs(60), tell });
      return { json: outcome, text: describeMapped(outcome), isGood: outcome.how === "direct" };
    },
    "relay-load": async () => {
      const [streams, minutes, kib] = [values.streams, values.minutes, values.rate].map(Number) as [number, number, number];
      const load = await relayLoad({ streams, minutes, bytesPerSecond: 1_024 * kib, patienceMs: patienceMs(60), tell });
      return { json: load, text: describeLoad(load), isGood: isSteady(load) };
    },
  };
  const command = commands[positionals.join(" ")];
  const areNumbers =
    [values.loss, values.patience ?? "1"].every((text) => Number(text) >= 0 && Number(text) <= 600) &&
    [values.streams, values.minutes, values.rate].every((text) => Number(text) > 0 && Number(text) <= 100_000);
  const areKinds = values.kind.every((kind) => natKinds.some((known) => known === kind));
  if (values.help || command === undefined || !areNumbers || !areKinds) {
    (values.help ? process.stdout : process.stderr).write(HELP);
    return values.help ? 0 : 2;
  }
  if (!isInside()) {
    const why = whyNoNamespaces();
    if (why === undefined) return runInside(import.meta.filename, process.argv.slice(2));
    process.stderr.write(`lab: cannot be built here: ${why}\n`);
    return 1;
  }
  const { json, text, isGood } = await command();
  process.stdout.write(`${values.json ? JSON.stringify(json, null, 2) : text}\n`);
  return isGood ? 0 : 1;
}

process.exitCode = await main();
