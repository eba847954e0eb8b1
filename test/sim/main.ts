/**
 * `npm run sim -- SIMULATION`: the network's own code at sizes that no machine could run, with simulated time and a seed.
 *
 * Knows: the command line. Does not know: what is simulated.
 */
import { CommandLine } from "../../scripts/command-line.ts";
import { copies } from "./copies-command.ts";
import { directory } from "./directory-command.ts";
import { eclipse } from "./eclipse-command.ts";
import { gossip } from "./gossip-command.ts";
import { kademlia } from "./kademlia-command.ts";
import { partition } from "./partition-command.ts";
import { placement } from "./placement-command.ts";

export interface SimOptions {
  readonly nodes: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/** Prints what it found. @returns whether that is as it must be */
type Simulation = (options: SimOptions) => boolean | Promise<boolean>;

const SIMULATIONS: Readonly<Record<string, Simulation>> = { copies, directory, eclipse, gossip, kademlia, partition, placement };

const HELP = `usage: npm run sim -- SIMULATION [options]

  copies     what is lost when two of three holders of results are killed, again and again
  directory  bytes a second that a node sends so that all know what all have executed
  eclipse    whether a node keeps an honest peer through restarts while an attacker owns what it can
  gossip     hops of a message to all, honest and with a third of silent droppers
  kademlia   hops until a member is found: all answering, a third silent, surrounded by liars
  placement  coordinators and other members are killed while all build: time until a unit is placed, failed builds; how even work is spread
  partition  two halves of a network heal: until all know all attestations, and bytes for that

  --nodes N  nodes; in eclipse, restarts; in copies, schedules   [10,000; 100 schedules; kademlia 1,000; partition 20; placement 20; directory 1,000]
  --seed N   the same seed gives the same figures   [1]
  --json     as JSON

Exits with 1 when a figure misses what it must reach.
`;

const line = new CommandLine("sim", HELP);
const { values, positionals } = line.read({
  allowPositionals: true,
  options: {
    nodes: { type: "string" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const simulation =
  SIMULATIONS[positionals.join(" ")] ??
  line.fail(positionals.length === 0 ? "which simulation?" : `there is no simulation ${positionals.join(" ")}`);
const good = await simulation({
  nodes: values.nodes === undefined ? undefined : line.whole("nodes", values.nodes, 2),
  seed: line.whole("seed", values.seed, 0),
  json: values.json,
});
process.exitCode = good ? 0 : 1;
