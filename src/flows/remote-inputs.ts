/**
 * What another machine needs to compile something: every file that the compile may read, by its content, found without running anything.
 * Afterwards: whether what it read there is what is here.
 *
 * Knows: paths as a compiler names them, and what they are in a directory tree without links.
 * Does not know: what is sent, or when.
 */
import { posix } from "node:path";
import type { Digest } from "../base/index.ts";
import { closureOf, headerMacrosOf } from "../compile/index.ts";
import type { CompileAction, ManifestEntry, SearchPaths } from "../contracts/index.ts";
import { directoryDigest, type Look, parentOf } from "./look.ts";
import { localeFiles } from "./remote-messages.ts";
import { absolutePath, hasHeaders, type Understood } from "./request.ts";
import type { SourceFacts } from "./source-facts.ts";

export interface RemoteInputs {
  /** By absolute and normal path. */
  readonly files: ReadonlyMap<string, Digest>;
  /** Where a content lies here. */
  readonly paths: ReadonlyMap<Digest, string>;
  /** Of them, those that no file lies in. */
  readonly directories: readonly string[];
  /** Files as the compiler would name them, the source first. */
  readonly names: readonly string[];
  readonly bytes: number;
  /** Of each content. */
  readonly sizes: ReadonlyMap<Digest, number>;
}

export type InputsFound =
  | { readonly kind: "found"; readonly inputs: RemoteInputs }
  | { readonly kind: "local"; readonly reason: "links" | "too_many_inputs" | "precompiled_header"; readonly detail: string };

/**
 * @param look begun after the compile was asked for
 * @param known what it reads for certain, as the compiler names it
 */
export function remoteInputs(
  facts: SourceFacts,
  look: Look,
  understood: Understood,
  search: SearchPaths,
  known: readonly string[],
): InputsFound {
  const { invocation } = understood;
  const [copy] = search.duplicates; // There, it would be another directory.
  if (copy !== undefined) return { kind: "local", reason: "links", detail: copy };
  const names = namesOf(facts, look, understood, search, known);
  if (names === undefined) return { kind: "local", reason: "too_many_inputs", detail: invocation.source };
  const options = invocation.inputFiles.map(({ path }) => path).filter((path) => look.state(path).kind === "file");
  const precompiled = [...options, ...names].find((name) => /\.(?:gch|pch)$/.test(name));
  if (precompiled !== undefined) return { kind: "local", reason: "precompiled_header", detail: precompiled };
  const collected = new Collected(look, understood.question.cwd);
  const locale = localeFiles(understood.question.environment, look) ?? [];
  for (const name of [...names, ...options, ...locale]) {
    if (!collected.add(name)) return { kind: "local", reason: "links", detail: name };
  }
  for (const directory of [...search.quote, ...search.angle]) if (directory !== "") collected.addDirectory(directory);
  return { kind: "found", inputs: { ...collected.all(), names } };
}

function namesOf(
  facts: SourceFacts,
  look: Look,
  understood: Understood,
  search: SearchPaths,
  known: readonly string[],
): readonly string[] | undefined {
  const { invocation, question } = understood;
  const digest = (path: string): Digest | undefined => {
    const state = look.state(path, facts.seen);
    return state.kind === "file" ? state.digest : undefined;
  };
  const ofContent = <T>(path: string, learn: (absolute: string, content: Digest) => T): T | undefined => {
    const content = digest(path);
    return content === undefined ? undefined : learn(absolutePath(question.cwd, path), content);
  };
  return closureOf({
    source: invocation.source,
    forcedIncludes: invocation.forcedIncludes,
    macros: headerMacrosOf(invocation.defines),
    known,
    search,
    files: {
      content: digest,
      scan: (path) => ofContent(path, (at, content) => facts.scan(at, content)),
      macros: (path) => (hasHeaders(invocation) ? ofContent(path, (at, content) => facts.headerMacros(at, content)) : undefined) ?? [],
    },
  });
}

/** What a compile of the same has read, as the compiler names it. */
export function namesRead({ places }: Understood, { inputs }: ManifestEntry): string[] {
  return inputs.map(({ path }) => places.resolve(path));
}

/**
 * Whether a compile may read more than was found: the preprocessor alone knows what a macro stands for.
 *
 * @param inputs as they were found
 */
