import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { network, sample, shareable } from "../../test/compliance/shared-results.ts";
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { attest, isAttested, type KeyPair, keyPairFromSeed, NO_TOOLCHAIN } from "../trust/index.ts";
import { numberAt, textAt } from "./database.ts";
import { SqliteIndex } from "./results.ts";
import { SqliteShelf, type SqliteShelfOptions } from "./shelf.ts";
import { entryOf, type Opened, openStore, resultOf } from "./store.fixture.ts";

const NO_TOKENS = new Map<never, never>();
const [me, other, third] = [1, 2, 3].map((seed) => keyPairFromSeed(Buffer.alloc(32, seed))) as [KeyPair, KeyPair, KeyPair];

interface OpenedShelf {
  readonly index: SqliteIndex;
  readonly shelf: SqliteShelf;
}

function openShelf(opened: Opened, entriesMax = 1_000, options: Partial<SqliteShelfOptions> = {}): OpenedShelf {
  const index = SqliteIndex.open(opened, { entriesMax });
  return {
    index,
    shelf: new SqliteShelf({ now: opened.now, database: opened.database, index, blobs: opened.store }, { network, ...options }),
  };
}

/** A result that stands for `name`, signed. */
function signed(name: string, keys: KeyPair = me, changes: Partial<SharedResult> = {}): SharedResult {
  const { execution } = sample;
  const made = { manifest: digestOf(`manifest ${name}`), entry: entryOf(name), result: resultOf(digestOf(name)), execution, ...changes };
  const shared = attest(keys, network, made);
  assert.ok(shared !== undefined);
  return shared;
}

/** What a tool has left at a door, received. */
function receipt(name: string, keys: KeyPair = me): SharedResult {
  const output = { path: "turbo", digest: digestOf(name), size: 1, role: "received", template: false } as const;
  const result = { outputs: [output], stdout: "", stderr: "", compileMs: 0, cpuMs: 0 };
  const at = sample.execution.endedAtMs;
  const execution = { ...sample.execution, toolchain: NO_TOOLCHAIN, startedAtMs: at, endedAtMs: at };
  return signed(name, keys, { entry: { ...entryOf(name), inputs: [], absent: [] }, result, execution });
}

/** What a node does with what it executed, or took over. */
function keep({ index, shelf }: OpenedShelf, ...all: readonly SharedResult[]): number {
  for (const { manifest, entry, result } of all) index.add(manifest, entry, result, NO_TOKENS);
  return shelf.put(all);
}

function rows(opened: Opened): number {
  return numberAt(opened.database.statement("SELECT count(*) FROM attestations").get(), 0);
}

test("the digest by which the shelf sees what is not what was signed any more stays as it is, or what was kept before would be dropped", async () => {
  await using opened = openStore();
  const one = signed("a");
  assert.equal(keep(openShelf(opened), one), 1);
  const [action, header, source, content] = ["action a", "a.h", "a.c", "a"].map(digestOf);
  const inputs = String.raw`[["\u0000P/include/a.h","${header}"],["\u0000C/a.c","${source}"]]`;
  const written = `[["a.o","${content}",1,"object",false]],"","d2FybmluZw=="`;
  const text = String.raw`["${action}",null,false,null,${inputs},["\u0000C/a.h"],${written}]`;
  assert.equal(textAt(opened.database.statement("SELECT lower(hex(held)) FROM attestations").get() ?? [], 0), digestOf(text));
  assert.equal(digestOf(text), "e80d7b5dc394af7b708042b7615a2bdab51b08ea4405ef20446824ade3c96543");
});

