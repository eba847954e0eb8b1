/**
 * Toolchains: what a compiler really is, by the content of everything it executes and loads, found by asking it.
 *
 * Knows: gcc's and clang's ways of telling about themselves; which answers may be kept until a file changes.
 * Does not know: what is compiled.
 */
import { readdirSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Digest, digestOf, type Log, limits } from "../base/index.ts";
import type {
  CompilerEnvironment,
  Files,
  Fingerprint,
  Installed,
  SearchPaths,
  SeenFiles,
  Supplied,
  Toolchain,
  ToolchainRead,
  ToolchainSupply,
  Toolchains,
} from "../contracts/index.ts";
import {
  type CompilerBanner,
  readBanner,
  readExpandedCommand,
  readHeaderSearch,
  readLoadedObjects,
  readSearchDirectories,
  readTargets,
} from "./compiler-text.ts";
import { readElf } from "./elf.ts";
import { runProgram } from "./run.ts";
import { toolchainDigest } from "./toolchain-layout.ts";

/** Programs that stand in for a compiler and would be asked in its place. */
const WRAPPERS = new Set(["ccache", "sccache", "distcc", "icecc", "cairn-cc", "gomacc", "rewrapper", "recc", "fastbuild", "buildcache"]);

/** What bears on which programs and libraries a compiler uses. */
const IDENTITY_VARIABLES = ["PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX", "LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT"] as const;
const CONFIG_VARIABLES = ["CLANG_CONFIG_FILE_SYSTEM_DIR", "CLANG_CONFIG_FILE_USER_DIR", "CLANG_NO_DEFAULT_CONFIG"] as const;
const LOOKUP_VARIABLES = [
  "CPATH",
  "C_INCLUDE_PATH",
  "CPLUS_INCLUDE_PATH",
  "OBJC_INCLUDE_PATH",
  "OBJCPLUS_INCLUDE_PATH",
  "SDKROOT",
] as const;

const PROBES_KEPT = 4_096;

interface Known extends Installed {
  /** Where the driver really lies: beside that it looks for headers. */
  readonly real: string;
  /** Digest of each file when the toolchain was identified. */
  readonly digests: readonly string[];
  /** Of `gccDirectories`, before it was. */
  readonly fingerprints: readonly (Fingerprint | undefined)[];
}

function isUnchanged({ compiler, real, toolchain, digests, fingerprints }: Known, seen: SeenFiles, files: Files): boolean {
  const { absent, earlierOnPath, gccDirectories = [] } = toolchain;
  if (realPath(compiler) !== real) return false;
  if (!isDeepStrictEqual(fingerprintsOf(gccDirectories, files), fingerprints)) return false;
  for (let i = 0; i < toolchain.files.length; i++) {
    const state = seen.state(toolchain.files[i] ?? "");
    if (state.kind !== "file" || state.digest !== digests[i]) return false;
  }
  const isAbsent = (path: string): boolean => seen.absent(path);
  return absent.every(isAbsent) && earlierOnPath.every(isAbsent);
}

function fingerprintsOf(directories: readonly string[], files: Files): (Fingerprint | undefined)[] {
  return directories.map((directory) => files.fingerprint(directory));
}

/** Of one driver, by language. */
type Own = Map<string, SearchPaths>;

export class LocalToolchains implements Toolchains, ToolchainSupply {
  readonly #files: Files;
  readonly #log: Log;
  readonly #known = new Map<string, Known>();
  readonly #underway = new Map<string, Promise<ToolchainRead>>();
  readonly #searches = new Map<string, SearchPaths>();
  /** By language. An object stands for a driver as long as it leads to the same place. */
  readonly #ownSearches = new WeakMap<Toolchain, Own>();
  readonly #natives = new Map<string, string>();

  constructor(parts: { files: Files; log: Log }) {
    this.#files = parts.files;
    this.#log = parts.log;
  }

