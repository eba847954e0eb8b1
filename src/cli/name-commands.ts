/**
 * name publish, name resolve: what members call a digest; name claim, hand, yield, claims: whose a name is.
 */

import { resolve } from "node:path";
import { isDigest } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { digestOfFile } from "./attest-commands.ts";
import { answer, type Context } from "./context.ts";
import { waitLine } from "./epoch-answers.ts";
import { counted, table } from "./format.ts";
import { askNetwork, type Json, lookNetwork } from "./network-ask.ts";
import { exitCodes } from "./troubles.ts";

export async function publishName(
  context: Context,
  name: string,
  root: string,
  options: Json & { readonly expires: number },
  signal: AbortSignal,
): Promise<number> {
  const { terminal, cwd } = context;
  // What is no file may be a CID: the daemon knows.
  const meant = isDigest(root) ? root : (digestOfFile(resolve(cwd, root)) ?? root);
  const done = await askNetwork(context, "/network/name-publish", { name, root: meant, expiresMs: options.expires }, signal);
  answer(terminal, options.json, done, () => [
    `${terminal.paint.good("published")}  ${name} is ${textIn(done, "cid") || textIn(done, "root")}`,
    `${tokenText(done)}number ${numberIn(done, "sequence")}, until ${textIn(done, "expiresAt")}, kept by ${counted(numberIn(done, "copies"), "member")}`,
  ]);
  return exitCodes.ok;
}

export async function resolveName(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const found = await askNetwork(context, "/network/name-resolve", { name }, signal);
  answer(terminal, options.json, found, () => {
    // Apart from the answer, so that $(cairn name resolve …) is what it stands for alone.
    const { paint } = terminal;
    terminal.note(
      paint.dim(
        `says ${textIn(found, "author")}, ${tokenText(found)}number ${numberIn(found, "sequence")}, until ${textIn(found, "expiresAt")}`,
      ),
    );
    return [textIn(found, "cid") || textIn(found, "root")];
  });
  return exitCodes.ok;
}

/** @param how which of the three it is, and what comes of it */
async function give(
  context: Context,
  how: { readonly path: string; readonly body: object; readonly told: (done: unknown) => string },
  options: Json,
  signal: AbortSignal,
): Promise<number> {
  const done = await askNetwork(context, how.path, how.body, signal);
  answer(context.terminal, options.json, done, () => [waitLine(done, how.told(done), context.terminal.paint)]);
  return exitCodes.ok;
}

export function claimName(
  context: Context,
  name: string,
  options: Json & { readonly above?: number },
  signal: AbortSignal,
): Promise<number> {
  const told = (done: unknown): string => `the name ${name} is this machine's alone${withToken(done)}`;
  return give(context, { path: "/network/name-claim", body: { name, above: options.above ?? 0 }, told }, options, signal);
}

export function handName(context: Context, name: string, member: string, options: Json, signal: AbortSignal): Promise<number> {
  const told = (done: unknown): string => `the name ${name} is ${textIn(done, "owner")}'s alone${withToken(done)}`;
  return give(context, { path: "/network/name-hand", body: { name, member }, told }, options, signal);
}

export function yieldName(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  const told = (): string => `the name ${name} is each author's own again`;
  return give(context, { path: "/network/name-yield", body: { name }, told }, options, signal);
}

export async function claimedNames(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const { paint } = context.terminal;
  const names = listIn(await lookNetwork(context, "/network/names", signal), "names");
  answer(context.terminal, options.json, names, () => {
    if (names.length === 0) return ["nobody has claimed a name"];
    const who = (row: unknown): string => {
      if (field(row, "held") !== true) return paint.careful(`nobody's: ${textIn(row, "owner")} has gone`);
      return field(row, "self") === true ? `${textIn(row, "owner")} (this machine)` : textIn(row, "owner");
    };
    return table(names.map((row) => [paint.name(textIn(row, "name")), who(row), paint.dim(`token ${numberIn(row, "token")}`)]));
  });
  return exitCodes.ok;
}

/** Of a claimed name. */
function tokenText(told: unknown): string {
  const token = numberIn(told, "token");
  return token === 0 ? "" : `token ${token}, `;
}

function withToken(done: unknown): string {
  const token = numberIn(done, "token");
  return token === 0 ? "" : ` (token ${token})`;
}
