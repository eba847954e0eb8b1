import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../test/system/harness.ts";
import { silentLog } from "../base/index.ts";
import { ToolchainShelf } from "./toolchain-shelf.ts";

test("what is approved while approvals of before are looked at stays so over a restart; who lets go of one that went is told of it no more", () => {
  using directory = temporaryDirectory("shelf");
  const file = join(directory.path, "toolchains.json");
  const open = (): ToolchainShelf => {
    const pins = { hold: () => ({ blobs: new Set<string>(), [Symbol.dispose]: () => undefined }) };
    return ToolchainShelf.open({ log: silentLog, pins, now: () => 1 }, { file, capacityBytes: 1 });
  };
  const [before, now] = ["ab".repeat(32), "cd".repeat(32)];
  writeFileSync(file, JSON.stringify({ shelved: [], approved: [before] }));
  open().approve(now);
  const again = open();
  assert.equal(again.isOfBefore, true, "nobody has looked at those of before yet");
  again.forgetBefore();
  assert.deepEqual([[...again.approved], again.dropped], [[now], [before]]);
  again.approve("ef".repeat(32));
  assert.deepEqual(open().dropped, [before], "that was another one");
  assert.equal(again.disapprove(before), true);
  assert.deepEqual(open().dropped, []);
  assert.deepEqual(open().isOfBefore, false);
});
