/**
 * Real projects to compile: where their sources come from, how ninja is made to compile them, and only that (no links).
 *
 * The same build directory serves every contender: the launcher in front of the compiler is replaced in the text of ninja's file, so
 * that paths, and with them keys and objects, are equal.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { digestOf } from "../src/base/index.ts";
import type { Command } from "./meter.ts";
import { checkout } from "./native.ts";

export type Language = "C" | "C++";

interface Recipe {
  readonly language: Language;
  /** Puts its source into a directory. */
  readonly unpack: (source: string) => void;
  /** Writes a ninja file into `build`, with PLACEHOLDER where a launcher stands. */
  readonly configure: (source: string, build: string, flags: string) => void;
}

const PLACEHOLDER = "/launcher-of-the-benchmark";

export const projectNames = ["lua", "mbedtls", "abseil", "leveldb", "sample"] as const;
export type ProjectName = (typeof projectNames)[number];

const RECIPES: Readonly<Record<ProjectName, Recipe>> = {
  lua: {
    language: "C",
    unpack: (source) => copy(debianSource("lua5.4"), source),
    configure: (source, build, flags) => {
      writeFileSync(
        join(build, "CMakeLists.txt"),
        `cmake_minimum_required(VERSION 3.16)
project(lua C)
file(GLOB sources ${source}/src/*.c)
list(FILTER sources EXCLUDE REGEX "/(lua|luac|onelua|ltests)[.]c$")
add_library(lua STATIC \${sources})
target_include_directories(lua PRIVATE ${build}/include)
target_compile_definitions(lua PRIVATE LUA_USE_POSIX)
`,
      );
      // Debian's rules generate this header.
      mkdirSync(join(build, "include"));
      writeFileSync(join(build, "include/lua5.4-deb-multiarch.h"), '#define DEB_HOST_MULTIARCH "linux-gnu"\n');
      cmake(build, build, flags, ["-DCMAKE_BUILD_TYPE=RelWithDebInfo"]);
    },
  },
  mbedtls: {
    language: "C",
    unpack: (source) => copy(debianSource("mbedtls"), source),
    configure: (source, build, flags) =>
      cmake(source, build, flags, ["-DCMAKE_BUILD_TYPE=Release", "-DENABLE_TESTING=OFF", "-DENABLE_PROGRAMS=ON"]),
  },
  abseil: {
    language: "C++",
    unpack: (source) => copy(debianSource("abseil"), source),
    configure: (source, build, flags) =>
      cmake(source, build, flags, [
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_STANDARD=17",
        "-DABSL_PROPAGATE_CXX_STD=ON",
        "-DBUILD_TESTING=OFF",
      ]),
  },
  leveldb: {
    language: "C++",
    unpack: (source) => copy(join(checkout, "node_modules/classic-level/deps"), source),
    configure: configureLeveldb,
  },
  sample: { language: "C", unpack: unpackSample, configure: configureSample },
};

/** A configured project in a directory of its own: `source/` and `build/` below `root`. */
export class Project {
  readonly name: ProjectName;
  readonly language: Language;
  readonly root: string;
  /** Relative to `build`. */
  readonly objects: readonly string[];
  readonly #ninja: string;

  /**
   * Copies the source below `root`, which must not exist, and configures it.
   *
   * @param flags for the compiler, where the project has no flags of its own
   */
  static make(name: ProjectName, root: string, unitsMax: number, flags: string = ""): Project {
    const recipe = RECIPES[name];
    for (const directory of ["source", "build"]) mkdirSync(join(root, directory), { recursive: true });
    recipe.unpack(join(root, "source"));
    recipe.configure(join(root, "source"), join(root, "build"), flags);
    const ninja = flatNinja(join(root, "build"));
    const objects = objectsOf(join(root, "build"));
    return new Project(name, root, ninja, evenly(objects, unitsMax));
  }

  private constructor(name: ProjectName, root: string, ninja: string, objects: readonly string[]) {
    this.name = name;
    this.language = RECIPES[name].language;
    this.root = root;
    this.objects = objects;
    this.#ninja = ninja;
  }

  get build(): string {
    return join(this.root, "build");
  }

