import assert from "node:assert/strict";
import { test } from "node:test";
import { Inviters } from "./inviters.ts";

const [ANNA, BERT] = ["aa".repeat(32), "bb".repeat(32)];
const at = (peerKey: string, address: string) => ({ peerKey, addresses: [address] });

test("only those whom the invitation names are told of, where they were heard last", async (t) => {
  const inviters = new Inviters();
  inviters.expect([ANNA]);
  for (const hint of [at(BERT, "/ip4/10.0.0.1/tcp/1"), at(ANNA, "/ip4/10.0.0.2/tcp/2"), at(ANNA, "/ip4/10.0.0.3/tcp/3")])
    inviters.take(hint);
  assert.deepEqual(await inviters.heard(60_000, t.signal), [at(ANNA, "/ip4/10.0.0.3/tcp/3")]);
  inviters.expect([BERT]);
  assert.deepEqual(inviters.keys, [BERT]);
  assert.deepEqual(await inviters.heard(1, t.signal), [], "what was heard of others before is forgotten");
});

test("somebody who is heard ends the wait; so does who gives up", async (t) => {
  const inviters = new Inviters();
  inviters.expect([ANNA, BERT]);
  const heard = inviters.heard(60_000, t.signal);
  inviters.take(at(BERT, "/ip4/10.0.0.1/tcp/1"));
  assert.deepEqual(await heard, [at(BERT, "/ip4/10.0.0.1/tcp/1")]);
  inviters.expect([ANNA]);
  await assert.rejects(inviters.heard(60_000, AbortSignal.abort()), { name: "AbortError" });
});
