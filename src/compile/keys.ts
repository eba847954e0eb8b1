/**
 * Keys of compiles. A manifest key says what was asked, without what the files contain; an action key adds the content of every input.
 *
 * Knows: what may change an output byte or a message. Every field that is left out here is a claim that it cannot.
 */
import type { Digest } from "../base/index.ts";
import type { CompilerEnvironment, ManifestInput, SearchPaths, Toolchain } from "../contracts/index.ts";
import { canonicalDigest } from "../wire/index.ts";
import type { Invocation } from "./command.ts";
import { CWD } from "./portable.ts";
import { namedOutside } from "./prefix-maps.ts";
import { namedAbsolutely } from "./shorter-names.ts";

/** Changes whenever the meaning of stored manifests changes. */
const FORMAT = 3;

/** Bear only on how messages look; they count where a compiler printed something. */
const MESSAGE_VARIABLES = ["LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_COLLATE"] as const;
const TERMINAL_VARIABLES = ["TERM", "TERM_URLS", "GCC_COLORS", "GCC_URLS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] as const;

/** PATH and the loader's variables choose programs, whose content is the toolchain's digest; PWD is a place. */
const ELSEWHERE = new Set<string>(["PATH", "PWD", ...MESSAGE_VARIABLES, ...TERMINAL_VARIABLES]);

/** Lists of directories: each entry may lie in the checkout. */
const PATH_LISTS = new Set(["CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH", "LIBRARY_PATH"]);

/** Whether what a variable says is, of a checkout's paths, the same in every checkout to a key. */
export function movesWithCheckout(name: string): boolean {
  return name === "PWD" || PATH_LISTS.has(name);
}

export interface Asked {
  readonly toolchain: Toolchain;
  readonly invocation: Invocation;
  readonly environment: CompilerEnvironment;
  /** Where the compiler looks for headers unasked: equal ones that lie elsewhere read other files. Nowhere, where no preprocessor runs. */
  readonly search: SearchPaths;
  /** What -march=native and the like stand for here; empty where nothing is native. */
  readonly native: string;
  /** `Places.nesting` */
  readonly nesting: string;
  readonly cwd: string;
}

const PREFIX_MAP = /^-f(?:debug|file|macro|coverage|profile)-prefix-map=/;

/** @param portable spells a path so that it is the same in every checkout */
export function manifestKey(asked: Asked, portable: (path: string) => string): Digest {
  const { toolchain, invocation, environment, search, native, cwd } = asked;
  const shorter = namedAbsolutely(invocation, environment, cwd);
  return canonicalDigest("cairn.manifest", [
    FORMAT,
    toolchain.digest,
    toolchain.target,
    directoriesOf(search),
    invocation.language,
    invocation.mode,
    portable(invocation.source),
    invocation.output === undefined ? undefined : portable(invocation.output),
    invocation.keyArgs,
    invocation.depfileArgs,
    invocation.depfile === undefined ? undefined : [portable(invocation.depfile.path), invocation.depfile.headers],
    keyEnvironment(environment, portable),
    native,
    invocation.keyArgs.some((arg) => PREFIX_MAP.test(arg)) ? mappedNames(asked, portable) : "",
    ...(shorter.length > 0 ? [shorter] : []),
  ]);
}

/** What prefix maps let be seen of places. */
function mappedNames(
  { invocation, environment, nesting }: Asked,
  portable: (path: string) => string,
): string | readonly (string | boolean | undefined)[] {
  const pwd = environment.get("PWD") ?? "";
  const isOtherName = portable(pwd) !== pwd && portable(pwd) !== CWD;
  // Whether these are shortened by chance was not always asked: what was found then lies under another key.
  const namesOutside = invocation.mapped.length > 0 && namedOutside(invocation).length > 0;
  return isOtherName || namesOutside ? [nesting, isOtherName ? portable(pwd) : undefined, namesOutside] : nesting;
}

/** Whether one is there, and so which one comes first, is no part of it: it is the same compiler on a machine that lacks one. */
function directoriesOf({ quote, angle, missing, duplicates }: SearchPaths): string[] {
  return [...new Set([...quote, ...angle, ...missing, ...duplicates])].toSorted();
}

/** The variables that are part of a manifest key, as `NAME=value`, sorted. */
export function keyEnvironment(environment: CompilerEnvironment, portable: (path: string) => string): string[] {
  const kept: string[] = [];
  for (const [name, value] of environment) {
    if (ELSEWHERE.has(name)) continue;
    kept.push(`${name}=${PATH_LISTS.has(name) ? value.split(":").map(portable).join(":") : value}`);
  }
  return kept.toSorted();
}

/** @param inputs paths portable, in any order */
export function actionKey(
  manifest: Digest,
  place: Digest | undefined,
  terminal: Digest | undefined,
  inputs: readonly ManifestInput[],
): Digest {
  const sorted = inputs.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const files = sorted.map(({ path, digest }) => [path, digest] as const);
  return canonicalDigest("cairn.action", [FORMAT, manifest, place, terminal, files]);
}

/** Where a compile happens, for results that name their place. */
export function placeDigest(cwd: string, projectRoot: string, environment: CompilerEnvironment): Digest {
  return canonicalDigest("cairn.place", [cwd, projectRoot, environment.get("PWD")]);
}

export interface Terminal {
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly columns: number;
}

/** What messages look like, for results that contain some. */
export function terminalDigest(terminal: Terminal, environment: CompilerEnvironment): Digest {
  const isTerminal = terminal.stderrIsTerminal || terminal.stdoutIsTerminal;
  const names = isTerminal ? [...MESSAGE_VARIABLES, ...TERMINAL_VARIABLES] : MESSAGE_VARIABLES;
  return canonicalDigest("cairn.terminal", [
    terminal.stderrIsTerminal,
    terminal.stdoutIsTerminal,
    isTerminal ? terminal.columns : 0,
    // Without a terminal only a forced colour shows.
    isTerminal ? undefined : ["GCC_COLORS", "CLICOLOR_FORCE", "GCC_URLS"].map((name) => environment.get(name)),
    names.map((name) => environment.get(name)),
  ]);
}
