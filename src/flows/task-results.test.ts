import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, limits, silentLog } from "../base/index.ts";
import type { ManifestEntry, Offer, ResultOutput, StoredResult, TaskLeft } from "../contracts/index.ts";
import { loadTaskCodec } from "../wire/index.ts";
import { type TaskDone, type TaskKey, TaskResults, taskAction } from "./task-results.ts";

const { signal } = new AbortController();
const codec = await loadTaskCodec();
const wanted: TaskKey = { key: digestOf("key"), inputs: digestOf("inputs"), outputs: ["a", "d"] };
const run = { startedAtMs: 1_000, endedAtMs: 3_500, cpuMs: 2_000, tools: digestOf("tools") };
const done: TaskDone = {
  exitCode: 0,
  stdout: Buffer.from("out"),
  stderr: Buffer.from("err"),
  left: [
    { kind: "file", path: "a", executable: true, content: Buffer.from("content of a") },
    { kind: "directory", path: "d" },
    { kind: "file", path: "d/small", executable: false, content: Buffer.from("small") },
    { kind: "file", path: "d/large", executable: false, content: Buffer.alloc(limits.task.apartBytes, 1) },
    { kind: "link", path: "d/link", target: "small" },
  ],
};

/** Results in memory, and members that offer what is put into `offers`. */
function world() {
  const blobs = new Map<Digest, Buffer>();
  const kept = new Map<Digest, StoredResult>();
  const [executed, offers] = [[] as StoredResult[], [] as Offer[]];
  const store = {
    has: (digest: Digest) => Promise.resolve(blobs.has(digest)),
    read: (digest: Digest) => {
      const bytes = blobs.get(digest);
      return Promise.resolve(bytes === undefined ? { kind: "miss" as const } : { kind: "hit" as const, bytes });
    },
    write: (bytes: Uint8Array) => {
      const digest = digestOf(bytes);
      blobs.set(digest, Buffer.from(bytes));
      return Promise.resolve(digest);
    },
    writeVerified: (digest: Digest, bytes: Uint8Array) => {
      assert.equal(digest, digestOf(bytes));
      blobs.set(digest, Buffer.from(bytes));
      return Promise.resolve();
    },
  };
  const index = {
    entries: (manifest: Digest) => (manifest === wanted.key ? [...kept.keys()].map((action) => ({ action }) as ManifestEntry) : []),
    result: (action: Digest) => kept.get(action),
    originOf: () => undefined,
    touch: () => undefined,
    add: (_: Digest, entry: ManifestEntry, result: StoredResult) => void kept.set(entry.action, result),
  };
  const sharing = {
    executed: (_: Digest, __: ManifestEntry, result: StoredResult) => void executed.push(result),
    find: () => Promise.resolve(offers),
    expected: () => [],
    onExpected: () => undefined,
    findExpected: () => [],
    tookExpected: () => undefined,
    bring: () => Promise.resolve({ complete: true, bytes: 1 }),
    keep: () => true,
    useless: () => undefined,
    vouched: () => false,
    isOthers: () => false,
    mayUse: () => true,
    mayHelp: () => false,
    wordOf: () => undefined,
    restsOn: () => true,
    restsOnThat: () => true,
    checked: () => undefined,
  };
  const results = new TaskResults({ store, index, sharing, codec: () => Promise.resolve(codec), log: silentLog });
  return { results, blobs, kept, executed, offers, store };
}

/** What a member says, who may say anything. */
function offerOf(result: Partial<StoredResult>, changes: Partial<Offer> = {}, entry: Partial<ManifestEntry> = {}): Offer {
  const inputs = [{ path: "\0P", digest: wanted.inputs }];
  const whole = { action: taskAction(wanted), place: undefined, presumed: false, terminal: undefined, inputs, absent: [], ...entry };
  const shared = {
    manifest: wanted.key,
    entry: whole,
    result: { outputs: [], stdout: "", stderr: "", compileMs: 5, cpuMs: 5, ...result },
    execution: { signer: digestOf("signer"), toolchain: digestOf("tools"), startedAtMs: 0, endedAtMs: 5 },
    signature: new Uint8Array(64),
  };
  return { shared, from: [digestOf("member")], domains: ["d"], tier: "team", isToVerify: false, ...changes };
}

test("what is kept comes back whole, large files and declared ones as blobs of their own", async () => {
  const { results, executed } = world();
  await results.keep(wanted, done, run, true, signal);
  const found = await results.find(wanted, signal);
  assert.deepEqual(found, { ...done, key: wanted.key, tookMs: 2_500, from: undefined });
  assert.deepEqual(
    executed[0]?.outputs.map(({ path, role }) => [path, role]),
    [
      ["\0P", "outcome"],
      ["\0P/a", "object"],
      ["\0P/d/large", "object"],
    ],
  );
  assert.equal(await results.find({ ...wanted, key: digestOf("another") }, signal), undefined);
});

