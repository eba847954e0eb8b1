/**
 * The commands of the network as people see them: names, options, help, examples.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { limits } from "../base/index.ts";
import type { Context } from "./context.ts";
import { fold, foldedTable, indent } from "./format.ts";
import { type Example, examplesText, helpWidth } from "./help.ts";
import { claimedNames, claimName, handName, publishName, resolveName, yieldName } from "./name-commands.ts";
import { init, invite, join, leave, members, peers, ping, revoke } from "./network-commands.ts";
import { accept, policy, proposals, setPolicy } from "./policy-commands.ts";
import { share } from "./share-commands.ts";
import { readSize } from "./sizes.ts";
import type { Terminal } from "./terminal.ts";
import { expose, forward, measure } from "./tunnel-commands.ts";

/** Adds one command to the group of the network. */
type AddCommand = (name: string, about: string, examples: readonly Example[]) => Command;

export function addNetwork(context: Context, add: AddCommand, finish: (code: Promise<number>) => Promise<void>, signal: AbortSignal): void {
  add("init", "found a network, with this machine as its first member", [
    ["cairn init", "a network called home"],
    ["cairn init --name acme --domain platform --machine ci-1", "with names of your own"],
    ["cairn init --any-admin", "one machine's word puts out anybody while there are fewer than four domains"],
  ])
    .option("--name <name>", "what the network is called")
    .option("--domain <name>", "the trust domain of this machine: who answers for it")
    .option("--machine <name>", "what this machine is called, if not by its host name")
    .option("--any-admin", "let any machine of the first domain alone put out members of others; see below")
    .option("--json", "as JSON")
    .addHelpText("after", initHelp(context.terminal))
    .action((options) => finish(init(context, options, signal)));

  add("invite", "print a line that lets one other machine join", [
    ["cairn invite", "paste what it prints after cairn join on the other machine; it works once"],
    ["cairn invite --domain partner --expires 1h", "as the first machine of a domain of its own"],
  ])
    .option("--domain <name>", "a new domain for it; otherwise it belongs to this machine's")
    .addOption(
      new Option("--expires <time>", "how long the line is good, such as 30m, 24h, 7d")
        .argParser(readExpiry)
        .default(readExpiry("24h"), "24h"),
    )
    .option("--json", "as JSON")
    .action((options) => finish(invite(context, options, signal)));

  add("join", "join a network with a line from cairn invite", [["cairn join cairn2-CiBq…", ""]])
    .argument("<line>", "what cairn invite printed")
    .option("--machine <name>", "what this machine is called, if not by its host name")
    .option("--json", "as JSON")
    .action((line, options) => finish(join(context, line, options, signal)));

  add("share", "tell or set how much of this machine compiles for members", [
    ["cairn share", "what is shared, and what runs"],
    ["cairn share 50%", "half of the cores, less what your own builds run; takes effect at once"],
    ["cairn share off", "nothing; this machine still lets others work for it"],
    ["cairn share on --hours 22-6 --when idle", "at night, while you do not build"],
    ["cairn share --member-slots 50%", "and half of it for one member at most"],
  ])
    .argument("[amount]", "a percentage of the cores, on, or off")
    .option("--power <when>", "mains: not on its battery; any")
    .option(
      "--when <when>",
      "always: on cores that your builds leave; idle: while you have compiled nothing through Cairn for 5 minutes; what else you do is not seen",
    )
    .option("--hours <hours>", "all, or hours of the day such as 22-6")
    .option("--member-slots <percent>", "what one member may have at once, of what is shared")
    .option("--member-seconds <seconds>", "of compiles in a minute that one member may have, or all")
    .option("--member-when <when>", "wanted: these seconds hold while another member waits; always")
    .option("--json", "as JSON")
    .action((amount, options) => finish(share(context, amount, options, signal)));

  add("members", "tell who belongs to the network", [
    ["cairn members", "by the key of each that is shown it is known to the others, and may be revoked: its peer key"],
    ["cairn members --json", "with their attestation keys as well, which sign results (cairn attest show); the peer key vouches for it"],
  ])
    .option("--json", "as JSON")
    .action((options) => finish(members(context, options, signal)));

  add("revoke", "put a member out of the network, for good", [
    ["cairn revoke laptop", "members who are connected let go of it within seconds"],
    [
      "cairn revoke partner",
      "of another domain, where there are two or three: waits until the third says so as well, and tells who that is",
    ],
    ["cairn revoke desktop --json", "with the domains that decided it, where those of a network of four or more agree on such things"],
    ["cairn revoke 3f9ac2", "by the beginning of its key, six digits at least"],
    [
      "cairn revoke partner --withdraw",
      "not after all, while it waits for others: this machine's word is taken back, and with it its distrust",
    ],
  ])
    .argument("<member>", "a name, or the beginning of a key")
    .option(
      "--withdraw",
      "take back what this machine has said of a member that others have not agreed to put out; not with four domains and more",
    )
    .option("--force", "also where nobody could speak for the first domain afterwards")
    .option("--json", "as JSON")
    .action((member, options) => finish(revoke(context, member, options, signal)));

  const group = add("policy", "tell or change what the network demands of its machines", [
    ["cairn policy", "what the network and this project (.cairn.json) demand, what this machine is configured to, and which of them holds"],
    ["cairn policy set sharing release", "from the next epoch on; a machine may be stricter, never laxer"],
    ["cairn policy set quorum own", "takes it back: each machine goes by its own; waits until others accept it, as what is laxer does"],
  ]);
  group
    .command("set")
    .description("demand something else from the next epoch on")
    .argument("<setting>", SETTINGS.map(([name]) => name).join(", "))
    .argument("<value>", "as cairn policy shows it; or own, but for trial and unanimous: what each machine says itself")
    .option("--json", "as JSON")
    .addHelpText("after", policyHelp(context.terminal))
    .addHelpText(
      "after",
      examplesText(context.terminal, [
        ["cairn policy set sharing release", ""],
        ["cairn policy set quorum own", "takes it back: each machine goes by its own"],
      ]),
    )
    .action((setting, value, options) => finish(setPolicy(context, setting, value, options, signal)));
  group.option("--json", "as JSON").action((options) => finish(policy(context, options, signal)));

  add("accept", "tell or accept what one admin alone may not give: a voice to a new domain, a laxer policy", [
    ["cairn accept", "what waits, and who has accepted it"],
    ["cairn accept partner", "on the machine that speaks for a domain: partner is to count by itself"],
    ["cairn accept policy", ""],
    ["cairn revoke laptop", "accepts that laptop is put out, where others want that"],
  ])
    .argument("[what]", "a domain, policy, or the beginning of an id")
    .option("--json", "as JSON")
    .action((what, options) => finish(what === undefined ? proposals(context, options, signal) : accept(context, what, options, signal)));

  add("leave", "leave the network, and forget its keys", [["cairn leave", ""]])
    .option("--force", "even if nobody is left who could decide who belongs to it")
    .option("--json", "as JSON")
    .action((options) => finish(leave(context, options, signal)));

  const name = add("name", "call a digest something, for all members", [
    ["cairn name publish latest build/app.o", "signed by this machine, kept by three"],
    ["cairn name resolve latest", "prints the CID, or the digest"],
    ["cairn name claim release", "from the next epoch on nobody but this machine says what release is"],
    ["cairn name hand release ci", "and from then on ci alone, also if this machine's old word comes back"],
  ]);
  name
    .command("publish")
    .description("say what a name stands for from now on")
    .argument("<name>", "lower-case letters, digits and hyphens")
    .argument("<root>", "a CID, 64 digits of a blob or an action, or a file whose digest is meant")
    .addOption(new Option("--expires <time>", "how long it is good, such as 24h, 30d").argParser(readTime).default(readTime("30d"), "30d"))
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examplesText(context.terminal, [["cairn name publish latest build/app.o", "signed by this machine, kept by three"]]),
    )
    .action((text, root, options) => finish(publishName(context, text, root, options, signal)));
  name
    .command("resolve")
    .description("print what a name stands for")
    .argument("<name>", "a name, or MEMBER:NAME where several members use it")
    .option("--json", "as JSON")
    .addHelpText("after", examplesText(context.terminal, [["cairn name resolve latest", "prints the CID, or the digest"]]))
    .action((text, options) => finish(resolveName(context, text, options, signal)));

  name
    .command("claim")
    .description(
      "make a free name this machine's alone; one that it holds gets a newer token. Machines with an older Cairn hear of no change after it",
    )
    .argument("<name>", "lower-case letters, digits and hyphens")
    .addOption(new Option("--above <token>", "a greater one than that, which another machine has seen").argParser(readToken))
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examplesText(context.terminal, [["cairn name claim release", "from the next epoch on nobody but this machine says what release is"]]),
    )
    .action((text, options) => finish(claimName(context, text, options, signal)));
  name
    .command("hand")
    .description("make a claimed name another member's: by a machine of its owner's domain, or by the other domains together")
    .argument("<name>", "a claimed name")
    .argument("<member>", "a name, or the beginning of a key")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examplesText(context.terminal, [
        ["cairn name hand release ci", "and from then on ci alone, also if this machine's old word comes back"],
      ]),
    )
    .action((text, member, options) => finish(handName(context, text, member, options, signal)));
  name
    .command("yield")
    .description("make a claimed name each author's own again")
    .argument("<name>", "a claimed name")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      examplesText(context.terminal, [["cairn name yield release", "whoever publishes it says what it is, each for itself"]]),
    )
    .action((text, options) => finish(yieldName(context, text, options, signal)));
  name
    .command("claims")
    .description("tell which names are whose")
    .option("--json", "as JSON")
    .addHelpText("after", examplesText(context.terminal, [["cairn name claims", ""]]))
    .action((options) => finish(claimedNames(context, options, signal)));

  add("peers", "tell how the other members are reached", [
    ["cairn peers", "address, round trip, bytes, and what is wrong"],
    ["cairn peers --reputation", "what this machine has seen of them lately, which says whom it asks first"],
  ])
    .option("--reputation", "what was seen of them, and what it comes to")
    .option("--json", "as JSON")
    .action((options) => finish(peers(context, options, signal)));

  add("ping", "measure the round trip to a member, or how fast bytes travel", [
    ["cairn ping desktop", ""],
    ["cairn ping desktop --bytes 100MB", "sends so many bytes, and receives as many"],
  ])
    .argument("<member>", "a name, or the beginning of a key")
    .addOption(new Option("--bytes <size>", "bytes each way, or such as 100MB, 1GiB").argParser(readSize))
    .option("--json", "as JSON")
    .action((member, { bytes, ...options }) =>
      finish(bytes === undefined ? ping(context, member, options, signal) : measure(context, member, bytes, options, signal)),
    );

  add("expose", "let members connect to a port of this machine, or one that it reaches", [
    ["cairn expose 80", "to the machines of this machine's domain, until --remove"],
    ["cairn expose 5432 --name db --to desktop --to partner", "to one member, and to a domain"],
    ["cairn expose 192.168.1.9:631 --name printer --to all", ""],
    ["cairn expose --remove db", ""],
  ])
    .argument("[target]", "[HOST:]PORT; this machine's own loopback where no host is said")
    .option("--to <who>", "a member, a domain or all; may be repeated", (who: string, others: string[] | undefined) => [
      ...(others ?? []),
      who,
    ])
    .option("--name <name>", "by which members ask for it, if not by its port")
    .option("--list", "tell what is exposed, to whom, and how it is used")
    .addOption(new Option("--remove <name>", "expose it no longer").conflicts(["to", "name", "list"]))
    .option("--json", "as JSON")
    .action((target, { list, ...options }) => finish(expose(context, list === true ? undefined : target, options, signal)));

  add("forward", "connect a port of this machine with what a member exposes", [
    ["cairn forward 8080 desktop:80", "http://127.0.0.1:8080 is then what desktop exposes; exit code 1 while it does not lead there yet"],
    ["cairn forward 2222 desktop:ssh", "ssh -p 2222 127.0.0.1"],
    ["cairn forward --list", "where they lead, what passes, what is wrong"],
    ["cairn forward --remove 8080", ""],
  ])
    .argument("[listen]", "[HOST:]PORT; loopback where no host is said")
    .argument("[target]", "MEMBER:PORT or MEMBER:NAME")
    .option("--list", "tell what is forwarded, and how it is used")
    .addOption(new Option("--remove <listen>", "forward that no longer").conflicts("list"))
    .option("--json", "as JSON")
    .action((listen, target, { list, ...options }) =>
      finish(forward(context, list === true ? undefined : listen, target, options, signal)),
    );
}

