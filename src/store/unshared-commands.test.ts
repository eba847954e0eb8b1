import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits } from "../base/index.ts";
import { openStore } from "./store.fixture.ts";
import { UnsharedCommands } from "./unshared-commands.ts";

test("which commands are not shared, and why, is known after a restart", async () => {
  await using opened = openStore();
  const [one, other] = [digestOf("one"), digestOf("other")];
  const marks = new UnsharedCommands(opened);
  marks.add(one, "dist/now, line 1", 1);
  marks.add(other, "exit code", 2);
  marks.add(one, "dist/now, line 2", 3);
  marks.delete(other);
  await opened.reopen();
  const again = new UnsharedCommands(opened);
  assert.deepEqual([again.why(one), again.why(other)], ["dist/now, line 2", undefined]);
});

test("the oldest of too many go", async () => {
  await using opened = openStore();
  const marks = new UnsharedCommands(opened);
  for (let at = 0; at <= limits.task.unshared; at++) marks.add(digestOf(String(at)), "", at);
  assert.deepEqual([marks.why(digestOf("0")), marks.why(digestOf("1"))], [undefined, ""]);
});
