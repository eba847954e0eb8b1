import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, silentLog } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { Given, SharedResult } from "../contracts/index.ts";
import { Keeper, type KeeperParts } from "./keeper.ts";

const FROM = digestOf("a member");
const MANIFEST = digestOf("manifest");
const ONE: SharedResult = {
  manifest: MANIFEST,
  entry: {
    action: actionKey(MANIFEST, undefined, undefined, []),
    place: undefined,
    presumed: false,
    terminal: undefined,
    inputs: [],
    absent: [],
  },
  result: {
    outputs: [{ path: "one.o", digest: digestOf("blob"), size: 4, role: "object", template: false }],
    stdout: "",
    stderr: "",
    compileMs: 1,
    cpuMs: 1,
  },
  execution: { signer: digestOf("signer"), toolchain: digestOf("toolchain"), startedAtMs: 0, endedAtMs: 1 },
  signature: new Uint8Array(64),
};
const ITEM = { manifest: ONE.manifest, actions: [ONE.entry.action] };

interface World {
  readonly keeper: Keeper;
  readonly shelf: SharedResult[];
  readonly asked: string[];
}

/** A node that is offered `offered`, with blobs that come or do not. */
function given(shared: readonly SharedResult[]): Given {
  return { shared, blobs: new Map(), following: [] };
}

function world(offered: readonly SharedResult[], changes: Partial<KeeperParts> = {}, lacking: readonly string[] = []): World {
  const shelf: SharedResult[] = [];
  const asked: string[] = [];
  const keeper = new Keeper({
    exchange: {
      results: async (_from, manifest) => {
        asked.push(manifest);
        return given(offered.filter((one) => one.manifest === manifest));
      },
      blobs: async () => lacking,
    },
    store: { has: async () => false, writeVerified: async () => undefined },
    index: { add: () => undefined, result: () => undefined },
    shelf: { results: (manifest) => shelf.filter((one) => one.manifest === manifest), put: (all) => shelf.push(...all) },
    isBelieved: () => true,
    hasRoom: () => true,
    keeps: true,
    log: silentLog,
    ...changes,
  });
  return { keeper, shelf, asked };
}

const blobs = ONE.result.outputs.map(({ digest }) => digest);

const OTHER = digestOf("another manifest");

for (const [about, made, verdict, kept, manifest = MANIFEST] of [
  ["what is offered is fetched and kept", world([ONE]), "kept", 1],
  ["what the member does not have after all is not", world([]), "failed", 0],
  ["a result of which a blob is missing is not", world([ONE], {}, ["x", ...blobs]), "failed", 0],
  ["what this node does not believe is refused", world([ONE], { isBelieved: () => false }), "refused", 0],
  ["a result under an action that is another's is refused", world([{ ...ONE, manifest: OTHER }]), "refused", 0, OTHER],
  ["what is here of the action is not replaced", world([ONE], { index: { add: () => undefined, result: () => ONE.result } }), "refused", 0],
  ["where copies are switched off nothing is kept", world([ONE], { keeps: false }), "full", 0],
  ["there may be no room", world([ONE], { hasRoom: () => false }), "full", 0],
  [
    "whatever breaks is a failure of that one",
    world([ONE], { exchange: { results: () => Promise.reject(new Error("broken")), blobs: async () => [] } }),
    "failed",
    0,
  ],
] as const)
  test(about, async () => {
    assert.deepEqual(await made.keeper.take(FROM, [{ ...ITEM, manifest }]), [verdict]);
    assert.equal(made.shelf.length, kept);
  });

test("what is here already is not asked for again, and another action that was not offered is not taken", async () => {
  const { keeper, shelf, asked } = world([ONE]);
  await keeper.take(FROM, [ITEM]);
  assert.deepEqual(await keeper.take(FROM, [ITEM]), ["kept"]);
  assert.equal(asked.length, 1);
  assert.deepEqual(await keeper.take(FROM, [{ ...ITEM, actions: [digestOf("other")] }]), ["failed"]);
  assert.equal(shelf.length, 1);
});

test("what came another way while it was asked for is kept", async () => {
  const shelf: SharedResult[] = [];
  const came = async (): Promise<Given> => {
    shelf.push(ONE);
    return given([ONE]);
  };
  const { keeper } = world([], {
    exchange: { results: came, blobs: async () => [] },
    index: { add: () => undefined, result: () => (shelf.length > 0 ? ONE.result : undefined) },
    shelf: { results: () => shelf, put: (all) => shelf.push(...all) },
  });
  assert.deepEqual(await keeper.take(FROM, [ITEM]), ["kept"]);
  assert.equal(shelf.length, 1);
});

test("one member at a time is kept for, and not more than a few members", async () => {
  const gate = Promise.withResolvers<Given>();
  const { keeper } = world([], { exchange: { results: () => gate.promise, blobs: async () => [] } });
  const first = keeper.take(FROM, [ITEM]);
  assert.deepEqual(await keeper.take(FROM, [ITEM]), ["busy"]);
  const second = keeper.take(digestOf("another"), [ITEM]);
  assert.deepEqual(await keeper.take(digestOf("a third"), [ITEM]), ["busy"]);
  gate.resolve(given([ONE]));
  assert.deepEqual(await Promise.all([first, second]), [["kept"], ["kept"]]);
});

test("what is this node's own is brought however full its store is", async () => {
  const { keeper, shelf } = world([ONE], { hasRoom: () => false });
  const signal = new AbortController().signal;
  assert.equal(await keeper.bring(FROM, ITEM, (bytes) => bytes < 4, signal), "full");
  assert.equal(await keeper.bring(FROM, ITEM, () => true, signal), "kept");
  assert.equal(shelf.length, 1);
});
