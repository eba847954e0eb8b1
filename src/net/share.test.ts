import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { Given, SharedResult, Wish } from "../contracts/index.ts";
import { codec, until } from "./network.fixture.ts";
import { ALONE, MemoryShelf, nodes, noise, resultOf, type Sharer, Street, sharer, sharers } from "./share.fixture.ts";

const LONG = { timeout: 60_000 };

function pair(all: readonly Sharer[]): [Sharer, Sharer] {
  const [a, b] = all;
  assert.ok(a !== undefined && b !== undefined);
  return [a, b];
}

test("what a member has is known without asking, and so is what it has no more", LONG, async (t) => {
  const [first, second] = await nodes(t, 2);
  assert.ok(first !== undefined && second !== undefined);
  const a = await sharer(t, first);
  a.shelf.put(resultOf("old"));
  const b = await sharer(t, second);
  const late = resultOf("late");
  await until(t, () => a.share.facts().length === 1 && b.share.facts().length === 1);
  a.shelf.put(late);
  await until(t, () => b.share.whoHas(late.manifest).length === 1);
  a.shelf.remove(late.manifest);
  await until(t, () => b.share.whoHas(late.manifest).length === 0);
  const questions = (): number => b.share.facts()[0]?.questionsOut ?? -1;
  assert.deepEqual(b.share.whoHas(digestOf("nobody's")), []);
  assert.equal(questions(), 0);
});

test("a summary of 100,000 arrives whole", LONG, async (t) => {
  const [first, second] = await nodes(t, 2);
  assert.ok(first !== undefined && second !== undefined);
  const names = Array.from({ length: 100_000 }, (_, i) => digestOf(`m${i}`));
  const shelf = new MemoryShelf();
  for (const manifest of names) shelf.stored.set(manifest, []);
  const a = await sharer(t, first, shelf);
  const b = await sharer(t, second);
  await until(t, () => b.share.facts()[0]?.manifests === names.length);
  assert.ok(names.every((manifest) => b.share.whoHas(manifest)[0] === a.key));
});

test("results that are asked for together travel together", LONG, async (t) => {
  const [a, b] = pair(await sharers(t, 2));
  const results = Array.from({ length: 40 }, (_, i) => resultOf(`r${i}`));
  a.shelf.put(...results);
  const answers = await Promise.all(results.map(({ manifest }) => b.share.results(a.key, manifest, ALONE, t.signal)));
  assert.deepEqual(
    answers.map(({ shared }) => shared[0]?.manifest),
    results.map(({ manifest }) => manifest),
  );
  assert.deepEqual(answers[0]?.shared[0]?.entry, results[0]?.entry);
  assert.deepEqual((await b.share.results(a.key, digestOf("unknown"), ALONE, t.signal)).shared, []);
  const [facts] = b.share.facts();
  assert.equal(facts?.questionsOut, 2);
  assert.equal(facts?.results, 40);
  assert.equal(facts?.missed, 1);
});

