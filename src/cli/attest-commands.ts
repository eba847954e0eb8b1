/**
 * attest show, export, verify: who executed a compile, in words, as a file for other tools, and checked.
 *
 * `verify` works without a daemon; one that is there and in the network of an attestation also tells whose key it is.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { CairnError, digestOf, limits, systemCode } from "../base/index.ts";
import type { Attested } from "../trust/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { bytes, counted, duration, indent, table } from "./format.ts";
import type { Json } from "./network-ask.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

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

export async function attestExport(
  context: Context,
  name: string,
  options: Json & { readonly output?: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const [first] = await attestationsOf(context, name, signal);
  const { terminal, cwd } = context;
  const envelope = field(first, "envelope");
  const text = JSON.stringify(envelope);
  if (options.output === undefined) {
    terminal.out(text);
    return exitCodes.ok;
  }
  const path = resolve(cwd, options.output);
  try {
    writeFileSync(path, `${text}\n`);
  } catch (error) {
    throw new CairnError("usage", { why: `cannot write ${path}: ${systemCode(error) ?? "it failed"}` }, error);
  }
  answer(terminal, options.json, { path, action: textIn(first, "action"), signer: textIn(first, "key") }, () => [
    `${terminal.paint.good("written")}  ${path}`,
    `${terminal.paint.name(`cairn attest verify ${options.output}`)}   checks it, here or anywhere`,
  ]);
  return exitCodes.ok;
}

/** What became of one envelope. */
interface Checked {
  readonly file: string;
  readonly ok: boolean;
  /** Why it shows nothing; empty where its signature holds. */
  readonly why: string;
  readonly attested: Attested | undefined;
  /** What the daemon knows of the signer; undefined where none answers, or it is in another network. */
  readonly signer: { readonly name: string; readonly domain: string; readonly standing: string } | undefined;
  readonly subjects: readonly { readonly name: string; readonly path: string; readonly ok: boolean; readonly why: string }[];
}

export async function attestVerify(
  context: Context,
  files: readonly string[],
  options: Json & { readonly subject?: readonly string[] | undefined },
  signal: AbortSignal,
): Promise<number> {
  const wanted = (options.subject ?? []).map(readPair);
  const checked: Checked[] = [];
  for (const file of files) checked.push(await check(context, file, wanted, signal));
  const { terminal } = context;
  answer(terminal, options.json, { checked }, () => checked.flatMap((one) => verdict(one, terminal.paint)));
  return checked.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.failed;
}

/** @throws {CairnError} not-found when there is none */
async function attestationsOf({ cwd, control }: Context, name: string, signal: AbortSignal): Promise<readonly unknown[]> {
  const action = isDigest(name) ? name : "";
  const file = action === "" ? resolve(cwd, name) : "";
  const digest = file === "" ? undefined : digestOfFile(file);
  const question = { file, digest: typeof digest === "string" ? digest : "", action };
  const found = listIn(await control.get("/attestations", question, signal), "attestations");
  if (found.length === 0) {
    const why = action === "" && digest === undefined ? `there is no ${file}, and no compile of it is known` : `nobody has signed ${name}`;
    throw new CairnError("not-found", { why: `${why}; what this machine or another member compiles in a network is signed` });
  }
  return found;
}

async function check(context: Context, name: string, wanted: readonly Pair[], signal: AbortSignal): Promise<Checked> {
  const file = resolve(context.cwd, name);
  const nothing = { file, ok: false, attested: undefined, signer: undefined, subjects: [] };
  const text = readText(file);
  if (text === undefined) return { ...nothing, why: "cannot be read" };
  const { readEnvelope } = await import("../trust/index.ts");
  const read = readEnvelope(text);
  if (read.kind === "refused") return { ...nothing, why: WHY[read.why] };
  const { attested } = read;
  const signer = await signerOf(context, attested, signal);
  const subjects = wanted.map((pair) => checkSubject(context.cwd, attested, pair));
  const standing = signer === undefined || signer.standing === "active";
  return { file, ok: standing && subjects.every(({ ok }) => ok), why: "", attested, signer, subjects };
}

const WHY = {
  "too-large": "is too large to be an attestation",
  "not-an-envelope": "is no DSSE envelope",
  "other-payload": "holds something else than an in-toto statement",
  "other-statement": "is no statement about a compile of Cairn's",
  signature: "is not signed by whom it names",
} as const;

