/**
 * What `explain` is told of the last compile of a source: a row of the history, and its body.
 *
 * Knows: how a compile is described. Does not know: when.
 */
import { basename } from "node:path";
import type { Digest, Key, SharingPolicy } from "../base/index.ts";
import type { HistoryRow, PlacedWhy } from "../contracts/index.ts";
import type { Described, Difference } from "./differences.ts";
import type { CompileQuestion, Understood } from "./request.ts";

export interface Known {
  readonly manifest: string;
  readonly action: string | undefined;
  readonly detail: string | undefined;
  readonly differences: readonly Difference[];
  readonly inputs: number;
  readonly outputs: readonly string[];
  readonly compileMs: number;
  readonly from: From | undefined;
  /** Who compiled it for this node. */
  readonly by: Work | undefined;
  /** Why it was compiled here, where others might have done it. */
  readonly here: string | undefined;
  /** By what the compile can be asked for once more; undefined of one that was passed through. */
  readonly asked: Asked | undefined;
}

/** What of a question is no name of it, and not in the row. */
interface Asked extends Omit<CompileQuestion, "key" | "why" | "session" | "environment"> {
  readonly environment: readonly (readonly [name: string, value: string])[];
}

/** Whose work a hit was, who gave it, and what it took to bring it here. */
export interface From {
  /** Public attestation key. */
  readonly signer: string;
  /** Peer key. */
  readonly member: string;
  readonly bytes: number;
  readonly tookMs: number;
  /** How well it was vouched for, and by which domains. */
  readonly tier: SharingPolicy;
  readonly domains: readonly string[];
}

/** A compile that a member did. */
export interface Work {
  /** Peer key. */
  readonly member: Key;
  /** From the decision to the last byte, ms. */
  readonly tookMs: number;
  /** Of them, waiting there for its turn. */
  readonly queuedMs: number;
  /** Of them, compiling. */
  readonly compiledMs: number;
  readonly sentBytes: number;
  readonly bytes: number;
  /** Why there. */
  readonly why: PlacedWhy | undefined;
}

export type Remembered = Described & Known;

const NOTHING_KNOWN: Known = {
  manifest: "",
  action: undefined,
  detail: undefined,
  differences: [],
  inputs: 0,
  outputs: [],
  compileMs: 0,
  from: undefined,
  by: undefined,
  here: undefined,
  asked: undefined,
};

export function describe(understood: Understood): Described {
  const { toolchain, invocation, keyEnvironment, question, places } = understood;
  const compiler = `${basename(question.compiler)} (${toolchain.family} ${toolchain.version})`;
  const [keyArgs, environment] = [invocation.keyArgs, keyEnvironment].map((texts) => texts.map((text) => places.spell(text)));
  return { compiler, toolchain: toolchain.digest, keyArgs: keyArgs ?? [], environment: environment ?? [], cwd: question.cwd };
}

/** Of a request that was understood. @returns a row's body */
export function bodyOf(understood: Understood, facts: Partial<Known>): string {
  const outputs = understood.invocation.outputs.map((output) => output.path);
  const { key: _, why: __, session: ___, environment, ...question } = understood.question;
  const asked = { ...question, environment: [...environment] };
  return write({ ...describe(understood), ...NOTHING_KNOWN, manifest: understood.manifest, outputs, asked, ...facts });
}

/** The question that a row is about, to be asked once more; undefined where it was passed through. */
export function questionOf(row: HistoryRow): CompileQuestion | undefined {
  const { asked } = readRemembered(row);
  return asked && { ...asked, environment: new Map(asked.environment), key: row.request, why: "no-record", session: "" };
}

/** Of a request that was passed through. @returns a row's body */
export function bodyOfPassed(question: CompileQuestion, detail: string | undefined): string {
  const compiler = basename(question.compiler);
  return write({ compiler, toolchain: "", keyArgs: question.argv.slice(1), environment: [], cwd: question.cwd, ...NOTHING_KNOWN, detail });
}

/**
 * What is remembered of a compile, as somebody in another checkout has it who was answered by what came of it.
 *
 * @param row of the same request, of whatever contents
 * @param move a text of the one checkout as it reads in the other
 */
export function movedRow(
  row: HistoryRow,
  move: (text: string) => string,
  { action, ...used }: Omit<HistoryRow, "body"> & { readonly action: Digest | undefined },
): HistoryRow {
  const there = movedWithin(readRemembered(row), move) as Remembered;
  const facts = there.action === action ? {} : { inputs: NOTHING_KNOWN.inputs, compileMs: NOTHING_KNOWN.compileMs };
  const body = write({ ...there, ...facts, action, differences: [], detail: undefined, from: undefined, by: undefined, here: undefined });
  return { ...used, body };
}

/** Of a value of JSON. */
function movedWithin(value: unknown, move: (text: string) => string): unknown {
  if (typeof value === "string") return move(value);
  if (Array.isArray(value)) return value.map((one) => movedWithin(one, move));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, movedWithin(one, move)]));
}

/** Rows are written by this file alone. */
export function readRemembered(row: HistoryRow): Remembered {
  return JSON.parse(row.body) as Remembered;
}

function write(remembered: Remembered): string {
  return JSON.stringify(remembered);
}
