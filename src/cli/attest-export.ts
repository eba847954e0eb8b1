/**
 * attest export: who executed compiles, or who reproduced them, as files for other tools.
 */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { CairnError, systemCode } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { attestationsOf, compileCalled, nothingOf } from "./attest-commands.ts";
import { answer, type Context } from "./context.ts";
import { counted } from "./format.ts";
import type { Json } from "./network-ask.ts";
import { exitCodes } from "./troubles.ts";

export interface ExportOptions extends Json {
  readonly output?: string | undefined;
  readonly summary?: true | undefined;
  readonly inputs?: true | undefined;
}

/** What is exported of one compile: envelopes, or why there are none. */
type Exported =
  | { readonly name: string; readonly action: string; readonly signer: string; readonly envelopes: readonly unknown[] }
  | { readonly name: string; readonly why: string };

export async function attestExport(
  context: Context,
  names: readonly string[],
  options: ExportOptions,
  signal: AbortSignal,
): Promise<number> {
  const all: Exported[] = [];
  for (const name of names)
    all.push(
      options.summary === true ? await summarized(context, name, options.inputs === true, signal) : await signed(context, name, signal),
    );
  const good = all.filter((one) => "envelopes" in one);
  const lacking = all.filter((one) => "why" in one);
  const [only] = lacking;
  if (names.length === 1 && only !== undefined) throw new CairnError("not-found", { why: only.why });
  const { terminal } = context;
  const text = good.flatMap(({ envelopes }) => envelopes.map((one) => JSON.stringify(one))).join("\n");
  for (const { name, why } of lacking) terminal.note(`${terminal.paint.bad("left out")}  ${name}: ${why}`);
  const code = lacking.length === 0 ? exitCodes.ok : exitCodes.failed;
  if (options.output === undefined) {
    if (text !== "") terminal.out(text);
    return code;
  }
  const path = resolve(context.cwd, options.output);
  try {
    writeFileSync(path, text === "" ? "" : `${text}\n`);
  } catch (error) {
    throw new CairnError("usage", { why: `cannot write ${path}: ${systemCode(error) ?? "it failed"}` }, error);
  }
  const [first] = good;
  const told = { path, action: first?.action ?? "", signer: first?.signer ?? "", exported: good.length, leftOut: lacking };
  answer(terminal, options.json, told, () => [
    `${terminal.paint.good("written")}  ${path}${names.length === 1 ? "" : `  ${good.length} of ${counted(names.length, "compile")}`}`,
    `${terminal.paint.name(`cairn attest verify ${options.output}`)}   checks it, here or anywhere`,
  ]);
  return code;
}

async function signed(context: Context, name: string, signal: AbortSignal): Promise<Exported> {
  try {
    const [first] = await attestationsOf(context, name, signal);
    return { name, action: textIn(first, "action"), signer: textIn(first, "key"), envelopes: [field(first, "envelope")] };
  } catch (error) {
    if (error instanceof CairnError && error.code === "not-found") return { name, why: String(error.facts.why) };
    throw error;
  }
}

async function summarized({ cwd, control }: Context, name: string, inputs: boolean, signal: AbortSignal): Promise<Exported> {
  const question = compileCalled(cwd, name);
  const found = field(await control.get("/summary", question, signal), "summary");
  if (found === null) return { name, why: nothingOf(name, question) };
  if (textIn(found, "kind") !== "reproduced") return { name, why: lack(found) };
  const envelope = field(found, "envelope");
  const [signature] = listIn(envelope, "signatures");
  const envelopes = [envelope, ...(inputs ? listIn(found, "inputs") : [])];
  return { name, action: textIn(found, "action"), signer: textIn(signature, "keyid"), envelopes };
}

const LACKS: Readonly<Record<string, string>> = {
  policy: "sharing.policy is self here: nobody else's word counts",
  disputed: "members differ about what comes of it; cairn challenge has it executed once more",
  "not-deterministic": "it does not come out the same: cairn audit flags tells why",
  "own-work-differs": "what was made here differs from what others say",
  received: "a tool has left it at a door: nobody says to have executed it",
  "no-outputs": "it has written no file",
};

/** Why a result is none that was reproduced. */
function lack(found: unknown): string {
  const why = textIn(found, "why");
  const [domains, needed] = [numberIn(found, "domains"), numberIn(found, "needed")];
  if (why === "too-few-domains")
    return `only ${counted(domains, "domain")} of ${needed} ${domains === 1 ? "vouches" : "vouch"} for it: machines of other domains must compile it, too`;
  return LACKS[why] ?? `it is not vouched for: ${why.replaceAll("-", " ")}`;
}
