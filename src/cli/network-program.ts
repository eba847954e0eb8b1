/**
 * The commands of the network as people see them: names, options, help, examples.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { Context } from "./context.ts";
import { init, invite, join, leave, members, peers, ping, revoke } from "./network-commands.ts";

/** Adds one command to the group of the network. */
type AddCommand = (name: string, about: string, examples: readonly (readonly [line: string, why: string])[]) => Command;

export function addNetwork(context: Context, add: AddCommand, finish: (code: Promise<number>) => Promise<void>, signal: AbortSignal): void {
  add("init", "found a network, with this machine as its first member", [
    ["cairn init", "a network called home"],
    ["cairn init --name acme --domain platform --machine ci-1", "with names of your own"],
  ])
    .option("--name <name>", "what the network is called")
    .option("--domain <name>", "the trust domain of this machine: who answers for it")
    .option("--machine <name>", "what this machine is called, if not by its host name")
    .option("--json", "as JSON")
    .action((options) => finish(init(context, options, signal)));

  add("invite", "print a line that lets one other machine join", [
    ["cairn invite", "paste what it prints after cairn join on the other machine; it works once"],
    ["cairn invite --domain partner --expires 1h", "as the first machine of a domain of its own"],
  ])
    .option("--domain <name>", "a new domain for it; otherwise it belongs to this machine's")
    .addOption(
      new Option("--expires <time>", "how long the line is good, such as 30m, 24h, 7d").argParser(readTime).default(readTime("24h"), "24h"),
    )
    .option("--json", "as JSON")
    .action((options) => finish(invite(context, options, signal)));

  add("join", "join a network with a line from cairn invite", [["cairn join cairn1-CiBq…", ""]])
    .argument("<line>", "what cairn invite printed")
    .option("--machine <name>", "what this machine is called, if not by its host name")
    .option("--json", "as JSON")
    .action((line, options) => finish(join(context, line, options, signal)));

  add("members", "tell who belongs to the network", [["cairn members", ""]])
    .option("--json", "as JSON")
    .action((options) => finish(members(context, options, signal)));

  add("revoke", "put a member out of the network, for good", [
    ["cairn revoke laptop", "members who are connected let go of it within seconds"],
    ["cairn revoke 3f9ac2", "by the beginning of its key, six digits at least"],
  ])
    .argument("<member>", "a name, or the beginning of a key")
    .option("--json", "as JSON")
    .action((member, options) => finish(revoke(context, member, options, signal)));

  add("leave", "leave the network, and forget its keys", [["cairn leave", ""]])
    .option("--force", "even if nobody is left who could decide who belongs to it")
    .option("--json", "as JSON")
    .action((options) => finish(leave(context, options, signal)));

  add("peers", "tell how the other members are reached", [["cairn peers", "address, round trip, bytes, and what is wrong"]])
    .option("--json", "as JSON")
    .action((options) => finish(peers(context, options, signal)));

  add("ping", "measure the round trip to a member", [["cairn ping desktop", ""]])
    .argument("<member>", "a name, or the beginning of a key")
    .option("--json", "as JSON")
    .action((member, options) => finish(ping(context, member, options, signal)));
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `30m`, `24h`, `7d` as milliseconds. */
function readTime(text: string): number {
  const match = /^(\d{1,6})\s*([smhd])$/.exec(text.trim());
  const unit = UNITS_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new InvalidArgumentError("A time is a number and a unit: 30m, 24h, 7d.");
  return Number(match[1]) * unit;
}
