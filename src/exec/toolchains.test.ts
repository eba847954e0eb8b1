/** Real compilers, asked what they are. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../test/system/harness.ts";
import { digestOf, silentLog } from "../base/index.ts";
import type { Files } from "../contracts/index.ts";
import { FileTable, openDatabase } from "../store/index.ts";
import { toolchainDigest } from "./toolchain-layout.ts";
import { LocalToolchains } from "./toolchains.ts";

const signal = new AbortController().signal;
const environment = new Map([["PATH", process.env.PATH ?? ""]]);

function toolchainsIn(directory: string): LocalToolchains {
  const database = openDatabase({ log: silentLog, now: Date.now }, { file: join(directory, "index.db") });
  const files: Files = new FileTable({ database, now: Date.now });
  return new LocalToolchains({ files, log: silentLog });
}

test("gcc is known by the content of all it runs and loads", async () => {
  using directory = temporaryDirectory("toolchains");
  const toolchains = toolchainsIn(directory.path);
  const read = await toolchains.identify("/usr/bin/gcc", environment, signal);
  assert.ok(read.kind === "toolchain");
  const { family, files, absent } = read.toolchain;
  assert.equal(family, "gcc");
  for (const part of ["/gcc", "/cc1", "/as"])
    assert.ok(
      files.some((file) => file.endsWith(part)),
      part,
    );
  assert.ok(files.some((file) => file.includes("libc.so")));
  assert.ok(
    absent.some((path) => path.endsWith("/specs")),
    "a specs file would change what it does",
  );
  const again = await toolchains.identify("/usr/bin/gcc", environment, signal);
  assert.deepEqual(again, read);
});

test("the name that a driver is called by is part of what it is", async () => {
  using directory = temporaryDirectory("toolchains");
  symlinkSync("/usr/bin/gcc", join(directory.path, "other"));
  const toolchains = toolchainsIn(directory.path);
  const [one, other] = await Promise.all(
    ["/usr/bin/gcc", join(directory.path, "other")].map((path) => toolchains.identify(path, environment, signal)),
  );
  assert.ok(one?.kind === "toolchain" && other?.kind === "toolchain");
  assert.notEqual(one.toolchain.digest, other.toolchain.digest);
});

test("where a driver looks for headers follows the link by which it is called, also when that is turned", async () => {
  using directory = temporaryDirectory("toolchains");
  const [linked, copied] = ["linked", "copied"].map((name) => join(directory.path, name, "bin/gcc"));
  assert.ok(linked !== undefined && copied !== undefined);
  for (const path of [linked, copied]) mkdirSync(dirname(path), { recursive: true });
  symlinkSync("/usr/bin/gcc", linked);
  copyFileSync("/usr/bin/gcc", copied);
  const below = execFileSync("/usr/bin/gcc", ["-print-prog-name=cc1"], { encoding: "utf8" }).trim();
  const beside = join(directory.path, "copied", dirname(below).slice("/usr/".length));
  mkdirSync(beside, { recursive: true });
  for (const name of readdirSync(dirname(below))) if (name.startsWith("cc1")) symlinkSync(join(dirname(below), name), join(beside, name));
  mkdirSync(join(beside, "include"));

  const toolchains = toolchainsIn(directory.path);
  const told = async (path: string): Promise<{ digest: string; angle: readonly string[] }> => {
    const read = await toolchains.identify(path, environment, signal);
    assert.ok(read.kind === "toolchain");
    const { angle } = await toolchains.ownSearch(read.toolchain, path, "c", environment, signal);
    return { digest: read.toolchain.digest, angle };
  };
  const system = await told("/usr/bin/gcc");
  assert.ok(system.angle.includes("/usr/include"));
  assert.deepEqual(await told(linked), system);
  const other = await told(copied);
  assert.equal(other.digest, system.digest, "the same content");
  assert.notDeepEqual(other.angle, system.angle);
  rmSync(linked);
  symlinkSync(copied, linked);
  assert.deepEqual(await told(linked), other);
});

test("a toolchain is the same wherever its files lie, and another one where a file is", () => {
  const contents = ["the driver", "cc1", "as", "libc"].map(digestOf);
  const at = (files: readonly string[], made: readonly string[] = contents): string => {
    const placed = files.map((file, i) => ({ file, content: made[i] ?? "" })).toSorted((a, b) => (a.file < b.file ? -1 : 1));
    const about = { family: "gcc", version: "12", target: "any", files: placed.map(({ file }) => file) } as const;
    return toolchainDigest(
      about,
      files[0] ?? "",
      placed.map(({ content }) => content),
    );
  };
  const system = at(["/usr/bin/gcc", "/usr/lib/gcc/12/cc1", "/usr/bin/as", "/lib/libc.so.6"]);
  assert.equal(at(["/home/me/tools/bin/gcc", "/home/me/tools/lib/gcc/12/cc1", "/usr/bin/as", "/lib/libc.so.6"]), system);
  assert.equal(at(["/a/gcc", "/d/cc1", "/c/as", "/b/libc.so.6"]), system);
  const another = [...contents.slice(0, 3), digestOf("another libc")];
  assert.notEqual(at(["/usr/bin/gcc", "/usr/lib/gcc/12/cc1", "/usr/bin/as", "/lib/libc.so.6"], another), system);
});

test("an assembler that appears earlier on PATH makes another toolchain", async () => {
  using directory = temporaryDirectory("toolchains");
  const toolchains = toolchainsIn(directory.path);
  const path = new Map([["PATH", `${directory.path}:${process.env.PATH ?? ""}`]]);
  const before = await toolchains.identify("/usr/bin/gcc", path, signal);
  copyFileSync("/usr/bin/ld", join(directory.path, "as"));
  chmodSync(join(directory.path, "as"), 0o755);
  const after = await toolchains.identify("/usr/bin/gcc", path, signal);
  assert.ok(before.kind === "toolchain" && after.kind === "toolchain");
  assert.notEqual(before.toolchain.digest, after.toolchain.digest);
});

test("scripts, other programs and other wrappers are no compilers", async () => {
  using directory = temporaryDirectory("toolchains");
  const toolchains = toolchainsIn(directory.path);
  const script = join(directory.path, "gcc");
  writeFileSync(script, '#!/bin/sh\nexec /usr/bin/gcc "$@"\n', { mode: 0o755 });
  assert.deepEqual(await toolchains.identify(script, environment, signal), { kind: "unknown", reason: "unknown_compiler" });
  assert.deepEqual(await toolchains.identify("/bin/true", environment, signal), { kind: "unknown", reason: "unknown_compiler" });
  assert.deepEqual(await toolchains.identify("/nowhere/gcc", environment, signal), { kind: "unknown", reason: "unknown_compiler" });
  const wrapper = join(directory.path, "ccache");
  copyFileSync("/bin/true", wrapper);
  symlinkSync(wrapper, join(directory.path, "cc"));
  assert.deepEqual(await toolchains.identify(join(directory.path, "cc"), environment, signal), {
    kind: "unknown",
    reason: "compiler_is_wrapper",
  });
});

test("native stands for something, the same each time", async () => {
  using directory = temporaryDirectory("toolchains");
  const toolchains = toolchainsIn(directory.path);
  for (const compiler of ["/usr/bin/gcc", "/usr/bin/clang-19"].filter((path) => existsSync(path))) {
    const read = await toolchains.identify(compiler, environment, signal);
    assert.ok(read.kind === "toolchain");
    const native = await toolchains.native(read.toolchain, compiler, ["-march=native"], environment, signal);
    assert.ok(native !== undefined && !native.includes("march=native") && !native.includes("target-cpu native"), native);
    assert.equal(await toolchainsIn(directory.path).native(read.toolchain, compiler, ["-march=native"], environment, signal), native);
  }
});

test("search directories are the compiler's, and one that appears is noticed", async () => {
  using directory = temporaryDirectory("toolchains");
  const toolchains = toolchainsIn(directory.path);
  const read = await toolchains.identify("/usr/bin/gcc", environment, signal);
  assert.ok(read.kind === "toolchain");
  const args = ["-Iinc", "-iquote", ".", "-x", "c"];
  const before = await toolchains.searchPaths(read.toolchain, "/usr/bin/gcc", args, directory.path, environment, signal);
  assert.deepEqual(before.quote, ["."]);
  assert.ok(before.missing.includes("inc") && before.angle.includes("/usr/include"));
});
