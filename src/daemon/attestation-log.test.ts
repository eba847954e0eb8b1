import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { digestOf, silentLog } from "../base/index.ts";
import { LogFiles } from "../store/index.ts";
import { type Head, isHead, keyPairFromSeed, type LogEntry, leafHash, rootAt, writeLogEntry } from "../trust/index.ts";
import { AttestationLog, type LogHome } from "./attestation-log.ts";
import { MemoryFiles } from "./log-memory.fixture.ts";

const keys = keyPairFromSeed(Buffer.alloc(32, 5));

function entries(from: number, to: number): LogEntry[] {
  return Array.from({ length: to - from }, (_, at) => ({
    action: digestOf(`action ${from + at}`),
    statement: digestOf(`statement ${from + at}`),
  }));
}

function logOf(files: LogHome): AttestationLog {
  return new AttestationLog({ files, keys, log: silentLog });
}

/** Whether it has exactly these entries, in order, and its checkpoint is theirs. */
function assertHas(log: AttestationLog, expected: readonly LogEntry[]): void {
  const head: Head = log.head ?? assert.fail("it has no checkpoint");
  assert.equal(head.size, expected.length);
  assert.ok(isHead(head));
  const { leaves } = log.part(0, head.size);
  assert.deepEqual(
    leaves.map(hex),
    expected.map((entry) => hex(leafHash(writeLogEntry(entry)))),
  );
  assert.equal(hex(rootAt(log.known?.read ?? assert.fail(), head.size)), head.root);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

test("what was added is there after a restart, in tiles that are full and in parts, and is found", async (t) => {
  const files = new LogFiles(directory(t));
  const all = entries(0, 700);
  for (const [from, to] of [
    [0, 1],
    [1, 255],
    [255, 256],
    [256, 700],
  ] as const) {
    const log = logOf(files);
    log.add(all.slice(from, to));
    await log.settle();
  }
  const log = logOf(files);
  assertHas(log, all);
  for (const at of [0, 255, 256, 699]) {
    const { action } = all[at] ?? assert.fail();
    assert.equal((await log.find(action, 700))?.index, at);
    assert.equal(await log.find(action, at), undefined);
  }
  assert.equal(log.isOwn(log.part(0, 300).head), true);
});

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cairn-log-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("wherever a crash comes, what was signed before it goes on, and nothing is lost or twice", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ entries: fc.integer({ min: 1, max: 300 }), writes: fc.nat(8) }), { minLength: 1, maxLength: 5 }),
      async (runs) => {
        const files = new MemoryFiles();
        const shown: Head[] = [];
        let count = 0;
        for (const run of runs) {
          files.left = run.writes;
          const log = logOf(files);
          log.add(entries(count, count + run.entries));
          count += run.entries;
          await log.settle();
          if (log.head !== undefined) shown.push(log.head);
        }
        files.left = Number.POSITIVE_INFINITY;
        const log = logOf(files);
        await log.settle();
        assertHas(log, entries(0, count));
        for (const head of shown) assert.ok(log.isOwn(head), `entries up to ${head.size}`);
      },
    ),
    { numRuns: 40 },
  );
});

test("a log that is not what its checkpoint says stops, and nothing is signed on top of it", async () => {
  const files = new MemoryFiles();
  const log = logOf(files);
  log.add(entries(0, 300));
  await log.settle();
  const tile = "tile/0/001.p/44";
  await files.write([[tile, Buffer.from(files.read(tile) ?? assert.fail(tile)).fill(1, 0, 1)]]);
  const damaged = logOf(files);
  assert.deepEqual([damaged.stopped, damaged.head], ["damaged", undefined]);
  damaged.add(entries(300, 301));
  await damaged.settle();
  assert.equal(damaged.head, undefined);
});

test("a log of which others have seen more stops for good", async () => {
  const files = new MemoryFiles();
  const log = logOf(files);
  log.add(entries(0, 3));
  await log.settle();
  await log.rolledBack();
  const again = logOf(files);
  again.add(entries(3, 4));
  await again.settle();
  assert.deepEqual([again.stopped, again.head?.size], ["rolled-back", 3]);
});

test("what cannot be removed is no entry twice, and what is added meanwhile has its right number", async () => {
  const files = new MemoryFiles();
  const [log, all] = [logOf(files), entries(0, 260)];
  const crashed: MemoryFiles[] = [];
  files.remove = () => {
    if (crashed.length === 0) log.add(all.slice(256));
    crashed.push(files.copy());
    return Promise.reject(new Error("busy"));
  };
  log.add(all.slice(0, 256));
  await log.settle();
  assertHas(log, all);
  for (const left of crashed) {
    const again = logOf(left);
    await again.settle();
    assertHas(again, all);
  }
  assert.ok(crashed.length > 0);
});
