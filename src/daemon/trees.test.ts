/**
 * Trees that somebody made to do harm: fetched from members that say what they like, put at paths of a real file system.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encode } from "cborg";
import { CairnError, type Digest, digestOf, limits } from "../base/index.ts";
import { DiskStore, openDatabase, Pins } from "../store/index.ts";
import { loadTreeCodec, type TreeCodec, type TreeEntry } from "../wire/index.ts";
import { Trees } from "./trees.ts";

const MEMBER = "ab".repeat(32);
const UMASK = 0o022;

/** A node whose only member has the blobs that a test has made, and says of them what the test says. */
class World {
  readonly codec: TreeCodec;
  readonly directory: string;
  readonly store: DiskStore;
  readonly trees: Trees;
  /** What the member has, by the digest that it is asked for. */
  readonly blobs: Map<Digest, Uint8Array> = new Map<Digest, Uint8Array>();
  /** Bytes that the member has given. */
  given = 0;
  /** Called before each blob is given. */
  onGive: () => void = () => undefined;

  static async open(t: TestContext): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), "cairn-trees-"));
    const log = { event: () => undefined };
    const now = (): number => Date.now();
    const database = openDatabase({ log, now }, { file: join(directory, "index.db") });
    const sizes = { capacityBytes: 1e9, rawBytes: 1e9 };
    const store = DiskStore.open({ log, now, database }, { directory: join(directory, "blobs"), ...sizes });
    t.after(async () => {
      await store[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    });
    return new World(directory, store, Pins.open({ log }, { file: join(directory, "pins") }), await loadTreeCodec());
  }

  private constructor(directory: string, store: DiskStore, pins: Pins, codec: TreeCodec) {
    this.directory = directory;
    this.store = store;
    this.codec = codec;
    const holders = async (wanted: readonly Digest[]): Promise<Map<Digest, { key: string; size: number }[]>> =>
      new Map(
        wanted.map((digest) => {
          const size = this.blobs.get(digest)?.length;
          return [digest, size === undefined ? [] : [{ key: MEMBER, size }]];
        }),
      );
    const blobs = async (
      _from: readonly string[],
      wanted: readonly { digest: Digest; size: number }[],
      take: (digest: Digest, bytes: Uint8Array) => Promise<void>,
      signal: AbortSignal,
    ): Promise<Digest[]> => {
      const missing: Digest[] = [];
      for (const { digest, size } of wanted) {
        this.onGive();
        signal.throwIfAborted();
        const bytes = this.blobs.get(digest);
        // The exchange hands on nothing that is not what was asked for.
        if (bytes === undefined || bytes.length !== size || digestOf(bytes) !== digest) missing.push(digest);
        else {
          this.given += size;
          await take(digest, bytes);
        }
      }
      return missing;
    };
    this.trees = new Trees(
      { store, pins, network: () => ({ isMember: () => true, exchange: { blobs }, holders }), named: async () => undefined },
      { own: [join(directory, "state")] },
    );
  }

  file(text: string, size: number = Buffer.byteLength(text)): TreeEntry {
    return { kind: "file", digest: this.#keep(Buffer.from(text)), size, executable: false };
  }

  tree(entries: Readonly<Record<string, TreeEntry>>): TreeEntry {
    const bytes = this.codec.encodeDirectory(new Map(Object.entries(entries)));
    assert.ok(bytes !== undefined);
    return { kind: "directory", digest: this.#keep(bytes), size: bytes.length };
  }

  /** Bytes that are said to be a directory. */
  pretended(bytes: Uint8Array): TreeEntry {
    return { kind: "directory", digest: this.#keep(bytes), size: bytes.length };
  }

  #keep(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  cid(entry: TreeEntry): string {
    assert.ok(entry.kind !== "link");
    return this.codec.formatCid({ digest: entry.digest, codec: entry.kind === "file" ? "raw" : "directory" });
  }

  get target(): string {
    return join(this.directory, "target");
  }

  get(entry: TreeEntry, signal: AbortSignal, force = false): Promise<object> {
    return this.trees.get(this.cid(entry), { path: this.target, force, umask: UMASK }, () => undefined, signal);
  }

  /** Nothing is at the target, and nothing beside it. */
  assertNothing(): void {
    assert.deepEqual(
      readdirSync(this.directory).filter((name) => name.includes("target")),
      [],
    );
  }
}

function isRefused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof CairnError && error.code === code;
}

