/**
 * expose, forward, and ping with bytes: tunnels and the speed of paths, asked of the daemon.
 */
import { systemWords } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { errorFrom } from "./control.ts";
import { bytes, counted, duration, fittedTable, table } from "./format.ts";
import { askNetwork, type Json, lookNetwork } from "./network-ask.ts";
import { dataTrouble, exitCodes, explainTrouble } from "./troubles.ts";

/** Both ways, each as long as the daemon allows, and reaching the member. */
const MEASURE_DEADLINE_MS = 90_000;

interface ExposeOptions extends Json {
  readonly to?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly list?: true | undefined;
  readonly remove?: string | undefined;
}

export async function expose(context: Context, target: string | undefined, options: ExposeOptions, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const { paint } = terminal;
  if (options.remove !== undefined) {
    const done = await askNetwork(context, "/network/unexpose", { name: options.remove }, signal);
    answer(terminal, options.json, done, () => [`${paint.good("removed")}  ${textIn(done, "removed")}; nobody reaches it any more`]);
    return exitCodes.ok;
  }
  if (target === undefined) return listExposures(context, options, signal);
  const made = await askNetwork(context, "/network/expose", { target, name: options.name, to: options.to }, signal);
  answer(terminal, options.json, made, () => [
    `${paint.good("exposed")}  ${textIn(made, "target")} as ${textIn(made, "name")}, to ${permissions(made)}`,
    `${paint.name(`cairn forward PORT MEMBER:${textIn(made, "name")}`)}   reaches it from their machines`,
  ]);
  return exitCodes.ok;
}

async function listExposures(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const raw = await lookNetwork(context, "/network/exposures", signal);
  const { paint } = context.terminal;
  answer(context.terminal, options.json, raw, () => {
    const rows = listIn(raw, "exposures").map((row) => [
      paint.name(textIn(row, "name")),
      textIn(row, "target"),
      permissions(row),
      ...traffic(row),
    ]);
    if (rows.length === 0) return ["nothing is exposed"];
    const head = ["name", "target", "to", "open", "since the start", "bytes"].map((title) => paint.dim(title));
    return fittedTable(head, rows, context.terminal.width);
  });
  return exitCodes.ok;
}

interface ForwardOptions extends Json {
  readonly list?: true | undefined;
  readonly remove?: string | undefined;
}

export async function forward(
  context: Context,
  listen: string | undefined,
  target: string | undefined,
  options: ForwardOptions,
  signal: AbortSignal,
): Promise<number> {
  const { terminal } = context;
  const { paint } = terminal;
  if (options.remove !== undefined) {
    const done = await askNetwork(context, "/network/unforward", { listen: options.remove }, signal);
    answer(terminal, options.json, done, () => [`${paint.good("removed")}  ${textIn(done, "removed")}`]);
    return exitCodes.ok;
  }
  if (listen === undefined) return listForwards(context, options, signal);
  const made = await askNetwork(context, "/network/forward", { listen, target: target ?? "" }, signal);
  const trouble = errorFrom(field(made, "trouble"));
  answer(terminal, options.json, made, () => {
    const line = `${paint.good("forwarded")}  ${textIn(made, "listen")} leads to ${textIn(made, "member")}:${textIn(made, "service")}`;
    if (trouble === undefined) return [line];
    const { what, advice } = explainTrouble(trouble);
    return [
      line,
      `${paint.careful("not yet")}  ${what}; connections will go there once it can be reached`,
      ...advice.map((one) => `  ${one}`),
    ];
  });
  // It stays, and who goes on as if it worked hears of it.
  return trouble === undefined ? exitCodes.ok : exitCodes.failed;
}

async function listForwards(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const raw = await lookNetwork(context, "/network/forwards", signal);
  const { paint } = context.terminal;
  answer(context.terminal, options.json, raw, () => {
    const state = (row: unknown): string => {
      const [member, why] = [textIn(row, "member"), textIn(row, "why")];
      if (field(row, "listening") !== true) return paint.bad(`cannot listen${why === "" ? "" : `: ${systemWords(why)}`}`);
      if (textIn(row, "standing") !== "active") return paint.bad(`${member} is no member: ${textIn(row, "standing")}`);
      if (field(row, "connected") !== true) return paint.careful(`${member} is not connected`);
      return why === "" ? paint.good("ready") : paint.careful(dataTrouble(member, why));
    };
    const rows = listIn(raw, "forwards").map((row) => [
      paint.name(textIn(row, "listen")),
      `${textIn(row, "member")}:${textIn(row, "service")}`,
      ...traffic(row),
      state(row),
    ]);
    if (rows.length === 0) return ["nothing is forwarded"];
    const head = ["listens on", "leads to", "open", "since the start", "bytes", "state"].map((title) => paint.dim(title));
    return fittedTable(head, rows, context.terminal.width);
  });
  return exitCodes.ok;
}

/** How fast bytes travel to a member, and back. */
export async function measure(context: Context, member: string, size: number, options: Json, signal: AbortSignal): Promise<number> {
  const done = await askNetwork(context, "/network/measure", { member, bytes: size }, signal, MEASURE_DEADLINE_MS);
  const { paint } = context.terminal;
  const flow = (name: string): string[] => {
    const one = field(done, name);
    return [`${bytes(numberIn(one, "bytes"))} in ${duration(numberIn(one, "ms"))}`, `${bytes(numberIn(one, "bytesPerSecond"))}/s`];
  };
  answer(context.terminal, options.json, done, () => [
    `${paint.name(textIn(done, "member"))} at ${textIn(done, "address")}, ${textIn(done, "path") === "tls" ? "directly over TLS" : "over its libp2p connection"}`,
    ...table([
      ["sent", ...flow("sent")],
      ["received", ...flow("received")],
    ]),
  ]);
  return exitCodes.ok;
}

/** Open connections, all of them, and their bytes. */
function traffic(row: unknown): string[] {
  return [
    String(numberIn(row, "open")),
    counted(numberIn(row, "total"), "connection"),
    `${bytes(numberIn(row, "bytesIn"))} in, ${bytes(numberIn(row, "bytesOut"))} out`,
  ];
}

function permissions(row: unknown): string {
  const told = listIn(row, "to").map((one) => (typeof one === "string" ? one.replace(/^(domain|member):/, "$1 ") : ""));
  return told.join(", ").replace(/^all$/, "all members");
}