test("what was put comes back as it was signed, whatever it is and whoever asks", async () => {
  await using opened = openStore();
  const property = fc.asyncProperty(fc.array(shareable, { minLength: 1, maxLength: 6 }), fc.boolean(), async (unsigned, again) => {
    const all = unsigned.map((one) => {
      const entry = { ...one.entry, action: digestOf(one.manifest + one.entry.action) }; // An action belongs to one request.
      const shared = attest(me, network, { ...one, entry });
      assert.ok(shared !== undefined);
      return shared;
    });
    opened.clock.at += 60_000; // Or what comes now would seem older than what an index before it has kept.
    const before = openShelf(opened);
    assert.equal(keep(before, ...all), all.length);
    before.index[Symbol.dispose]();
    if (again) await opened.reopen();
    const { shelf } = openShelf(opened);
    const last = new Map(all.map((one) => [one.manifest + one.entry.action, one]));
    for (const shared of last.values()) {
      const found = shelf.results(shared.manifest);
      assert.deepEqual(
        found.find(({ entry }) => entry.action === shared.entry.action),
        { ...shared, signature: new Uint8Array(shared.signature) },
      );
      for (const one of found) assert.ok(isAttested(network, one));
      assert.ok(shelf.manifests().includes(shared.manifest));
      assert.deepEqual(shelf.signersOf(shared.entry.action), [me.publicKey]);
    }
  });
  await fc.assert(property, { numRuns: 40, endOnFailure: true });
});

test("several may have made the same result, each at its own cost", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const mine = signed("a");
  const theirs = signed("a", other, { result: { ...mine.result, compileMs: 99.25, cpuMs: 98 } });
  assert.equal(keep(both, mine), 1);
  assert.equal(keep(both, theirs), 1);
  const found = both.shelf.results(mine.manifest);
  assert.deepEqual(new Set(found.map(({ result }) => result.compileMs)), new Set([12.5, 99.25]));
  for (const one of found) assert.ok(isAttested(network, one));
  assert.deepEqual(new Set(both.shelf.signersOf(mine.entry.action)), new Set([me.publicKey, other.publicKey]));
  assert.deepEqual(both.shelf.manifests(), [mine.manifest]);
});

test("a node's own signature finds a place, however many others have signed the same", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const keys = Array.from({ length: limits.attestationsPerResult }, (_, seed) => keyPairFromSeed(Buffer.alloc(32, seed + 10)));
  keep(both, ...keys.map((key) => signed("a", key)), signed("b", other));
  const own = signed("a", me);
  assert.equal(both.shelf.put([own]), 0, "as anybody's, it has none");
  for (const again of [own, own]) assert.equal(both.shelf.putOwn([again]), 1);
  const signers = both.shelf.signersOf(own.entry.action);
  assert.deepEqual([signers.includes(me.publicKey), signers.length], [true, limits.attestationsPerResult]);
  assert.equal(both.shelf.putOwn([signed("b", me)]), 1);
  assert.equal(both.shelf.signersOf(entryOf("b").action).length, 2, "where there is room, nobody loses one");
});

test("signatures of one result are bounded in number; one that is there already may be renewed", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const keys = Array.from({ length: limits.attestationsPerResult + 1 }, (_, seed) => keyPairFromSeed(Buffer.alloc(32, seed)));
  const all = keys.map((key) => signed("a", key));
  assert.equal(keep(both, ...all), limits.attestationsPerResult);
  assert.equal(rows(opened), limits.attestationsPerResult);
  const renewed = signed("a", keys[0], { result: { ...resultOf(digestOf("a")), compileMs: 1 } });
  assert.equal(both.shelf.put([renewed]), 1);
  assert.ok(both.shelf.results(renewed.manifest).some(({ result }) => result.compileMs === 1));
});

test("a signature without its result is not kept", async () => {
  await using opened = openStore();
  const { shelf } = openShelf(opened);
  const shared = signed("a");
  assert.equal(shelf.put([shared]), 0);
  assert.deepEqual(shelf.manifests(), []);
  assert.deepEqual(shelf.results(shared.manifest), []);
});