test("what is damaged in the store is never put in place: it is fetched again, or said to be", async (t) => {
  const world = await World.open(t);
  const [one, two] = [world.file("one"), world.file("two")];
  const tree = world.tree({ one, two });
  await world.get(tree, t.signal);
  const damage = (entry: TreeEntry): void => {
    assert.ok(entry.kind === "file");
    const path = world.store.plainPath(entry.digest);
    chmodSync(path, 0o600);
    writeFileSync(path, "2wo");
  };
  damage(one);
  damage(two);
  await world.get(tree, t.signal, true);
  assert.equal(readFileSync(join(world.target, "one"), "utf8"), "one");
  assert.equal(readFileSync(join(world.target, "two"), "utf8"), "two");

  damage(two);
  const source = join(world.directory, "source");
  writeFileSync(source, "two");
  await world.trees.put(source, () => undefined, t.signal);
  assert.equal(readFileSync(world.store.plainPath(digestOf("two")), "utf8"), "two", "who puts it may remove the original");

  damage(two);
  world.blobs.clear();
  await assert.rejects(world.get(tree, t.signal, true), isRefused("blob-absent"));
  assert.equal(readFileSync(join(world.target, "two"), "utf8"), "two", "what was there before stays");
  await assert.rejects(
    world.trees.pin(
      world.cid(tree),
      () => ({}),
      () => undefined,
      t.signal,
    ),
    isRefused("blob-absent"),
  );
});

type Make = (world: World) => TreeEntry;

const chain =
  (levels: number): Make =>
  (world) => {
    let entry = world.tree({ end: world.file("x") });
    for (let i = 1; i < levels; i++) entry = world.tree({ d: entry });
    return entry;
  };

/** Small where it is kept, endless where it is placed. */
const doubling: Make = (world) => {
  let entry = world.tree({ a: world.file("x"), b: world.file("x") });
  for (let i = 0; i < 60; i++) entry = world.tree({ a: entry, b: entry });
  return entry;
};

const wide: Make = (world) => {
  const file = world.file("x");
  const one = world.tree(Object.fromEntries(Array.from({ length: 8_000 }, (_, i) => [`${i}`, file])));
  return world.tree(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`${i}`, one])));
};

/** More than any disk has: nothing of it may be fetched. */
const enormous: Make = (world) => {
  const files = Array.from({ length: 8_000 }, (_, i): [string, TreeEntry] => [
    `${i}`,
    { kind: "file", digest: digestOf(`${i}`), size: limits.blobBytes, executable: false },
  ]);
  return world.tree({ small: world.file("x"), large: world.tree(Object.fromEntries(files)) });
};

/** Nothing in it is a blob of its own. */
const links: Make = (world) => {
  const some = (at: number): TreeEntry =>
    world.tree(Object.fromEntries(Array.from({ length: 8_000 }, (_, i) => [`${at}-${i}`, { kind: "link", target: "x" }])));
  return world.tree(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`${i}`, some(i)])));
};

for (const [about, make] of [
  ["links", links],
  ["one file again and again", wide],
  ["one directory again and again", doubling],
] as const satisfies readonly (readonly [string, Make])[])
  test(`a tree with too many entries is not pinned, though all are ${about}`, async (t) => {
    const world = await World.open(t);
    const pin = world.trees.pin(
      world.cid(make(world)),
      () => assert.fail("it is pinned"),
      () => undefined,
      t.signal,
    );
    await assert.rejects(pin, isRefused("limit-exceeded"));
  });