function initHelp(terminal: Terminal): string {
  return ["", "Who puts out whom", ...indent(fold(WHO_PUTS_OUT_WHOM, helpWidth(terminal) - 2))].join("\n");
}

const WHO_PUTS_OUT_WHOM = `A domain puts out its own machines at once, always. A machine of another one is put out by all domains but its own together, where \
there are two or three. From four on that ends: any machine of the first domain says who is put out, and the domains agree on when, not on \
whether. With --any-admin its word is enough from the beginning. That is quicker while a third domain is away, and gives up this: whoever \
steals the key of any machine of the first domain can put out everybody. It can be had later, but for what was signed before (cairn policy \
set unanimous on), and is never taken back.`;

function policyHelp(terminal: Terminal): string {
  const rows = SETTINGS.map(([name, values, about]) => [`  ${name}`, values, about]);
  return ["", "Settings", ...foldedTable(rows, helpWidth(terminal))].join("\n");
}

/** What a network can demand: the name, its values, what it means. */
const SETTINGS: readonly (readonly [name: string, values: string, about: string])[] = [
  ["sharing", "speculative, team, release, self", "when results of others are used (sharing.policy)"],
  ["quorum", "1 to 64", "domains that must vouch for a result"],
  ["audit", "1 to 1000", "of so many results that enough vouch for, one is executed again"],
  ["invitations", "1 to 5", "invitations of one member that are open"],
  ["toolchains", "network, domain, approved", "whose toolchains are taken unasked (toolchains.accept)"],
  ["trial", "on", "new domains count when others accept them; cannot be taken back"],
  [
    "unanimous",
    "on",
    "of two or three domains all others must accept that a machine of one is put out, and trial; cannot be taken back. Networks are founded with it, but for cairn init --any-admin and those of before",
  ],
];

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** How long an invitation is good. */
function readExpiry(text: string): number {
  const ms = readTime(text);
  if (ms <= 0 || ms > limits.invitationMs) throw new InvalidArgumentError("It is more than nothing, and 30 days (30d) at most.");
  return ms;
}

function readToken(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number < 1 || number >= limits.names.token)
    throw new InvalidArgumentError("It is the number of a token: cairn name resolve tells it.");
  return number;
}

/** `90s`, `30m`, `24h`, `7d` as milliseconds. */
function readTime(text: string): number {
  const match = /^(\d{1,6})\s*([smhd])$/.exec(text.trim());
  const unit = UNITS_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) throw new InvalidArgumentError("A time is a number and a unit: 30m, 24h, 7d.");
  return Number(match[1]) * unit;
}
