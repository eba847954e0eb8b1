/**
 * One compiler invocation on its way through the flows: what was asked, and what has been found out about it so far.
 */
import { realpathSync, statSync } from "node:fs";
import { type Digest, limits } from "../base/index.ts";
import { type Invocation, isMappedByChance, isPreprocessed, namedOutside, type Places } from "../compile/index.ts";
import type { CompilerEnvironment, SearchPaths, Toolchain, Toolchains } from "../contracts/index.ts";
import type { ProjectPolicy } from "./project-policy.ts";

/** What a door hands over. */
export interface CompileQuestion {
  /** Names the exact request, byte for byte; 64 hex digits. */
  readonly key: Digest;
  /** Why the asker could not answer alone: see docs/protocol/compile-socket.md. */
  readonly why: "no-record" | "input-changed" | "blob-missing" | "record-unreadable" | "record-unusable" | "outdated";
  /** The asker holds an answer that was made from memory against the files, and asks again where it is outdated. */
  readonly checks?: boolean;
  /** Hex; "" where the request belongs to no session. */
  readonly session: string;
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly columns: number;
  readonly cwd: string;
  /** The compiler's driver as found on PATH. */
  readonly compiler: string;
  readonly argv: readonly string[];
  readonly environment: CompilerEnvironment;
}

/** A question as it would be asked in another checkout with the same compiler; its key is still the first one's. @param move a text of the one as it reads in the other */
export function movedQuestion(question: CompileQuestion, move: (text: string) => string): CompileQuestion {
  const environment = new Map([...question.environment].map(([name, value]) => [name, move(value)]));
  return { ...question, cwd: move(question.cwd), argv: question.argv.map(move), environment };
}

/** A question that has been understood. */
export interface Understood {
  readonly question: CompileQuestion;
  readonly toolchain: Toolchain;
  readonly invocation: Invocation;
  readonly places: Places;
  readonly projectRoot: string;
  /** Where the compiler looks for headers unasked, and what its native options stand for. */
  readonly search: SearchPaths;
  readonly native: string;
  readonly project: ProjectPolicy;
  readonly manifest: Digest;
  readonly place: Digest;
  readonly terminal: Digest;
  /** Variables that are part of the key, `NAME=value`. */
  readonly keyEnvironment: readonly string[];
  /** The source's absolute path. */
  readonly sourcePath: string;
  /** Response files as the command names them, and what was read there: the key is that of these options. */
  readonly responses: ReadonlyMap<string, Digest>;
}

/** A file that was changed this short before a compile began may have been changed after: clocks of file systems are coarse. */
export const RACY_NS: bigint = BigInt(limits.racyWindowMs) * 1_000_000n;

/** What the one who ran the compiler tells; all times ns. */
export interface RunReport {
  readonly waitStatus: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly steadyNs: bigint;
  readonly cpuUs: bigint;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** The dependency file, where the `run` asked for one. */
  readonly dependencies: Buffer;
}

export const NO_SEARCH: SearchPaths = { quote: [], angle: [], missing: [], duplicates: [] };

/** Where a compile looks for headers; nowhere, where no preprocessor runs. */
export async function searchOf(
  toolchains: Pick<Toolchains, "searchPaths">,
  { invocation, question, toolchain }: Understood,
  signal: AbortSignal,
): Promise<SearchPaths> {
  if (!hasHeaders(invocation)) return NO_SEARCH;
  return toolchains.searchPaths(toolchain, question.compiler, invocation.searchArgs, question.cwd, question.environment, signal);
}

/** Whether headers are looked for: whether a preprocessor runs. */
export function hasHeaders(invocation: Invocation): boolean {
  return !isPreprocessed(invocation.language);
}

/** The texts that name where this compile happens. */
export function placesOf(understood: Understood): string[] {
  const { question, projectRoot } = understood;
  const names = [question.cwd, projectRoot, question.environment.get("PWD") ?? "", withoutLinks(projectRoot)];
  return [...new Set(names)].filter((path) => path.length > 1);
}

/** Compilers take the links out of some names. Of another machine's directory it is not known. */
function withoutLinks(directory: string): string {
  try {
    return realpathSync.native(directory);
  } catch {
    return "";
  }
}

/** What an output may name besides the checkout's places: inputs, what options name, another name of the working directory. */
export function namesBeside({ question, invocation }: Understood, inputs: readonly string[]): string[] {
  const names = [...inputs, ...namedOutside(invocation), question.environment.get("PWD") ?? ""];
  return names.filter((name) => name.startsWith("/"));
}

/**
 * Whether a prefix map shortens a name that is the same in every checkout. What came of it belongs to this one, and what came of the same command
 * elsewhere does not belong here.
 *
 * @param inputs as the compiler names them, or portable
 */
export function shortensByChance(understood: Understood, inputs: readonly string[], places: Places = understood.places): boolean {
  const { invocation } = understood;
  if (invocation.mapped.length === 0) return false;
  return namesBeside(understood, inputs).some((name) => isMappedByChance(invocation, places, name)) || isCalledOtherwise(understood);
}

/** Whether compilers call the working directory by a name of which no map is made: they believe PWD where it leads there. */
function isCalledOtherwise({ question, places }: Understood): boolean {
  const pwd = question.environment.get("PWD") ?? "";
  if (!pwd.startsWith("/") || pwd === question.cwd || places.portable(pwd) !== pwd) return false;
  try {
    const [one, other] = [statSync(pwd, { bigint: true }), statSync(question.cwd, { bigint: true })];
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false; // Compilers cannot look there either.
  }
}

/** Where the file system has a path that the compiler knows as `path`. */
export function absolutePath(cwd: string, path: string): string {
  return path.startsWith("/") ? path : `${cwd}/${path}`;
}

/** What the system's packages bring: nobody changes it under a compile, and everybody reads hundreds of its files. @param path absolute */
export function isOfSystem(path: string): boolean {
  return path.startsWith("/usr/");
}
