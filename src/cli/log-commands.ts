/**
 * log, log prove, log check: what this machine has signed, in a log that others witness; and proofs from it.
 *
 * `check` needs neither a daemon nor a network; one that is there and in the same network tells whose keys they are.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { CairnError, isDigest, limits, systemCode, systemReason } from "../base/index.ts";
import type { LogProofRead, NoLogProof } from "../trust/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { count, counted, indent, table } from "./format.ts";
import { askNetwork, type Json } from "./network-ask.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

/** Digits of a key or digest that people are shown. */
const SHOWN = 16;

export async function logShow(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const raw = await askNetwork(context, "/trust/log", {}, signal);
  answer(context.terminal, options.json, raw, () => shown(raw, context.terminal.paint));
  return textIn(raw, "stopped") === "" ? exitCodes.ok : exitCodes.failed;
}

export async function logProve(
  context: Context,
  name: string,
  options: Json & { readonly output?: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { terminal, cwd } = context;
  const question = isDigest(name) ? { file: "", action: name } : { file: resolve(cwd, name), action: "" };
  const raw = await askNetwork(context, "/trust/log-prove", question, signal);
  const proof = textIn(raw, "proof");
  if (options.output === undefined) {
    if (options.json === true) answer(terminal, true, raw, () => []);
    else terminal.out(proof.trimEnd());
    return exitCodes.ok;
  }
  const path = resolve(cwd, options.output);
  try {
    writeFileSync(path, proof);
  } catch (error) {
    throw new CairnError("usage", { why: `cannot write ${path}: ${systemCode(error) ?? "it failed"}` }, error);
  }
  answer(
    terminal,
    options.json,
    { path, index: numberIn(raw, "index"), size: numberIn(raw, "size"), witnesses: listIn(raw, "witnesses") },
    () => [
      `${terminal.paint.good("written")}  ${path}: entry ${numberIn(raw, "index")} of ${count(numberIn(raw, "size"))}, ${witnessed(listIn(raw, "witnesses"))}`,
      `${terminal.paint.name(`cairn log check ${options.output}`)}   checks it, here or anywhere`,
    ],
  );
  return exitCodes.ok;
}

const WHY: Readonly<Record<NoLogProof, string>> = {
  "too-large": "is too large to be a proof",
  "not-a-proof": "is no proof of a log",
  attestation: "holds no attestation that its signer has signed",
  checkpoint: "holds no checkpoint that whose log it is has signed",
  "other-key": "holds an attestation of one signer, and a checkpoint of another",
  "not-included": "does not show that the attestation is in the log",
};

export async function logCheck(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  const { cwd, terminal } = context;
  const file = resolve(cwd, name);
  const { readLogProof } = await import("../trust/index.ts");
  const read = readLogProof(textOf(file));
  if (read.kind === "refused") {
    answer(terminal, options.json, { file, ok: false, why: read.why }, () => [`${terminal.paint.bad("bad")}  ${file} ${WHY[read.why]}`]);
    return exitCodes.failed;
  }
  const signer = await whose(context, read.attested.signer, read.attested.network, signal);
  const witnesses = await Promise.all(
    read.cosignatures.map(async ({ witness, timeS }) => ({
      ...(await whose(context, witness, read.attested.network, signal)),
      atMs: 1_000 * timeS,
    })),
  );
  const told = toldOf(read);
  answer(terminal, options.json, { file, ok: true, ...told, signer, witnesses }, () =>
    verdict(file, read, signer, witnesses, terminal.paint),
  );
  return exitCodes.ok;
}

/** A key, and whose it is as far as a daemon knows. */
interface Whose {
  readonly key: string;
  readonly name: string;
  readonly domain: string;
}

async function whose({ control }: Context, key: string, network: string, signal: AbortSignal): Promise<Whose> {
  try {
    const known = await control.get("/signer", { key, network }, signal);
    return { key, name: textIn(known, "name"), domain: textIn(known, "domain") };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CairnError) return { key, name: "", domain: "" };
    throw error;
  }
}

