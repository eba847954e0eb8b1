/**
 * What the compiler wrapper does in a checkout that has no records of its own: it takes one that answers in every checkout, and compares contents.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { digestOf } from "../../src/base/index.ts";
import { renderDepfile } from "../../src/compile/index.ts";
import { type MovableRecord, movableKey, readHitsLog, writeMovableRecord } from "../../src/wire/index.ts";
import { buildWrapper, fingerprint, World } from "./client-world.ts";

const wrapper = buildWrapper();
after(wrapper.remove);

const CONTENTS_BYTES = 2_048 * 4_096;
/** Longer than what is younger is believed. */
const RACY_MS = 60;
/** Longer than what is younger is remembered. */
const LASTING_MS = 2_100;
const ENTRY_BYTES = 80;
const AT_DIGEST = 40;
const AT_CHECKSUM = 72;

/** A world with two checkouts of the same, both old enough to be believed. */
class Checkouts extends World {
  readonly elsewhere: string;

  private constructor() {
    super(wrapper.path);
    this.elsewhere = join(this.directory, "a", "longer", "way", "to-it");
  }

  static async make(files: Readonly<Record<string, string>> = {}, mark = ".git/HEAD"): Promise<Checkouts> {
    const world = new Checkouts();
    for (const [path, text] of Object.entries({ ...files, [mark]: "" })) {
      const at = join(world.project, path);
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, text);
    }
    cpSync(world.project, world.elsewhere, { recursive: true });
    writeFileSync(join(world.run, "contents"), Buffer.alloc(CONTENTS_BYTES), { mode: 0o600 });
    await sleep(RACY_MS);
    return world;
  }

  content(path: string): { path: string; digest: string } {
    return { path, digest: digestOf(readFileSync(join(this.project, path.replace("\0", ".")))) };
  }

  movable(key: string, changes: Partial<MovableRecord> = {}): Buffer {
    const bytes = writeMovableRecord({
      key,
      compileMs: 1234,
      storeDirectory: this.store,
      inputs: [this.content("a.c")],
      absences: [],
      outputs: [this.blob("a.o", "from the store\n")],
      stdout: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
      namesRoot: false,
      root: this.project,
      source: join(this.project, "a.c"),
      action: digestOf("a.c"),
      ...changes,
    });
    if (bytes === undefined) throw new Error("not a record");
    return bytes;
  }

  /** Leaves a record, the only one, for what the arguments ask for in every checkout. @returns its key */
  async leaveMovable(args: readonly string[], changes: Partial<MovableRecord> = {}): Promise<string> {
    rmSync(join(this.run, "hot"), { recursive: true, force: true });
    const key = movableKey(await this.requestOf(args), this.project);
    this.leave(key, this.movable(key, changes));
    return key;
  }

  /** @returns what the object is then: the store's, or the compiler's */
  async compile(args: readonly string[] = COMPILE, cwd: string = this.elsewhere): Promise<string> {
    return (await this.compileLoudly(args, cwd)).object;
  }

  /** @returns with what was printed */
  async compileLoudly(
    args: readonly string[] = COMPILE,
    cwd: string = this.elsewhere,
  ): Promise<{ object: string; stdout: string; stderr: string }> {
    rmSync(join(cwd, "a.o"), { force: true });
    const { code, signal, stdout, stderr } = await this.start(args, { cwd });
    assert.deepEqual([code, signal], [0, null]);
    return { object: readFileSync(join(cwd, "a.o"), "utf8").trim(), stdout, stderr };
  }

  put(path: string, text: string): void {
    const at = join(this.elsewhere, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, text);
  }
}

const COMPILE = ["fakecc", "-c", "a.c", "-o", "a.o"];
const HIT = "from the store";
const ASKED = "compiled"; // Nobody answers.

const listed = (...names: string[]): string => digestOf(Buffer.from(names.map((name) => `${name}\0`).join("")));