/** Undefined where nobody can tell: no daemon, no network, another network. */
async function signerOf({ control }: Context, { signer, network }: Attested, signal: AbortSignal): Promise<Checked["signer"]> {
  try {
    const known = await control.get("/signer", { key: signer, network }, signal);
    const [name, domain, standing] = [textIn(known, "name"), textIn(known, "domain"), textIn(known, "standing")];
    return standing === "" ? undefined : { name, domain, standing };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CairnError) return undefined;
    throw error;
  }
}

interface Pair {
  readonly name: string;
  readonly path: string;
}

function readPair(text: string): Pair {
  const at = text.indexOf("=");
  if (at <= 0 || at === text.length - 1) throw new CairnError("usage", { why: `--subject takes NAME=PATH, not ${text}` });
  return { name: text.slice(0, at), path: text.slice(at + 1) };
}

/** A subject is called by its whole name, or by the last part of it where only one has that. */
function checkSubject(cwd: string, { subjects }: Attested, { name, path }: Pair): Checked["subjects"][number] {
  const exact = subjects.filter((subject) => subject.name === name);
  const [subject, ...more] = exact.length > 0 ? exact : subjects.filter((one) => basename(one.name) === name);
  const whole = resolve(cwd, path);
  if (subject === undefined || more.length > 0) {
    return {
      name,
      path: whole,
      ok: false,
      why: subject === undefined ? "no output is called that" : "more than one output is called that",
    };
  }
  const digest = digestOfFile(whole);
  if (digest === undefined) return { name: subject.name, path: whole, ok: false, why: "the file cannot be read" };
  const ok = digest === subject.digest;
  return { name: subject.name, path: whole, ok, why: ok ? "" : "the file has other content" };
}

/** Whether it looks like an action or a blob, and not like a file. */
export function isDigest(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
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

function readText(path: string): string | undefined {
  try {
    if (statSync(path).size > limits.envelopeBytes) return "";
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function lines(one: unknown, paint: Paint): string[] {
  const signer = field(one, "signer");
  const rows = [
    ["signed by", who(textIn(one, "key"), signer === null ? undefined : namedSigner(signer))],
    ["executed", `${textIn(one, "startedAt")}, in ${duration(numberIn(one, "tookMs"))}`],
    ["compiler", `${textIn(one, "toolchain").slice(0, SHOWN)}…, by its content`],
    ["covers", `${counted(numberIn(one, "inputs"), "file")} read, ${counted(numberIn(one, "absent"), "path")} that must not exist`],
    ...listIn(one, "outputs").map((output, at) => [
      at === 0 ? "outputs" : "",
      `${textIn(output, "path")}  ${bytes(numberIn(output, "size"))}  ${textIn(output, "digest").slice(0, SHOWN)}…`,
    ]),
  ];
  return [paint.bold(`action ${textIn(one, "action")}`), ...indent(table(rows.map(([name = "", value = ""]) => [paint.dim(name), value])))];
}

function verdict({ file, ok, why, attested, signer, subjects }: Checked, paint: Paint): string[] {
  if (attested === undefined) return [`${paint.bad("bad")}  ${file} ${why}`];
  const known =
    signer === undefined ? paint.dim("  no daemon here knows this key: the signature holds, but whose it is, you must know") : "";
  return [
    `${ok ? paint.good("good") : paint.bad("bad")}  ${file}`,
    `  signed by ${who(attested.signer, signer)}, ${attested.finishedOn}`,
    ...(known === "" ? [] : [known]),
    ...attested.subjects.map(({ name, digest }) => `  ${name}  ${paint.dim(`${digest.slice(0, SHOWN)}…`)}`),
    ...subjects.map(
      (one) => `  ${one.ok ? paint.good("same") : paint.bad("not the same")}  ${one.path}${one.why === "" ? "" : `: ${one.why}`}`,
    ),
  ];
}

function namedSigner(signer: unknown): Checked["signer"] {
  return { name: textIn(signer, "name"), domain: textIn(signer, "domain"), standing: textIn(signer, "standing") };
}

function who(key: string, signer: Checked["signer"]): string {
  if (signer === undefined) return `attestation key ${key.slice(0, SHOWN)}…`;
  if (signer.standing === "unknown") return `${signer.name}, attestation key ${key.slice(0, SHOWN)}…`;
  const standing = signer.standing === "active" ? "" : `, ${signer.standing}`;
  return `${signer.name} (${signer.domain}${standing}), attestation key ${key.slice(0, SHOWN)}…`;
}