for (const [about, make, code] of [
  ["too deep", chain(limits.trees.depth + 2), "limit-exceeded"],
  ["doubling at every level", doubling, "limit-exceeded"],
  ["of more entries than any may have", wide, "limit-exceeded"],
  ["of links alone that are too many", links, "limit-exceeded"],
  ["larger than the disk", enormous, "usage"],
  ["with a file that is not so large", (world) => world.tree({ a: world.file("four", 3) }), "blob-absent"],
  [
    "with a file that nobody has",
    (world) => world.tree({ a: { kind: "file", digest: digestOf("nothing"), size: 1, executable: false } }),
    "blob-absent",
  ],
  ["with bytes for a directory", (world) => world.tree({ a: world.pretended(Buffer.from("x")) }), "frame-invalid"],
  ["with a name that leads out", (world) => world.pretended(encode({ entries: { "../out": { target: "x" } } })), "frame-invalid"],
  ["with the name of the directory above", (world) => world.pretended(encode({ entries: { "..": { target: "x" } } })), "frame-invalid"],
  ["with an absolute name", (world) => world.pretended(encode({ entries: { "/tmp/out": { target: "x" } } })), "frame-invalid"],
  ["with a zero byte in a name", (world) => world.pretended(encode({ entries: { "a\0b": { target: "x" } } })), "frame-invalid"],
] as const satisfies readonly (readonly [string, Make, string])[])
  test(`a tree ${about} is refused, and leaves nothing behind`, async (t) => {
    const world = await World.open(t);
    const root = make(world);
    await assert.rejects(world.get(root, t.signal), isRefused(code));
    world.assertNothing();
    assert.ok(world.given < 8 * limits.trees.nodeBytes, `${world.given} bytes were fetched`);
  });

for (const [about, make, given] of [
  ["a file", (world) => world.file("x".repeat(2_000)), 0],
  ["a directory", (world) => world.tree({ b: { kind: "link", target: "x".repeat(2_000) } }), 0],
  ["a directory below", (world) => world.tree({ a: world.tree({ b: { kind: "link", target: "x".repeat(2_000) } }) }), 1_000],
] as const satisfies readonly (readonly [string, Make, number])[])
  test(`${about} that the store's disk has no room for is refused before it is fetched`, async (t) => {
    const world = await World.open(t);
    t.mock.method(fs, "statfs", () => Promise.resolve({ bavail: 1_000, bsize: 1 }));
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    await assert.rejects(world.get(make(world), t.signal), isRefused("usage"));
    assert.ok(world.given <= given, `${world.given} bytes were fetched`);
  });

test("the deepest tree is placed", async (t) => {
  const world = await World.open(t);
  await world.get(chain(limits.trees.depth + 1)(world), t.signal);
  assert.equal(readFileSync(join(world.target, ...Array.from({ length: limits.trees.depth }, () => "d"), "end"), "utf8"), "x");
});

test("links that lead out are links, and nothing is written through them", async (t) => {
  const world = await World.open(t);
  const outside = join(world.directory, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "mine"), "mine");
  const root = world.tree({
    "a-link": { kind: "link", target: outside },
    "b-link": { kind: "link", target: "../outside/mine" },
    "c-link": { kind: "link", target: "../../../../../../etc/passwd" },
    d: world.tree({ "a-link": world.file("x"), up: { kind: "link", target: ".." } }),
  });
  await world.get(root, t.signal);
  assert.deepEqual(readdirSync(outside), ["mine"]);
  assert.equal(readFileSync(join(outside, "mine"), "utf8"), "mine");
  assert.equal(lstatSync(join(world.target, "a-link")).isSymbolicLink(), true);

  // Where a link lies at the path itself, the link is replaced, and what it leads to is left alone.
  await world.get(world.tree({ a: { kind: "link", target: outside } }), t.signal, true);
  await world.get(root, t.signal, true);
  assert.deepEqual(readdirSync(outside), ["mine"]);
  rmSync(world.target, { recursive: true });
  await world.get(world.file("y"), t.signal);
  assert.equal(readFileSync(world.target, "utf8"), "y");
  assert.equal(existsSync(join(outside, "mine")), true);
});

