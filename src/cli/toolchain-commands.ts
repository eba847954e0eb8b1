/**
 * toolchains: compilers that this machine runs for others, and those that others would like it to run.
 */
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { waitLine } from "./epoch-answers.ts";
import { bytes, counted, table } from "./format.ts";
import { askNetwork, type Json, lookNetwork } from "./network-ask.ts";
import type { Terminal } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

/** Digits of a digest that people are shown, and can type. */
const SHOWN = 12;

export async function toolchains(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const raw = await lookNetwork(context, "/toolchains", signal);
  answer(terminal, options.json, raw, () => {
    const rows = listIn(raw, "toolchains");
    const { paint } = terminal;
    const approved = listIn(field(raw, "approved"), "network").flatMap((digest) =>
      typeof digest === "string" ? digest.slice(0, SHOWN) : [],
    );
    const told = approved.length === 0 ? [] : [`approved by the network: ${approved.join(" ")}`];
    if (rows.length === 0) return ["no compiler was found on PATH, and none has been used yet", ...told];
    if (rows.some((row) => textIn(row, "state") === "wanted"))
      terminal.note(paint.dim("cairn toolchains approve DIGEST   lets in what is wanted"));
    const titles = ["digest", "compiler", "for", "size", "from", ""].map((title) => paint.dim(title));
    return [...table([titles, ...rows.map((row) => lineOf(row, terminal))], ["left", "left", "left", "right"]), ...told];
  });
  return exitCodes.ok;
}

/** @property network for all of its machines */
export type ToolchainOptions = Json & { readonly network?: true | undefined };

export async function approveToolchain(context: Context, digits: string, options: ToolchainOptions, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const done = await askNetwork(context, "/toolchains/approve", { digest: digits, network: options.network === true }, signal);
  if (options.network === true) return answerForAll(context, done, options);
  answer(terminal, options.json, done, () => [
    `${terminal.paint.good("approved")}  ${textIn(done, "digest")}; it is fetched when the next job wants it`,
  ]);
  return exitCodes.ok;
}

function answerForAll({ terminal }: Context, done: unknown, { json }: ToolchainOptions): number {
  const network = field(done, "network");
  answer(terminal, json, done, () => [
    waitLine(network, `approved ${textIn(network, "value")}`, terminal.paint),
    terminal.paint.dim("members too old to know such a list stay with the epoch before it"),
  ]);
  return exitCodes.ok;
}

export async function removeToolchain(context: Context, digits: string, options: ToolchainOptions, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const done = await askNetwork(context, "/toolchains/remove", { digest: digits, network: options.network === true }, signal);
  if (options.network === true) return answerForAll(context, done, options);
  answer(terminal, options.json, done, () => {
    const what = [
      ...(numberIn(done, "removed") > 0 ? [`${counted(numberIn(done, "removed"), "pack")} of it`] : []),
      ...(field(done, "disapproved") === true ? ["its approval"] : []),
    ];
    if (field(done, "denied") === true)
      return [
        `${terminal.paint.good("refused")}  ${textIn(done, "digest")}  here, although the network approves it, until cairn toolchains approve`,
      ];
    return [`${terminal.paint.good("removed")}  ${textIn(done, "digest").slice(0, SHOWN)}  ${what.join(" and ")}`];
  });
  return exitCodes.ok;
}

function lineOf(row: unknown, { paint }: Terminal): string[] {
  const state = textIn(row, "state");
  const states: Readonly<Record<string, string>> = {
    own: paint.good("installed"),
    kept: field(row, "inUse") === true ? paint.good("in use") : `used ${textIn(row, "usedAt").slice(0, 16).replace("T", " ")}`,
    wanted: paint.bad("not approved"),
  };
  return [
    textIn(row, "digest").slice(0, SHOWN),
    `${paint.name(nameOf(textIn(row, "compiler")))} ${textIn(row, "version")}`,
    textIn(row, "target"),
    bytes(numberIn(row, "bytes")),
    textIn(row, "from") || "this machine",
    states[state] ?? state,
  ];
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
