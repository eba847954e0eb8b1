import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { BazelResults } from "./bazel-results.ts";
import { ground } from "./remote.fixture.ts";

/** A field of a message of REAPI that is a digest with a size below 128. */
function digestField(number: number, hash: string, size: number): Buffer {
  const digest = Buffer.concat([Buffer.from([0x0a, hash.length]), Buffer.from(hash), Buffer.from([0x10, size])]);
  return Buffer.concat([Buffer.from([(number << 3) | 2, digest.length]), digest]);
}

test("an action names its command and the root of its inputs; what is not here, or is no such message, names nothing", async (t) => {
  await using on = await ground();
  const results = new BazelResults({ ...on, now: Date.now });
  const [command, inputRoot] = [digestOf("command"), digestOf("inputs")];
  const action = Buffer.concat([digestField(1, command, 7), digestField(2, inputRoot, 6)]);
  assert.equal(await results.madeOf(digestOf(action), t.signal), undefined, "it is not here");
  assert.deepEqual(await results.madeOf(await on.store.write(action), t.signal), { command, inputRoot });
  for (const other of [digestField(1, command, 7), digestField(1, "no digest", 7), Buffer.from("no message")])
    assert.equal(await results.madeOf(await on.store.write(other), t.signal), undefined, other.toString("latin1"));
});