/** @throws {CairnError} usage */
function textOf(file: string): string {
  try {
    // What is too large is no proof, and need not be read to say so.
    return statSync(file).size > limits.transparency.proofBytes ? "" : readFileSync(file, "utf8");
  } catch (error) {
    throw new CairnError("usage", { why: `${file} cannot be read: ${systemReason(error)}` }, error);
  }
}

function toldOf({ attested, index, head }: Extract<LogProofRead, { kind: "logged" }>): object {
  const { network, action, startedOn, subjects } = attested;
  return { network, action, startedOn, subjects, index, size: head.size, root: head.root };
}

function verdict(
  file: string,
  { attested, index, head }: Extract<LogProofRead, { kind: "logged" }>,
  signer: Whose,
  witnesses: readonly (Whose & { readonly atMs: number })[],
  paint: Paint,
): string[] {
  return [
    `${paint.good("good")}  ${file}`,
    `  ${called(signer)} signed action ${attested.action.slice(0, SHOWN)}… of the network ${attested.network.slice(0, SHOWN)}…`,
    `  and has it in its log: entry ${index} of ${count(head.size)}`,
    ...(witnesses.length === 0
      ? [paint.careful("  nobody has witnessed that checkpoint: it may have been made for you alone")]
      : witnesses.map((one) => `  witnessed by ${called(one)}, ${new Date(one.atMs).toISOString()}`)),
  ];
}

function called({ key, name, domain }: Whose): string {
  return name === "" ? `attestation key ${key.slice(0, SHOWN)}…` : `${name} (${domain}), attestation key ${key.slice(0, SHOWN)}…`;
}

const STOPPED: Readonly<Record<string, string>> = {
  damaged:
    "what lies on disk is not what its checkpoint says: nothing is added any more. cairn leave and a new invitation begin another log",
  full: "it has as many entries as a log may have: nothing is added any more",
  "rolled-back":
    "others have seen more of it than is here (was the disk put back to a copy?): nothing is shown any more. cairn leave and a new invitation begin another log",
};

function shown(raw: unknown, paint: Paint): string[] {
  const [stopped, last] = [textIn(raw, "stopped"), field(raw, "witnessed")];
  const by = listIn(last, "by");
  const size = numberIn(raw, "size");
  return [
    `${paint.bold("cairn log")}  ${paint.dim(`attestation key ${textIn(raw, "log").slice(0, SHOWN)}…`)}`,
    ...indent([
      `${counted(size, "attestation")} signed here`,
      ...(size === 0 || stopped !== ""
        ? []
        : [
            by.length === 0
              ? paint.careful("no member of another domain has witnessed it yet")
              : `witnessed up to ${count(numberIn(last, "size"))} by`,
          ]),
      ...indent(by.map((one) => `${textIn(one, "name")} (${textIn(one, "domain")}), ${new Date(numberIn(one, "atMs")).toISOString()}`)),
      ...(stopped === "" ? [] : [paint.bad(STOPPED[stopped] ?? stopped)]),
    ]),
    ...others(listIn(raw, "seen"), paint),
    ...textIn(raw, "checkpoint")
      .trimEnd()
      .split("\n")
      .map((line) => paint.dim(line)),
  ];
}

function others(seen: readonly unknown[], paint: Paint): string[] {
  if (seen.length === 0) return [];
  const rows = seen.map((one) => [`${textIn(one, "name")} (${textIn(one, "domain")})`, count(numberIn(one, "size"))]);
  return [paint.bold("witnessed here"), ...indent(table(rows, ["left", "right"]))];
}

function witnessed(witnesses: readonly unknown[]): string {
  return witnesses.length === 0 ? "witnessed by nobody yet" : `witnessed by ${witnesses.map((one) => textIn(one, "name")).join(", ")}`;
}