test("a record for every checkout answers in one that nobody has built in, and the hit names its root", async () => {
  await using world = await Checkouts.make({ "include/h.h": "1", "src/a.c": "int a;" });
  const args = ["fakecc", "-c", join(world.project, "src/a.c"), `-I${world.project}/include`, "-o", "a.o", `-DAT="${world.project}"`];
  const here = args.map((arg) => arg.replace(world.project, world.elsewhere));
  await world.leaveMovable(args, {
    inputs: [
      world.content("\0/src/a.c"),
      world.content("\0/include/h.h"),
      world.content("a.c"),
      { ...world.input("a.c"), path: "/usr/bin/env" },
    ],
    outputs: [world.blob("\0/a.o", HIT)],
  });
  assert.equal(await world.compile(here), ASKED, "a file of the system is another");
  const key = await world.leaveMovable(args, {
    inputs: [world.content("\0/src/a.c"), world.content("\0/include/h.h"), world.content("a.c")],
    outputs: [world.blob("\0/a.o", HIT)],
  });
  world.forgetCompiles();
  assert.equal(await world.compile(here), HIT);
  assert.deepEqual(world.compiles(), []);
  const [hit] = readHitsLog(readFileSync(join(world.run, "hits.log")));
  assert.deepEqual([hit?.key, hit?.root, hit?.compileMs], [key, world.elsewhere, 1234]);
});

test("what is another request in another checkout is not answered", async () => {
  await using world = await Checkouts.make({ "sub/x": "", "sub-way/x": "" });
  await world.leaveMovable([...COMPILE, `-I${world.project}/sub`]);
  assert.equal(await world.compile([...COMPILE, `-I${world.elsewhere}/sub`]), HIT);
  for (const other of [`-I${world.project}/sub`, `-I${world.elsewhere}-x/sub`, `-I${world.elsewhere}/sub-way`, `-I${world.elsewhere}`])
    assert.equal(await world.compile([...COMPILE, other]), ASKED, other);
  cpSync(join(world.elsewhere, "a.c"), join(world.elsewhere, "sub/a.c"));
  assert.equal(await world.compile([...COMPILE, `-I${world.elsewhere}/sub`], join(world.elsewhere, "sub")), ASKED, "another directory");
});

test("the key is the one that the daemon makes, wherever the root stands", async () => {
  await using world = await Checkouts.make();
  const around = fc.constantFrom(
    "",
    "-I",
    "x",
    "/",
    "/src",
    "=",
    ":",
    "-x",
    ".",
    "é",
    '"',
    "~",
    " ",
    "//",
    "_",
    "@",
    "-ffile-prefix-map=",
    "[",
  );
  const root = fc.constantFrom("ROOT", "ROOT", "ROOT/..", "/");
  const arg = fc.array(fc.oneof(around, root), { maxLength: 6 }).map((parts) => `-${parts.join("")}`);
  await fc.assert(
    fc.asyncProperty(fc.array(arg, { maxLength: 5 }), async (args) => {
      const at = (place: string): string[] => [...COMPILE, ...args.map((one) => one.replaceAll("ROOT", place))];
      rmSync(join(world.run, "hot"), { recursive: true, force: true });
      const asked = await world.requestOf(at(world.project));
      const key = movableKey(asked, world.project);
      world.leave(key, world.movable(key));
      const environment = new Map([...asked.environment, ["PWD", world.elsewhere]]);
      const there = movableKey({ ...asked, cwd: world.elsewhere, argv: at(world.elsewhere), environment }, world.elsewhere);
      assert.equal(await world.compile(at(world.elsewhere)), there === key ? HIT : ASKED);
    }),
    { numRuns: 40 },
  );
});

