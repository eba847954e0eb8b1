/**
 * The declared inputs of a task, found by their patterns and named by their content.
 *
 * Knows: patterns, links, what is left out. Does not know: commands, keys.
 */
import { constants, type Dirent, type Stats } from "node:fs";
import { glob, lstat, readdir, readlink, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, matchesGlob, posix, relative, resolve } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Digest, digestOf, limits, systemCode } from "../base/index.ts";
import type { Files } from "../contracts/index.ts";

/** Paths are below the project's root; `source` is where it lies. */
export type TaskInput =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly source: string;
      readonly digest: Digest;
      readonly size: number;
      readonly executable: boolean;
      /** ns since the epoch */
      readonly changedNs: bigint;
    }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

export interface TaskInputs {
  /** In the order of their paths. */
  readonly all: readonly TaskInput[];
  /** How many of them are no directories. */
  readonly files: number;
  /** What they are, as text by which two sets can be compared; see {@link compareListings}. */
  readonly listing: string;
  /** Of the listing. */
  readonly digest: Digest;
}

export interface Wanted {
  /** Of the project: absolute, without links. */
  readonly root: string;
  /** Absolute; patterns are relative to it. */
  readonly cwd: string;
  /** Files, directories with all that is in them, patterns; with `!` in front: none of these. */
  readonly patterns: readonly string[];
  /** Further files, by their names alone, whatever patterns leave out. */
  readonly named: readonly string[];
  /** Paths below the root that are outputs, and so no inputs. */
  readonly outputs: readonly string[];
}

const MAGIC = /[*?[\]{}]/;
const { inputs: mostInputs, depth: mostDepth, stepsAtOnce, targetBytes } = limits.task;

/**
 * @throws {CairnError} usage: a pattern that matches nothing, or leads out of the project, or something that cannot be read; limit-exceeded;
 * the signal's reason
 */
export async function gatherInputs(files: Files, wanted: Wanted, signal: AbortSignal): Promise<TaskInputs> {
  const gathering = new Gathering(files, wanted, signal);
  for (const pattern of wanted.patterns) if (!pattern.startsWith("!")) await gathering.add(pattern);
  for (const name of wanted.named) await gathering.addNamed(name);
  return gathering.inputs();
}

class Gathering {
  readonly #files: Files;
  readonly #wanted: Wanted;
  readonly #signal: AbortSignal;
  /** What is left out: by its path below the root, and what matches a pattern, from where those begin. */
  readonly #excluded: readonly { readonly path: string; readonly pattern: string }[];
  readonly #found = new Map<string, TaskInput>();
  #steps = 0;

  constructor(files: Files, wanted: Wanted, signal: AbortSignal) {
    this.#files = files;
    this.#wanted = wanted;
    this.#signal = signal;
    this.#excluded = wanted.patterns.flatMap((pattern) => {
      if (!pattern.startsWith("!")) return [];
      const absolute = resolve(wanted.cwd, pattern.slice(1));
      return [{ path: this.#below(absolute, pattern), pattern: relative(wanted.cwd, absolute) }];
    });
  }

  async add(pattern: string): Promise<void> {
    const { cwd, root } = this.#wanted;
    const absolute = resolve(cwd, pattern);
    const below = this.#below(absolute, pattern);
    const status = await lstat(join(root, below)).catch(() => undefined);
    if (status !== undefined) return this.#take(below, 0); // As it is called, whatever signs are in the name.
    if (!MAGIC.test(pattern)) throw new CairnError("usage", { why: `the input ${pattern} does not exist`, advice: nothing });
    let matches = 0;
    try {
      // From where it begins: signs in the names of the directories above are none of it.
      for await (const entry of glob(relative(cwd, absolute), { cwd, withFileTypes: true })) {
        await this.#pause();
        if (entry.isDirectory()) continue;
        const path = relative(root, join(entry.parentPath, entry.name));
        matches++;
        if (path !== ".git" && !path.startsWith(".git/")) await this.#take(path, 0);
      }
    } catch (error) {
      throw unreadable(pattern, error);
    }
    if (matches === 0) throw new CairnError("usage", { why: `the pattern ${pattern} matches no file`, advice: nothing });
  }

