/**
 * Real Bazel without a network, as Debian has it: projects of rules that need nothing but a compiler and a shell, and a server that can be killed.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { kill } from "node:process";
import { writeFiles } from "./harness.ts";

const PROGRAM = "/usr/bin/bazel";
const RULES = "/usr/share/bazel/rules";
const BUILD_MS = 900_000;

/** @returns why there is nothing to try, or false */
export const withoutBazel: string | false =
  !(existsSync(PROGRAM) && existsSync(RULES)) &&
  "Bazel with its rules is not installed here (Debian: bazel-bootstrap bazel-rules-cc bazel-rules-java bazel-rules-proto)";

export interface Built {
  readonly code: number | null;
  /** What Bazel has said. */
  readonly told: string;
  /** Actions that a cache has answered, that ran here, and that ran where the cache is. */
  readonly hits: number;
  readonly local: number;
  readonly remote: number;
}

export class Bazel implements AsyncDisposable {
  /** The project's. */
  readonly directory: string;
  readonly #place: string;
  /** Commands that have not ended. */
  #running = 0;

  /** @param place a directory that is the project's, Bazel's, and the user's home */
  constructor(place: string, files: Readonly<Record<string, string>>) {
    this.#place = place;
    this.directory = join(place, "project");
    writeFiles(this.directory, { WORKSPACE: "", ".bazelignore": ".rules_cc\n", ".bazelrc": this.#overrides(), ...files });
    this.#adaptRules();
  }

  #overrides(): string {
    const places = { cc: join(this.directory, ".rules_cc"), java: join(RULES, "java"), proto: join(RULES, "proto") };
    const lines = Object.entries(places).map(([name, path]) => `build --override_repository=rules_${name}=${path}\n`);
    return lines.join("");
  }

  /** Debian's rules for C++ are newer than its Bazel: the one symbol that it lacks is put in words that it knows. */
  #adaptRules(): void {
    const copy = join(this.directory, ".rules_cc");
    cpSync(join(RULES, "cc"), copy, { recursive: true, dereference: true });
    for (const name of readdirSync(copy, { recursive: true, encoding: "utf8" }).filter((one) => one.endsWith(".bzl"))) {
      const text = readFileSync(join(copy, name), "utf8");
      if (!text.includes("use_cpp_toolchain")) continue;
      const known = text
        .replaceAll(', "use_cpp_toolchain"', "")
        .replaceAll("use_cpp_toolchain()", '["@bazel_tools//tools/cpp:toolchain_type"]');
      writeFileSync(join(copy, name), known);
    }
  }

  async build(...options: string[]): Promise<Built> {
    const { code, told } = await this.#run("build", "//...", ...options);
    const processes = /\d+ process(?:es)?: (.*)\./.exec(told)?.[1]?.split(", ") ?? [];
    const count = (kind: RegExp): number => Number(processes.map((one) => kind.exec(one)?.[1]).find((one) => one !== undefined) ?? 0);
    return {
      code,
      told,
      hits: count(/^(\d+) remote cache hit$/),
      local: count(/^(\d+) (?:linux-sandbox|processwrapper-sandbox|local|worker)$/),
      remote: count(/^(\d+) remote$/),
    };
  }

  /** Forgets all that was built. */
  async clean(): Promise<void> {
    const { code, told } = await this.#run("clean");
    if (code !== 0) throw new Error(told);
  }

