import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { Files } from "../contracts/index.ts";
import { installedProgram, Programs } from "./programs.ts";

const { signal } = new AbortController();
const files = {
  prepare: () => Promise.resolve(),
  state: (path: string) => (statSync(path).isFile() ? { kind: "file", digest: digestOf(readFileSync(path)), size: 0 } : { kind: "other" }),
} as unknown as Files;

test("programs are found as the system finds them, and so are those that their first lines name", async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-programs-")));
  t.after(() => rmSync(root, { recursive: true }));
  const script = (path: string, first: string, mode = 0o755): void => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), `${first}\n`, { mode });
  };
  script("project/tool", "#!/usr/bin/env -S mine --flag");
  script("project/plain", "no first line of that kind");
  script("project/sh", "#!/bin/sh -e");
  script("bin/mine", "#! /bin/sh");
  script("early/mine", "not to be executed", 0o644);
  script("project/broken", "#!/nowhere/at/all");
  const programs = new Programs({ files, now: () => 0 });
  const at = { cwd: join(root, "project"), root: join(root, "project"), path: `${root}/early:${root}/bin:/usr/bin:/bin` };
  const found = async (name: string): Promise<string | undefined> =>
    (await programs.find(name, at, signal))?.map(({ path, where }) => `${where} ${path.replace(root, "")}`).join(", ");
  assert.equal(await found("./tool"), "project /project/tool, own /bin/mine, system /bin/sh");
  assert.equal(await found("mine"), "own /bin/mine, system /bin/sh");
  assert.equal(await found("./plain"), "project /project/plain");
  assert.equal(await found("./sh"), "project /project/sh, system /bin/sh");
  assert.equal(await found("./broken"), undefined);
  assert.equal(await found("nothing-of-that-name"), undefined);
  assert.equal(await found("."), undefined);
});

test("programs that are installed lie there, also behind links; what is no program, or lies elsewhere, is none", (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-programs-")));
  t.after(() => rmSync(root, { recursive: true }));
  const usr = join(root, "usr");
  mkdirSync(join(usr, "bin"), { recursive: true });
  writeFileSync(join(usr, "bin/tool"), "tool", { mode: 0o755 });
  writeFileSync(join(usr, "bin/notes"), "notes", { mode: 0o644 });
  writeFileSync(join(root, "secret"), "secret", { mode: 0o755 });
  symlinkSync("tool", join(usr, "bin/other"));
  symlinkSync("usr/bin", join(root, "bin"));
  symlinkSync("../../secret", join(usr, "bin/out"));
  symlinkSync("loop", join(usr, "bin/loop"));
  const found = (place: string): string | undefined => installedProgram(join(root, place), [usr, join(root, "bin")])?.slice(root.length);
  for (const place of ["usr/bin/tool", "usr/bin/other", "bin/tool"]) assert.equal(found(place), "/usr/bin/tool", place);
  for (const place of ["usr/bin/out", "bin/out", "usr/bin/notes", "usr/bin", "usr/bin/none", "usr/bin/loop", "secret"])
    assert.equal(found(place), undefined, place);
  assert.equal(installedProgram(`${usr}/../usr/bin/tool`, [usr]), undefined, "one place has one name");
  assert.equal(installedProgram("/etc/passwd"), undefined);
});

test("what is installed is looked at once in a while, and is the same as long as nothing changes", async () => {
  let now = 0;
  // All that is there has one content here: it would take long to read.
  const alike = { ...files, state: () => ({ kind: "file", digest: digestOf("") }) } as unknown as Files;
  const programs = new Programs({ files: alike, now: () => now });
  const first = await programs.installed(signal);
  now = 60_000;
  assert.deepEqual(await programs.installed(signal), first);
  assert.deepEqual(await programs.installed(signal, true), first);
});