  /** The same project at another path, as a second checkout configured there would be. */
  copyTo(root: string): Project {
    this.clean();
    copy(this.root, root);
    const moved = (text: string): string => text.replaceAll(this.root, root); // cmake also names objects by their source's place.
    return new Project(this.name, root, moved(this.#ninja), this.objects.map(moved));
  }

  /** The command that compiles everything there is. */
  command(launcher: string | undefined, jobs: number, env: NodeJS.ProcessEnv): Command {
    const file = `benchmark-${launcher === undefined ? "none" : basename(launcher)}.ninja`;
    const text = this.#ninja.replaceAll(`${PLACEHOLDER} `, launcher === undefined ? "" : `${launcher} `);
    writeFileSync(join(this.build, file), `${text}\nbuild benchmark-objects: phony ${this.objects.join(" ")}\n`);
    return { argv: ["ninja", "-f", file, `-j${jobs}`, "benchmark-objects"], cwd: this.build, env };
  }

  /** Forgets that anything was compiled. */
  clean(): void {
    for (const object of this.objects) for (const file of [object, `${object}.d`]) rmSync(join(this.build, file), { force: true });
    for (const state of [".ninja_log", ".ninja_deps"]) rmSync(join(this.build, state), { force: true });
  }

  /** One digest over all objects' contents, in order. */
  checksum(): string {
    return digestOf(this.objects.map((object) => digestOf(readFileSync(join(this.build, object)))).join("\n"));
  }
}

function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
}

/** As many, spread over the whole list: neighbours are much alike. */
function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)]).filter((one) => one !== undefined);
}

function cmake(source: string, build: string, flags: string, options: readonly string[]): void {
  const compilers = ["C", "CXX"].flatMap((language) => [
    `-DCMAKE_${language}_COMPILER_LAUNCHER=${PLACEHOLDER}`,
    `-DCMAKE_${language}_FLAGS=${flags}`,
  ]);
  execFileSync("cmake", ["-G", "Ninja", "-S", source, "-B", build, ...options, ...compilers], { stdio: ["ignore", "ignore", "pipe"] });
}

/** ninja's file with what it includes, in one text. */
function flatNinja(build: string): string {
  return readFileSync(join(build, "build.ninja"), "utf8").replaceAll(/^include (.*)$/gm, (_, file: string) =>
    readFileSync(join(build, file), "utf8"),
  );
}

function objectsOf(build: string): string[] {
  const listed = execFileSync("ninja", ["-C", build, "-t", "targets", "all"], { encoding: "utf8", maxBuffer: 2 ** 26 });
  return [...listed.matchAll(/^(.*): \w+_COMPILER__\w+$/gm)].map((match) => match[1] ?? "").toSorted();
}

/** Unpacked source of a Debian package, kept in the user's cache for the next time. */
function debianSource(name: string): string {
  const directory = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "cairn-corpus");
  const find = (): string | undefined =>
    existsSync(directory)
      ? readdirSync(directory, { withFileTypes: true }).find((entry) => entry.isDirectory() && entry.name.startsWith(`${name}-`))?.name
      : undefined;
  if (find() === undefined)
    execFileSync("sh", [join(import.meta.dirname, "fetch-project.sh"), name, directory], { stdio: ["ignore", "ignore", "inherit"] });
  const found = find();
  if (found === undefined) throw new Error(`the source of ${name} is not in ${directory}`);
  return join(directory, found);
}

const LEVELDB_LEFT_OUT =
  /port-libuv|snappy_unittest|snappy-test|\/(memenv_test|db_test|fault_injection_test|corruption_test|c|db_bench|recovery_test)\.cc$/;

function configureLeveldb(source: string, build: string, flags: string): void {
  const units = globSync("**/*.cc", { cwd: source }).filter((file) => !LEVELDB_LEFT_OUT.test(`/${file}`));
  const leveldb = globSync("leveldb/leveldb-*", { cwd: source })[0] ?? "";
  const includes = [leveldb, `${leveldb}/include`, "snappy/linux", "snappy/snappy"].map((path) => `-I${source}/${path}`).join(" ");
  writeNinja(source, build, "c++", `-O2 -DLEVELDB_PLATFORM_POSIX=1 -DOS_LINUX=1 -DSNAPPY=1 ${includes} ${flags}`, units);
}

const SAMPLE_UNITS = 4;

/** A few small units: enough to see that a benchmark works. */
function unpackSample(source: string): void {
  writeFileSync(join(source, "shared.h"), "int shared(int);\n");
  for (let i = 0; i < SAMPLE_UNITS; i++)
    writeFileSync(
      join(source, `unit${i}.c`),
      `#include "shared.h"\n#include <stdio.h>\nint unit${i}(void) { return puts("${i}") + shared(${i}); }\n`,
    );
}

function configureSample(source: string, build: string, flags: string): void {
  const units = Array.from({ length: SAMPLE_UNITS }, (_, i) => `unit${i}.c`);
  writeNinja(source, build, "cc", `-O1 ${flags}`, units);
}

function writeNinja(source: string, build: string, compiler: string, flags: string, units: readonly string[]): void {
  const edges = units.map((unit) => `build ${unit}.o: C_COMPILER__plain ${source}/${unit}\n`);
  for (const directory of new Set(units.map((unit) => dirname(unit)))) mkdirSync(join(build, directory), { recursive: true });
  writeFileSync(
    join(build, "build.ninja"),
    `rule C_COMPILER__plain
  command = ${PLACEHOLDER} ${compiler} ${flags} -MD -MT $out -MF $out.d -o $out -c $in
  depfile = $out.d
  deps = gcc
${edges.join("")}`,
  );
}