test("what the index holds no longer as it was signed is not served, and its signature goes", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const [first, second, third] = ["a", "b", "c"].map((name) => signed(name)) as [SharedResult, SharedResult, SharedResult];
  keep(both, first, second, third);
  both.index.add(first.manifest, { ...first.entry, absent: [] }, first.result, NO_TOKENS);
  both.index.add(second.manifest, second.entry, resultOf(digestOf("other bytes")), NO_TOKENS);
  both.index.add(third.manifest, third.entry, { ...third.result, compileMs: 7 }, NO_TOKENS); // Only compiled again.
  assert.deepEqual(both.shelf.results(first.manifest), []);
  assert.deepEqual(both.shelf.results(second.manifest), []);
  assert.equal(both.shelf.results(third.manifest).length, 1);
  assert.equal(rows(opened), 1);
  assert.deepEqual(both.shelf.manifests(), [third.manifest]);
});

test("receipts are among what is told and judged, and not among what is copied or foretold", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const [a, left, b] = [signed("a"), receipt("left"), signed("b")];
  keep(both, a, left, b);
  const sorted = (all: readonly SharedResult[]): Digest[] => all.map(({ manifest }) => manifest).toSorted();
  assert.deepEqual(both.shelf.manifests().toSorted(), sorted([a, left, b]));
  assert.deepEqual(both.shelf.manifestsToJudge("", 9), sorted([a, left, b]));
  assert.deepEqual(both.shelf.manifestsAfter("", 9), sorted([a, b]));
  assert.deepEqual(both.shelf.following(a.manifest, 9), [b.manifest]);
  assert.ok(both.shelf.results(left.manifest).every((one) => isAttested(network, one)));
  assert.equal(both.shelf.results(left.manifest).length, 1);
});

test("results come most recently used first", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const all = ["a", "b", "c"].map((name) => signed(name, me, { manifest: digestOf("one") }));
  keep(both, ...all);
  const order = (): Digest[] => both.shelf.results(digestOf("one")).map(({ entry }) => entry.action);
  const actions = all.map(({ entry }) => entry.action);
  assert.deepEqual(order(), actions.toReversed());
  both.index.touch(digestOf("one"), actions[0] ?? "");
  assert.deepEqual(order(), [actions[0], actions[2], actions[1]]);
});

test("a signature goes with its result, its entry, and its blobs", async () => {
  await using opened = openStore();
  const both = openShelf(opened, 3);
  const content = Buffer.from("object");
  const blob = await opened.store.write(content);
  const named = ["forgotten", "evicted", "c", "d", "e", "f"].map((name) =>
    signed(name, me, name === "evicted" ? { result: resultOf(blob) } : {}),
  );
  const [forgotten, evicted] = named as [SharedResult, SharedResult];
  keep(both, ...named);
  assert.deepEqual(await both.shelf.blob(blob, AbortSignal.timeout(10_000)), content);
  both.index.forget(forgotten.entry.action);
  assert.equal(rows(opened), 5);
  await opened.store.remove(blob);
  assert.equal(await both.shelf.blob(blob, AbortSignal.timeout(10_000)), undefined);
  assert.deepEqual(both.shelf.results(evicted.manifest), []);
  assert.equal(rows(opened), 4);
  while (both.index.tidy(1_000));
  assert.equal(rows(opened), 3);
  assert.equal(both.shelf.manifests().length, 3);
});

test("whose signatures are too many loses the oldest of them", async () => {
  await using opened = openStore();
  const both = openShelf(opened, 10_000, { attestationsMax: 1_500, attestationsPerSignerMax: 1_000 });
  const put = (keys: KeyPair, from: number, count: number): number =>
    keep(both, ...Array.from({ length: count }, (_, at) => signed(`${keys.publicKey} ${from + at}`, keys)));
  put(me, 0, 200);
  put(other, 0, 1_000);
  assert.equal(rows(opened), 1_200);
  put(other, 1_000, 1); // One too many of one signer.
  assert.equal(rows(opened), 701);
  assert.deepEqual(both.shelf.signersOf(entryOf(`${other.publicKey} 0`).action), []);
  assert.deepEqual(both.shelf.signersOf(entryOf(`${other.publicKey} 1000`).action), [other.publicKey]);
  put(third, 0, 900); // Too many of all: who has the most loses.
  assert.equal(rows(opened), 1_101);
  assert.deepEqual(both.shelf.signersOf(entryOf(`${me.publicKey} 0`).action), [me.publicKey]);
  // A shelf that was opened since counts what is there.
  const later = openShelf(opened, 10_000, { attestationsMax: 1_500, attestationsPerSignerMax: 400 });
  keep(later, signed("one more"));
  assert.equal(rows(opened), 602);
});