test("contents count, not times: what was edited asks, and what is as it was does not", async () => {
  await using world = await Checkouts.make({ "h.h": "1\n" });
  await world.leaveMovable(COMPILE, { inputs: [world.content("a.c"), world.content("h.h")] });
  assert.equal(await world.compile(), HIT);
  world.put("h.h", "2\n");
  assert.equal(await world.compile(), ASKED, "edited, and young");
  await sleep(RACY_MS);
  assert.equal(await world.compile(), ASKED, "edited");
  world.put("h.h", "1\n");
  await sleep(RACY_MS);
  assert.equal(await world.compile(), HIT, "as it was");
  utimesSync(join(world.elsewhere, "h.h"), 1, 1);
  await sleep(RACY_MS);
  assert.equal(await world.compile(), HIT, "at another time");
  renameSync(join(world.elsewhere, "h.h"), join(world.elsewhere, "i.h"));
  assert.equal(await world.compile(), ASKED, "gone");
  mkdirSync(join(world.elsewhere, "h.h"));
  await sleep(RACY_MS);
  assert.equal(await world.compile(), ASKED, "a directory");
});

test("a file that was written this moment is not believed, with or without a table that knows it", async () => {
  await using world = await Checkouts.make();
  await world.leaveMovable(COMPILE);
  // However long it takes: a file from the future stays too young.
  const soon = Date.now() / 1_000 + 3_600;
  utimesSync(join(world.elsewhere, "a.c"), soon, soon);
  for (let times = 0; times < 2; times++) assert.equal(await world.compile(), ASKED);
});

test("a name that appears where it was looked for in vain asks; one that was not looked for does not", async () => {
  await using world = await Checkouts.make({ "early/x": "", "late/h.h": "" });
  const absences = [
    { directory: "\0/early", digest: listed("x"), names: ["h.h", "sys/h.h"] },
    { directory: "\0/none", digest: listed("y"), names: ["h.h"] },
    { directory: "early", digest: undefined, names: ["i.h"] },
  ];
  await world.leaveMovable(COMPILE, { absences });
  assert.equal(await world.compile(), HIT);
  world.put("early/other.h", "");
  assert.equal(await world.compile(), HIT, "looked for by name");
  await sleep(RACY_MS);
  assert.equal(await world.compile(), HIT);
  for (const path of ["early/h.h", "early/sys/h.h", "none/h.h", "early/i.h"]) {
    world.put(path, "");
    assert.equal(await world.compile(), ASKED, path);
    await sleep(RACY_MS);
    assert.equal(await world.compile(), ASKED, path);
    rmSync(join(world.elsewhere, path));
    assert.equal(await world.compile(), HIT, `${path} is gone`);
  }
});

test("a link that leads nowhere is something in another checkout", async () => {
  await using world = await Checkouts.make({ "early/x": "" });
  await world.leaveMovable(COMPILE, { absences: [{ directory: "\0/early", digest: undefined, names: ["h.h"] }] });
  assert.equal(await world.compile(), HIT);
  symlinkSync("nowhere", join(world.elsewhere, "early/h.h"));
  assert.equal(await world.compile(), ASKED);
});

test("listings are told by all names, in the order of their bytes", async () => {
  const names = ["z", "B", "a", "é", "~", "0", "a-b", "a.b", "\u{1f600}", "aa", ".hidden"];
  await using world = await Checkouts.make(Object.fromEntries(names.map((name) => [`early/${name}`, ""])));
  const sorted = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  // What lies there only counts where the listing is another. So many are not looked for one by one before that.
  const wanted = ["aa", ...Array.from({ length: 20 }, (_, at) => `${at}.h`)];
  const absences = (digest: string): MovableRecord["absences"] => [{ directory: "early", digest, names: wanted }];
  await world.leaveMovable(COMPILE, { absences: absences(listed(...sorted)) });
  assert.equal(await world.compile(), HIT);
  await world.leaveMovable(COMPILE, { absences: absences(listed(...names)) });
  assert.equal(await world.compile(), ASKED);
});

