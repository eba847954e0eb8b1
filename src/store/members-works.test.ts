import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, silentLog } from "../base/index.ts";
import { MembersWorks } from "./members-works.ts";
import { SqliteIndex } from "./results.ts";
import { openStore } from "./store.fixture.ts";

const [ONE, OTHER] = ["one", "other"].map((name) => digestOf(name)) as [string, string];
const [FIRST, SECOND] = ["ab".repeat(32), "cd".repeat(32)];

test("whose work a result is goes with the result, and is known after a restart", async () => {
  await using opened = openStore();
  const index = (): SqliteIndex => SqliteIndex.open({ log: silentLog, now: Date.now, database: opened.database });
  const keep = (action: string): void =>
    index().add(
      digestOf("manifest"),
      { action, place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
      { outputs: [], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 },
      new Map(),
    );
  const works = new MembersWorks(opened);
  assert.deepEqual([works.members(), works.memberOf(ONE)], [[], undefined]);
  for (const [action, member] of [
    [ONE, SECOND],
    [OTHER, FIRST],
    [ONE, FIRST], // Another has done it once more.
    [digestOf("never kept"), FIRST],
    [digestOf("second"), SECOND],
  ] as const)
    assert.ok(works.add(action, member));
  for (const action of [ONE, OTHER, digestOf("second")]) keep(action);
  keep(ONE);
  assert.deepEqual(works.members(), [FIRST, SECOND]);
  await opened.reopen();
  const again = new MembersWorks(opened);
  const all = [ONE, OTHER].toSorted();
  assert.deepEqual(
    [again.of(FIRST, "", 9), again.of(FIRST, all[0] ?? "", 9), again.of(FIRST, "", 1)],
    [all, all.slice(1), all.slice(0, 1)],
  );
  index().forget(OTHER);
  again.delete(ONE);
  assert.deepEqual([again.memberOf(OTHER), again.memberOf(ONE), again.members()], [undefined, undefined, [SECOND]]);
});
