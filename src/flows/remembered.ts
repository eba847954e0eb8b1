/**
 * What `explain` is told of the last compile of a source: a row of the history, and its body.
 *
 * Knows: how a compile is described. Does not know: when.
 */
import { basename } from "node:path";
import type { Key } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
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
}

/** Whose work a hit was, who gave it, and what it took to bring it here. */
export interface From {
  /** Public attestation key. */
  readonly signer: string;
  /** Peer key. */
  readonly member: string;
  readonly bytes: number;
  readonly tookMs: number;
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
  return write({ ...describe(understood), ...NOTHING_KNOWN, manifest: understood.manifest, outputs, ...facts });
}

/** Of a request that was passed through. @returns a row's body */
export function bodyOfPassed(question: CompileQuestion, detail: string | undefined): string {
  const compiler = basename(question.compiler);
  return write({ compiler, toolchain: "", keyArgs: question.argv.slice(1), environment: [], cwd: question.cwd, ...NOTHING_KNOWN, detail });
}

/** Rows are written by this file alone. */
export function readRemembered(row: HistoryRow): Remembered {
  return JSON.parse(row.body) as Remembered;
}

function write(remembered: Remembered): string {
  return JSON.stringify(remembered);
}
