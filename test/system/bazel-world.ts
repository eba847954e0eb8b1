/**
 * A small project that real Bazel builds, where it is installed with its rules.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { run } from "./harness.ts";

/** What rules of Debian's Bazel need; where any of it is missing there is nothing to try. */
const RULES = "/usr/share/bazel/rules";

/** A project of a few rules that need no compiler's own toolchain rules and no network. */
function project(directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "WORKSPACE"), "");
  const rules = Array.from(
    { length: 12 },
    (_, i) => `genrule(name = "g${i}", srcs = ["t${i}.txt"], outs = ["s${i}.txt"], cmd = "sort $< > $@")`,
  );
  const all = Array.from({ length: 12 }, (_, i) => `":g${i}"`).join(", ");
  writeFileSync(
    join(directory, "BUILD"),
    `${rules.join("\n")}\ngenrule(name = "all", srcs = [${all}], outs = ["all.txt"], cmd = "cat $(SRCS) > $@")\n`,
  );
  writeSources(directory, "a");
}

export function writeSources(directory: string, word: string): void {
  for (let i = 0; i < 12; i++) writeFileSync(join(directory, `t${i}.txt`), `${i}\nb\n${word}\n`);
}

export class Bazel implements AsyncDisposable {
  readonly directory: string;
  readonly #root: string;

  constructor(directory: string) {
    this.directory = join(directory, "project");
    this.#root = join(directory, "root");
    project(this.directory);
  }

  async #run(...words: string[]): Promise<string> {
    const overrides = ["cc", "java", "proto"].map((name) => `--override_repository=rules_${name}=${join(RULES, name)}`);
    const [command = "", ...rest] = words;
    const options = command === "build" ? overrides : [];
    const ran = await run("bazel", [`--output_user_root=${this.#root}`, "--max_idle_secs=30", command, ...options, ...rest], {
      cwd: this.directory,
    });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stderr;
  }

  /** @returns how many actions came from the cache, of how many that are actions of the project */
  async build(cache: string, ...options: string[]): Promise<{ hits: number; run: number }> {
    const told = await this.#run("build", "//:all", `--remote_cache=${cache}`, ...options);
    const count = (pattern: RegExp): number => Number(pattern.exec(told)?.[1] ?? 0);
    return { hits: count(/(\d+) remote cache hit/), run: count(/(\d+) (?:linux-sandbox|processwrapper-sandbox|local|worker)/) };
  }

  /** What the last build has made. */
  get made(): string {
    return readFileSync(join(this.directory, "bazel-bin/all.txt"), "utf8");
  }

  async clean(): Promise<void> {
    await this.#run("clean");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run("shutdown");
  }
}

export async function withBazel(t: TestContext): Promise<boolean> {
  const { code } = await run("sh", ["-c", "command -v bazel"], { cwd: "/" });
  if (code === 0 && existsSync(RULES)) return true;
  t.skip("Bazel with its rules is not installed here (Debian: bazel-bootstrap bazel-rules-cc bazel-rules-java bazel-rules-proto)");
  return false;
}