test("however much tools leave, what was compiled keeps its signatures, and the other way round", async () => {
  await using opened = openStore();
  const bounds = { attestationsMax: 1_500, attestationsPerSignerMax: 1_000, doorsMax: 900, doorsPerSignerMax: 600 };
  const both = openShelf(opened, 10_000, bounds);
  const all = (count: number, make: (name: string) => SharedResult): SharedResult[] =>
    Array.from({ length: count }, (_, at) => make(`${make.name} ${at}`));
  const compiled = all(1_000, signed);
  keep(both, ...compiled);
  const left = all(601, receipt);
  keep(both, ...left);
  const signers = ({ entry }: SharedResult): readonly string[] => both.shelf.signersOf(entry.action);
  assert.ok(compiled.every((one) => signers(one).length === 1));
  assert.equal(rows(opened), 1_000 + 101, "one too many takes the oldest of them along");
  assert.equal(both.index.result(left[0]?.entry.action ?? ""), undefined, "what is of no use any more takes no room in the index");
  assert.deepEqual([signers(left[0] ?? assert.fail()).length, signers(left.at(-1) ?? assert.fail()).length], [0, 1]);
  keep(both, signed("one too many"));
  assert.equal(rows(opened), 501 + 101);
  // A shelf that was opened since counts what is there.
  const later = openShelf(opened, 10_000, { ...bounds, doorsPerSignerMax: 50 });
  keep(later, receipt("one more"));
  assert.equal(rows(opened), 501);
});

test("what came through doors is told to nobody who has not asked", async (t) => {
  await using opened = openStore();
  const both = openShelf(opened);
  using shelf = both.shelf;
  const told: Digest[] = [];
  shelf.onOffered((added) => told.push(...added));
  const [compiled, left] = [signed("compiled"), receipt("left")];
  keep(both, left, compiled);
  await until(t, () => told.length > 0);
  assert.deepEqual([told, shelf.offered()], [[compiled.manifest], [compiled.manifest]]);
  assert.deepEqual(new Set(shelf.manifests()), new Set([compiled.manifest, left.manifest]));
});

test("changes are told soon, together, and as they are when they are told", async (t) => {
  await using opened = openStore();
  const both = openShelf(opened);
  using shelf = both.shelf;
  const told: { added: readonly Digest[]; removed: readonly Digest[] }[] = [];
  shelf.onChange((added, removed) => told.push({ added, removed }));
  const all = ["a", "b", "c"].map((name) => signed(name));
  const [first, second, third] = all.map(({ manifest }) => manifest) as [Digest, Digest, Digest];
  keep(both, ...all);
  both.index.forget(entryOf("c").action);
  assert.deepEqual(told, []);
  await until(t, () => told.length > 0);
  assert.deepEqual(told, [{ added: [first, second], removed: [third] }]);
  await opened.store.remove(digestOf("a")); // Of a blob that never was here: its results go all the same.
  await until(t, () => told.length > 1);
  assert.deepEqual(told[1], { added: [], removed: [first] });
});