  /** As a crash would, in the middle of whatever it does. */
  killServer(): void {
    kill(Number(readFileSync(join(this.#place, "base/server/server.pid.txt"), "utf8")), "SIGKILL");
  }

  /** What was built, links followed. */
  made(name: string): Buffer {
    return readFileSync(join(this.directory, "bazel-bin", name));
  }

  #run(...words: string[]): Promise<{ code: number | null; told: string }> {
    const own = [`--output_user_root=${join(this.#place, "root")}`, `--output_base=${join(this.#place, "base")}`, "--max_idle_secs=60"];
    mkdirSync(join(this.#place, "base"), { recursive: true });
    return new Promise((resolve) => {
      const options = { cwd: this.directory, env: { ...process.env, HOME: this.#place }, timeout: BUILD_MS, maxBuffer: 2 ** 26 };
      this.#running++;
      const child = execFile(PROGRAM, [...own, ...words], options, (_error, _stdout, told) => {
        this.#running--;
        resolve({ code: child.exitCode, told });
      });
    });
  }

  /** A server that builds would first go on to the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running > 0) this.killServer();
    await this.#run("shutdown");
  }
}

/** For each unit a library of C++ and a sorted list, and a program of all of them whose output is built, too: five actions a unit. */
export function unitsOfCpp(count: number): Record<string, string> {
  const units = Array.from({ length: count }, (_, i) => i);
  const rules = units.map(
    (i) => `cc_library(name = "l${i}", srcs = ["u${i}.cc"])
genrule(name = "g${i}", srcs = ["t${i}.txt"], outs = ["s${i}.txt"], cmd = "sort -n $< > $@")
`,
  );
  const all = units.map((i) => `":l${i}"`).join(", ");
  return {
    ...Object.fromEntries(
      units.map((i) => [`u${i}.cc`, `#include <string>\nstd::string u${i}() { return std::string(${(i % 7) + 1}, 'a'); }\n`]),
    ),
    ...Object.fromEntries(units.map((i) => [`t${i}.txt`, `${i}\n${i % 7}\n${(i * 7919) % 1_000}\n`])),
    "main.cc": `#include <iostream>
#include <string>
${units.map((i) => `std::string u${i}();\n`).join("")}int main() { std::cout << (${units.map((i) => `u${i}()`).join(" + ")}).size() << std::endl; }
`,
    BUILD: `${rules.join("")}cc_binary(name = "main", srcs = ["main.cc"], deps = [${all}])
genrule(name = "run", tools = [":main"], outs = ["out.txt"], cmd = "$(location :main) > $@")
`,
  };
}

/** What `out.txt` of {@link unitsOfCpp} says. */
export function sizeOfUnits(count: number): string {
  return `${Array.from({ length: count }, (_, i) => (i % 7) + 1).reduce((sum, size) => sum + size, 0)}\n`;
}

/** So many that all cores of a machine, and a few slots of another one, have something to do. */
const LISTS: number = availableParallelism() + 10;
/** Of {@link lists}: each that is sorted, and the one that is made of them. */
export const ACTIONS: number = LISTS + 1;

/** Lists that are sorted, and put together. @param before what each that is sorted does first, in the words of a shell */
export function lists(word: string, before = ""): Record<string, string> {
  const names = Array.from({ length: LISTS }, (_, i) => i);
  const rules = names.map((i) => `genrule(name = "g${i}", srcs = ["t${i}.txt"], outs = ["s${i}.txt"], cmd = "${before}sort $< > $@")\n`);
  const all = names.map((i) => `":g${i}"`).join(", ");
  return {
    ...Object.fromEntries(names.map((i) => [`t${i}.txt`, `${i}\nb\n${word}\n`])),
    BUILD: `${rules.join("")}genrule(name = "all", srcs = [${all}], outs = ["all.txt"], cmd = "cat $(SRCS) > $@")\n`,
  };
}

/** What comes of {@link lists}, in `all.txt`. */
export function sorted(word: string): string {
  return Array.from({ length: LISTS }, (_, i) => [`${i}`, "b", word].toSorted().join("\n"))
    .join("\n")
    .concat("\n");
}

/** It went well, and of its actions so many came from where, or ran where. */
export function assertBuilt(built: Built, expected: { readonly hits?: number; readonly local?: number; readonly remote?: number }): void {
  const { code, hits, local, remote, told } = built;
  assert.deepEqual({ code, hits, local, remote }, { code: 0, hits: 0, local: 0, remote: 0, ...expected }, told);
}
