import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { limits, silentLog } from "../base/index.ts";
import { placesAt } from "../compile/index.ts";
import type { Files } from "../contracts/index.ts";
import { FileTable, openDatabase } from "../store/index.ts";
import { Absences, Glance, type GlanceOptions, Look, type Witness } from "./look.ts";

/** Real files, and how many times they were looked at. */
async function world(
  run: (root: string, ask: (path: string) => { absent: boolean; looks: number }, look: (options?: GlanceOptions) => Look) => Promise<void>,
): Promise<void> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-look-")));
  try {
    using database = openDatabase({ log: silentLog, now: Date.now }, { file: join(root, "index.db") });
    const table = new FileTable({ database, now: Date.now });
    let looks = 0;
    const files: Files = {
      state: (path, visit) => table.state(path, visit),
      remembered: (path) => table.remembered(path),
      prepare: async (path, signal) => table.prepare(path, signal),
      content: (path, digest) => table.content(path, digest),
      fingerprint: (path) => table.fingerprint(path),
      absent: (path) => {
        looks += 1;
        return table.absent(path);
      },
    };
    const absences = new Absences();
    const look = (options?: GlanceOptions): Look => new Look(new Glance({ files, absences }, options), root);
    const ask = (path: string): { absent: boolean; looks: number } => {
      looks = 0;
      const absent = look().absent(path);
      return { absent, looks };
    };
    mkdirSync(join(root, "inc"));
    await sleep(2 * limits.racyWindowMs);
    await run(root, ask, look);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function witnessOf(look: Look, cwd: string, path: string): Witness | undefined {
  const [sought] = look.sought(placesAt({ cwd, projectRoot: cwd }), [path]);
  assert.ok(sought !== undefined);
  return look.witness(sought);
}

test("a missing name is looked for once, until its directory changes", async () =>
  world(async (root, ask) => {
    assert.deepEqual(ask("inc/a.h"), { absent: true, looks: 1 });
    assert.deepEqual(ask(join(root, "inc/a.h")), { absent: true, looks: 0 });
    writeFileSync(join(root, "inc/a.h"), "");
    assert.equal(ask("inc/a.h").absent, false);
    rmSync(join(root, "inc/a.h"));
    assert.equal(ask("inc/a.h").absent, true);
  }));

test("names below a missing directory are not looked for, until it appears", async () =>
  world(async (root, ask) => {
    assert.deepEqual(ask("inc/deep/er/a.h"), { absent: true, looks: 0 });
    assert.deepEqual(ask("inc/deep/er/a.h"), { absent: true, looks: 0 });
    mkdirSync(join(root, "inc/deep"));
    assert.equal(ask("inc/deep/er/a.h").absent, true);
    mkdirSync(join(root, "inc/deep/er"));
    writeFileSync(join(root, "inc/deep/er/a.h"), "");
    assert.equal(ask("inc/deep/er/a.h").absent, false);
  }));

test("what links to nothing lead to may appear anywhere", async () =>
  world(async (root, ask) => {
    symlinkSync(join(root, "later"), join(root, "inc/link"));
    utimesSync(join(root, "inc"), 1, 1);
    await sleep(2 * limits.racyWindowMs);
    for (const path of ["inc/link", "inc/link/a.h"]) assert.equal(ask(path).absent, true, path);
    mkdirSync(join(root, "later"));
    writeFileSync(join(root, "later/a.h"), "");
    for (const path of ["inc/link", "inc/link/a.h"]) assert.equal(ask(path).absent, false, path);
  }));

test("a witness is named only while it stands", async () =>
  world(async (root, ask, look) => {
    ask("inc/deep/a.h");
    assert.equal(witnessOf(look(), root, "inc/deep/a.h")?.directory, join(root, "inc"));
    mkdirSync(join(root, "inc/deep"));
    assert.equal(witnessOf(look(), root, "inc/deep/a.h"), undefined);
  }));

test("a glance from memory believes what was seen, and looks at what was not", async () =>
  world(async (root, _, look) => {
    writeFileSync(join(root, "a.h"), "old");
    await sleep(2 * limits.racyWindowMs);
    assert.equal(look().state("a.h").kind, "file");
    assert.equal(look().absent("inc/b.h"), true);
    writeFileSync(join(root, "a.h"), "newer");
    writeFileSync(join(root, "inc/b.h"), "");
    writeFileSync(join(root, "inc/c.h"), "");
    const memory = look({ fromMemory: true });
    const [b, c] = memory.sought(placesAt({ cwd: root, projectRoot: root }), ["inc/b.h", "inc/c.h"]);
    assert.ok(b !== undefined && c !== undefined);
    assert.equal(size(memory, "a.h"), 3);
    assert.deepEqual([memory.isMissing(b), memory.isMissing(c)], [true, false]);
    assert.equal(size(look(), "a.h"), 5);
    assert.equal(look().absent("inc/b.h"), false);
  }));

function size(look: Look, path: string): number | undefined {
  const state = look.state(path);
  return state.kind === "file" ? state.size : undefined;
}
