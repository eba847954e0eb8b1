/**
 * `npm run sim -- SIMULATION`: the network's own code at sizes that no machine could run, with simulated time and a seed.
 *
 * Knows: the command line. Does not know: what is simulated.
 */
import { CommandLine } from "../../scripts/command-line.ts";
import { agreement } from "./agreement-command.ts";
import { copies } from "./copies-command.ts";
import { directory } from "./directory-command.ts";
import { eclipse } from "./eclipse-command.ts";
import { extinction } from "./extinction-command.ts";
import { forgeries } from "./forgeries-command.ts";
import { forks } from "./forks-command.ts";
import { gossip } from "./gossip-command.ts";
import { kademlia } from "./kademlia-command.ts";
import { partition } from "./partition-command.ts";
import { placement } from "./placement-command.ts";
import { poison } from "./poison-command.ts";
import { sybil } from "./sybil-command.ts";

export interface SimOptions {
  readonly nodes: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

/** Prints what it found. @returns whether that is as it must be */
type Simulation = (options: SimOptions) => boolean | Promise<boolean>;

const SIMULATIONS: Readonly<Record<string, Simulation>> = {
  agreement,
  copies,
  directory,
  eclipse,
  extinction,
  forgeries,
  forks,
  gossip,
  kademlia,
  partition,
  placement,
  poison,
  sybil,
};

const HELP = `usage: npm run sim -- SIMULATION [options]

  agreement  whether domains ever decide two things, and how soon they decide one, while some lie and frames are lost
  copies     what is lost when two of three holders of results are killed, again and again
  directory  bytes a second that a node sends so that all know what all have executed
  eclipse    whether a node keeps an honest peer through restarts while an attacker owns what it can
  extinction hostile machines in every domain: poison that is used until their word does not count any more
  forgeries  attestations that were forged, changed, replayed and the like, against the reader's rule
  forks      a hostile log shows each witness another history: rounds of gossip until it is convicted, and whether an honest one is
  gossip     hops of a message to all, honest and with a third of silent droppers
  kademlia   hops until a member is found: all answering, a third silent, surrounded by liars
  placement  coordinators and other members are killed while all build: time until a unit is placed, failed builds; how even work is spread
  partition  two halves of a network heal: until all know all attestations, and bytes for that
  poison     hostile machines sign what no compiler has written, and slander honest ones: what is used, and who is convicted
  sybil      one member lets in as many machines as it can: what their words count, and how often they are drawn

  --nodes N  nodes; in eclipse, restarts; in agreement, seeds; in copies, schedules; in forgeries, attempts; in extinction, actions; in forks, seeds; in sybil, invited machines   [10,000; 100,000 seeds; 100 schedules; 1,000,000 attempts; forks 10,000 seeds; poison 100,000 attempts; extinction 150 actions; kademlia 1,000; partition 20; placement 20; directory 1,000]
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
