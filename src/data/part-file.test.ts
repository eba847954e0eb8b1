import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { limits } from "../base/index.ts";
import { PartFile } from "./part-file.ts";

const { chunkBytes } = limits.swarm;

async function part(t: TestContext, chunks: number): Promise<PartFile> {
  const directory = mkdtempSync(join(tmpdir(), "cairn-part-"));
  const made = await PartFile.grow(join(directory, "part"), chunks * chunkBytes);
  t.after(() => {
    made.close();
    rmSync(directory, { recursive: true });
  });
  return made;
}

test("a chunk that was being written when all was forgotten is not there afterwards", async (t) => {
  const file = await part(t, 2);
  const wrong = file.put(0, randomBytes(chunkBytes));
  file.forget();
  await wrong;
  assert.equal(file.has.has(0), false);
});

test("what is being written is written before it is recognised", async (t) => {
  const file = await part(t, 2);
  const bytes = randomBytes(chunkBytes);
  await file.put(1, bytes);
  const list = await file.list();
  const other = file.put(1, randomBytes(chunkBytes));
  file.forget();
  await file.recognise(list);
  await other;
  assert.deepEqual([file.has.has(0), file.has.has(1)], [true, false]);
});

test("looking for chunks by a list ends when that list is given up", async (t) => {
  const file = await part(t, 3);
  for (let chunk = 0; chunk < 3; chunk++) await file.put(chunk, randomBytes(chunkBytes));
  const list = await file.list();
  file.forget();
  const looking = file.recognise(list);
  file.forget();
  await looking;
  assert.deepEqual(
    [0, 1, 2].map((chunk) => file.has.has(chunk)),
    [false, false, false],
  );
});