test("dependency files are what the compilers of that style write for this checkout", async () => {
  await using world = await Checkouts.make();
  const name = fc
    .tuple(fc.constantFrom("\0/", "", "/usr/include/"), fc.stringMatching(/^[a-z0-9_.+/-]{1,70}$/))
    .map(([where, rest]) => where + rest);
  const names = (minLength: number): fc.Arbitrary<string[]> => fc.array(name, { minLength, maxLength: 12 });
  const style = fc.record({ family: fc.constantFrom("gcc" as const, "clang" as const), spaced: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(style, names(1), names(0), names(0), async (how, targets, dependencies, phony) => {
      const rule = { style: how, targets, dependencies, phony };
      await world.leaveMovable(COMPILE, { outputs: [world.blob("a.o", HIT), { path: "\0/a.d", rule }] });
      assert.equal(await world.compile(), HIT);
      const wanted = renderDepfile({ ...rule, style: how }, (one) => one.replace("\0", world.elsewhere));
      assert.equal(readFileSync(join(world.elsewhere, "a.d"), "utf8"), wanted);
    }),
    { numRuns: 60 },
  );
});

/** Of the record's stdout and stderr. */
function printing(stdout: string, stderr: string): Partial<MovableRecord> {
  return { stdout: Buffer.from(stdout), stderr: Buffer.from(stderr), namesRoot: true };
}

test("what was printed names this checkout wherever it is marked", async () => {
  await using world = await Checkouts.make();
  const part = fc.oneof(fc.constant("\0"), fc.constantFrom("/src/a.c:1:2: warning: ", "\n", "‘", "\x1b[01m\x1b[K"), fc.string());
  const text = fc.array(part, { maxLength: 200 }).map((parts) => parts.join("").replaceAll("\ufffd", ""));
  await fc.assert(
    fc.asyncProperty(text, text, async (stdout, stderr) => {
      await world.leaveMovable(COMPILE, printing(stdout, stderr));
      const [there, here] = [world.elsewhere, world.project].map((root) => [stdout, stderr].map((one) => one.replaceAll("\0", root)));
      assert.deepEqual(Object.values(await world.compileLoudly()), [HIT, ...(there ?? [])]);
      assert.deepEqual(Object.values(await world.compileLoudly(COMPILE, world.project)), [HIT, ...(here ?? [])]);
    }),
    { numRuns: 40 },
  );
});

test("a zero byte that was printed stays one where nothing is marked", async () => {
  await using world = await Checkouts.make();
  await world.leaveMovable(COMPILE, { stderr: Buffer.from("a\0b") });
  assert.deepEqual(await world.compileLoudly(), { object: HIT, stdout: "", stderr: "a\0b" });
});

test("messages that name a root which compilers print in another way are left to the daemon, and others are not", async () => {
  await using world = await Checkouts.make();
  const others = ['with"quote', "back\\slash", "umläut", "bell\x07", "delete\x7f"].map((name) => join(world.directory, name));
  for (const other of others) cpSync(world.elsewhere, other, { recursive: true });
  await sleep(RACY_MS);
  for (const [printed, outcome] of [
    [printing("", "\0/a.c: warning\n"), ASKED],
    [printing("\0", ""), ASKED],
    [{ stderr: Buffer.from("a.c: warning\n") }, HIT],
    [printing("", "a.c: warning\n"), HIT],
  ] as const) {
    await world.leaveMovable(COMPILE, printed);
    for (const other of others) assert.equal(await world.compile(COMPILE, other), outcome, other);
    assert.equal(await world.compile(), HIT);
  }
});

test("messages whose marks are miscounted, would fill memory, or are not known about, are left to the daemon", async () => {
  await using world = await Checkouts.make();
  const key = await world.leaveMovable(COMPILE);
  const leave = (edit: (bytes: Buffer) => void): void => {
    const bytes = world.movable(key, printing("\0", "\0/a.c: warning at \0\n"));
    edit(bytes);
    bytes.writeUInt32LE(crc32(bytes.subarray(16)), 12);
    world.leave(key, bytes);
  };
  leave(() => undefined);
  assert.equal(await world.compile(), HIT);
  for (const at of [-8, -4])
    for (const count of [0, 3, 0xffffffff]) {
      leave((bytes) => bytes.writeUInt32LE(count, bytes.length + at));
      assert.equal(await world.compile(), ASKED, `${count} at ${at}`);
    }
  leave((bytes) => bytes.writeUInt32LE(2, 48)); // What a reader sees that does not know of marks in messages.
  assert.equal(await world.compile(), ASKED);
  await world.leaveMovable(COMPILE, printing("", "\0".repeat(1_000_000)));
  assert.equal(await world.compile(), ASKED);
});

test("where the checkout begins is found as the daemon finds it", async () => {
  await using world = await Checkouts.make({}, "configure");
  await world.leaveMovable(COMPILE);
  assert.equal(await world.compile(), HIT, "by a build system's file");
  mkdirSync(join(world.directory, "a/.git"));
  assert.equal(await world.compile(), ASKED, "version control above it counts more");
  mkdirSync(join(world.elsewhere, ".hg"));
  assert.equal(await world.compile(), HIT, "the nearest counts");
});

test("what would be read otherwise, and what is no checkout, is left to the daemon", async () => {
  await using world = await Checkouts.make();
  await world.leaveMovable(COMPILE);
  for (const [name, outcome] of [
    ["with blank", ASKED],
    ["with=sign", ASKED],
    ["with:colon", ASKED],
    ["with,others", HIT],
  ] as const) {
    const other = join(world.directory, name);
    cpSync(world.elsewhere, other, { recursive: true });
    await sleep(RACY_MS);
    assert.equal(await world.compile(COMPILE, other), outcome, name);
  }
  rmSync(join(world.elsewhere, ".git"), { recursive: true });
  assert.equal(await world.compile(), ASKED);
});

test("a table of contents that was damaged in any way, or is not there, never changes the result", async () => {
  await using world = await Checkouts.make({ "h.h": "1\n" });
  const table = join(world.run, "contents");
  await world.leaveMovable(COMPILE, { inputs: [world.content("a.c"), world.content("h.h")] });
  assert.equal(await world.compile(), HIT);
  world.put("h.h", "2\n");
  await sleep(LASTING_MS);
  assert.equal(await world.compile(), ASKED);
  const learnt = readFileSync(table);
  assert.equal(learnt.length, CONTENTS_BYTES);
  const [is, was] = ["2\n", "1\n"].map((text) => Buffer.from(digestOf(Buffer.from(text)), "hex"));
  assert.ok(is !== undefined && was !== undefined);
  const entry = learnt.indexOf(is) - AT_DIGEST;
  assert.ok(entry >= 0);
  const lying = Buffer.from(learnt);
  was.copy(lying, entry + AT_DIGEST);
  writeFileSync(table, lying);
  assert.equal(await world.compile(), ASKED);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(ENTRY_BYTES - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }), async (edits) => {
      const bytes = Buffer.from(lying);
      for (const [at, value] of edits) bytes[entry + at] = value;
      writeFileSync(table, bytes);
      assert.equal(await world.compile(), ASKED);
    }),
    { numRuns: 30 },
  );
  lying.writeUInt32LE(crc32(lying.subarray(entry, entry + AT_CHECKSUM)), entry + AT_CHECKSUM);
  writeFileSync(table, lying);
  assert.equal(await world.compile(), HIT, "nothing else keeps the lie from being believed");

  world.put("h.h", "1\n");
  await sleep(RACY_MS);
  for (const size of [0, 4_096, CONTENTS_BYTES]) {
    writeFileSync(table, Buffer.alloc(size, 0xff));
    const outcome = await world.compile();
    assert.equal(outcome, size === CONTENTS_BYTES ? HIT : outcome); // What cannot be read is not known.
  }
  rmSync(table);
  assert.equal(await world.compile(), ASKED);
});