  async addNamed(name: string): Promise<void> {
    const path = this.#below(resolve(this.#wanted.cwd, name), name);
    if (!this.#isOutput(path)) await this.#takeThere(path, 0);
  }

  inputs(): TaskInputs {
    const all = [...this.#found.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
    // Of a link and something that was found by way of it, the link gives way: both cannot be there.
    const parents = new Set(all.flatMap(({ path }) => parentsOf(path)));
    const kept = all.filter(({ kind, path }) => kind !== "link" || !parents.has(path));
    return listed(kept);
  }

  /** @returns the path below the root; the same for all checkouts */
  #below(absolute: string, pattern: string): string {
    const below = relative(this.#wanted.root, absolute);
    if (below !== ".." && !below.startsWith("../")) return below;
    throw new CairnError("usage", {
      why: `the input ${pattern} lies outside the project ${this.#wanted.root}`,
      advice: "--root DIRECTORY   names a directory that all inputs and outputs lie in",
    });
  }

  async #take(path: string, depth: number): Promise<void> {
    await this.#pause();
    if (!this.#isLeftOut(path)) await this.#takeThere(path, depth);
  }

  async #takeThere(path: string, depth: number): Promise<void> {
    const source = join(this.#wanted.root, path);
    try {
      const status = await lstat(source);
      if (status.isSymbolicLink()) return await this.#takeLink(path, source, depth);
      await this.#takeReal(path, source, status, depth);
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** One that leads to something in the project by a relative path stays a link; any other stands for what it leads to. */
  async #takeLink(path: string, source: string, depth: number): Promise<void> {
    const target = await readlink(source);
    const leadsTo = posix.normalize(posix.join(posix.dirname(path), target));
    const isInside = !isAbsolute(target) && leadsTo !== ".." && !leadsTo.startsWith("../");
    if (isInside && Buffer.byteLength(target) <= targetBytes) this.#note({ kind: "link", path, target });
    else await this.#takeReal(path, await realpath(source), await stat(source), depth);
  }

  async #takeReal(path: string, source: string, status: Stats, depth: number): Promise<void> {
    if (status.isDirectory()) return this.#takeDirectory(path, source, depth);
    if (!status.isFile()) throw new CairnError("usage", { why: `the input ${path} is neither a file nor a directory nor a link` });
    if (status.size >= LARGE_BYTES) await this.#files.prepare(source, this.#signal);
    const state = this.#files.state(source);
    if (state.kind !== "file") throw new CairnError("usage", { why: `the input ${path} cannot be read` });
    const { digest, size, changedNs } = state;
    const executable = (status.mode & constants.S_IXUSR) !== 0;
    this.#note({ kind: "file", path, source, digest, size, executable, changedNs });
  }

  async #takeDirectory(path: string, source: string, depth: number): Promise<void> {
    if (depth > mostDepth) throw new CairnError("limit-exceeded", { what: "depth of inputs", path });
    const entries: Dirent[] = await readdir(source, { withFileTypes: true });
    if (path !== "") this.#note({ kind: "directory", path });
    for (const { name } of entries) {
      if (name === ".git") continue; // It changes with every commit, and no command should read it unasked.
      const below = path === "" ? name : `${path}/${name}`;
      if (source === join(this.#wanted.root, path)) await this.#take(below, depth + 1);
      else await this.#takeElsewhere(below, join(source, name), depth + 1);
    }
  }

  /** Below a directory that a link has led to. */
  async #takeElsewhere(path: string, source: string, depth: number): Promise<void> {
    await this.#pause();
    if (this.#isLeftOut(path)) return;
    // A link in there that leads nowhere is none of the project's.
    const status = await stat(source).catch(() => undefined);
    if (status !== undefined) await this.#takeReal(path, source, status, depth);
  }

  #note(input: TaskInput): void {
    this.#found.set(input.path, input);
    if (this.#found.size > mostInputs) throw new CairnError("limit-exceeded", { what: "inputs", most: mostInputs });
  }

  #isLeftOut(path: string): boolean {
    if (this.#isOutput(path)) return true;
    const { root, cwd } = this.#wanted;
    const seen = relative(cwd, join(root, path));
    return this.#excluded.some((one) => path === one.path || path.startsWith(`${one.path}/`) || matchesGlob(seen, one.pattern));
  }

  #isOutput(path: string): boolean {
    return this.#wanted.outputs.some((output) => path === output || path.startsWith(`${output}/`));
  }

  async #pause(): Promise<void> {
    if (++this.#steps % stepsAtOnce === 0) await otherWork(undefined, { signal: this.#signal });
  }
}

/** @param all in the order of their paths */
export function listed(all: readonly TaskInput[]): TaskInputs {
  const listing = JSON.stringify(all.map(rowOf));
  return { all, files: all.filter(({ kind }) => kind !== "directory").length, listing, digest: digestOf(listing) };
}

const nothing = "patterns are relative to the directory you are in; quote them, so that the shell leaves them alone";
/** From here on a file is hashed piecemeal, see Files.prepare. */
const LARGE_BYTES = 1_048_576;

function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) parents.push(path.slice(0, at));
  return parents;
}

function unreadable(path: string, error: unknown): unknown {
  const system = systemCode(error);
  if (error instanceof CairnError || system === undefined || system === "ABORT_ERR") return error;
  return new CairnError("usage", { why: `the input ${path} cannot be read: ${system}` }, error);
}

type Row = readonly [path: string, what: string];

function rowOf(input: TaskInput): Row {
  switch (input.kind) {
    case "file":
      return [input.path, `${input.executable ? "x" : "f"} ${input.digest}`];
    case "directory":
      return [input.path, "d"];
    case "link":
      return [input.path, `l ${input.target}`];
  }
}

/** How two listings differ; before is undefined where it was not there. */
export function compareListings(before: string, after: string): { readonly path: string; readonly how: "changed" | "gone" | "new" }[] {
  const [old, now] = [before, after].map((text) => new Map(JSON.parse(text) as readonly Row[]));
  if (old === undefined || now === undefined) return [];
  const gone = [...old.keys()].filter((path) => !now.has(path)).map((path) => ({ path, how: "gone" as const }));
  const other = [...now].flatMap(([path, what]) => {
    const was = old.get(path);
    return was === what ? [] : [{ path, how: was === undefined ? ("new" as const) : ("changed" as const) }];
  });
  return [...other, ...gone];
}
