import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Digest, digestOf, limits, silentLog } from "../base/index.ts";
import { Pins } from "../store/index.ts";
import { type KeepTree, type KeepVerdict, loadTreeCodec, type TreeEntry } from "../wire/index.ts";
import { KeptTrees, type TreeName } from "./kept-trees.ts";
import type { PinnedResult, ResultNamed } from "./pinned-results.ts";
import { TreeKeeper, type TreeKeeperOptions } from "./tree-keeper.ts";

const NETWORK = digestOf("network");
const [ALICE, ADAM, BOB] = ["alice", "adam", "bob"].map((name) => digestOf(name)) as [string, string, string];
const DOMAINS: Readonly<Record<string, string>> = { [ALICE]: "a", [ADAM]: "a", [BOB]: "b" };
const SELF = digestOf("self");
const LEASE_S = limits.treeCopies.leaseMs / 1_000;

/** A node that members offer trees to. All of them have what a test has made. */
class World {
  readonly directory: string;
  readonly members: Map<Digest, Uint8Array> = new Map();
  readonly blobs: Map<Digest, Buffer> = new Map();
  readonly pins: Pins;
  readonly kept: KeptTrees;
  /** Signed results that members have, and that are here. */
  readonly offered: Map<Digest, readonly Uint8Array[]> = new Map();
  readonly signed: Map<Digest, PinnedResult> = new Map();
  nowMs = 1_000_000;
  asked = 0;
  /** Who is asked for blobs and does not give them, until the asker gives up. */
  silent = "";
  readonly #options: TreeKeeperOptions;

  static make(t: TestContext, options: Partial<TreeKeeperOptions> = {}): World {
    const directory = mkdtempSync(join(tmpdir(), "cairn-kept-trees-"));
    t.after(() => rmSync(directory, { recursive: true }));
    return new World(directory, { capacityBytes: 8_000, keeps: true, ...options });
  }

  private constructor(directory: string, options: TreeKeeperOptions) {
    this.directory = directory;
    this.#options = options;
    this.pins = Pins.open({ log: silentLog }, { file: join(directory, "pins") });
    const parts = { log: silentLog, pins: this.pins, now: () => this.nowMs };
    this.kept = KeptTrees.open(parts, { file: this.file });
  }

  get file(): string {
    return join(this.directory, "kept");
  }

  /** With what is on the disk. */
  async restarted(): Promise<World> {
    await this.kept.flush();
    const world = new World(this.directory, this.#options);
    for (const [digest, bytes] of this.blobs) world.blobs.set(digest, bytes);
    return world;
  }

  get held(): boolean[] {
    return [...this.blobs.keys()].map((blob) => this.pins.holdsBlob(blob));
  }

  async keeper(): Promise<TreeKeeper> {
    const store = {
      directory: this.directory,
      has: (digest: Digest) => Promise.resolve(this.blobs.has(digest)),
      sizeOf: (digest: Digest) => this.blobs.get(digest)?.length,
      read: (digest: Digest) => {
        const bytes = this.blobs.get(digest);
        return Promise.resolve(bytes === undefined ? ({ kind: "miss" } as const) : ({ kind: "hit", bytes } as const));
      },
      write: (bytes: Uint8Array) => {
        this.blobs.set(digestOf(bytes), Buffer.from(bytes));
        return Promise.resolve(digestOf(bytes));
      },
      hasRoom: () => true,
    };
    const holders = (
      digests: readonly Digest[],
      _signal: AbortSignal,
      [first = ALICE]: readonly string[] = [],
    ): Promise<Map<Digest, { key: string; size: number }[]>> =>
      Promise.resolve(new Map(digests.map((digest) => [digest, [{ key: first, size: this.members.get(digest)?.length ?? 0 }]])));
    const blobs = async (
      [from]: readonly string[],
      wanted: readonly { digest: Digest }[],
      take: (digest: Digest, bytes: Uint8Array) => Promise<void>,
      signal: AbortSignal,
    ): Promise<Digest[]> => {
      this.asked += wanted.length;
      if (from === this.silent) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("given up"))));
      for (const { digest } of wanted) await take(digest, this.members.get(digest) ?? new Uint8Array());
      return [];
    };
    const trees = { isMember: () => true, exchange: { blobs }, holders };
    const { kept, pins } = this;
    const codec = await loadTreeCodec();
    const parts = {
      kept,
      pins,
      store,
      codec,
      trees,
      results: {
        pinned: (action: Digest) => this.signed.get(action),
        settledAs: () => undefined,
        bring: (_from: string, named: ResultNamed, hasRoom: (bytes: number) => boolean) => Promise.resolve(this.#bring(named, hasRoom)),
      },
      network: NETWORK,
      self: SELF,
      domainOf: (key: string) => DOMAINS[key] ?? "",
      log: silentLog,
    };
    return new TreeKeeper({ ...parts, isQuiet: () => true, now: () => this.nowMs }, this.#options);
  }

  #bring({ manifest, action }: ResultNamed, hasRoom: (bytes: number) => boolean): KeepVerdict {
    const blobs = this.offered.get(action);
    if (blobs === undefined) return "refused";
    if (!hasRoom(blobs.reduce((sum, { length }) => sum + length, 0))) return "full";
    this.asked += 1;
    for (const bytes of blobs) this.blobs.set(digestOf(bytes), Buffer.from(bytes));
    this.signed.set(action, { manifest, blobs: blobs.map(digestOf) });
    return "kept";
  }

  /** Members have a signed result with these outputs, and it is offered so. */
  result(...outputs: readonly string[]): KeepTree {
    const blobs = outputs.map((text) => Buffer.from(text));
    const action = digestOf(outputs.join());
    this.offered.set(action, blobs);
    const bytes = blobs.reduce((sum, { length }) => sum + length, 0);
    return { digest: action, codec: "result", manifest: digestOf("request"), bytes, leaseS: LEASE_S, pinner: ALICE };
  }

  /** Members have a directory with one file, and it is offered so. */
  async tree(text: string, change: Partial<KeepTree> = {}): Promise<KeepTree> {
    const file = Buffer.from(text);
    const entry: TreeEntry = { kind: "file", digest: digestOf(file), size: file.length, executable: false };
    const node = (await loadTreeCodec()).encodeDirectory(new Map([["file", entry]]));
    assert.ok(node !== undefined);
    for (const bytes of [file, node]) this.members.set(digestOf(bytes), bytes);
    return { digest: digestOf(node), codec: "directory", bytes: file.length + node.length, leaseS: LEASE_S, pinner: ALICE, ...change };
  }
}

