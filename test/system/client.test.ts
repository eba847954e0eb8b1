/**
 * The compiler wrapper's fast path: what a hot record brings back, and what it must not.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { digestOf } from "../../src/base/index.ts";
import { askReasons, readHitsLog } from "../../src/wire/index.ts";
import { buildWrapper, fingerprint, World } from "./client-world.ts";

const wrapper = buildWrapper();
after(wrapper.remove);

const COMPILE = ["fakecc", "-c", "a.c", "-o", "a.o"];

test("a hit places the outputs with the caller's umask, replays what was printed and logs itself", async () => {
  await using world = new World(wrapper.path);
  const env = { CAIRN_SESSION: "00000000000000ff" };
  const { key, session } = await world.requestOf(COMPILE, env);
  assert.equal(session, 255n);
  const large = Buffer.alloc(100_001, "object ");
  const outputs = [
    world.blob("a.o", large),
    { ...world.blob("a.d", "a.o: a.c\n", "overwrite"), content: Buffer.from("a.o: a.c\n") },
    world.blob("empty.su", ""),
  ];
  world.leave(key, world.record(key, { outputs, stdout: Buffer.from("out\n"), stderr: Buffer.from("warning\n") }));
  const ended = await world.start(COMPILE, { env, umask: 0o027 });

  assert.deepEqual(ended, { code: 0, signal: null, stdout: "out\n", stderr: "warning\n" });
  assert.deepEqual(world.compiles(), []);
  assert.ok(readFileSync(join(world.project, "a.o")).equals(large));
  assert.equal(world.output("a.d"), "a.o: a.c\n");
  assert.equal(world.output("empty.su"), "");
  assert.equal(statSync(join(world.project, "a.o")).mode & 0o7777, 0o640);
  const hits = readHitsLog(readFileSync(join(world.run, "hits.log")));
  assert.equal(hits.length, 1);
  assert.equal(hits[0]?.key, key);
  assert.equal(hits[0]?.session, 255n);
  assert.equal(hits[0]?.compileMs, 1234);
  assert.equal(hits[0]?.deservesRefresh, false);
});

test("the request's key is the digest of all that follows the session, and every part of it counts", async () => {
  await using world = new World(wrapper.path);
  const base = await world.requestOf(COMPILE);
  assert.deepEqual(base.argv, COMPILE);
  assert.equal(base.compiler, join(world.bin, "fakecc"));
  assert.equal(base.cwd, world.project);
  assert.equal(base.environment.get("LANG"), "C");
  assert.equal(base.environment.has("COMPILES"), false);
  const same = await world.requestOf(COMPILE, { CAIRN_SESSION: "0000000000000001", UNRELATED: "x" });
  assert.equal(same.key, base.key);
  for (const changed of [
    await world.requestOf([...COMPILE, "-g"]),
    await world.requestOf(COMPILE, { LANG: "C.UTF-8" }),
    await world.requestOf(COMPILE, { CPATH: "" }),
    await world.requestOf([join(world.bin, "fakecc"), ...COMPILE.slice(1)]),
  ])
    assert.notEqual(changed.key, base.key);
});

test("the environment that matters is listed in the order that its search relies on, and all of it is found", async () => {
  const header = readFileSync(join(import.meta.dirname, "../../client/environment.h"), "utf8");
  const names = [...header.matchAll(/^ {4}variable\((\w+)\)/gm)].map((match) => match[1] ?? "");
  assert.ok(names.length > 80);
  assert.deepEqual(names, names.toSorted());
  await using world = new World(wrapper.path);
  // A libc in the shell that runs the fake compiler would act on these.
  const harmful = new Set(["LD_AUDIT", "LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "PWD"]);
  const env = Object.fromEntries(names.filter((name) => !harmful.has(name)).map((name) => [name, `value of ${name}`]));
  const { environment } = await world.requestOf(COMPILE, env);
  for (const [name, value] of Object.entries(env)) assert.equal(environment.get(name), value);
});

for (const [what, spoil, why] of [
  ["no record", (w: World, key: string) => unlinkSync(join(w.run, "hot", key.slice(0, 2), key.slice(2))), "no-record"],
  ["an input that changed", (w: World) => writeFileSync(join(w.project, "a.c"), "int b;\n"), "input-changed"],
  ["an input that was only touched", (w: World) => utimesSync(join(w.project, "a.c"), 1, 1), "input-changed"],
  ["an input that is gone", (w: World) => unlinkSync(join(w.project, "a.c")), "input-changed"],
  ["a damaged blob", (w: World) => writeFileSync(w.blobPath(digestOf("from the store\n")), "from the stove\n"), "blob-missing"],
  ["a truncated blob", (w: World) => writeFileSync(w.blobPath(digestOf("from the store\n")), "from the sto"), "blob-missing"],
  ["a longer blob", (w: World) => writeFileSync(w.blobPath(digestOf("from the store\n")), "from the store\n\n"), "blob-missing"],
  ["a missing blob", (w: World) => unlinkSync(w.blobPath(digestOf("from the store\n"))), "blob-missing"],
  ["a record for another key", (w: World, key: string) => w.leave(key, w.record("ab".repeat(32))), "record-unreadable"],
  ["a record of nothing", (w: World, key: string) => w.leave(key, Buffer.alloc(0)), "record-unreadable"],
  [
    "an input too young to be believed",
    (w: World, key: string) => w.leave(key, w.record(key, { inputs: [{ path: "a.c", fp0: 0, fp1: 0 }] })),
    "input-changed",
  ],
] as const) {
  test(`${what}: asks, and touches nothing itself`, async () => {
    await using world = new World(wrapper.path);
    const { key } = await world.requestOf(COMPILE);
    world.leave(key, world.record(key));
    spoil(world, key);
    await world.listen(() => [{ kind: "pass", reason: "test" }]);
    const ended = await world.start(COMPILE);
    assert.equal(ended.code, 0);
    assert.deepEqual(
      world.requests.map((request) => request.why),
      [why],
    );
    assert.ok(askReasons.includes(why));
    assert.equal(world.output(), "compiled\n");
    assert.ok(!existsSync(join(world.run, "hits.log")));
  });
}

test("one damaged blob of several: not one output is touched", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const outputs = [world.blob("first.o", "first"), world.blob("second.o", "second")];
  world.leave(key, world.record(key, { outputs }));
  writeFileSync(world.blobPath(digestOf("second")), "tampered");
  await world.start(COMPILE);
  assert.ok(!existsSync(join(world.project, "first.o")));
  assert.equal(world.output(), "compiled\n");
});

test("inputs in many directories, with many names each", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const paths: string[] = [];
  for (let directory = 0; directory < 50; directory++) {
    mkdirSync(join(world.project, `include/${directory}`), { recursive: true });
    for (let file = 0; file < 9; file++) paths.push(`include/${directory}/${file}.h`);
  }
  for (const path of paths) writeFileSync(join(world.project, path), path);
  const absolute = join(world.project, "include/0/0.h");
  const inputs = [...paths.map((path) => world.input(path)), { path: absolute, ...fingerprint(absolute) }];
  world.leave(key, world.record(key, { inputs }));
  await world.start(COMPILE);
  assert.equal(world.output(), "from the store\n");
  for (const path of [paths[0], paths[260], paths.at(-1)]) {
    world.forgetCompiles();
    writeFileSync(join(world.project, path ?? ""), "something else");
    await world.start(COMPILE);
    assert.equal(world.output(), "compiled\n", path);
    const inputs = paths.map((each) => world.input(each));
    world.leave(key, world.record(key, { inputs }));
  }
});

test("a large record, beyond the first read", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const stderr = Buffer.alloc(300_000, "note: much to say\n");
  world.leave(key, world.record(key, { stderr }));
  const ended = await world.start(COMPILE);
  assert.equal(ended.stderr, stderr.toString());
  assert.equal(world.output(), "from the store\n");
  world.leave(key, world.record(key, { stderr }).subarray(0, 200_000));
  world.forgetCompiles();
  assert.equal((await world.start(COMPILE)).code, 0);
  assert.equal(world.output(), "compiled\n");
});

test("what must not exist: a watched directory answers at once, names are looked for when it changed", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const include = join(world.project, "include");
  mkdirSync(include);
  const watched = { directory: "include", ...fingerprint(include), names: ["a.h", "sys/b.h"] };
  const gone = { directory: "nowhere", fp0: 1, fp1: 2, names: ["c.h"] };
  const refreshes = (): boolean[] => readHitsLog(readFileSync(join(world.run, "hits.log"))).map((hit) => hit.deservesRefresh);
  const compile = async (): Promise<string> => {
    world.forgetCompiles();
    world.leave(key, world.record(key, { absences: [watched, gone] }));
    assert.equal((await world.start(COMPILE)).code, 0);
    return world.output();
  };
  assert.equal(await compile(), "from the store\n");
  writeFileSync(join(include, "unrelated.h"), "");
  symlinkSync("to nothing", join(include, "a.h"));
  assert.equal(await compile(), "from the store\n");
  rmSync(join(include, "a.h"));
  writeFileSync(join(include, "a.h"), "");
  assert.equal(await compile(), "compiled\n");
  rmSync(join(include, "a.h"));
  assert.equal(await compile(), "from the store\n");
  mkdirSync(join(world.project, "nowhere"));
  writeFileSync(join(world.project, "nowhere/c.h"), "");
  assert.equal(await compile(), "compiled\n");
  assert.deepEqual(refreshes(), [true, true, true]); // A directory that is not there cannot be watched.
});

test("a directory whose names are not listed must be as it was", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const include = join(world.project, "include");
  mkdirSync(include);
  const listed = { directory: "nowhere", fp0: 1, fp1: 2, names: ["c.h"] };
  world.leave(key, world.record(key, { absences: [{ directory: "include", ...fingerprint(include), names: undefined }, listed] }));
  assert.equal((await world.start(COMPILE)).code, 0);
  assert.equal(world.output(), "from the store\n");
  writeFileSync(join(include, "unrelated.h"), "");
  assert.equal((await world.start(COMPILE)).code, 0);
  assert.equal(world.output(), "compiled\n");
});

test("an unchanged watched directory is not a reason to refresh", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  mkdirSync(join(world.project, "include"));
  const watched = { directory: "include", ...fingerprint(join(world.project, "include")), names: ["a.h"] };
  world.leave(key, world.record(key, { absences: [watched] }));
  await world.start(COMPILE);
  assert.deepEqual(
    readHitsLog(readFileSync(join(world.run, "hits.log"))).map((hit) => hit.deservesRefresh),
    [false],
  );
});

test("replacing follows the assembler: files and links give way, links' targets and other names stay", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const object = join(world.project, "a.o");
  const other = join(world.project, "other");
  const compile = async (): Promise<void> => {
    world.leave(key, world.record(key));
    assert.equal((await world.start(COMPILE)).code, 0);
    assert.deepEqual(world.compiles(), []);
    assert.ok(lstatSync(object).isFile());
    assert.equal(world.output(), "from the store\n");
  };
  writeFileSync(other, "other");
  linkSync(other, object);
  await compile();
  rmSync(object);
  symlinkSync("other", object);
  await compile();
  writeFileSync(object, "read only");
  chmodSync(object, 0o444);
  await compile();
  assert.equal(readFileSync(other, "utf8"), "other");
  rmSync(object);
  mkdirSync(object);
  const ended = await world.start(["fakecc", "-c", "a.c", "-o", "a.o"]);
  assert.notEqual(ended.stderr, ""); // The compiler's own complaint about the directory.
  assert.equal(world.compiles().length, 1);
});

test("overwriting follows what opens and truncates: inode, permissions and links stay", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const [depfile, other] = [join(world.project, "a.d"), join(world.project, "other")];
  const compile = async (content: string, inRecord: boolean): Promise<void> => {
    const blob = world.blob("a.d", content, "overwrite");
    const deps = inRecord ? { ...blob, content: Buffer.from(content) } : blob;
    world.leave(key, world.record(key, { outputs: [world.blob("a.o", "object"), deps] }));
    assert.equal((await world.start(COMPILE, { umask: 0o022 })).code, 0);
    assert.deepEqual(world.compiles(), []);
    assert.equal(world.output("a.d"), content);
  };
  await compile("new", true);
  assert.equal(statSync(depfile).mode & 0o777, 0o644);
  chmodSync(depfile, 0o600);
  const { ino } = statSync(depfile);
  await compile("longer than before", false);
  await compile("short", false);
  await compile("", true);
  assert.deepEqual([statSync(depfile).ino, statSync(depfile).mode & 0o777], [ino, 0o600]);
  linkSync(depfile, other);
  await compile("both names", true);
  assert.equal(world.output("other"), "both names");
  rmSync(depfile);
  symlinkSync("other", depfile);
  await compile("behind a link", false);
  rmSync(other);
  await compile("behind a link to nothing", false);
  assert.equal(world.output("other"), "behind a link to nothing");
});

test("devices and pipes are the compiler's business", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  execFileSync("mkfifo", [join(world.project, "fifo")]);
  for (const path of ["/dev/null", "fifo"])
    for (const mode of ["replace", "overwrite"] as const) {
      world.forgetCompiles();
      world.leave(key, world.record(key, { outputs: [world.blob("a.o", "object"), world.blob(path, "x", mode)] }));
      assert.equal((await world.start(COMPILE)).code, 0);
      assert.equal(world.output(), "compiled\n");
    }
  assert.ok(lstatSync("/dev/null").isCharacterDevice());
});

test("records that were damaged in any way never crash and never change the result", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  mkdirSync(join(world.project, "include"));
  const absences = [{ directory: "include", fp0: 0, fp1: 0, names: ["a.h", "b.h"] }];
  const good = world.record(key, { absences, stdout: Buffer.from("out"), stderr: Buffer.from("err") });
  const damage = fc.oneof(
    fc.nat(good.length).map((length) => good.subarray(0, length)),
    fc.uint8Array({ maxLength: 300 }).map((tail) => Buffer.concat([good, tail])),
    fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }).map((edits) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of edits) bytes[at] = value;
      return bytes;
    }),
    fc.uint8Array({ maxLength: 500 }),
  );
  await fc.assert(
    fc.asyncProperty(damage, async (bytes) => {
      world.forgetCompiles();
      world.leave(key, bytes);
      const ended = await world.start(COMPILE);
      assert.equal(ended.code, 0);
      assert.equal(world.output(), good.equals(bytes) ? "from the store\n" : "compiled\n");
    }),
    { numRuns: 60 },
  );
});

test("records whose checksum is right but whose lengths lie never crash", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const good = world.record(key, { absences: [{ directory: "", fp0: 0, fp1: 0, names: ["zzz"] }] });
  const edit = fc.tuple(fc.integer({ min: 48, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of edits) bytes[at] = value;
      bytes.writeUInt32LE(crc32(bytes.subarray(16)), 12);
      world.forgetCompiles();
      world.leave(key, bytes);
      const ended = await world.start(["fakecc", "-c", "a.c", "-o", "a.o"]);
      assert.equal(ended.signal, null);
      assert.equal(ended.code, 0);
    }),
    { numRuns: 60 },
  );
});

test("the hits log stops growing at 4 MiB", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  const log = join(world.run, "hits.log");
  world.leave(key, world.record(key));
  writeFileSync(log, Buffer.alloc(4_194_304 - 64));
  await world.start(COMPILE);
  await world.start(COMPILE);
  assert.equal(statSync(log).size, 4_194_304);
  assert.equal(world.output(), "from the store\n");
});

test("a run directory that others may write to is not believed", async () => {
  await using world = new World(wrapper.path);
  const { key } = await world.requestOf(COMPILE);
  world.leave(key, world.record(key));
  chmodSync(world.run, 0o770);
  await world.start(COMPILE);
  assert.equal(world.output(), "compiled\n");
});