test("recalling forgets what only these signers vouch for", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const many = Array.from({ length: 600 }, (_, at) => signed(`other ${at}`, other));
  const shared = [signed("both", other), signed("both", me)];
  const mine = signed("mine");
  const bad = [signed("bad", other), signed("bad", third)];
  keep(both, ...many, ...shared, mine, ...bad);
  const { signal } = new AbortController();
  let told = 0;
  const before = (): void => {
    if (told++ === 0) assert.ok(both.index.result(entryOf("other 0").action) !== undefined, "it is told before anything is gone");
  };
  let steps = 0;
  const after = (): void => {
    if (steps++ === 0) assert.ok(both.index.result(entryOf("bad").action) !== undefined, "and after each step, not at the end alone");
  };
  const around = { before, after };
  assert.deepEqual(await both.shelf.recall(new Set(), around, signal), { forgotten: 0, isDone: true });
  assert.deepEqual(await both.shelf.recall(new Set([digestOf("nobody")]), around, signal), { forgotten: 0, isDone: true });
  assert.equal(told, 0);
  assert.deepEqual(await both.shelf.recall(new Set([other.publicKey, third.publicKey]), around, signal), { forgotten: 601, isDone: true });
  assert.ok(told > 0 && steps > 1);
  assert.deepEqual(new Set(both.shelf.manifests()), new Set([mine.manifest, digestOf("manifest both")]));
  assert.deepEqual(both.shelf.signersOf(entryOf("both").action), [me.publicKey]);
  assert.equal(both.index.result(entryOf("other 5").action), undefined);
  assert.equal(both.index.result(entryOf("bad").action), undefined);
  assert.ok(both.index.result(entryOf("both").action) !== undefined);
});

test("recalling lets other work be done in between, and can be called off", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  keep(both, ...Array.from({ length: 900 }, (_, at) => signed(`${at}`, other)));
  const controller = new AbortController();
  const left: number[] = [];
  const watch = (): void => {
    left.push(rows(opened));
    if (left.length === 2) controller.abort();
    else setImmediate(watch);
  };
  setImmediate(watch);
  await assert.rejects(
    both.shelf.recall(new Set([other.publicKey]), { before: () => undefined, after: () => undefined }, controller.signal),
    { name: "AbortError" },
  );
  assert.ok(
    left.every((count) => count > 0 && count < 900),
    String(left),
  );
});

test("signatures of one network are not served in another", async () => {
  await using opened = openStore();
  const shared = signed("a");
  keep(openShelf(opened), shared);
  assert.equal(openShelf(opened).shelf.results(shared.manifest).length, 1);
  const { index, shelf } = openShelf(opened, 1_000, { network: digestOf("another network") });
  assert.deepEqual(shelf.manifests(), []);
  assert.deepEqual(index.entries(shared.manifest), [shared.entry]);
  shelf.put([shared]);
  assert.deepEqual(openShelf(opened).shelf.manifests(), []);
});

test("a database of before there were signatures keeps what it holds", async () => {
  await using opened = openStore();
  const shared = signed("a");
  SqliteIndex.open(opened).add(shared.manifest, shared.entry, shared.result, NO_TOKENS);
  opened.database.statement("DROP TRIGGER entry_unattested").run();
  opened.database.statement("DROP TABLE attestations").run();
  await opened.reopen();
  const { index, shelf } = openShelf(opened);
  assert.deepEqual(index.entries(shared.manifest), [shared.entry]);
  assert.equal(shelf.put([shared]), 1);
  assert.equal(shelf.results(shared.manifest).length, 1);
});

test("when the database is damaged the shelf is empty, and can be filled again", async () => {
  await using opened = openStore();
  const both = openShelf(opened);
  const shared = signed("a");
  keep(both, shared);
  opened.database.statement("UPDATE attestations SET started = started + 1").run();
  assert.deepEqual(both.shelf.results(shared.manifest), []);
  assert.deepEqual(both.shelf.manifests(), []);
  assert.equal(keep(both, shared), 1);
  assert.equal(both.shelf.results(shared.manifest).length, 1);
  both.index.forget(shared.entry.action);
  assert.equal(rows(opened), 0);
});

async function until(t: TestContext, holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5, undefined, { signal: t.signal });
}