test("a member is given what it may see, and nothing along with the rest", LONG, async (t) => {
  const [first, second, third] = await nodes(t, 3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const [whole, shown] = [new MemoryShelf(), new MemoryShelf()];
  const { digest, size } = whole.hold(noise(1, 1_000));
  const plain = resultOf("hidden");
  const hidden = { ...plain, result: { ...plain.result, outputs: plain.result.outputs.map((output) => ({ ...output, digest, size })) } };
  const shelfFor = (member: Digest): MemoryShelf => (member === second.members.self ? whole : shown);
  const a = await sharer(t, first, whole, undefined, shelfFor);
  const [b, c] = [await sharer(t, second), await sharer(t, third)];
  whole.put(hidden);
  await until(t, () => [b, c].every(({ share }) => share.whoHas(hidden.manifest).length === 1));
  const ask = (by: Sharer): Promise<Given> => by.share.results(a.key, hidden.manifest, { ...ALONE, alongBytes: 9_999 }, t.signal);
  const [given, nothing] = [await ask(b), await ask(c)];
  assert.deepEqual([given.shared.length, given.blobs.size], [1, 1]);
  assert.deepEqual([nothing.shared.length, nothing.blobs.size], [0, 0]);
});

test("small blobs, a large one and small questions side by side", LONG, async (t) => {
  const [a, b] = pair(await sharers(t, 2));
  const small = Array.from({ length: 300 }, (_, i) => a.shelf.hold(noise(i, 1_024 + ((i * 7_919) % 64_512))));
  const large = a.shelf.hold(noise(1_000, 64 * 1_048_576));
  const empty = a.shelf.hold(new Uint8Array(0));
  const result = resultOf("r");
  a.shelf.put(result);
  const arrived: Digest[] = [];
  const take = async (digest: Digest, bytes: Uint8Array): Promise<void> => {
    assert.equal(digestOf(bytes), digest);
    arrived.push(digest);
  };
  const first = b.share.blobs([a.key], [large], take, t.signal);
  const rest = b.share.blobs([a.key], [...small, empty], take, t.signal);
  const questions = (async () => {
    for (let i = 0; i < 20; i++) assert.equal((await b.share.results(a.key, result.manifest, ALONE, t.signal)).shared.length, 1);
    arrived.push("questions");
  })();
  assert.deepEqual(await Promise.all([first, rest, questions]), [[], [], undefined]);
  assert.equal(new Set(arrived).size, 303);
  // The large one was asked for first, and was in nobody's way.
  assert.equal(arrived.at(-1), large.digest);
});

test("what one member has not comes from the next; what nobody has is told", LONG, async (t) => {
  const [a, b, c] = await sharers(t, 3);
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  const wanted = [a.shelf.hold(noise(1, 5_000)), b.shelf.hold(noise(2, 500_000)), { digest: digestOf("nobody's"), size: 8 }];
  const wrong = { digest: a.shelf.hold(noise(3, 900)).digest, size: 901 };
  const got = new Map<Digest, Uint8Array>();
  const take = async (digest: Digest, bytes: Uint8Array): Promise<void> => void got.set(digest, bytes);
  const missing = await c.share.blobs([a.key, "ef".repeat(32), b.key], [...wanted, wrong], take, t.signal);
  assert.deepEqual(missing.toSorted(), [digestOf("nobody's"), wrong.digest].toSorted());
  assert.deepEqual(
    [...got.keys()].toSorted(),
    wanted
      .slice(0, 2)
      .map(({ digest }) => digest)
      .toSorted(),
  );
  // Neither the small one's memory nor the large one's waits for the collector.
  await until(t, () => [...got.values()].every(({ length }) => length === 0));
});

/** Two members that can lay lanes to each other. */
async function neighbours(t: TestContext): Promise<{ street: Street; a: Sharer; b: Sharer }> {
  const [first, second] = await nodes(t, 2);
  assert.ok(first !== undefined && second !== undefined);
  const street = new Street();
  const a = await sharer(t, first, undefined, street.lanesOf(first.members.self));
  const b = await sharer(t, second, undefined, street.lanesOf(second.members.self));
  await until(t, () => a.share.facts().length === 1 && b.share.facts().length === 1);
  return { street, a, b };
}

test("what is asked goes over the link until a lane is worth it, and again when the lane ends", LONG, async (t) => {
  const { street, a, b } = await neighbours(t);
  const blobs = Array.from({ length: 40 }, (_, i) => a.shelf.hold(noise(i, limits.shareLaneFromBytes / 40 + 1)));
  const fetch = async (wanted = blobs): Promise<number> => {
    const taken = new Set<Digest>();
    assert.deepEqual(await b.share.blobs([a.key], wanted, async (digest) => void taken.add(digest), t.signal), []);
    return taken.size;
  };
  assert.equal(await fetch(blobs.slice(0, 20)), 20);
  assert.equal(street.lanes.length, 0, "for so little there is none");
  assert.equal(await fetch(), 40);
  const [lane] = street.lanes;
  assert.ok(lane?.isOpen);
  const before = street.frames;
  assert.equal(await fetch(), 40);
  assert.ok(street.frames > before + 2, "the second time over the lane");
  lane.end("broken");
  const after = street.frames;
  assert.equal(await fetch(), 40);
  assert.equal(street.frames, after);
  assert.deepEqual(
    b.node.events.filter(({ name }) => name.startsWith("share.lane")).map(({ name, facts }) => [name, facts.why]),
    [
      ["share.lane-opened", undefined],
      ["share.lane-ended", "broken"],
    ],
  );
});

test("who lies on a lane is let go of", LONG, async (t) => {
  const { street, a, b } = await neighbours(t);
  const lane = await street.lanesOf(b.key).open(a.key);
  lane.send(codec.encodeSummary({ kind: "summary", sequence: 0, added: new Uint8Array(0), removed: new Uint8Array(0) }));
  await until(t, () => a.node.events.some(({ name, facts }) => name === "share.cut-off" && facts.why === "frame-invalid: summary"));
  assert.equal(lane.isOpen, false);
});

test("small blobs come along with results, as many as are wanted, and what was made next is told", LONG, async (t) => {
  const [a, b] = pair(await sharers(t, 2));
  const blobs = Array.from({ length: 20 }, (_, i) => noise(i, 30_000));
  const results = blobs.map((bytes, i) => {
    const { digest, size } = a.shelf.hold(bytes);
    const plain = resultOf(`r${i}`);
    const outputs = plain.result.outputs.map((output) => ({ ...output, digest, size }));
    return { ...plain, result: { ...plain.result, outputs } };
  });
  a.shelf.put(...results);
  const digests = results.map(({ result }) => result.outputs[0]?.digest ?? "");
  const ask = async (wish: Wish, ...which: SharedResult[]): Promise<Given[]> =>
    Promise.all(which.map(({ manifest }) => b.share.results(a.key, manifest, wish, t.signal)));
  const [first] = results;
  assert.ok(first !== undefined);
  const [alone] = await ask({ alongBytes: 29_999, have: [], following: 2 }, first);
  assert.deepEqual([alone?.shared.length, alone?.blobs.size], [1, 0]);
  assert.deepEqual(
    alone?.following,
    results.slice(1, 3).map(({ manifest }) => manifest),
  );
  const [held] = await ask({ alongBytes: 30_000, have: digests.slice(0, 1), following: 0 }, first);
  assert.equal(held?.blobs.size, 0);
  const before = b.share.facts()[0]?.questionsOut ?? 0;
  const all = await ask({ alongBytes: 30_000, have: [], following: 0 }, ...results);
  for (const [i, given] of all.entries()) assert.deepEqual([...given.blobs], [[digests[i], blobs[i]]]);
  assert.equal((b.share.facts()[0]?.questionsOut ?? 0) - before, 1);
});

/** Whose blobs are read one after the other, from when everybody has asked. */
class SlowShelf extends MemoryShelf {
  readonly read: Digest[] = [];
  readonly begin = Promise.withResolvers<void>();
  #last: Promise<void> = this.begin.promise;

  override blob(digest: Digest): Promise<Uint8Array | undefined> {
    const reading = this.#last.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
    this.#last = reading;
    return reading.then(() => {
      this.read.push(digest);
      return super.blob(digest);
    });
  }
}

test("where reading does not keep up, who has given is served first, and who has not is served, too", LONG, async (t) => {
  const [first, second, third] = await nodes(t, 3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const shelf = new SlowShelf();
  const a = await sharer(t, first, shelf);
  const [giver, newcomer] = [await sharer(t, second), await sharer(t, third)];
  await until(t, () => [a, giver, newcomer].every(({ share }) => share.facts().length === 2));
  const given = giver.shelf.hold(noise(1, 20 * 1_048_576));
  assert.deepEqual(await a.share.blobs([giver.key], [given], async () => undefined, t.signal), []);

  const blobs = Array.from({ length: 120 }, (_, i) => shelf.hold(noise(i, 30_000)));
  const [for1, for2] = [blobs.slice(0, 60), blobs.slice(60)];
  const fetching = [
    newcomer.share.blobs([a.key], for2, async () => undefined, t.signal),
    giver.share.blobs([a.key], for1, async () => undefined, t.signal),
  ];
  await until(t, () => a.share.facts().every(({ questionsIn }) => questionsIn > 0));
  shelf.begin.resolve();
  assert.deepEqual(await Promise.all(fetching), [[], []]);
  const givers = new Set(for1.map(({ digest }) => digest));
  const before = shelf.read.slice(0, shelf.read.findLastIndex((digest) => givers.has(digest)) + 1);
  const newcomers = before.filter((digest) => !givers.has(digest)).length;
  assert.ok(newcomers >= 10 && newcomers <= 40, `${newcomers} of the newcomer's 60 before all of the giver's`);
});