test("long printed text is kept, and what is not to be shared is not signed", async () => {
  const { results, executed, kept } = world();
  const long = { ...done, stdout: Buffer.alloc(limits.sharedPrintedBytes + 1, "x"), stderr: Buffer.from("short") };
  await results.keep(wanted, long, run, false, signal);
  const found = await results.find(wanted, signal);
  assert.deepEqual([Buffer.from(found?.stdout ?? []), Buffer.from(found?.stderr ?? [])], [long.stdout, long.stderr]);
  assert.deepEqual([executed.length, [...kept.values()][0]?.stdout], [0, ""]);
});

test("where a blob of it is gone, nothing is known of it", async () => {
  const { results, blobs } = world();
  await results.keep(wanted, done, run, true, signal);
  const all = [...blobs];
  for (const [digest, bytes] of all) {
    blobs.delete(digest);
    assert.equal(await results.find(wanted, signal), undefined);
    blobs.set(digest, bytes);
  }
  assert.equal((await results.find(wanted, signal))?.exitCode, 0);
});

test("a member's result is taken where it is one of this task, and vouched for well enough", async () => {
  const { results, store, offers, blobs } = world();
  const output = async (left: readonly TaskLeft[], exitCode = 0): Promise<ResultOutput> => {
    const bytes = codec.encodeTaskOutcome({ exitCode, left, stdout: new Uint8Array(), stderr: new Uint8Array() });
    return { path: "\0P", digest: await store.write(bytes), size: bytes.length, role: "outcome", template: false };
  };
  const good = await output([{ kind: "file", path: "a", executable: false, content: Buffer.from("theirs") }]);
  const blob = await store.write(Buffer.alloc(100_000));
  const named = { path: "\0P/a", digest: blob, size: 100_000, role: "object", template: false } as const;
  const many = Array.from({ length: 5_000 }, (_, i) => ({
    kind: "apart" as const,
    path: `d/${i}`,
    executable: false,
    digest: blob,
    size: 100_000,
  }));
  const apart = (digest: Digest, size: number): TaskLeft => ({ kind: "apart", path: "a", executable: false, digest, size });
  const refused: readonly (readonly [why: string, offer: Offer])[] = [
    ["one domain alone", offerOf({ outputs: [good] }, { tier: "speculative" })],
    ["to be verified", offerOf({ outputs: [good] }, { isToVerify: true })],
    ["of another action", offerOf({ outputs: [good] }, {}, { action: digestOf("other") })],
    ["of other inputs", offerOf({ outputs: [good] }, {}, { inputs: [{ path: "\0P", digest: digestOf("others") }] })],
    ["a compile's", offerOf({ outputs: [{ ...good, role: "object" }] })],
    ["nothing", offerOf({ outputs: [] })],
    ["more than any task leaves", offerOf({ outputs: [good, { ...named, size: 2 ** 30 }] })],
    ["not declared", offerOf({ outputs: [await output([{ kind: "directory", path: "etc" }])] })],
    [
      "behind a link",
      offerOf({
        outputs: [
          await output([
            { kind: "link", path: "d", target: "x" },
            { kind: "directory", path: "d/e" },
          ]),
        ],
      }),
    ],
    ["a blob that the result does not name", offerOf({ outputs: [await output([apart(blob, 100_000)])] })],
    ["a blob of another size", offerOf({ outputs: [await output([apart(blob, 1)]), named] })],
    ["one blob by thousands of names", offerOf({ outputs: [await output([{ kind: "directory", path: "d" }, ...many]), named] })],
    ["no outcome at all", offerOf({ outputs: [{ ...good, digest: blob }] })],
  ];
  for (const [why, offer] of refused) {
    offers.splice(0, offers.length, offer);
    assert.equal(await results.ask(wanted, false, signal), undefined, why);
  }
  offers.splice(0, offers.length, ...refused.map(([, offer]) => offer), offerOf({ outputs: [good] }));
  const asked = await results.ask(wanted, false, signal);
  const [hit, isSample] = [asked?.hit, asked?.isSample];
  assert.deepEqual([hit?.left.map(({ path }) => path), hit?.from?.tier, isSample, blobs.size > 0], [["a"], "team", false, true]);
  const takes = async (offer: Offer): Promise<unknown> => {
    offers.splice(0, offers.length, offer);
    return (await results.ask(wanted, true, signal))?.isSample;
  };
  assert.equal(await takes(offerOf({ outputs: [good] }, { isToVerify: true })), true, "who can execute it later uses it before");
  assert.equal(await takes(offerOf({ outputs: [good] }, { isToVerify: true, tier: "speculative" })), undefined);
  assert.equal(await takes(offerOf({ outputs: [good], compileMs: limits.task.sampledMs + 1 }, { isToVerify: true })), undefined);
});
