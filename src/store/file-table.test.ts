import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, limits } from "../base/index.ts";
import { FileTable } from "./file-table.ts";
import { statFingerprint } from "./stat-fingerprint.ts";
import { type Opened, openStore } from "./store.fixture.ts";

/** A time at which every file that a test has written is old. */
const later = (): number => Date.now() + 1_000;

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

interface Table extends AsyncDisposable {
  readonly opened: Opened;
  readonly files: FileTable;
  readonly path: (name: string) => string;
}

function openTable(now: () => number = later): Table {
  const opened = openStore();
  const files = new FileTable({ now, database: opened.database });
  return { opened, files, path: (name) => join(opened.directory, name), [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

test("an old file is read once, and its fingerprint is that of its stat", async () => {
  await using table = openTable();
  const path = table.path("a.h");
  writeFileSync(path, "int a;");
  const read: string[] = [];
  const first = table.files.state(path, (content, digest) => read.push(`${content.toString()} ${digest}`));
  const second = table.files.state(path, (content) => read.push(content.toString()));
  const stat = statSync(path, { bigint: true });
  assert.deepEqual(first, {
    kind: "file",
    digest: digestOf("int a;"),
    size: 6,
    fingerprint: statFingerprint(stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs),
    changedNs: stat.ctimeNs > stat.mtimeNs ? stat.ctimeNs : stat.mtimeNs,
  });
  assert.equal(second, first); // The very same object: nothing was made anew.
  assert.deepEqual(read, [`int a; ${digestOf("int a;")}`]);
  assert.deepEqual(table.files.fingerprint(path), first.kind === "file" && first.fingerprint);
});

test("a young file, or one from the future, is read at each call and not trusted", async () => {
  let now = 0;
  await using table = openTable(() => now);
  const path = table.path("a.h");
  writeFileSync(path, "young");
  const changedMs = statSync(path).ctimeMs;
  for (const at of [changedMs - 5_000, changedMs, changedMs + limits.racyWindowMs - 1]) {
    now = at;
    let reads = 0;
    for (let call = 0; call < 2; call++) {
      const state = table.files.state(path, () => reads++);
      assert.deepEqual(state.kind === "file" && [state.digest, state.fingerprint], [digestOf("young"), { fp0: 0, fp1: 0 }]);
    }
    assert.equal(reads, 2);
    assert.deepEqual(table.files.fingerprint(path), { fp0: 0, fp1: 0 });
  }
  now = changedMs + limits.racyWindowMs + 2;
  const state = table.files.state(path);
  assert.notDeepEqual(state.kind === "file" && state.fingerprint, { fp0: 0, fp1: 0 });
  utimesSync(path, 4_000_000_000, 4_000_000_000);
  now += 1_000;
  const future = table.files.state(path);
  assert.deepEqual(future.kind === "file" && future.fingerprint, { fp0: 0, fp1: 0 });
});

test("what is not a file: absent or other", async () => {
  await using table = openTable();
  writeFileSync(table.path("file"), "");
  mkdirSync(table.path("directory"));
  symlinkSync("nowhere", table.path("dangling"));
  symlinkSync("loop", table.path("loop"));
  execFileSync("mkfifo", [table.path("pipe")]);
  const expected: Record<string, string> = {
    file: "file",
    directory: "other",
    missing: "absent",
    "file/below": "absent",
    dangling: "absent",
    loop: "other",
    pipe: "other",
  };
  for (const [name, kind] of Object.entries(expected)) {
    assert.equal(table.files.state(table.path(name)).kind, kind, name);
    assert.equal(table.files.absent(table.path(name)), kind === "absent", name);
  }
  assert.equal(table.files.fingerprint(table.path("missing")), undefined);
  assert.notEqual(table.files.fingerprint(table.path("directory")), undefined);
  assert.equal(table.files.state("/proc/self/stat").kind, "other"); // Says that it is empty, and is not.
});

test("content is given only while it has the digest asked for", async () => {
  await using table = openTable();
  const path = table.path("a.h");
  writeFileSync(path, "before");
  const state = table.files.state(path);
  assert.equal(table.files.content(path, digestOf("before"))?.toString(), "before");
  writeFileSync(path, "behind");
  assert.equal(table.files.content(path, digestOf("before")), undefined);
  assert.equal(table.files.content(table.path("missing"), digestOf("before")), undefined);
  assert.equal(state.kind, "file");
});

test("files too large for memory are hashed, but not shown", async () => {
  await using table = openTable();
  const path = table.path("huge");
  writeFileSync(path, "");
  truncateSync(path, limits.sourceBytes + 1);
  assert.equal(table.files.state(path, () => assert.fail("shown")).kind, "other");
  const state = table.files.state(path);
  assert.equal(state.kind === "file" && state.digest, digestOf(Buffer.alloc(limits.sourceBytes + 1)));
  assert.equal(table.files.content(path, state.kind === "file" ? state.digest : ""), undefined);
});

test("digests of large files survive a restart, and are forgotten with their identity", async () => {
  await using table = openTable();
  const path = table.path("cc1");
  const truth = Buffer.alloc(2_000_000, "cc1");
  writeFileSync(path, truth);
  await table.files.prepare(path, AbortSignal.timeout(60_000));
  // Another digest in its place shows that the file is not read again.
  table.opened.database.statement("UPDATE large_files SET digest = zeroblob(32)").run();
  const restarted = new FileTable({ now: later, database: table.opened.database });
  const told = restarted.state(path);
  assert.equal(told.kind === "file" && told.digest, "0".repeat(64));
  appendFileSync(path, "!");
  const changed = restarted.state(path);
  assert.equal(changed.kind === "file" && changed.digest, digestOf(Buffer.concat([truth, Buffer.from("!")])));
});

test("prepare leaves small, young and missing files alone, and ends when it is told to", async () => {
  await using table = openTable(() => 0); // Long before anything was written: everything is young.
  const signal = AbortSignal.timeout(60_000);
  writeFileSync(table.path("young"), Buffer.alloc(2_000_000));
  writeFileSync(table.path("small"), "small");
  for (const name of ["young", "small", "missing"]) await table.files.prepare(table.path(name), signal);
  const old = new FileTable({ now: later, database: table.opened.database });
  await assert.rejects(old.prepare(table.path("young"), AbortSignal.abort()), { name: "AbortError" });
});

type Edit = { readonly what: string; readonly file: number; readonly other: number; readonly text: string };

/** Changes files in the ways that editors, build systems and version control do. */
function edit({ what, file, other, text }: Edit, path: (name: string) => string): void {
  const target = path(`f${file}`);
  const source = path(`f${other}`);
  const here = statSync(target, { throwIfNoEntry: false }) !== undefined;
  const there = statSync(source, { throwIfNoEntry: false }) !== undefined;
  if (what === "write") writeFileSync(target, text);
  else if (what === "replace") {
    writeFileSync(path("new"), text);
    renameSync(path("new"), target);
  } else if (what === "write, keep times" && here) {
    const { atime, mtime } = statSync(target);
    writeFileSync(target, text);
    utimesSync(target, atime, mtime);
  } else if (what === "write, same time") {
    writeFileSync(target, text);
    utimesSync(target, 1_000_000_000, 1_000_000_000);
  } else if (what === "set back" && here) utimesSync(target, 1_000_000_000, 1_000_000_000);
  else if (what === "rename over" && there && file !== other) renameSync(source, target);
  else if (what === "hard link" && there && file !== other) {
    rmSync(target, { force: true });
    linkSync(source, target);
  } else if (what === "link" && file !== other) {
    rmSync(target, { force: true });
    symlinkSync(source, target);
  } else if (what === "remove" && here) unlinkSync(target);
}

test("always tells what the files hold, however they are changed", async () => {
  const kinds = [
    "write",
    "replace",
    "write, keep times",
    "write, same time",
    "set back",
    "rename over",
    "hard link",
    "link",
    "remove",
    "wait",
    "wait",
  ];
  const edits = fc.array(
    fc.record({ what: fc.constantFrom(...kinds), file: fc.nat(3), other: fc.nat(3), text: fc.constantFrom("aa", "bb", "cc", "long") }),
    { maxLength: 30 },
  );
  // The real clock: edits and looks fall into the same ticks of the file system's. Only after a wait are files remembered.
  await using table = openTable(Date.now);
  const naive = (path: string): string => {
    try {
      return digestOf(readFileSync(path));
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "ENOENT" ? "absent" : "other";
    }
  };
  const property = fc.property(edits, (steps) => {
    for (const step of steps) {
      if (step.what === "wait") pause(limits.racyWindowMs + 2);
      else {
        try {
          edit(step, table.path);
        } catch {
          // Loops of links cannot be written to.
        }
      }
      for (const name of ["f0", "f1", "f2", "f3"]) {
        const state = table.files.state(table.path(name));
        assert.equal(state.kind === "file" ? state.digest : state.kind, naive(table.path(name)), `${step.what} ${name}`);
      }
    }
  });
  fc.assert(property, { numRuns: 60 });
});

test("edits of the same size that wait for the clock to tick are seen", async () => {
  await using table = openTable(Date.now);
  const path = table.path("a.h");
  for (let round = 0; round < 10; round++) {
    writeFileSync(path, `${round % 10}`);
    for (const pauseMs of [0, 5, 19, 21]) {
      pause(pauseMs);
      const state = table.files.state(path);
      assert.equal(state.kind === "file" && state.digest, digestOf(`${round % 10}`));
    }
  }
});

test("a file that is emptied and written in place: what is believed of one time is one content", { timeout: 60_000 }, async () => {
  await using table = openTable(Date.now);
  const path = table.path("saved.h");
  writeFileSync(path, "int full;\n");
  const pauseMs = limits.racyWindowMs + 10;
  const script = `const { writeFileSync } = require("node:fs");
    const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${pauseMs});
    for (let round = 0; round < 12; round++)
      for (const content of ["", "int full;\\n"]) { pause(); writeFileSync(process.argv[1], content); }`;
  const writer = spawn(process.execPath, ["-e", script, path]);
  const believed = new Map<bigint, string>();
  while (writer.exitCode === null) {
    for (let look = 0; look < 50; look++) {
      const state = table.files.state(path);
      if (state.kind !== "file" || (state.fingerprint.fp0 === 0 && state.fingerprint.fp1 === 0)) continue;
      assert.equal(believed.get(state.changedNs) ?? state.digest, state.digest);
      believed.set(state.changedNs, state.digest);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(believed.size > 5, `${believed.size} states`);
});
