import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, type Key, limits, silentLog } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { rendezvousOrder } from "../net/index.ts";
import { Replicator } from "./replicator.ts";

const MANIFEST = digestOf("manifest");
const KEYS = Array.from({ length: 6 }, (_, i) => digestOf(`member ${i}`));
const COPIES = 3;
const { lookEveryMs } = limits.replication;

function resultOf(manifest: Digest): SharedResult {
  const action = actionKey(manifest, undefined, undefined, []);
  return {
    manifest,
    entry: { action, place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
    result: { outputs: [], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 },
    execution: { signer: digestOf("signer"), toolchain: digestOf("toolchain"), startedAtMs: 0, endedAtMs: 1 },
    signature: new Uint8Array(64),
  };
}

test("a result goes to the nearest of all members, linked or not, once; and to the next when too few of them are there", async () => {
  const order = rendezvousOrder(
    MANIFEST,
    KEYS.map((key) => ({ key, domain: "home" })),
  ).map(({ key }) => key);
  const [first = "", second = "", third = "", fourth = ""] = order;
  const self = order.at(-1) ?? "";
  const present = new Set(KEYS);
  const linked = new Set([first, second, fourth]);
  const took = new Map<Key, number>();
  let nowMs = 0;
  const replicator = new Replicator(
    {
      self,
      present: () => [...present].map((key) => ({ key, domain: "home" })),
      isLinked: (key) => linked.has(key),
      whoHas: () => [...took.keys()].filter((key) => linked.has(key)),
      shelf: { results: () => [resultOf(MANIFEST)], manifestsAfter: (after) => (after < MANIFEST ? [MANIFEST] : []) },
      offer: async (to, items) => {
        if (!linked.has(to)) return items.map(() => "busy");
        took.set(to, (took.get(to) ?? 0) + 1);
        return items.map(() => "kept");
      },
      isQuiet: () => true,
      log: silentLog,
      now: () => nowMs,
    },
    { copies: COPIES },
  );
  const pass = async (forMs: number): Promise<void> => {
    for (const end = nowMs + forMs; nowMs < end; nowMs += 1_000) await replicator.tick();
  };
  replicator.made(MANIFEST);
  await pass(60_000);
  assert.deepEqual([...took.keys()].toSorted(), [first, second].toSorted(), "nobody takes the place of one that is being called");
  linked.add(third);
  await pass(60_000);
  assert.deepEqual(took, new Map([first, second, third].map((key) => [key, 1])));

  linked.delete(third);
  await pass(2 * lookEveryMs);
  assert.deepEqual([took.get(third), took.has(fourth)], [1, false], "it is remembered who has taken it");
  for (const key of [second, third]) {
    present.delete(key);
    linked.delete(key);
  }
  await pass(2 * lookEveryMs);
  assert.equal(took.get(fourth), 1, "this node, one holder, and it");
});

test("members that are being called cost nothing of what may be copied in a second", async () => {
  const linked = new Set<Key>();
  const took: Key[] = [];
  let nowMs = 0;
  const [self = "", ...others] = KEYS;
  const output = {
    path: "one.o",
    digest: digestOf("blob"),
    size: 60 * limits.replication.bytesPerSecond,
    role: "object",
    template: false,
  } as const;
  const large = { ...resultOf(MANIFEST), result: { ...resultOf(MANIFEST).result, outputs: [output] } };
  const replicator = new Replicator(
    {
      self,
      present: () => KEYS.map((key) => ({ key, domain: "home" })),
      isLinked: (key) => linked.has(key),
      whoHas: () => [],
      shelf: { results: () => [large], manifestsAfter: () => [] },
      offer: async (to, items) => {
        if (linked.has(to)) took.push(to);
        return items.map(() => (linked.has(to) ? "kept" : "busy"));
      },
      isQuiet: () => true,
      log: silentLog,
      now: () => nowMs,
    },
    { copies: COPIES },
  );
  replicator.made(MANIFEST);
  await replicator.tick();
  for (const key of others) linked.add(key);
  for (const end = nowMs + 10_000; nowMs < end; nowMs += 1_000) await replicator.tick();
  assert.ok(took.length > 0);
});
