import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { limits } from "../base/index.ts";
import { readVerified } from "./blob-streams.ts";
import { scratch } from "./store.fixture.ts";
import { VerifiedFiles } from "./verified-files.ts";

const { files: most, keptMs, passes } = limits.verified;

interface Ground extends Disposable {
  readonly clock: { at: number };
  readonly verified: VerifiedFiles;
  path(name: string): string;
}

function ground(): Ground {
  const directory = scratch();
  const clock = { at: 1_800_000_000_000 };
  return {
    clock,
    verified: new VerifiedFiles({ now: () => clock.at }),
    path: (name) => join(directory, name),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Bytes that are read for one part. */
async function readFor(on: Ground, path: string, bytes: Buffer, signal: AbortSignal): Promise<number> {
  const file = await open(path, "r");
  let read = 0;
  const reader = file.read.bind(file) as (...args: unknown[]) => Promise<{ bytesRead: number }>;
  Object.assign(file, {
    read: async (...args: unknown[]) => {
      const result = await reader(...args);
      read += result.bytesRead;
      return result;
    },
  });
  const damaged = (): Promise<Error> => Promise.resolve(new Error("damaged"));
  const whole = { size: bytes.length, crc32: crc32(bytes) };
  const came: Uint8Array[] = [];
  const reading = readVerified(file, whole, { from: 500_000, length: 100 }, { verified: on.verified, damaged }, signal);
  for await (const piece of reading) came.push(piece);
  assert.deepEqual(Buffer.concat(came), bytes.subarray(500_000, 500_100));
  return read;
}

test("a file is read whole for its first part, and for another one when it has changed or time has passed", async (t) => {
  using on = ground();
  const path = on.path("blob");
  const bytes = Buffer.alloc(1_000_000, "cairn ");
  writeFileSync(path, bytes);
  assert.equal(await readFor(on, path, bytes, t.signal), bytes.length + 100);
  for (let part = 0; part < 3; part++) assert.equal(await readFor(on, path, bytes, t.signal), 100);
  on.clock.at += keptMs;
  assert.equal(await readFor(on, path, bytes, t.signal), bytes.length + 100, "after a while");
  on.clock.at -= keptMs / 2;
  assert.equal(await readFor(on, path, bytes, t.signal), bytes.length + 100, "with a clock that was set back");
  rmSync(path);
  writeFileSync(on.path("other"), ""); // Takes the place that the file had.
  writeFileSync(path, bytes.fill(7, 10, 11));
  await assert.rejects(readFor(on, path, Buffer.alloc(1_000_000, "cairn "), t.signal), /damaged/);
});

test("few are read whole at once, each once for all that wait for it, and who leaves is not waited for", async (t) => {
  using on = ground();
  const handles: FileHandle[] = [];
  t.after(() => Promise.all(handles.map((handle) => handle.close())));
  const opened = async (name: string): Promise<FileHandle> => {
    if (!existsSync(on.path(name))) writeFileSync(on.path(name), name);
    const handle = await open(on.path(name), "r");
    handles.push(handle);
    return handle;
  };
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const demand = async (name: string, signal = t.signal): Promise<void> => {
    const pass = (): Promise<void> => {
      begun.push(name);
      return new Promise((resolve) => ends.push(resolve));
    };
    await on.verified.demand(await opened(name), 0, pass, signal);
  };
  const settled = async (count: number): Promise<void> => {
    while (begun.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  const names = Array.from({ length: passes }, (_, at) => `${at}`);
  const first = names.map((name) => demand(name));
  await settled(passes);
  const again = demand("0");
  const gone = new AbortController();
  const left = demand("left", gone.signal);
  gone.abort(new Error("nobody waits"));
  await assert.rejects(left, /nobody waits/);
  for (const end of ends) end();
  await Promise.all([...first, again]);
  assert.deepEqual(begun.toSorted(), names);
});

test("what is remembered is bounded", async (t) => {
  using on = ground();
  writeFileSync(on.path("blob"), "1");
  await using file = await open(on.path("blob"), "r");
  let passed = 0;
  const demand = (sum: number): Promise<void> => on.verified.demand(file, sum, () => Promise.resolve(void passed++), t.signal);
  for (let sum = 0; sum <= most; sum++) await demand(sum);
  await demand(most);
  assert.equal(passed, most + 1);
  await demand(0);
  assert.equal(passed, most + 2, "the oldest is forgotten");
});
