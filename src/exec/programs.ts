/**
 * What runs when a command is called, by content; and what is installed on this machine besides.
 *
 * Knows: PATH, first lines of scripts, lists of packages. Does not know: what commands are for, or who runs them.
 */
import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  type Dirent,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { delimiter, isAbsolute, join, normalize, relative, resolve } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { digestOf, limits } from "../base/index.ts";
import type { Files, TaskProgram, TaskPrograms, TaskSystem } from "../contracts/index.ts";
import { Looks } from "./looks.ts";
import { systemParts } from "./sandbox-system.ts";

export interface ProgramsParts {
  readonly files: Files;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Known {
  readonly at: number;
  readonly installed: TaskSystem;
}

/** Others wait for the same look. */
const TO_ITS_END: AbortSignal = new AbortController().signal;

export class Programs implements TaskPrograms {
  readonly #parts: ProgramsParts;
  readonly #looks = new Looks(() => this.#look());
  #known: Known | undefined;

  constructor(parts: ProgramsParts) {
    this.#parts = parts;
  }

  async find(
    name: string,
    at: { readonly cwd: string; readonly root: string; readonly path: string },
    signal: AbortSignal,
  ): Promise<readonly TaskProgram[] | undefined> {
    const found: TaskProgram[] = [];
    for (let next: string | undefined = name; next !== undefined && found.length < limits.task.programs; ) {
      const path = locate(next, at);
      const program: TaskProgram | undefined = path === undefined ? undefined : await this.#program(path, at.root, signal);
      if (program === undefined) return undefined;
      found.push(program);
      next = interpreterOf(program.path);
    }
    return found;
  }

  async installed(signal: AbortSignal, isFresh = false): Promise<TaskSystem> {
    const known = isFresh ? undefined : this.#known;
    if (known !== undefined && this.#parts.now() - known.at < limits.task.installedMs) return known.installed;
    return this.#looks.anew(signal);
  }

  async #look(): Promise<TaskSystem> {
    const { files, now } = this.#parts;
    const at = now();
    const installed = await lookAtInstalled(files, TO_ITS_END);
    this.#known = { at, installed };
    return installed;
  }

  async #program(path: string, root: string, signal: AbortSignal): Promise<TaskProgram | undefined> {
    await this.#parts.files.prepare(path, signal);
    const state = this.#parts.files.state(path);
    if (state.kind !== "file") return undefined;
    const isIn = (directory: string): boolean => path.startsWith(`${directory}/`);
    return { path, where: systemParts.some(isIn) ? "system" : isIn(root) ? "project" : "own", digest: state.digest };
  }
}

/** As execvp(3) finds it. Undefined where there is none. */
function locate(name: string, { cwd, path }: { readonly cwd: string; readonly path: string }): string | undefined {
  if (name.includes("/")) return isProgram(resolve(cwd, name)) ? resolve(cwd, name) : undefined;
  const directories = path.split(delimiter).map((directory) => (isAbsolute(directory) ? directory : resolve(cwd, directory)));
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return !lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The file behind a place below what is installed, where that is a program below it, too; members may ask for such, and for nothing that a link leads
 * out to.
 */
export function installedProgram(place: string, parts: readonly string[] = systemParts): string | undefined {
  const isIn = (path: string): boolean => parts.some((part) => path.startsWith(`${part}/`));
  if (normalize(place) !== place || !isIn(place)) return undefined;
  try {
    const path = realpathSync(place);
    const status = statSync(path);
    return isIn(path) && status.isFile() && (status.mode & 0o111) !== 0 && status.size <= limits.blobBytes ? path : undefined;
  } catch {
    return undefined;
  }
}

/** What a script's first line names: a path, or what env(1) is to look for. */
function interpreterOf(path: string): string | undefined {
  const first = firstLine(path);
  if (!first.startsWith("#!")) return undefined;
  const [program = "", ...words] = first.slice(2).trim().split(/\s+/);
  if (!program.endsWith("/env")) return program === "" ? undefined : program;
  return words.find((word) => !word.startsWith("-") && !word.includes("="));
}

function firstLine(path: string): string {
  const bytes = Buffer.alloc(limits.task.scriptBytes);
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const [line = ""] = bytes.toString("latin1", 0, readSync(file, bytes)).split("\n");
    return line;
  } catch {
    return "";
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Where package managers write down what they have installed: a file each that changes with every package. */
const LISTS = ["/var/lib/dpkg/status", "/lib/apk/db/installed", "/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"];
const PACMAN = "/var/lib/pacman/local";
const LOCAL = "/usr/local";

/** By which programs are chosen that several packages bring; people change where they lead. */
const ALTERNATIVES = "/etc/alternatives";

/**
 * All packages with their versions, where alternatives lead, and what lies in /usr/local. Equal for machines that are installed alike, but where
 * there is no list, or too much that is in none.
 */
async function lookAtInstalled(files: Files, signal: AbortSignal): Promise<TaskSystem> {
  const packages = await packageList(signal);
  const local = await filesBelow(files, LOCAL, signal);
  const alternatives = await filesBelow(files, ALTERNATIVES, signal);
  return {
    digest: digestOf(JSON.stringify(["cairn.installed", 2, packages ?? null, alternatives.found, local.found])),
    isTold: packages !== undefined && local.isWhole && alternatives.isWhole,
  };
}

async function packageList(signal: AbortSignal): Promise<readonly string[] | undefined> {
  for (const file of LISTS) {
    const bytes = await readFile(file, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    if (bytes !== undefined) return file.endsWith("dpkg/status") ? debianPackages(bytes.toString("utf8")) : [digestOf(bytes)];
  }
  const names = await readdir(PACMAN).catch(() => undefined);
  return names?.toSorted();
}

/** What else stands there, such as why something was installed, differs between machines that are alike. */
function debianPackages(text: string): string[] {
  const field = (paragraph: string, name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
  const installed = text.split("\n\n").filter((paragraph) => /^Status: .* installed$/m.test(paragraph));
  return installed.map((one) => ["Package", "Architecture", "Version"].map((name) => field(one, name)).join(" ")).toSorted();
}

interface Below {
  readonly found: readonly string[];
  /** Whether all of it is told by its content. */
  readonly isWhole: boolean;
}

/** By name and content; what is too much to be read is told by what changes when it does, on this machine. */
async function filesBelow(files: Files, root: string, signal: AbortSignal): Promise<Below> {
  const found: string[] = [];
  const open = [root];
  let bytes = 0;
  let isWhole = true;
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    const entries: Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        open.push(path);
        continue;
      }
      const status = lstatSync(path, { throwIfNoEntry: false, bigint: true });
      if (status === undefined) continue; // It went away.
      bytes += Number(status.size);
      const content = bytes > limits.task.localBytes ? undefined : await contentOf(files, path, status, signal);
      found.push(`${relative(root, path)} ${content ?? `${status.size} ${status.mtimeNs} ${status.ctimeNs}`}`);
      isWhole &&= content !== undefined;
    }
    if (found.length + open.length > limits.task.localFiles) return { found: found.toSorted(), isWhole: false };
    await otherWork(undefined, { signal });
  }
  return { found: found.toSorted(), isWhole };
}

/** Undefined where it cannot be read. */
async function contentOf(files: Files, path: string, status: BigIntStats, signal: AbortSignal): Promise<string | undefined> {
  if (status.isSymbolicLink()) return readlinkSync(path);
  if (!status.isFile()) return "no file";
  await files.prepare(path, signal);
  const state = files.state(path);
  return state.kind === "file" ? `${(status.mode & 0o111n) === 0n ? "f" : "x"} ${state.digest}` : undefined;
}