  async identify(
    compiler: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
    seen: SeenFiles = this.#files,
  ): Promise<ToolchainRead> {
    const key = [compiler, ...[...IDENTITY_VARIABLES, ...CONFIG_VARIABLES].map((name) => environment.get(name) ?? "")].join("\0");
    const known = this.#known.get(key);
    if (known !== undefined && isUnchanged(known, seen, this.#files)) return { kind: "toolchain", toolchain: known.toolchain };
    const underway = this.#underway.get(key);
    if (underway !== undefined) return underway;
    const identification = this.#identify(key, compiler, environment, signal).finally(() => this.#underway.delete(key));
    this.#underway.set(key, identification);
    return identification;
  }

  /** Those that have been identified and are still what they were, each once. */
  installed(): Installed[] {
    const byDigest = new Map<string, Installed>();
    for (const known of this.#known.values()) if (isUnchanged(known, this.#files, this.#files)) byDigest.set(known.toolchain.digest, known);
    return [...byDigest.values()];
  }

  /** Those that have this content, by whatever paths they were called; the one that was identified last comes first. */
  find(digest: Digest): Installed[] {
    const found = [...this.#known.values()].filter(
      (known) => known.toolchain.digest === digest && isUnchanged(known, this.#files, this.#files),
    );
    return found.toReversed();
  }

  supply(digest: Digest): Promise<Supplied> {
    const [installed] = this.find(digest);
    return Promise.resolve(
      installed === undefined ? { kind: "absent", why: "no compiler here has this content" } : { kind: "installed", installed },
    );
  }

  mayRun({ digest }: Toolchain): boolean {
    return this.find(digest).length > 0;
  }

  async #identify(key: string, compiler: string, environment: CompilerEnvironment, signal: AbortSignal): Promise<ToolchainRead> {
    const real = realPath(compiler);
    if (real === undefined) return { kind: "unknown", reason: "unknown_compiler" };
    if (WRAPPERS.has(basename(real))) return { kind: "unknown", reason: "compiler_is_wrapper" };
    // A script may do anything before and after the compiler it calls.
    const elf = readElf(real);
    if (elf === undefined) return { kind: "unknown", reason: "unknown_compiler" };
    const env = probeEnvironment(environment);
    const banner = readBanner((await runProgram(compiler, ["-v"], { cwd: "/", environment: env }, signal)).stderr);
    if (banner === undefined) return { kind: "unknown", reason: "unknown_compiler" };
    const gccDirectories = directoriesOfGcc(banner);
    const fingerprints = fingerprintsOf(gccDirectories, this.#files);

    const parts = await this.#parts(compiler, banner, environment, env, signal);
    // What such a file adds to the command line is not seen by those who read it.
    if (banner.family === "clang" && banner.readFiles.length > 0) return { kind: "unknown", reason: "configuration_file" };
    const libraries = await Promise.all(
      parts.programs.map(async (program) => readLoadedObjects(await loadedObjects(program, env, signal))),
    );
    const lists = banner.family === "clang" ? await this.#sanitizerLists(compiler, env, signal) : [];
    const files = [...new Set([...parts.programs, ...libraries.flat(), ...banner.readFiles, ...lists])].toSorted();
    const digests: string[] = [];
    for (const file of files) {
      await this.#files.prepare(file, signal); // Hundreds of megabytes the first time.
      const state = this.#files.state(file);
      if (state.kind !== "file") return { kind: "unknown", reason: "unknown_compiler" };
      digests.push(state.digest);
    }
    const { family, version, target } = banner;
    const digest = toolchainDigest({ family, version, target, files }, compiler, digests);
    const beside = this.#gccBeside(banner);
    const { absent, earlierOnPath } = parts;
    const about = {
      family,
      version,
      target,
      platform: `${process.platform}-${elf.machine}`,
      targets: [...new Set([target, ...parts.targets])],
    };
    const toolchain: Toolchain = { ...about, digest, files, absent, earlierOnPath, beside, gccDirectories };
    this.#known.set(key, { compiler, real, toolchain, digests, fingerprints });
    keepRecent(this.#known, 64);
    this.#log.event("info", "toolchain.identified", { compiler, family, version, target, digest, files: files.length });
    return { kind: "toolchain", toolchain };
  }

  /** The programs it runs, and where one of them would be found first. */
  async #parts(
    compiler: string,
    banner: CompilerBanner,
    environment: CompilerEnvironment,
    env: Record<string, string>,
    signal: AbortSignal,
  ): Promise<{ programs: string[]; absent: string[]; earlierOnPath: string[]; targets: string[] }> {
    const ask = async (args: string[]): Promise<string> =>
      (await runProgram(compiler, args, { cwd: "/", environment: env }, signal)).stdout.trim();
    const names = banner.family === "gcc" ? ["cc1", "cc1plus", "cc1obj", "cc1objplus", "as"] : ["as"];
    const found = await Promise.all(names.map((name) => ask([`-print-prog-name=${name}`])));
    const [searched, told] = await Promise.all([ask(["-print-search-dirs"]), banner.family === "clang" ? ask(["-print-targets"]) : ""]);
    const directories = readSearchDirectories(searched, "programs");
    const onPath = (environment.get("PATH") ?? "").split(":").filter((directory) => isAbsolute(directory));
    const programs = [compiler];
    const absent: string[] = [];
    const earlierOnPath: string[] = [];
    found.forEach((program, i) => {
      const name = names[i] ?? "";
      const own = directories.map((directory) => join(directory, name));
      const candidates = [...own, ...onPath.map((directory) => join(directory, name))];
      const path = isAbsolute(program) ? program : candidates.find((candidate) => !this.#files.absent(candidate));
      if (path === undefined) return; // A language that is not installed.
      programs.push(path);
      for (const [at, candidate] of candidates.entries()) {
        if (candidate === path || !this.#files.absent(candidate)) break;
        (at < own.length ? absent : earlierOnPath).push(candidate);
      }
    });
    absent.push(...this.#settingsThatMayAppear(compiler, banner, searched));
    return { programs: [...new Set(programs)], absent: [...new Set(absent)], earlierOnPath, targets: readTargets(told) };
  }

  /** What tells clang that there is a gcc, for this machine and the smaller ones that it can be. */
  #gccBeside({ gccInstallation }: CompilerBanner): string[] {
    if (gccInstallation === undefined) return [];
    const marks = ["", "/32", "/x32"].map((part) => `${gccInstallation}${part}/crtbegin.o`);
    return marks.filter((path) => !this.#files.absent(path));
  }

  /** Ignore lists that clang's sanitizers read unasked. */
  async #sanitizerLists(compiler: string, env: Record<string, string>, signal: AbortSignal): Promise<string[]> {
    const resources = (await runProgram(compiler, ["-print-resource-dir"], { cwd: "/", environment: env }, signal)).stdout.trim();
    if (!isAbsolute(resources)) return [];
    try {
      return readdirSync(join(resources, "share"))
        .filter((name) => name.endsWith(".txt"))
        .map((name) => join(resources, "share", name));
    } catch {
      return []; // The runtime is not installed.
    }
  }

  #settingsThatMayAppear(compiler: string, banner: CompilerBanner, searched: string): string[] {
    const candidates =
      banner.family === "gcc"
        ? readSearchDirectories(searched, "install").flatMap((directory) => [join(directory, "specs"), join(dirname(directory), "specs")])
        : [...banner.configDirectories, banner.installedDirectory ?? dirname(compiler)].flatMap((directory) =>
            ["clang", "clang++", banner.target, `${banner.target}-clang`, `${banner.target}-clang++`].map((name) =>
              join(directory, `${name}.cfg`),
            ),
          );
    return candidates.filter((path) => this.#files.absent(path));
  }

  async searchPaths(
    toolchain: Toolchain,
    compiler: string,
    args: readonly string[],
    cwd: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<SearchPaths> {
    const key = digestOf(
      [
        toolchain.digest,
        compiler,
        realPath(compiler) ?? "",
        cwd,
        ...args,
        "",
        ...toolchain.beside,
        ...LOOKUP_VARIABLES.map((name) => environment.get(name) ?? ""),
      ].join("\0"),
    );
    const known = this.#searches.get(key);
    const stillMissing = known?.missing.every((directory) => this.#files.absent(resolve(cwd, directory)));
    // Copies of other directories are that by way of links, which may be turned.
    if (stillMissing === true && known?.duplicates.length === 0) return known;
    const probe = [...args, "-E", "-v", "/dev/null", "-o", "/dev/null"];
    const run = await runProgram(compiler, probe, { cwd, environment: probeEnvironment(environment) }, signal);
    const search = readHeaderSearch(run.stderr) ?? { quote: [], angle: [], missing: [], duplicates: [] };
    this.#searches.set(key, search);
    keepRecent(this.#searches, PROBES_KEPT);
    return search;
  }

  async ownSearch(
    toolchain: Toolchain,
    compiler: string,
    language: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<SearchPaths> {
    const own: Own = this.#ownSearches.get(toolchain) ?? new Map<string, SearchPaths>();
    const known = own.get(language);
    if (known !== undefined) return known;
    const env = probeEnvironment(environment);
    for (const name of LOOKUP_VARIABLES) delete env[name];
    const run = await runProgram(
      compiler,
      ["-x", language, "-E", "-v", "/dev/null", "-o", "/dev/null"],
      { cwd: "/", environment: env },
      signal,
    );
    const place = { quote: [], angle: [realPath(compiler) ?? compiler], missing: [], duplicates: [] };
    const search = readHeaderSearch(run.stderr) ?? place;
    this.#ownSearches.set(toolchain, own.set(language, search));
    return search;
  }

  async native(
    toolchain: Toolchain,
    compiler: string,
    args: readonly string[],
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const key = [toolchain.digest, ...args].join("\0");
    const known = this.#natives.get(key);
    if (known !== undefined) return known;
    const probe = [...args, "-###", "-S", "-x", "c", "/dev/null", "-o", "/dev/null"];
    const run = await runProgram(compiler, probe, { cwd: "/", environment: probeEnvironment(environment) }, signal);
    const expanded = readExpandedCommand(run.stderr);
    if (expanded === undefined) return undefined;
    this.#natives.set(key, expanded);
    keepRecent(this.#natives, PROBES_KEPT);
    return expanded;
  }

  async preprocess(
    compiler: string,
    args: readonly string[],
    cwd: string,
    environment: CompilerEnvironment,
    inBackground: boolean,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const options = { cwd, environment: probeEnvironment(environment), outputBytes: limits.preprocessedBytes, inBackground };
    const run = await runProgram(compiler, args, options, signal);
    return run.exitCode === 0 ? run.stdout : undefined;
  }

  async dependencies(
    compiler: string,
    args: readonly string[],
    cwd: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const run = await runProgram(compiler, args, { cwd, environment: probeEnvironment(environment) }, signal);
    return run.exitCode === 0 ? run.stdout : undefined;
  }
}

/** `/usr/lib/gcc` and the directory of one target in it, where each version has its own. */
function directoriesOfGcc({ gccInstallation }: CompilerBanner): string[] {
  return gccInstallation === undefined ? [] : [dirname(gccInstallation), dirname(dirname(gccInstallation))];
}

/** Messages are read by us, so they are asked for in the C locale. */
function probeEnvironment(environment: CompilerEnvironment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of environment) if (!/^(?:LANG|LANGUAGE|LC_.*|GCC_COLORS|PWD)$/.test(name)) kept[name] = value;
  return { ...kept, LC_ALL: "C", CAIRN_DISABLE: "1" };
}

/** The dynamic loader lists what it would load and does not start the program. */
async function loadedObjects(program: string, env: Record<string, string>, signal: AbortSignal): Promise<string> {
  if (readElf(program) === undefined) return "";
  const run = await runProgram(program, ["--version"], { cwd: "/", environment: { ...env, LD_TRACE_LOADED_OBJECTS: "1" } }, signal);
  return run.stdout;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path); // Each unit asks; the other one looks at each directory above by itself.
  } catch {
    return undefined;
  }
}

/** Forgets what was inserted first. */
function keepRecent(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
