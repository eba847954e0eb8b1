/**
 * attest show: who executed a compile, in words; and what people may call a compile.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { CairnError, digestOf, isDigest, limits, systemCode } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { bytes, counted, duration, indent, table } from "./format.ts";
import type { Json } from "./network-ask.ts";
import { type Known, who } from "./signers.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

/** What is said of what was only received. */
export const NOT_EXECUTED = "a tool has left it there: nobody says that anything was executed";

/** Digits of a key or digest that people are shown. */
const SHOWN = 16;

export async function attestShow(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  const found = await attestationsOf(context, name, signal);
  const { terminal } = context;
  answer(terminal, options.json, { attestations: found }, () =>
    found.flatMap((one, at) => [...(at === 0 ? [] : [""]), ...lines(one, terminal.paint)]),
  );
  return exitCodes.ok;
}

/** @throws {CairnError} not-found when there is none */
export async function attestationsOf({ cwd, control }: Context, name: string, signal: AbortSignal): Promise<readonly unknown[]> {
  const question = compileCalled(cwd, name);
  const found = listIn(await control.get("/attestations", question, signal), "attestations");
  if (found.length === 0) throw new CairnError("not-found", { why: nothingOf(name, question) });
  return found;
}

/** What somebody typed, as the daemon is asked for it: a file, the digest of its content, or an action; "" for what it is not. */
export function compileCalled(cwd: string, name: string): { readonly file: string; readonly digest: string; readonly action: string } {
  if (isDigest(name)) return { file: "", digest: "", action: name };
  const file = resolve(cwd, name);
  return { file, digest: digestOfFile(file) ?? "", action: "" };
}

/** Why nothing is known of a compile that somebody named. */
export function nothingOf(name: string, { file, digest, action }: ReturnType<typeof compileCalled>): string {
  const why = action === "" && digest === "" ? `there is no ${file}, and no compile of it is known` : `nobody has signed ${name}`;
  return `${why}; what this machine or another member compiles in a network is signed`;
}

/** Undefined where there is no file that can be read. */
export function digestOfFile(path: string): string | undefined {
  try {
    return statSync(path).size > limits.blobBytes ? undefined : digestOf(readFileSync(path));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function lines(one: unknown, paint: Paint): string[] {
  const signer = field(one, "signer");
  const rows = [
    ["signed by", who(textIn(one, "key"), signer === null ? undefined : namedSigner(signer))],
    ...(field(one, "received") === true ? receivedRows(one) : executedRows(one)),
    ...listIn(one, "outputs").map((output, at) => [
      at === 0 ? "outputs" : "",
      `${textIn(output, "path")}  ${bytes(numberIn(output, "size"))}  ${textIn(output, "digest").slice(0, SHOWN)}…`,
    ]),
  ];
  return [paint.bold(`action ${textIn(one, "action")}`), ...indent(table(rows.map(([name = "", value = ""]) => [paint.dim(name), value])))];
}

function executedRows(one: unknown): string[][] {
  const madeOf = listIn(one, "madeOf");
  if (madeOf.length > 0) return [executedOn(one), ...actionRows(madeOf)];
  return [
    executedOn(one),
    ["compiler", `${textIn(one, "toolchain").slice(0, SHOWN)}…, by its content`],
    ["covers", `${counted(numberIn(one, "inputs"), "file")} read, ${counted(numberIn(one, "absent"), "path")} that must not exist`],
  ];
}

function executedOn(one: unknown): string[] {
  return ["executed", `${textIn(one, "startedAt")}, in ${duration(numberIn(one, "tookMs"))}`];
}

/** An action of a build tool: of its compiler nothing is known but that it is among its inputs, or installed. */
function actionRows(madeOf: readonly unknown[]): string[][] {
  const rows = madeOf.map((part, at) => [at === 0 ? "made of" : "", `${textIn(part, "name")}  ${textIn(part, "digest").slice(0, SHOWN)}…`]);
  return [["what", "an action of a build tool, in a sandbox"], ...rows];
}

function receivedRows(one: unknown): string[][] {
  const [first] = listIn(one, "outputs");
  return [
    ["received", `${textIn(one, "startedAt")}, at the door ${textIn(first, "path")}`],
    ["executed", `not claimed: ${NOT_EXECUTED}`],
  ];
}

function namedSigner(signer: unknown): Known {
  return { name: textIn(signer, "name"), domain: textIn(signer, "domain"), standing: textIn(signer, "standing") };
}
