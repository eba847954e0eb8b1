import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Digest, digestOf, silentLog } from "../base/index.ts";
import { type Pin, Pins } from "../store/index.ts";
import { Pinning, type SignedResults } from "./pinning.ts";

const [ACTION, MANIFEST, BEFORE, AFTER] = ["action", "manifest", "before", "after"].map((name) => digestOf(name)) as [
  Digest,
  Digest,
  Digest,
  Digest,
];
const PIN: Pin = { root: ACTION, kind: "result", manifest: MANIFEST, name: "main.c", blobs: [BEFORE], atMs: 1 };

function world(t: TestContext, results: SignedResults): { readonly pins: Pins; readonly pinning: Pinning; readonly file: string } {
  const directory = mkdtempSync(join(tmpdir(), "cairn-pinning-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "pins");
  const pins = Pins.open({ log: silentLog }, { file });
  const pinning = new Pinning({
    store: { has: (digest) => Promise.resolve(digest === AFTER) },
    index: { result: () => undefined, history: () => undefined },
    results: () => results,
    pins,
    resolve: () => Promise.resolve(undefined),
    trees: { pin: () => assert.fail("it is no tree") },
    copiesOf: () => undefined,
    now: () => 1,
  });
  return { pins, pinning, file };
}

test("a lost result that members give again with other outputs is whole with those, and they are held from then on", async (t) => {
  const given = { manifest: MANIFEST, blobs: [AFTER] };
  const { pins, pinning, file } = world(t, { pinned: () => given, settledAs: () => undefined, mend: () => Promise.resolve(true) });
  pins.add(PIN);
  const found = await pinning.look(true, () => undefined, new AbortController().signal);
  assert.deepEqual([found.mended, found.missing], [["main.c"], []]);
  for (const some of [pins, Pins.open({ log: silentLog }, { file })])
    assert.deepEqual([some.holdsBlob(AFTER), some.holdsBlob(BEFORE)], [true, false]);
});

test("a pin goes on under the name under which its result is signed, also over a restart", (t) => {
  const none = { pinned: () => undefined, settledAs: () => undefined, mend: () => Promise.resolve(false) };
  const { pins, file } = world(t, none);
  pins.add({ root: ACTION, kind: "result", name: "main.c", blobs: [BEFORE], atMs: 1 });
  const signed = digestOf("signed");
  pins.settle(ACTION, { ...PIN, root: signed });
  for (const some of [pins, Pins.open({ log: silentLog }, { file })]) {
    assert.deepEqual([some.holdsResult(ACTION), some.holdsResult(signed), some.holdsBlob(BEFORE)], [false, true, true]);
    assert.equal(some.list()[0]?.manifest, MANIFEST);
  }
});

test("who unpins what is not pinned is told where to look", async (t) => {
  const { pinning } = world(t, { pinned: () => undefined, settledAs: () => undefined, mend: () => Promise.resolve(false) });
  const facts = { why: "typo is not pinned", advice: "cairn pins lists what is" };
  await assert.rejects(pinning.unpin({ name: "typo", file: "", digest: "" }), { code: "not-found", facts });
});
