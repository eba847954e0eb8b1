import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Facts, limits } from "../base/index.ts";
import type { Given } from "../contracts/index.ts";
import { Ahead } from "./ahead.ts";

const MEMBER = "ab".repeat(32);
const ORDER = Array.from({ length: 200 }, (_, i) => digestOf(`unit ${i}`));

/** A member that has made ORDER. */
function world(): {
  ahead: Ahead;
  asked: string[];
  here: Set<string>;
  events: Facts[];
  aborted: () => boolean;
} {
  const asked: string[] = [];
  const here = new Set<string>();
  const events: Facts[] = [];
  let last: AbortSignal | undefined;
  const given = (manifest: string): Given => ({
    shared: [],
    blobs: new Map(),
    following: ORDER.slice(ORDER.indexOf(manifest) + 1).slice(0, limits.aheadMost),
  });
  const ahead = new Ahead({
    ask: async (from, manifest, signal) => {
      assert.equal(from, MEMBER);
      asked.push(manifest);
      last = signal;
      return given(manifest);
    },
    isHere: (manifest) => here.has(manifest),
    came: () => undefined,
    log: { event: (_level, _name, facts = {}) => void events.push({ ...facts }) },
    now: () => 0,
  });
  return { ahead, asked, here, events, aborted: () => last?.aborted === true };
}

/** Lets answers arrive. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

const from = (at: number, count: number): string[] => ORDER.slice(at, at + count);

test("what follows is asked for before the build does, deeper the more of it is used, and never twice", async () => {
  const { ahead, asked, events } = world();
  assert.equal(ahead.take(ORDER[0] ?? ""), undefined);
  ahead.follow(MEMBER, from(1, 4));
  assert.deepEqual(asked, from(1, limits.aheadFirst));
  let foreseen = 0;
  for (const manifest of from(1, 150)) {
    await settle();
    if (ahead.take(manifest) !== undefined) foreseen++;
  }
  assert.equal(foreseen, 150);
  assert.equal(new Set(asked).size, asked.length);
  assert.ok(asked.length - 150 <= limits.aheadMost && asked.length - 150 > limits.aheadFirst);
  ahead[Symbol.dispose]();
  assert.deepEqual(events, [{ fetched: asked.length, used: 150 }]);
});

test("what is here already is left out, and a build that skips some still finds the others", async () => {
  const { ahead, asked, here } = world();
  for (const manifest of from(2, 2)) here.add(manifest);
  ahead.follow(MEMBER, from(1, 5));
  assert.deepEqual(asked, [ORDER[1], ORDER[4], ORDER[5]]);
  await settle();
  assert.notEqual(ahead.take(ORDER[5] ?? ""), undefined);
  assert.equal(ahead.take(ORDER[5] ?? ""), undefined, "it is given once");
  ahead[Symbol.dispose]();
});

test("a build that goes elsewhere ends it", async () => {
  const { ahead, asked, aborted } = world();
  ahead.follow(MEMBER, from(1, 4));
  await settle();
  for (let i = 0; i <= limits.aheadStrays; i++) assert.equal(ahead.take(digestOf(`elsewhere ${i}`)), undefined);
  assert.ok(aborted());
  const before = asked.length;
  assert.equal(ahead.take(ORDER[1] ?? ""), undefined);
  await settle();
  assert.equal(asked.length, before);
});

test("what has come is looked at without being taken, and stays for who asks", async () => {
  const { ahead, asked } = world();
  ahead.follow(MEMBER, from(1, 4));
  await settle();
  const before = asked.length;
  for (let i = 0; i < 3; i++) for (const manifest of from(1, 4)) assert.equal(ahead.arrivedOf(manifest)?.from, MEMBER);
  await settle();
  assert.equal(asked.length, before, "nothing more is asked for");
  assert.notEqual(ahead.take(ORDER[1] ?? ""), undefined);
});

test("requests that name each other are asked for once", async () => {
  const [one, other] = from(0, 2) as [string, string];
  const asked: string[] = [];
  const ahead = new Ahead({
    ask: (_, manifest) => {
      asked.push(manifest);
      return Promise.resolve({ shared: [], blobs: new Map(), following: [one, other] });
    },
    isHere: () => false,
    came: () => undefined,
    log: { event: () => undefined },
    now: () => 0,
  });
  ahead.follow(MEMBER, [one]);
  for (let i = 0; i < 10; i++) {
    await settle();
    for (const manifest of [one, other]) ahead.take(manifest);
  }
  assert.deepEqual(asked, [one, other]);
  ahead[Symbol.dispose]();
});
