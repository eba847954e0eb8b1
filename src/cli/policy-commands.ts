/**
 * policy, policy set, accept: what the network demands of its machines, and what waits for the word of other domains.
 *
 * Knows: the shape of the daemon's answers. Does not know: what a setting does, or who may decide.
 */
import { brief, withBriefDigests } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { FOURTH, waitLine } from "./epoch-answers.ts";
import { counted, fittedTable } from "./format.ts";
import { askNetwork as ask, type Json, lookNetwork as look } from "./network-ask.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

export async function policy(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const told = await look(context, "/network/policy", signal, { directory: context.cwd });
  const { paint, width } = context.terminal;
  answer(context.terminal, options.json, told, () => {
    const number = numberIn(told, "number");
    const by =
      number === 0
        ? "no epoch has decided one: each machine goes by its own settings"
        : `policy ${number}, in epoch ${numberIn(told, "epoch")}, by ${textIn(told, "by")}`;
    const rows = listIn(told, "settings").map((row) => [
      paint.name(textIn(row, "name")),
      paint.bold(shown(row, "holds")),
      paint.dim(shown(row, "network")),
      paint.dim(shown(row, "machine")),
      WHY[textIn(row, "from")] ?? "",
    ]);
    const head = ["setting", "holds here", "network", "this machine", "why"].map((title) => paint.dim(title));
    return [
      `network ${paint.bold(textIn(told, "network"))}: ${by}`,
      ...fittedTable(head, rows, width),
      ...projectLines(field(told, "project"), paint),
      ...proposalLines(told, paint),
    ];
  });
  return exitCodes.ok;
}

export async function setPolicy(context: Context, setting: string, value: string, options: Json, signal: AbortSignal): Promise<number> {
  const done = await ask(context, "/network/policy-set", { setting, value }, signal);
  answer(context.terminal, options.json, done, () => [waitLine(done, `${setting} ${value}`, context.terminal.paint)]);
  return exitCodes.ok;
}

export async function proposals(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const told = await look(context, "/network/policy", signal);
  const waiting = listIn(told, "proposals");
  answer(context.terminal, options.json, waiting, () =>
    waiting.length === 0 ? ["nothing waits to be accepted"] : proposalLines(told, context.terminal.paint),
  );
  return exitCodes.ok;
}

export async function accept(context: Context, what: string, options: Json, signal: AbortSignal): Promise<number> {
  const done = await ask(context, "/network/accept", { what }, signal);
  answer(context.terminal, options.json, done, () => [
    waitLine(done, textIn(done, "what"), context.terminal.paint),
    ...(field(done, "fourth") === true ? [FOURTH] : []),
  ]);
  return exitCodes.ok;
}

/** What the project demands in which somebody asks. */
function projectLines(project: unknown, paint: Paint): string[] {
  const file = textIn(project, "file");
  if (file === "") return [];
  const trouble = textIn(project, "trouble");
  const why = trouble === "" ? "" : `: ${trouble}, and so nothing is used but what was executed here`;
  return [`${paint.name(file)} demands sharing ${paint.bold(textIn(project, "sharing"))} of all who build this project${why}`];
}

function proposalLines(told: unknown, paint: Paint): string[] {
  return listIn(told, "proposals").map((one) => {
    const approvals = listIn(one, "approved").map((change) => `approved ${String(change)}`);
    const others = Object.entries(field(one, "policy") ?? {}).flatMap(([name, value]) => (name === "approved" ? [] : [`${name} ${value}`]));
    const rules = [...others, ...approvals];
    const texts: Readonly<Record<string, string>> = {
      domain: `the domain ${paint.name(textIn(one, "domain"))} is on trial: its machines count as the first domain's`,
      policy: `policy ${numberIn(one, "number")} (${rules.join(", ") || "nothing else is demanded"}) waits`,
      claim: `the name ${paint.name(textIn(one, "name"))} is to be ${textIn(one, "owner") === "" ? "each author's own" : `${textIn(one, "owner")}'s alone`}`,
      revoke: `${paint.name(textIn(one, "member"))} (${textIn(one, "domain")}) is to be put out, and is a member until then`,
    };
    const what = texts[textIn(one, "kind")] ?? "";
    const accepted = listIn(one, "accepted").filter((name) => typeof name === "string");
    const chair = textIn(one, "chair");
    const missing = listIn(one, "missing").map((who) => `${textIn(who, "domain")} (${textIn(who, "member") || "nobody may"})`);
    const still = missing.length === 0 ? "" : `, and still lacks ${missing.join(", ")}`;
    const enough = `${counted(numberIn(one, "needed"), "domain")}${chair === "" ? "" : `, or ${chair}`}${still}`;
    const own = field(one, "mayAccept") === true ? `; this machine may: ${paint.name(`cairn ${commandFor(one)}`)}` : "";
    return `${what}; made by ${textIn(one, "by")}, accepted by ${accepted.join(", ") || "none"}; it takes ${enough}${own}`;
  });
}

/** What says that this machine's domain accepts it. */
function commandFor(proposal: unknown): string {
  const member = textIn(proposal, "member");
  return member === "" ? `accept ${textIn(proposal, "domain") || brief(textIn(proposal, "id"))}` : `revoke ${member}`;
}

function shown(row: unknown, name: string): string {
  const value = field(row, name);
  return typeof value === "number" ? String(value) : typeof value === "string" ? withBriefDigests(value) : "–";
}

const WHY: Readonly<Record<string, string>> = {
  usual: "nobody says anything else",
  both: "both say so",
  network: "the network is stricter",
  machine: "this machine is stricter",
  own: "the network says nothing",
  decided: "the network says so",
  project: "the project is stricter",
};