test("a table that is full forgets others", async () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`many/${at}.h`, `${at}\n`]));
  await using world = await Checkouts.make(many);
  const table = join(world.run, "contents");
  const full = Buffer.alloc(CONTENTS_BYTES);
  for (let block = 0; block < CONTENTS_BYTES; block += 4_096) {
    for (let entry = block; entry < block + 51 * ENTRY_BYTES; entry += ENTRY_BYTES) {
      full.writeBigUInt64LE(BigInt(entry + 1), entry + 8);
      full.writeUInt32LE(crc32(full.subarray(entry, entry + AT_CHECKSUM)), entry + AT_CHECKSUM);
    }
  }
  writeFileSync(table, full);
  await world.leaveMovable(COMPILE, { inputs: Object.keys(many).map((path) => world.content(path)) });
  await sleep(LASTING_MS);
  for (let times = 0; times < 3; times++) assert.equal(await world.compile(), HIT);
  assert.ok(!readFileSync(table).equals(full));
  world.put("many/7.h", "8\n");
  await sleep(RACY_MS);
  assert.equal(await world.compile(), ASKED);
});

test("an empty directory is no empty file, nor the other way round", async () => {
  await using world = await Checkouts.make({ "h.h": "", "early/x": "" });
  const names = Array.from({ length: 20 }, (_, at) => `${at}.h`);
  await world.leaveMovable(COMPILE, { inputs: [world.content("h.h")], absences: [{ directory: "early", digest: listed(), names }] });
  assert.equal(await world.compile(), HIT);
  rmSync(join(world.elsewhere, "h.h"));
  mkdirSync(join(world.elsewhere, "h.h"));
  await sleep(RACY_MS);
  assert.equal(await world.compile(), ASKED);
});