/** Offers until it is settled. */
async function offered(keeper: TreeKeeper, from: string, tree: KeepTree): Promise<string | undefined> {
  for (let turns = 0; turns < 10_000; turns++) {
    const [verdict] = await keeper.take(from, [tree]);
    if (verdict !== "busy") return verdict;
    await turn();
  }
  return "busy";
}

function nameOf({ digest, codec }: KeepTree): TreeName {
  return { root: digest, codec };
}

function claimants(world: World, tree: KeepTree): string[] | undefined {
  return world.kept.get(nameOf(tree))?.claims.map(({ from }) => from);
}

test("what a member has pinned is fetched, held over a restart, and let go of when the member says so", async (t) => {
  const first = World.make(t);
  const tree = await first.tree("one");
  assert.equal(await offered(await first.keeper(), ALICE, tree), "kept");
  assert.deepEqual([first.asked, first.held], [2, [true, true]]);

  const world = await first.restarted();
  assert.deepEqual(world.held, [true, true]);
  const keeper = await world.keeper();
  assert.deepEqual([await offered(keeper, ALICE, tree), world.asked], ["kept", 0]);
  await keeper.take(BOB, [{ ...tree, leaseS: 0 }]);
  await keeper.take(BOB, [tree]);
  assert.deepEqual(world.held, [true, true], "only who wanted it can say so");
  await keeper.take(ALICE, [{ ...tree, leaseS: 0 }]);
  assert.deepEqual(
    [world.held, (await world.restarted()).held],
    [
      [false, false],
      [false, false],
    ],
  );
});

test("a result that a member has pinned is brought with its signature, held with its blobs, and brought again when it is lost", async (t) => {
  const first = World.make(t);
  const result = first.result("object", "dependencies");
  assert.equal(await offered(await first.keeper(), ALICE, result), "kept");
  assert.deepEqual([first.held, first.kept.holdsResult(result.digest), first.asked], [[true, true], true, 1]);

  const world = await first.restarted();
  world.offered.set(result.digest, first.offered.get(result.digest) ?? []);
  assert.deepEqual([world.held, world.kept.holdsResult(result.digest)], [[true, true], true]);
  const keeper = await world.keeper();
  assert.equal(await offered(keeper, ALICE, result), "kept");
  assert.deepEqual([world.asked, world.signed.size], [1, 1], "the blobs were here, and nobody's signature");
  world.blobs.clear();
  world.nowMs += limits.treeCopies.wholeMs;
  assert.equal(await offered(keeper, ALICE, result), "kept");
  assert.equal(world.asked, 2);
  await keeper.take(ALICE, [{ ...result, leaseS: 0 }]);
  assert.deepEqual([world.held, world.kept.holdsResult(result.digest)], [[false, false], false]);

  assert.equal(await offered(keeper, ALICE, { ...result, digest: digestOf("unbelieved") }), "refused");
  const large = world.result("z".repeat(5_000));
  assert.equal(await offered(keeper, ALICE, { ...large, bytes: 1 }), "full", "what it is really is what counts");
  assert.equal(world.kept.holdsResult(large.digest), false);
});

