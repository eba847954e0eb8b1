import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, silentLog } from "../base/index.ts";
import { actionKey, placesAt } from "../compile/index.ts";
import type { Offer, ResultOutput } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import { Others, type OthersParts } from "./others.ts";
import type { Understood } from "./request.ts";

const MANIFEST = digestOf("manifest");
const SOURCE = digestOf("int x;");

/** A request for a unit, as it was understood. */
const understood = {
  manifest: MANIFEST,
  invocation: { mapped: [], source: "/there/a.c", outputs: [{ path: "a.o", role: "object" }] },
  places: placesAt({ cwd: "/there", projectRoot: "/there" }),
  project: { sharing: undefined },
} as unknown as Understood;

/** One who sees the source with that content. */
function seeing(digest: string): Look {
  return { sought: () => [], isMissing: () => true, state: () => ({ kind: "file", digest }) } as unknown as Look;
}

const inputs = [{ path: understood.places.portable("/there/a.c"), digest: SOURCE }];
const action = actionKey(MANIFEST, undefined, undefined, inputs);
const output: ResultOutput = {
  path: understood.places.portable("a.o"),
  role: "object",
  digest: digestOf("object"),
  size: 6,
  template: false,
};
const offer = {
  shared: {
    manifest: MANIFEST,
    entry: { action, place: undefined, presumed: false, terminal: undefined, inputs, absent: [] },
    result: { outputs: [output], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 },
    execution: { signer: "signer" },
  },
  from: ["member"],
  domains: ["home"],
  tier: "team",
  isToVerify: false,
} as unknown as Offer;

/** A member has made the unit, and it is here. @param isKept whether it is believed when it is to be kept */
function world({ isKept = true, bringing = Promise.resolve() }: { isKept?: boolean; bringing?: Promise<void> } = {}) {
  const events: string[] = [];
  const parts = {
    sharing: {
      findExpected: () => [offer],
      tookExpected: () => void events.push("took"),
      useless: () => assert.fail("it is of its action"),
      bring: () => bringing.then(() => (events.push("brought"), { complete: true, bytes: 6 })),
      keep: () => (events.push("kept"), isKept),
    },
    later: { add: () => assert.fail("nothing waits") },
    verifying: { expect: () => true, took: () => undefined, giveUp: () => undefined },
    log: silentLog,
  } as unknown as OthersParts;
  return { others: new Others(parts), events };
}

test("what is expected is in the index before anything is made of it, and somebody uses it once", async (t) => {
  const { others, events } = world();
  const brought = await others.bringExpected(seeing(SOURCE), understood, t.signal);
  assert.equal(brought?.entry.action, action);
  assert.deepEqual(events, ["brought", "kept", "took"]);
  assert.equal(others.takeUnused(action)?.signer, "signer");
  assert.equal(others.takeUnused(action), undefined);
});

test("of other inputs nothing is brought, and it stays for who asks", async (t) => {
  const { others, events } = world();
  assert.equal(await others.bringExpected(seeing(digestOf("int y;")), understood, t.signal), undefined);
  assert.deepEqual(events, []);
});

test("what is not believed any more when it is to be kept is nobody's", async (t) => {
  const { others, events } = world({ isKept: false });
  assert.equal(await others.bringExpected(seeing(SOURCE), understood, t.signal), undefined);
  assert.deepEqual(events, ["brought", "kept"]);
  assert.equal(others.takeUnused(action), undefined);
});

test("what was taken back is not used as the member's any more", async (t) => {
  const { others } = world();
  for (const recalled of [action, undefined]) {
    await others.bringExpected(seeing(SOURCE), understood, t.signal);
    others.recalled(digestOf("another"));
    others.recalled(recalled);
    assert.equal(others.takeUnused(action), undefined);
  }
});

test("who asks waits for what is being brought, as long as he is there", async (t) => {
  const bringing = Promise.withResolvers<void>();
  const { others, events } = world({ bringing: bringing.promise });
  const brought = others.bringExpected(seeing(SOURCE), understood, t.signal);
  const gone = new AbortController();
  const waits = others.settled(MANIFEST, gone.signal);
  gone.abort(new Error("gone"));
  await assert.rejects(waits, /gone/);
  const stays = others.settled(MANIFEST, t.signal).then(() => events.push("settled"));
  bringing.resolve();
  await Promise.all([brought, stays]);
  assert.deepEqual(events, ["brought", "kept", "took", "settled"]);
});
