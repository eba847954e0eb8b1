import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { demandPlaces } from "./task-places.ts";

test("what is certainly in the way is told before a run; what the command may write again is not", async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-places-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "dist"));
  writeFileSync(join(root, "dist/mine"), "may be written again");
  writeFileSync(join(root, "file"), "");
  symlinkSync("nowhere", join(root, "dangling"));
  symlinkSync("/", join(root, "outside"));
  symlinkSync("dist", join(root, "within"));
  const demand = (output: string): Promise<void> => demandPlaces({ root, outputs: [output] });
  for (const output of ["dist", "new/deep/a", "within/a", "dangling", "file"]) await demand(output);
  await assert.rejects(demand("file/a"), /no directory|ENOTDIR/);
  await assert.rejects(demand("dangling/a"), /link to what is not there/);
  await assert.rejects(demand("outside/a"), /outside the project/);
  assert.deepEqual(readdirSync(root).toSorted(), ["dangling", "dist", "file", "outside", "within"]);
});