test("more of a result than was said is not fetched, and one that is here already is not asked for, whatever it answers here", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const liar = { ...world.result("z".repeat(500)), bytes: 10 };
  assert.equal(await offered(keeper, ALICE, liar), "full");
  assert.deepEqual([world.asked, world.held], [0, []]);

  const result = world.result("object");
  const blob = Buffer.from("object");
  world.blobs.set(digestOf(blob), blob);
  world.signed.set(result.digest, { manifest: digestOf("another request"), blobs: [digestOf(blob)] });
  world.offered.clear(); // Whoever is asked refuses it.
  assert.equal(await offered(keeper, ALICE, result), "kept");
  assert.deepEqual([world.asked, world.held], [0, [true]]);
});

test("what nobody says to have pinned any more is held until its time is up, and copies do not prolong each other's", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const tree = await world.tree("one", { leaseS: 100 });
  assert.equal(await offered(keeper, ALICE, tree), "kept");
  world.nowMs += 60_000;
  await keeper.take(ADAM, [{ ...tree, leaseS: 40 }]);
  assert.deepEqual(claimants(world, tree), [ALICE]);
  world.nowMs += 39_999;
  assert.equal(world.kept.list().length, 1);
  world.nowMs += 1;
  assert.deepEqual([world.kept.list(), world.kept.over().length, world.held], [[], 1, [true, true]], "it may be the last one");
  await offered(keeper, ALICE, { ...tree, leaseS: 4_000_000_000 });
  assert.deepEqual([world.kept.list().length, world.kept.over()], [1, []]);
  assert.equal(world.kept.get(nameOf(tree))?.claims[0]?.untilMs, world.nowMs + LEASE_S * 1_000, "nobody is held to more");
});

test("no domain fills what all may fill, and no tree is larger than its maker said", async (t) => {
  const world = World.make(t); // 2,000 bytes for all, 1,000 for each domain.
  const keeper = await world.keeper();
  const text = "x".repeat(600);
  assert.equal(await offered(keeper, ALICE, await world.tree(`${text}1`)), "kept");
  assert.equal(await offered(keeper, ADAM, await world.tree(`${text}2`)), "full");
  assert.equal(await offered(keeper, BOB, await world.tree(`${text}3`)), "kept");
  const before = world.asked;
  const liar = await world.tree("y".repeat(5_000), { bytes: 200 });
  assert.equal(await offered(keeper, ALICE, liar), "full");
  assert.equal(world.asked, before + 1, "its directory, and not its file");
  for (const [digest, bytes] of world.members) world.blobs.set(digest, Buffer.from(bytes));
  assert.equal(await offered(keeper, ALICE, { ...liar, bytes: 0 }), "full", "what is here already is not held for nothing");
  const none = World.make(t, { keeps: false });
  assert.equal(await offered(await none.keeper(), ALICE, await none.tree("one")), "refused");
  assert.equal(await offered(keeper, ALICE, await world.tree("mine", { pinner: SELF })), "refused", "it was unpinned here");
});

test("what is lost here is fetched again when it is offered, and a damaged list is put aside", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const tree = await world.tree("one");
  await offered(keeper, ALICE, tree);
  world.blobs.delete(tree.digest);
  world.nowMs += limits.treeCopies.wholeMs;
  assert.deepEqual([await offered(keeper, ALICE, tree), world.asked, world.blobs.has(tree.digest)], ["kept", 3, true]);
  await world.kept.flush();
  writeFileSync(world.file, '[{"root":1}]');
  assert.deepEqual((await world.restarted()).held, [false, false]);
  assert.equal(existsSync(`${world.file}.damaged`), true);
});