export function isGuess(facts: SourceFacts, { invocation, question }: Understood, { files, names }: RemoteInputs): boolean {
  if (!hasHeaders(invocation)) return false;
  return names.some((name) => {
    const path = absolutePath(question.cwd, name);
    const digest = files.get(posix.normalize(path));
    const scan = digest === undefined ? undefined : facts.scan(path, digest);
    return scan !== undefined && [...scan.includes, ...scan.embeds].some(({ form }) => form === "computed");
  });
}

/** Inputs under collection: names become places in a tree without links. */
class Collected {
  readonly #look: Look;
  readonly #cwd: string;
  readonly #files = new Map<string, Digest>();
  readonly #paths = new Map<Digest, string>();
  readonly #directories = new Set<string>();
  /** Directories in names that have been dealt with. */
  readonly #ways = new Set<string>();
  readonly #sizes = new Map<Digest, number>();
  #bytes = 0;

  constructor(look: Look, cwd: string) {
    this.#look = look;
    this.#cwd = cwd;
  }

  /** False where the name leads to something else than its text says. */
  add(name: string): boolean {
    const state = this.#look.state(name);
    if (state.kind !== "file") return true; // Gone since; what reads it there will fail.
    const path = posix.normalize(absolutePath(this.#cwd, name));
    if (this.#files.has(path)) return true;
    if (goesUp(name)) {
      const plain = this.#look.state(path);
      if (plain.kind !== "file" || plain.digest !== state.digest) return false;
      this.#addWay(parentOf(name));
    }
    this.#files.set(path, state.digest);
    if (!this.#sizes.has(state.digest)) this.#bytes += state.size;
    this.#sizes.set(state.digest, state.size);
    this.#paths.set(state.digest, path);
    return true;
  }

  addDirectory(name: string): void {
    if (goesUp(name)) this.#addWay(name);
    this.#directories.add(posix.normalize(absolutePath(this.#cwd, `${name}/.`)).replace(/(?<=.)\/$/, ""));
  }

  /** What a name passes through before it goes up again must be there. */
  #addWay(directory: string): void {
    if (this.#ways.has(directory)) return;
    this.#ways.add(directory);
    for (const before of waysUp(absolutePath(this.#cwd, directory))) this.#directories.add(before);
  }

  all(): Omit<RemoteInputs, "names"> {
    return { files: this.#files, paths: this.#paths, directories: [...this.#directories], bytes: this.#bytes, sizes: this.#sizes };
  }
}

function goesUp(path: string): boolean {
  return path.includes("../") || path.endsWith("/..");
}

/** The directories that `path` enters and leaves again. */
function waysUp(path: string): string[] {
  const found: string[] = [];
  for (let at = path.indexOf("/.."); at !== -1; at = path.indexOf("/..", at + 1)) {
    const before = posix.normalize(path.slice(0, at) || "/");
    if (before !== "/") found.push(before);
  }
  return found;
}

/** As an action has them. */
export function actionInputs({ files, directories }: RemoteInputs): Pick<CompileAction, "inputs" | "directories"> {
  return { inputs: [...files].map(([path, digest]) => ({ path, digest })), directories };
}

/**
 * Whether what a compile read there, and looked for in vain, is what a compile would find here now. That some file was not sent shows here, too:
 * it is read or stands in the way here, and was not there.
 *
 * @param entry what it read and missed, as examined over the files that are here
 * @returns the first path that is not; undefined when all are
 */
export function difference({ files, directories }: RemoteInputs, understood: Understood, entry: ManifestEntry): string | undefined {
  const { places, question } = understood;
  const there = new Set(directories);
  for (const path of files.keys()) addAbove(there, path);
  for (const directory of directories) addAbove(there, directory);
  const at = (name: string): string => posix.normalize(absolutePath(question.cwd, name));
  const reached = (name: string): boolean => !goesUp(name) || waysUp(absolutePath(question.cwd, name)).every((way) => there.has(way));
  for (const { path, digest } of entry.inputs) {
    const name = places.resolve(path);
    const sent = files.get(at(name));
    const same = digest === directoryDigest ? sent === undefined : sent === digest && reached(name);
    if (!same) return name;
  }
  return entry.absent.map((path) => places.resolve(path)).find((name) => files.has(at(name)) || directories.includes(at(name)));
}

function addAbove(there: Set<string>, path: string): void {
  for (let at = parentOf(path); at.length > 1 && !there.has(at); at = parentOf(at)) there.add(at);
}
