/**
 * name publish, name resolve: what members call a digest.
 */
import { resolve } from "node:path";
import { numberIn, textIn } from "./answers.ts";
import { digestOfFile, isDigest } from "./attest-commands.ts";
import { answer, type Context } from "./context.ts";
import { counted } from "./format.ts";
import { askNetwork, type Json } from "./network-ask.ts";
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
    `number ${numberIn(done, "sequence")}, until ${textIn(done, "expiresAt")}, kept by ${counted(numberIn(done, "copies"), "member")}`,
  ]);
  return exitCodes.ok;
}

export async function resolveName(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const found = await askNetwork(context, "/network/name-resolve", { name }, signal);
  answer(terminal, options.json, found, () => {
    // Apart from the answer, so that $(cairn name resolve …) is what it stands for alone.
    const { paint } = terminal;
    terminal.note(paint.dim(`says ${textIn(found, "author")}, number ${numberIn(found, "sequence")}, until ${textIn(found, "expiresAt")}`));
    return [textIn(found, "cid") || textIn(found, "root")];
  });
  return exitCodes.ok;
}
