import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "../base/index.ts";
import { type Ground, ground, never } from "./executors.fixture.ts";
import { SandboxFiles } from "./sandbox-files.ts";

function filesOn(on: Ground, capacityBytes: number): { files: SandboxFiles; names: () => string[] } {
  const directory = join(on.directory, "files");
  return { files: new SandboxFiles({ blobs: on.store }, { directory, capacityBytes }), names: () => readdirSync(directory).toSorted() };
}

test("what is held stays, and what was released first goes first", async () => {
  await using on = ground();
  const { files, names } = filesOn(on, 7);
  const own = join(on.directory, "own");
  writeFileSync(own, "adopted");
  const adopted = digestOf("adopted");
  assert.ok(await files.adopt(own, adopted, true, never));
  const [a = "", b = "", c = ""] = ["aaaa", "bbbb", "cccc"].map((text) => on.store.write(Buffer.from(text)));
  for (const digest of [a, b, c]) assert.ok(await files.fetch(digest, false, never));
  assert.ok(await files.fetch(a, false, never));
  await files.shrink();
  assert.equal(names().length, 4);
  for (const digest of [b, a, c]) files.release(digest, false);
  await files.shrink();
  assert.deepEqual(names(), [a, c, `${adopted}.x`].toSorted(), "a is held by one still, c has room");
  files.release(a, false);
  await files.shrink();
  assert.deepEqual(names(), [a, `${adopted}.x`].toSorted(), "c was released before a");
  assert.ok(await files.fetch(b, false, never));
  files.release(adopted, true);
  await files.shrink();
  assert.deepEqual(names(), [b, `${adopted}.x`].toSorted(), "and a before what was adopted");
});

test("a file of this machine that has changed leaves nothing", async () => {
  await using on = ground();
  const { files, names } = filesOn(on, 8);
  const own = join(on.directory, "own");
  writeFileSync(own, "changed");
  assert.equal(await files.adopt(own, digestOf("before"), false, never), false);
  assert.deepEqual(names(), []);
  await assert.rejects(files.adopt(own, digestOf("changed"), false, AbortSignal.abort()));
  assert.deepEqual(names(), []);
});

test("a large content comes from the first file that has it still, and a pipe is not waited for", async () => {
  await using on = ground();
  const [pipe, gone, changed, own] = ["pipe", "gone", "changed", "own"].map((name) => join(on.directory, name));
  assert.ok(pipe !== undefined && gone !== undefined && changed !== undefined && own !== undefined);
  assert.equal(spawnSync("mkfifo", [pipe]).status, 0);
  writeFileSync(changed, "something else");
  writeFileSync(own, "large");
  let places = [pipe, on.directory, gone, changed, own];
  const blobs = {
    read: (digest: Digest) => on.store.read(digest),
    async *places() {
      yield* places;
    },
  };
  const directory = join(on.directory, "files");
  const files = new SandboxFiles({ blobs }, { directory, capacityBytes: 8 });
  const large = digestOf("large");
  assert.ok(await files.fetchLarge(large, true, never));
  assert.deepEqual(readdirSync(directory), [`${large}.x`]);
  places = places.slice(0, -1);
  assert.equal(await files.fetchLarge(large, false, never), true, "it is here already, under another mode");
  const stored = on.store.write(Buffer.from("stored"));
  assert.equal(await files.fetchLarge(stored, false, never), true, "the store has it");
  assert.equal(await files.fetchLarge(digestOf("nowhere"), false, never), false);
});

test("a content that does not fit leaves no half of it, and can be had later", async () => {
  await using on = ground();
  const script = `
    const { SandboxFiles } = await import(${JSON.stringify(join(import.meta.dirname, "sandbox-files.ts"))});
    const { readdirSync } = await import("node:fs");
    let bytes = Buffer.alloc(1_048_576);
    const directory = ${JSON.stringify(join(on.directory, "files"))};
    const blobs = { read: () => Promise.resolve({ kind: "hit", bytes }) };
    const files = new SandboxFiles({ blobs }, { directory, capacityBytes: 1 });
    const never = new AbortController().signal;
    const trouble = await files.fetch("d".repeat(64), false, never).catch((error) => error.code);
    const left = readdirSync(directory).length;
    bytes = Buffer.alloc(1);
    console.log(trouble, left, await files.fetch("d".repeat(64), false, never));
  `;
  // A limit of the size of files stands for a full disk: writing ends in the middle.
  const run = spawnSync("sh", ["-c", 'ulimit -f 64; exec "$0" --input-type=module -e "$1"', process.execPath, script], {
    encoding: "utf8",
  });
  assert.equal(run.stdout, "EFBIG 0 true\n", run.stderr);
});
