/**
 * `npm run sim -- SIMULATION`: the network's own code at sizes that no machine could run, with simulated time and a seed.
 *
 * Knows: the command line. Does not know: what is simulated.
 */
import { parseArgs } from "node:util";
import { eclipse } from "./eclipse-command.ts";
import { gossip } from "./gossip-command.ts";

export interface SimOptions {
  readonly nodes: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/** Prints what it found. @returns whether that is as it must be */
type Simulation = (options: SimOptions) => boolean;

const SIMULATIONS: Readonly<Record<string, Simulation>> = { eclipse, gossip };

const HELP = `usage: npm run sim -- SIMULATION [options]

  eclipse    whether a node keeps an honest peer through restarts while an attacker owns what it can
  gossip     hops of a message to all, honest and with a third of silent droppers

  --nodes N  nodes; in eclipse, restarts   [10,000]
  --seed N   the same seed gives the same figures   [1]
  --json     as JSON

Exits with 1 when a figure misses what it must reach.
`;

const options = {
  nodes: { type: "string" },
  seed: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

function fail(why: string): never {
  process.stderr.write(`sim: ${why}\n\n${HELP}`);
  process.exit(2);
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= least ? value : fail(`--${name} wants a whole number from ${least}, not ${text}`);
}

function parse(): ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>> {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { values, positionals } = parse();
const [name = ""] = positionals;
if (values.help || name === "") {
  process.stdout.write(HELP);
  process.exit(0);
}
const simulation = SIMULATIONS[name];
if (simulation === undefined || positionals.length > 1) fail(`there is no simulation ${positionals.join(" ")}`);
const good = simulation({
  nodes: values.nodes === undefined ? undefined : whole("nodes", values.nodes, 2),
  seed: whole("seed", values.seed ?? "1", 0),
  json: values.json,
});
process.exitCode = good ? 0 : 1;