test("who lets go lets go for itself alone", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const tree = await world.tree("one");
  const bobs = { ...tree, pinner: BOB };
  assert.deepEqual([await offered(keeper, ALICE, tree), await offered(keeper, BOB, bobs)], ["kept", "kept"]);
  await keeper.take(BOB, [{ ...bobs, leaseS: 0 }]);
  assert.deepEqual([claimants(world, tree), (await world.restarted()).held], [[ALICE], [true, true]]);
  // Nor does it end with what somebody has heard, or end anything of who has asked for more.
  await keeper.take(BOB, [{ ...tree, leaseS: 2 }]);
  world.nowMs += 3_000;
  assert.deepEqual([world.kept.list().length, claimants(world, tree)], [1, [ALICE]]);
});

test("a full list of those who want a tree has room for who has pinned it, but not at the cost of another", async (t) => {
  const world = World.make(t);
  const tree = { root: digestOf("tree"), codec: "raw", network: NETWORK, bytes: 1, blobs: [digestOf("tree")] } as const;
  const by = (from: string, pinner: string): { from: string; pinner: string; untilMs: number } => ({
    from,
    pinner,
    untilMs: world.nowMs + 1,
  });
  const keys = Array.from({ length: limits.treeCopies.claims }, (_, i) => digestOf(`k${i}`));
  const [first = ""] = keys;
  for (const key of keys) assert.equal(world.kept.put(tree, by(key, key === first ? ALICE : key)), true);
  assert.deepEqual(
    [world.kept.renew(tree, by(ADAM, ALICE)), world.kept.renew(tree, by(BOB, BOB)), world.kept.renew(tree, by(ALICE, ALICE))],
    [false, true, false],
  );
  assert.equal(
    world.kept.get(tree)?.claims.some(({ from }) => from === first),
    false,
  );
});

test("in a full list of those who want a tree the one that has been over for longest makes room first", (t) => {
  const world = World.make(t);
  const tree = { root: digestOf("tree"), codec: "raw", network: NETWORK, bytes: 1, blobs: [digestOf("tree")] } as const;
  const keys = Array.from({ length: limits.treeCopies.claims }, (_, i) => digestOf(`k${i}`));
  for (const [i, key] of keys.entries())
    world.kept.put(tree, { from: key, pinner: key, untilMs: world.nowMs + (i === 3 ? -2 : i === 1 ? -1 : i) + 1 });
  world.nowMs += 1;
  assert.equal(world.kept.renew(tree, { from: BOB, pinner: ALICE, untilMs: world.nowMs + 1 }), true);
  assert.deepEqual(
    world.kept.get(tree)?.claims.map(({ from }) => from),
    [...keys.filter((_, i) => i !== 3), BOB],
  );
});

test("a file and a directory of the same digest are two trees, and what was said of one member's tells nothing of another's", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const tree = await world.tree("one");
  const raw = { ...tree, codec: "raw", pinner: BOB } as const;
  assert.equal(await offered(keeper, BOB, raw), "kept");
  assert.deepEqual([await offered(keeper, ALICE, tree), world.held], ["kept", [true, true]]);
  await keeper.take(BOB, [{ ...raw, leaseS: 0 }]);
  assert.deepEqual([world.kept.get(nameOf(raw)), world.held], [undefined, [true, true]]);

  const other = await world.tree("another");
  await keeper.take(BOB, [{ ...other, bytes: 1, pinner: BOB }]); // Is too large for what it says.
  for (let turns = 0; turns < 100; turns++) await turn();
  assert.deepEqual(
    [await offered(keeper, ALICE, other), await offered(keeper, BOB, { ...other, bytes: 1, pinner: BOB })],
    ["kept", "kept"],
  );
  world.pins.add({ root: digestOf("blob"), kind: "blob", name: "b", blobs: [digestOf("blob")], atMs: 1 });
  world.blobs.set(digestOf("blob"), Buffer.from("blob"));
  assert.equal(await offered(keeper, ALICE, { ...other, digest: digestOf("blob"), codec: "raw" }), "kept");
  assert.notEqual(await offered(keeper, ALICE, { ...other, digest: digestOf("blob") }), "kept", "a pinned file is no directory");
});

test("a slow member holds up its own domain alone, and what it does not want any more is not fetched further", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  world.silent = BOB;
  const slow = await world.tree("slow", { pinner: BOB });
  assert.deepEqual(await keeper.take(BOB, [slow]), ["busy"]);
  for (let turns = 0; turns < 100; turns++) await turn();
  assert.equal(await offered(keeper, ALICE, await world.tree("one")), "kept");
  await keeper.take(BOB, [{ ...slow, leaseS: 0 }]);
  world.silent = "";
  for (let turns = 0; turns < 100; turns++) await turn();
  assert.equal(world.kept.get(nameOf(slow)), undefined);
  assert.equal(await offered(keeper, BOB, slow), "kept", "nothing is left of the attempt that was given up");
});