test("movable records whose checksum is right but whose lengths lie never crash", async () => {
  await using world = await Checkouts.make({ "h.h": "1\n" });
  const request = await world.requestOf(COMPILE);
  const key = movableKey(request, world.project);
  const rule = {
    style: { family: "gcc" as const, spaced: false },
    targets: ["a.o"],
    dependencies: ["\0/a.c", "\0/h.h"],
    phony: ["\0/h.h"],
  };
  const good = world.movable(key, {
    inputs: [world.content("a.c"), world.content("\0/h.h"), { path: "/usr/bin/env", ...fingerprint("/usr/bin/env") }],
    absences: [
      { directory: "\0", digest: listed("x"), names: ["zzz"] },
      { directory: "/usr", ...fingerprint("/usr"), names: undefined },
    ],
    outputs: [world.blob("a.o", HIT), { path: "\0/a.d", rule }],
    ...printing("\0/a.c\n", "In \0/h.h:\n\0"),
  });
  const edit = fc.tuple(fc.integer({ min: 48, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }));
  world.leave(key, good);
  assert.equal(await world.compile(), HIT);
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of edits) bytes[at] = value;
      bytes.writeUInt32LE(crc32(bytes.subarray(16)), 12);
      world.leave(key, bytes);
      const { code, signal } = await world.start(COMPILE, { cwd: world.elsewhere });
      assert.deepEqual([code, signal], [0, null]);
    }),
    { numRuns: 120 },
  );
});

test("a record of one checkout alone is not taken for one of every checkout, nor the other way round", async () => {
  await using world = await Checkouts.make();
  const request = await world.requestOf(COMPILE);
  const key = movableKey(request, world.project);
  world.leave(key, world.record(key));
  assert.equal(await world.compile(), ASKED);
  world.leave(request.key, world.movable(request.key));
  assert.equal(await world.compile(COMPILE, world.project), ASKED);
});

test("the hits log takes no half of a hit, and stops growing", async () => {
  await using world = await Checkouts.make();
  const log = join(world.run, "hits.log");
  await world.leaveMovable(COMPILE);
  await world.compile();
  const one = statSync(log).size;
  assert.equal(one, 64 + Math.ceil(world.elsewhere.length / 64) * 64);
  appendFileSync(log, Buffer.alloc(4_194_304 - one - 64));
  await world.compile();
  assert.equal(statSync(log).size, 4_194_304 - 64);
});

test("a blob that is damaged is told to the daemon", async () => {
  await using world = await Checkouts.make();
  await world.leaveMovable(COMPILE);
  writeFileSync(world.blobPath(world.blob("a.o", "from the store\n").digest), "damaged");
  await world.listen(() => [{ kind: "pass", reason: "test" }]);
  assert.equal(await world.compile(), ASKED);
  assert.deepEqual(
    world.requests.map(({ why }) => why),
    ["blob-missing"],
  );
});
