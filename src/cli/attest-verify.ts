/**
 * attest verify: attestations and summaries in files, checked. It needs no daemon; one that is there, and in their network, also tells whose keys they are.
 */
import { readFileSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { CairnError, type Digest, digestOf, limits, systemCode } from "../base/index.ts";
import type { Attested, EnvelopeRead, Received, Summary } from "../trust/index.ts";
import { digestOfFile, NOT_EXECUTED } from "./attest-commands.ts";
import { answer, type Context } from "./context.ts";
import { counted } from "./format.ts";
import type { Json } from "./network-ask.ts";
import { type Known, signerOf, who } from "./signers.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

/** Digits of a digest that people are shown. */
const SHOWN = 16;

/** What a file that anybody may have made must not send to a terminal. */
const CONTROL = /\p{Cc}/gu;

/** What became of one envelope. */
interface Checked {
  readonly file: string;
  readonly ok: boolean;
  /** Why it shows nothing; empty where its signature holds. */
  readonly why: string;
  readonly attested?: Attested;
  readonly received?: Received;
  readonly summary?: Summary;
  /** Of the attestations that a summary rests on, those that are among the files, and say so. */
  readonly inputsHere?: number;
  readonly signer: Known;
  readonly subjects: readonly SubjectChecked[];
}

interface SubjectChecked {
  readonly name: string;
  readonly path: string;
  readonly ok: boolean;
  readonly why: string;
}

/** An envelope as it was found. */
interface Found {
  readonly file: string;
  /** As summaries name it. */
  readonly digest: Digest;
  readonly read: EnvelopeRead | { readonly kind: "refused"; readonly why: "unreadable" };
}

export async function attestVerify(
  context: Context,
  files: readonly string[],
  options: Json & { readonly subject?: readonly string[] | undefined },
  signal: AbortSignal,
): Promise<number> {
  const wanted = (options.subject ?? []).map(readPair);
  const found: Found[] = [];
  for (const file of files) found.push(...(await envelopesIn(resolve(context.cwd, file))));
  const attestations = new Map(found.flatMap(({ digest, read }) => (read.kind === "attested" ? [[digest, read.attested] as const] : [])));
  // Of several envelopes those are meant that name it; where none does, all of them lack it.
  const meant = (pair: Pair, { read }: Found): boolean => namesIt(read, pair) || !found.some((other) => namesIt(other.read, pair));
  const checked: Checked[] = [];
  for (const one of found) {
    const pairs = wanted.filter((pair) => meant(pair, one));
    checked.push(await check(context, one, attestations, pairs, signal));
  }
  const { terminal } = context;
  answer(terminal, options.json, { checked }, () => checked.flatMap((one) => verdict(one, terminal.paint)));
  return checked.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.failed;
}

/** One, or one in each line. */
async function envelopesIn(file: string): Promise<Found[]> {
  const text = readText(file);
  if (text === undefined) return [{ file, digest: "", read: { kind: "refused", why: "unreadable" } }];
  const { readEnvelope } = await import("../trust/index.ts");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const whole = readEnvelope(text);
  if (lines.length < 2 || whole.kind !== "refused" || !["not-an-envelope", "too-large"].includes(whole.why))
    return [{ file, digest: digestOf(text), read: whole }];
  return lines.map((line, at) => ({ file: `${file}:${at + 1}`, digest: digestOf(`${line}\n`), read: readEnvelope(line) }));
}

async function check(
  context: Context,
  { file, read }: Found,
  attestations: ReadonlyMap<Digest, Attested>,
  wanted: readonly Pair[],
  signal: AbortSignal,
): Promise<Checked> {
  if (read.kind === "refused") return { file, ok: false, why: WHY[read.why], signer: undefined, subjects: [] };
  const said = saidIn(read);
  const signer = await signerOf(context, said, signal);
  const subjects = wanted.map((pair) => checkSubject(context.cwd, said, pair));
  const isGood = (signer === undefined || signer.standing === "active") && subjects.every(({ ok }) => ok);
  if (read.kind === "attested") return { file, ok: isGood, why: "", attested: read.attested, signer, subjects };
  if (read.kind === "received") return { file, ok: isGood, why: "", received: read.received, signer, subjects };
  const { summary } = read;
  const inputs = summary.inputs.flatMap(({ digest, signer: by }) => {
    const input = attestations.get(digest);
    return input === undefined ? [] : [input.signer === by && saysTheSame(input, summary)];
  });
  const why = inputs.includes(false) ? "rests on an attestation that says something else" : "";
  return { file, ok: isGood && why === "", why, summary, inputsHere: inputs.length, signer, subjects };
}

function saidIn(read: Exclude<EnvelopeRead, { kind: "refused" }>): Attested | Received | Summary {
  if (read.kind === "attested") return read.attested;
  return read.kind === "received" ? read.received : read.summary;
}

function saysTheSame(input: Attested, { network, action, subjects }: Summary): boolean {
  const says = new Set(input.subjects.map(({ name, digest }) => `${digest} ${name}`));
  return input.network === network && input.action === action && subjects.every(({ name, digest }) => says.has(`${digest} ${name}`));
}

const WHY = {
  unreadable: "cannot be read",
  "too-large": "is too large to be an attestation",
  "not-an-envelope": "is no DSSE envelope",
  "other-payload": "holds something else than an in-toto statement",
  "other-statement": "is no statement about a compile of Cairn's",
  signature: "is not signed by whom it names",
} as const;

interface Pair {
  readonly name: string;
  readonly path: string;
}

function readPair(text: string): Pair {
  const at = text.indexOf("=");
  if (at <= 0 || at === text.length - 1) throw new CairnError("usage", { why: `--subject takes NAME=PATH, not ${text}` });
  return { name: text.slice(0, at), path: text.slice(at + 1) };
}

function namesIt(read: Found["read"], { name }: Pair): boolean {
  return read.kind !== "refused" && called(saidIn(read), name).length > 0;
}

/** A subject is called by its whole name, or by the last part of it where only one has that. */
function called({ subjects }: Pick<Attested, "subjects">, name: string): Attested["subjects"] {
  const exact = subjects.filter((subject) => subject.name === name);
  return exact.length > 0 ? exact : subjects.filter((one) => basename(one.name) === name);
}

function checkSubject(cwd: string, said: Pick<Attested, "subjects">, { name, path }: Pair): SubjectChecked {
  const [subject, ...more] = called(said, name);
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

/** Undefined where it cannot be read; what is too large is not. */
function readText(path: string): string | undefined {
  try {
    return statSync(path).size > limits.bundleBytes ? "" : readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function verdict(checked: Checked, paint: Paint): string[] {
  const { file, ok, why, attested, received, summary, signer, subjects } = checked;
  const said = attested ?? received ?? summary;
  if (said === undefined) return [`${paint.bad("bad")}  ${file} ${why}`];
  const known =
    signer === undefined ? paint.dim("  no daemon here knows this key: the signature holds, but whose it is, you must know") : "";
  return [
    `${ok ? paint.good("good") : paint.bad("bad")}  ${file}${why === "" ? "" : ` ${why}`}`,
    ...headOf(checked, paint),
    ...(known === "" ? [] : [known]),
    ...said.subjects.map(
      ({ name, digest }) => `  ${name.replaceAll(CONTROL, "?")}  ${paint.dim(`${digest.slice(0, SHOWN).replaceAll(CONTROL, "?")}…`)}`,
    ),
    ...subjects.map(
      (one) => `  ${one.ok ? paint.good("same") : paint.bad("not the same")}  ${one.path}${one.why === "" ? "" : `: ${one.why}`}`,
    ),
  ];
}

/** What is said, by whom. */
function headOf({ attested, received, summary, inputsHere = 0, signer }: Checked, paint: Paint): string[] {
  if (attested !== undefined) return [`  signed by ${who(attested.signer, signer)}, ${attested.finishedOn.replaceAll(CONTROL, "?")}`];
  if (received !== undefined) {
    const [door, on] = [received.door, received.receivedOn].map((text) => text.replaceAll(CONTROL, "?"));
    return [`  received by ${who(received.signer, signer)} at its door ${door}, ${on}`, `  ${paint.bold(NOT_EXECUTED)}`];
  }
  if (summary === undefined) return [];
  const { levels, domains, signer: by, verifiedOn, policy, inputs } = summary;
  const here = inputsHere === inputs.length ? "all hold and are" : `${inputsHere} ${inputsHere === 1 ? "is" : "are"}`;
  return [
    `  ${paint.bold(levels.join(", "))}: the same in ${counted(domains.length, "domain")}: ${domains.join(", ")}`,
    `  verified by ${who(by, signer)}, ${verifiedOn}, policy ${policy}`,
    `  rests on ${counted(inputs.length, "attestation")}, of which ${here} here`,
  ];
}