test("what is over is held, over a restart, too, until somebody lets go of it or others need the room", async (t) => {
  const before = World.make(t); // 2,000 bytes for all, 1,000 for each domain.
  const old = await before.tree("x".repeat(600), { leaseS: 100 });
  await offered(await before.keeper(), ALICE, old);
  await before.kept.flush();
  const world = await before.restarted();
  for (const [digest, bytes] of before.members) world.members.set(digest, bytes);
  world.nowMs = before.nowMs + 100_000;
  assert.deepEqual([world.kept.over().length, world.held], [1, [true, true]]);
  const keeper = await world.keeper();
  assert.equal(await offered(keeper, BOB, await world.tree("z".repeat(600))), "kept");
  assert.equal(world.kept.over().length, 1, "there is room for both");
  assert.equal(await offered(keeper, ALICE, await world.tree("y".repeat(600))), "kept", "it takes no room from what somebody wants");
  assert.deepEqual([world.kept.over(), world.held], [[], [false, false, true, true, true, true]]);
});

test("nobody ends what somebody else has pinned, also when the time of that is up", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const tree = await world.tree("one", { leaseS: 100 });
  await offered(keeper, ALICE, tree);
  world.nowMs += 100_000;
  const bobs = { ...tree, leaseS: 60, pinner: BOB };
  assert.equal(await offered(keeper, BOB, bobs), "kept");
  assert.deepEqual([world.kept.list().length, claimants(world, tree)], [1, [ALICE, BOB]]);
  await keeper.take(BOB, [{ ...bobs, leaseS: 0 }]);
  assert.deepEqual([world.kept.over().length, claimants(world, tree), world.held], [1, [ALICE], [true, true]]);
  // Nor does a member that has told of another's pin, and then has one itself.
  await keeper.take(ALICE, [{ ...tree, leaseS: 0 }]);
  await offered(keeper, BOB, tree);
  await offered(keeper, BOB, bobs);
  await keeper.take(BOB, [{ ...bobs, leaseS: 0 }]);
  assert.deepEqual(
    world.kept.get(nameOf(tree))?.claims.map(({ from, pinner }) => [from, pinner]),
    [[BOB, ALICE]],
  );
});

test("who asks for much for a short time takes its domain's part, and drives out nothing of others", async (t) => {
  const world = World.make(t); // 2,000 bytes for all, 1,000 for each domain.
  const keeper = await world.keeper();
  const last = await world.tree("x".repeat(600), { leaseS: 100 });
  await offered(keeper, ALICE, last);
  world.nowMs += 100_000;
  for (let round = 0; round < 5; round++) {
    const tree = await world.tree(`${round}`.repeat(600), { leaseS: 2, pinner: BOB });
    assert.equal(await offered(keeper, BOB, tree), "kept");
    world.nowMs += 2_000;
  }
  assert.deepEqual([world.kept.over().length, claimants(world, last)], [2, [ALICE]]);
  // What it shares with others is not its to give.
  assert.equal(await offered(keeper, BOB, { ...last, leaseS: 2, pinner: BOB }), "kept");
  world.nowMs += 2_000;
  assert.equal(await offered(keeper, BOB, await world.tree("y".repeat(600), { leaseS: 2, pinner: BOB })), "kept");
  assert.deepEqual(claimants(world, last), [ALICE]);
});

test("who only asks whether a tree is here hears that, and neither has it fetched nor held for longer", async (t) => {
  const world = World.make(t);
  const keeper = await world.keeper();
  const tree = await world.tree("one", { leaseS: 100 });
  const question = { ...tree, leaseS: limits.treeCopies.askS };
  assert.deepEqual([await offered(keeper, BOB, question), world.asked], ["failed", 0]);
  await offered(keeper, ALICE, tree);
  assert.deepEqual([await offered(keeper, BOB, question), claimants(world, tree)], ["kept", [ALICE]]);
  world.nowMs += 100_000;
  assert.deepEqual([await offered(keeper, BOB, question), world.kept.list()], ["kept", []]);
});

test("what was for another network is let go of", async (t) => {
  const world = World.make(t);
  await offered(await world.keeper(), ALICE, await world.tree("one"));
  world.kept.only(NETWORK);
  assert.deepEqual(world.held, [true, true]);
  world.kept.only(undefined);
  assert.deepEqual([world.held, (await world.restarted()).kept.list()], [[false, false], []]);
});