test("who gives up in the middle leaves nothing at the path, and what has come is not fetched again", async (t) => {
  const world = await World.open(t);
  const root = world.tree(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}`, world.file(`content ${i}`)])));
  const giveUp = new AbortController();
  let asked = 0;
  world.onGive = () => {
    if (++asked === 25) giveUp.abort();
  };
  await assert.rejects(world.get(root, giveUp.signal), { name: "AbortError" });
  world.assertNothing();
  assert.ok(asked <= 26, `${asked} were asked for`);
  asked = 0;
  await world.get(root, t.signal);
  assert.ok(asked <= 27, `${asked} were asked for`);
  assert.equal(readdirSync(world.target).length, 50);
});

test("what a crash has left beside the path is no hindrance, and is gone afterwards", async (t) => {
  const world = await World.open(t);
  const left = join(world.directory, ".target.cairn-part");
  mkdirSync(join(left, "deep"), { recursive: true });
  writeFileSync(join(left, "deep/half"), "ha");
  await world.get(world.tree({ a: world.file("x") }), t.signal);
  assert.deepEqual([existsSync(left), readFileSync(join(world.target, "a"), "utf8")], [false, "x"]);
});

for (const [about, at] of [
  ["the directory above Cairn's own", "."],
  ["Cairn's state", "state"],
  ["what lies in Cairn's state", "state/daemon.log"],
  ["the store", "blobs"],
  ["what is new in the store", "blobs/new"],
  ["Cairn's state by way of a link", "link/state"],
  ["a link to Cairn's state", "to-state"],
] as const)
  test(`not even by force is anything put in the place of ${about}`, async (t) => {
    const world = await World.open(t);
    mkdirSync(join(world.directory, "state"));
    writeFileSync(join(world.directory, "state/daemon.log"), "mine");
    symlinkSync(world.directory, join(world.directory, "link"));
    symlinkSync("state", join(world.directory, "to-state"));
    const cid = world.cid(world.tree({ a: world.file("x") }));
    const path = join(world.directory, at);
    const got = world.trees.get(cid, { path, force: true, umask: UMASK }, () => undefined, t.signal);
    await assert.rejects(got, isRefused("usage"));
    assert.equal(readFileSync(join(world.directory, "state/daemon.log"), "utf8"), "mine");
    assert.ok(existsSync(world.store.directory) && !existsSync(join(world.store.directory, "new")));
  });

test("what lies beside Cairn's own, or is called like it and more, can be put", async (t) => {
  const world = await World.open(t);
  mkdirSync(join(world.directory, "state"));
  const cid = world.cid(world.file("x"));
  for (const at of ["state-2", "blobs2"])
    await world.trees.get(cid, { path: join(world.directory, at), force: false, umask: UMASK }, () => undefined, t.signal);
});

test("more than may be pinned is refused before it is fetched", async (t) => {
  const world = await World.open(t);
  const many = (from: number): TreeEntry =>
    world.tree(
      Object.fromEntries(
        Array.from({ length: 8_000 }, (_, i): [string, TreeEntry] => [
          `${i}`,
          { kind: "file", digest: digestOf(`${from + i}`), size: 1, executable: false },
        ]),
      ),
    );
  const root = world.tree(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`${i}`, many(i * 8_000)])));
  const pin = world.trees.pin(
    world.cid(root),
    () => assert.fail("it is not pinned"),
    () => undefined,
    t.signal,
  );
  await assert.rejects(pin, isRefused("limit-exceeded"));
});

for (const [about, count, nameBytes, holds] of [
  ["as many entries as it may", limits.trees.directoryEntries, 5, true],
  ["more entries than it may", limits.trees.directoryEntries + 1, 5, false],
  ["longer names than it may", 5_000, 250, false],
] as const)
  test(`a directory with ${about} is ${holds ? "put" : "not put, and named"}`, async (t) => {
    const world = await World.open(t);
    mkdirSync(world.target);
    for (let i = 0; i < count; i++) symlinkSync("x", join(world.target, `${i}`.padEnd(nameBytes, "n")));
    const put = world.trees.put(world.target, () => undefined, t.signal);
    if (holds) await put;
    else
      await assert.rejects(put, (error) => {
        assert.ok(error instanceof CairnError && error.code === "limit-exceeded");
        return (
          String(error.facts.what).includes(world.target) && String(error.facts.most).includes(`${limits.trees.directoryEntries} entries`)
        );
      });
  });
