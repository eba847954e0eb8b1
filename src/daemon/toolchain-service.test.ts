/** Real compilers, packed on one machine, fetched by another, and run in its sandbox. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { limits } from "../base/index.ts";
import type { Supplied } from "../contracts/index.ts";
import { SandboxExecutor } from "../exec/index.ts";
import { CompilesForOthers } from "../flows/index.ts";
import { type Directory, loadTreeCodec, type TreeEntry } from "../wire/index.ts";
import { compileOf, identified, type Machine, type MachineOptions, machine, never, PATH, pretender } from "./toolchain.fixture.ts";

const REQUESTER = "aa".repeat(32);
const COMPILERS = ["/usr/bin/g++", "/usr/bin/clang++-19"].filter((path) => existsSync(path));
const SOURCE = '#include <vector>\n#include <string>\nint main() { std::vector<std::string> v{"a"}; return (int)v.at(0).size(); }\n';

/** Asks until it is here, or until something else is said than that it is on its way. */
async function supplied(t: TestContext, on: Machine, digest: string, member: string, root?: string): Promise<Supplied> {
  for (;;) {
    t.signal.throwIfAborted();
    const answer = await on.service.supply(digest, root, member, t.signal);
    if (answer.kind === "installed" || !/being fetched/.test(answer.why)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function sandboxOf(t: TestContext, on: Machine): Promise<SandboxExecutor | undefined> {
  const runAs = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
  const options = {
    directory: join(on.directory, "sandbox"),
    path: process.env.PATH ?? "",
    runAs,
    filesBytes: 2 ** 30,
    othersBytes: 2 ** 33,
  };
  const sandbox = new SandboxExecutor({ blobs: on.store, files: on.files, log: { event: () => undefined } }, options);
  const look = await sandbox.look();
  if (look.kind === "walled") return sandbox;
  t.skip(`no sandbox here: ${look.reason}: ${look.detail}`);
  await sandbox[Symbol.asyncDispose]();
  return undefined;
}

/** Builds with a compiler of the requester's there, and on a worker that has none. */
async function compare(t: TestContext, requester: Machine, compiler: string, name: string, text: string): Promise<void> {
  await using worker = machine({ members: new Map([[REQUESTER, requester]]) });
  await using sandbox = await sandboxOf(t, worker);
  if (sandbox === undefined) return;
  const source = join(requester.directory, name);
  writeFileSync(source, text);
  const { action, expected } = await compileOf(requester, compiler, ["-O2", "-g"], source);
  for (const { digest } of action.inputs) {
    const read = await requester.store.read(digest);
    if (read.kind === "hit") await worker.store.write(read.bytes);
  }
  const first = await worker.service.supply(action.toolchain, undefined, REQUESTER, never);
  assert.deepEqual(first, { kind: "absent", why: "being fetched" });
  const answer = await supplied(t, worker, action.toolchain, REQUESTER);
  assert.equal(answer.kind, "installed", JSON.stringify(answer));
  const outcome = await new CompilesForOthers({ executor: sandbox, toolchains: worker.service }).compile(action, REQUESTER, never);
  assert.ok(outcome.kind === "done", JSON.stringify(outcome));
  assert.equal(outcome.exitCode, 0, outcome.stderr.toString());
  assert.deepEqual(outcome.outputs[0]?.content, expected);
}

for (const compiler of COMPILERS) {
  test(`${compiler} of a member makes what it makes there`, async (t) => {
    await using requester = machine();
    await compare(t, requester, compiler, "a.cpp", SOURCE);
  });
}

test("so does a gcc that somebody has unpacked in a directory of their own", async (t) => {
  const cc1 = execFileSync("/usr/bin/gcc", ["-print-prog-name=cc1"], { encoding: "utf8" }).trim();
  if (!cc1.startsWith("/usr/lib/gcc/")) return t.skip(`the front end lies at ${cc1}`);
  await using requester = machine();
  // gcc finds its front end and its own headers by where its driver lies.
  const place = join(requester.directory, "home/gcc");
  const own = dirname(join(place, cc1.slice("/usr/".length)));
  mkdirSync(join(place, "bin"), { recursive: true });
  mkdirSync(own, { recursive: true });
  copyFileSync(realpathSync("/usr/bin/gcc"), join(place, "bin/gcc-12.2"));
  symlinkSync("gcc-12.2", join(place, "bin/gcc"));
  copyFileSync(cc1, join(own, "cc1"));
  cpSync(join(dirname(cc1), "include"), join(own, "include"), { recursive: true });
  const text = "#include <stddef.h>\n#include <stdio.h>\nint main(void) { return printf(__FILE__) + (int)sizeof(size_t); }\n";
  await compare(t, requester, join(place, "bin/gcc"), "a.c", text);
  const [installed] = requester.toolchains.installed();
  assert.ok(installed !== undefined && !installed.toolchain.files.includes(cc1), "its front end is its own");
});

/** A requester with a small compiler, and a worker that knows it by one name. */
async function two(
  options: MachineOptions = {},
): Promise<{ requester: Machine; worker: Machine; compiler: string; digest: string } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const requester = stack.use(machine());
  const compiler = pretender(join(requester.directory, "opt/gcc/bin"), "12.2.0");
  const digest = await identified(requester, compiler);
  const worker = stack.use(machine({ members: new Map([[REQUESTER, requester]]), ...options }));
  return { requester, worker, compiler, digest, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function why(answer: Supplied): string {
  return answer.kind === "absent" ? answer.why : "installed";
}

test("a compiler that lies here as it does there is used as it is", async (t) => {
  await using requester = machine();
  const compiler = pretender(join(requester.directory, "bin"), "12.2.0");
  const digest = await identified(requester, compiler);
  // Nobody has used it here yet, but it is on this machine's PATH.
  await using worker = machine({ members: new Map([[REQUESTER, requester]]), searched: `${PATH}:${join(requester.directory, "bin")}` });
  const answer = await worker.service.supply(digest, undefined, REQUESTER, t.signal);
  assert.ok(answer.kind === "installed", why(answer));
  assert.equal(answer.installed.compiler, compiler);
  assert.equal(answer.installed.toolchain.layout, undefined);
  assert.deepEqual(worker.service.shelf.list(), []);
});

test("the same compiler at another place is laid out anew: it would look for headers elsewhere; its files are not fetched", async (t) => {
  await using on = await two();
  const given: string[] = [];
  const store: Pick<Machine["store"], "sizeOf" | "read"> = {
    sizeOf: (digest) => on.requester.store.sizeOf(digest),
    read: (digest) => {
      given.push(digest);
      return on.requester.store.read(digest);
    },
  };
  await using worker = machine({ members: new Map([[REQUESTER, { store, service: on.requester.service }]]) });
  const other = pretender(join(worker.directory, "bin"), "12.2.0");
  assert.equal(await identified(worker, other), on.digest, "it is the same by content");
  const answer = await supplied(t, worker, on.digest, REQUESTER);
  assert.ok(answer.kind === "installed", why(answer));
  assert.equal(answer.installed.compiler, on.compiler);
  const files = answer.installed.toolchain.layout?.files ?? [];
  assert.ok(files.some(({ path }) => path === on.compiler));
  assert.ok(given.length > 0);
  for (const { digest, path } of files) assert.ok(!given.includes(digest), path);
});

test("a compiler that somebody has just looked at is told at once", async () => {
  await using worker = machine({ now: () => 0 });
  assert.deepEqual(worker.service.digests, []);
  const digest = await identified(worker, pretender(join(worker.directory, "bin"), "12.2.0"));
  worker.service.looked();
  assert.deepEqual(worker.service.digests, [digest]);
});

test("what a member names is not run unless it is called like a compiler and lies on PATH", async (t) => {
  await using requester = machine();
  const elsewhere = join(requester.directory, "elsewhere");
  const compiler = pretender(elsewhere, "12.2.0");
  const digest = await identified(requester, compiler);
  await using worker = machine({ members: new Map([[REQUESTER, requester]]), searched: PATH });
  assert.equal(why(await worker.service.supply(digest, undefined, REQUESTER, t.signal)), "being fetched");
  assert.deepEqual(worker.toolchains.installed(), []);
});

test("of another domain, a toolchain waits for the user's word", async (t) => {
  await using on = await two({ strangers: new Set([REQUESTER]) });
  assert.match(why(await on.worker.service.supply(on.digest, undefined, REQUESTER, t.signal)), /approved/);
  assert.deepEqual(
    on.worker.service.wanted.map(({ digest, from }) => [digest, from]),
    [[on.digest, REQUESTER]],
  );
  on.worker.service.approve(on.digest);
  assert.equal(why(await supplied(t, on.worker, on.digest, REQUESTER)), "installed");
  assert.deepEqual(on.worker.service.wanted, []);
});

test("where only what is approved is taken, the own domain's waits, too", async (t) => {
  await using on = await two({ accept: "approved" });
  assert.match(why(await on.worker.service.supply(on.digest, undefined, REQUESTER, t.signal)), /approved/);
});

test("what the network has approved is taken without a word here, offered work, and not used any more once that is taken back", async (t) => {
  const approved = new Set<string>();
  await using on = await two({ accept: "approved", strangers: new Set([REQUESTER]), approved });
  const { service } = on.worker;
  assert.match(why(await service.supply(on.digest, undefined, REQUESTER, t.signal)), /approved/);
  assert.deepEqual([service.wanted.length, service.digests], [1, []]);
  approved.add(on.digest);
  assert.deepEqual([service.wanted.length, service.digests], [0, [on.digest]]);
  assert.equal(why(await supplied(t, on.worker, on.digest, REQUESTER)), "installed");
  service.shelf.deny(on.digest);
  assert.match(why(await service.supply(on.digest, undefined, REQUESTER, t.signal)), /approved/, "its owner has the last word");
  assert.deepEqual(service.digests, []);
  await using again = await on.worker.again();
  assert.deepEqual([[...again.service.shelf.denied], again.service.digests], [[on.digest], []]);
  again.service.approve(on.digest);
  assert.equal(why(await again.service.supply(on.digest, undefined, REQUESTER, t.signal)), "installed");
  assert.equal(again.service.shelf.disapprove(on.digest), true);
  assert.equal(why(await again.service.supply(on.digest, undefined, REQUESTER, t.signal)), "installed", "the network's word is enough");
  const answer = await again.service.supply(on.digest, undefined, REQUESTER, t.signal);
  assert.ok(answer.kind === "installed");
  const compiles = new CompilesForOthers({ executor: { run: () => assert.fail("nothing runs") }, toolchains: again.service });
  assert.equal(compiles.withdrawn(answer.installed, REQUESTER), undefined);
  approved.delete(on.digest);
  assert.match(why(await again.service.supply(on.digest, undefined, REQUESTER, t.signal)), /approved/);
  assert.equal(compiles.withdrawn(answer.installed, REQUESTER)?.reason, "toolchain_unknown", "nor does a job run that was let in before");
  assert.deepEqual(again.service.digests, []);
  assert.deepEqual([...again.service.shelf.approved], [], "nothing was approved here");
});

test("what its owner has removed does not run for jobs that were let in before, and nobody is asked for it once more", async (t) => {
  await using on = await two();
  const { service } = on.requester;
  let asked = 0;
  const offer: typeof service.offer = (question, signal) => {
    asked++;
    return service.offer(question, signal);
  };
  await using worker = machine({ members: new Map([[REQUESTER, { store: on.requester.store, service: { offer } }]]) });
  const answer = await supplied(t, worker, on.digest, REQUESTER);
  assert.ok(answer.kind === "installed", why(answer));
  const before = asked;
  const compiles = new CompilesForOthers({ executor: { run: () => assert.fail("nothing runs") }, toolchains: worker.service });
  assert.equal(compiles.withdrawn(answer.installed, REQUESTER), undefined);
  for (const { root } of worker.service.shelf.list()) worker.service.shelf.remove(root, "asked to");
  assert.equal(compiles.withdrawn(answer.installed, REQUESTER)?.reason, "toolchain_unknown");
  assert.deepEqual([asked, worker.service.wanted, worker.service.shelf.list()], [before, [], []]);
});

test("a compiler of this machine runs for others as long as it is what it was, whoever has approved it", async (t) => {
  await using requester = machine();
  const compiler = pretender(join(requester.directory, "bin"), "12.2.0");
  const digest = await identified(requester, compiler);
  await using worker = machine({ members: new Map([[REQUESTER, requester]]), accept: "approved" });
  assert.equal(await identified(worker, compiler), digest);
  const answer = await worker.service.supply(digest, undefined, REQUESTER, t.signal);
  assert.ok(answer.kind === "installed", why(answer));
  assert.ok(worker.service.mayRun(answer.installed.toolchain, REQUESTER));
  rmSync(compiler);
  assert.ok(!worker.service.mayRun(answer.installed.toolchain, REQUESTER));
});

test("a toolchain of another platform is declined by name", async (t) => {
  await using on = await two();
  const { service, store } = on.requester;
  const offer: typeof service.offer = async (question, signal) => {
    const said = await service.offer(question, signal);
    return said && { ...said, platform: "linux-riscv" };
  };
  await using worker = machine({ members: new Map([[REQUESTER, { store, service: { offer } }]]) });
  assert.match(why(await worker.service.supply(on.digest, undefined, REQUESTER, t.signal)), /it is for linux-riscv/);
});

test("what is approved and turns out to be for another platform is offered no work any more, until it may be another one", async (t) => {
  const approved = new Set<string>();
  await using on = await two();
  const { service, store } = on.requester;
  const offer: typeof service.offer = async (question, signal) => {
    const said = await service.offer(question, signal);
    return said && { ...said, platform: "linux-riscv" };
  };
  let nowMs = 0;
  await using worker = machine({
    members: new Map([[REQUESTER, { store, service: { offer } }]]),
    accept: "approved",
    approved,
    now: () => nowMs,
  });
  approved.add(on.digest);
  const other = "ab".repeat(32);
  approved.add(other);
  assert.deepEqual(worker.service.digests, [on.digest, other]);
  assert.match(why(await worker.service.supply(on.digest, undefined, REQUESTER, t.signal)), /it is for linux-riscv/);
  assert.deepEqual(worker.service.digests, [other]);
  nowMs += limits.toolchains.refusedMs;
  assert.deepEqual(worker.service.digests, [on.digest, other]);
});

test("what is not approved any more is not fetched, nor offered to anybody where it came from a stranger", async (t) => {
  const approved = new Set<string>();
  let packs = 0;
  const quiet = Promise.withResolvers<void>();
  // It is taken back while it waits for the moment.
  const isQuiet = (): boolean => {
    approved.clear();
    quiet.resolve();
    return true;
  };
  await using on = await two();
  const { service: theirs, store } = on.requester;
  const offer: typeof theirs.offer = (question, signal) => {
    if (question.pack) packs++;
    return theirs.offer(question, signal);
  };
  const options = { accept: "domain", strangers: new Set([REQUESTER]), approved } as const;
  const members = new Map([[REQUESTER, { store, service: { offer } }]]);
  await using hasty = machine({ members, ...options, isQuiet });
  approved.add(on.digest);
  assert.equal(why(await hasty.service.supply(on.digest, undefined, REQUESTER, t.signal)), "being fetched");
  await quiet.promise;
  assert.match(why(await hasty.service.supply(on.digest, undefined, REQUESTER, t.signal)), /approved/);
  assert.deepEqual([packs, hasty.service.shelf.list()], [0, []]);

  await using worker = machine({ members, ...options });
  const { service } = worker;
  approved.add(on.digest);
  assert.equal(why(await supplied(t, worker, on.digest, REQUESTER)), "installed");
  assert.deepEqual(service.digests, [on.digest]);
  approved.delete(on.digest);
  assert.deepEqual(service.digests, []);
});

test("another toolchain under the digest that was asked for is refused, and not fetched again", async (t) => {
  await using on = await two();
  const { service, store } = on.requester;
  const other = await identified(on.requester, pretender(join(on.requester.directory, "other"), "13.0.0"));
  const offer: typeof service.offer = ({ pack }, signal) => service.offer({ digest: other, pack }, signal);
  await using worker = machine({ members: new Map([[REQUESTER, { store, service: { offer } }]]) });
  assert.match(why(await supplied(t, worker, on.digest, REQUESTER)), /refused: another digest/);
  assert.deepEqual(worker.service.shelf.list(), []);
});

test("what is refused under one digest is not refused under another", async (t) => {
  await using on = await two();
  const { service, store } = on.requester;
  const before = "ab".repeat(32);
  const offer: typeof service.offer = ({ pack }, signal) => service.offer({ digest: on.digest, pack }, signal);
  await using worker = machine({ members: new Map([[REQUESTER, { store, service: { offer } }]]) });
  assert.match(why(await supplied(t, worker, before, REQUESTER)), /refused: another digest/);
  assert.equal(why(await supplied(t, worker, on.digest, REQUESTER)), "installed");
});

test("nothing is told of two copies of a compiler, of which each has headers of its own beside it; links to one are one", async () => {
  await using on = await two();
  const told = () => on.requester.service.offer({ digest: on.digest, pack: false }, never);
  const link = join(on.requester.directory, "linked");
  mkdirSync(link);
  symlinkSync(on.compiler, join(link, "gcc"));
  assert.equal(await identified(on.requester, join(link, "gcc")), on.digest);
  assert.ok((await told()) !== undefined);
  const copy = join(on.requester.directory, "copied");
  cpSync(dirname(on.compiler), copy, { recursive: true });
  assert.equal(await identified(on.requester, join(copy, "gcc")), on.digest);
  assert.equal(await told(), undefined);
  assert.match(why(await on.worker.service.supply(on.digest, undefined, REQUESTER, never)), /does not say/);
});

test("a job that says which of two copies it means gets that one, and one that says another than the member has gets none", async (t) => {
  await using on = await two();
  const { service } = on.requester;
  const copied = join(on.requester.directory, "copied");
  cpSync(dirname(on.compiler), copied, { recursive: true });
  await identified(on.requester, join(copied, "gcc"));
  const roots: string[] = [];
  for (const compiler of [on.compiler, join(copied, "gcc")]) {
    const root = (await service.rootOf(compiler, on.digest, never)) ?? "";
    roots.push(root);
    const answer = await supplied(t, on.worker, on.digest, REQUESTER, root);
    assert.ok(answer.kind === "installed", why(answer));
    assert.deepEqual([answer.installed.compiler, answer.installed.toolchain.layout?.root], [compiler, root]);
  }
  assert.notEqual(roots[0], roots[1]);
  assert.match(why(await on.worker.service.supply(on.digest, "ab".repeat(32), REQUESTER, never)), /does not say/);
});

test("where a compiler lies elsewhere than it did, the next job says so, and what was heard before does not count", async (t) => {
  await using on = await two();
  const first = (await on.requester.service.rootOf(on.compiler, on.digest, never)) ?? "";
  assert.equal(why(await supplied(t, on.worker, on.digest, REQUESTER, first)), "installed");
  const moved = join(on.requester.directory, "moved");
  cpSync(dirname(on.compiler), moved, { recursive: true });
  rmSync(dirname(on.compiler), { recursive: true });
  await identified(on.requester, join(moved, "gcc"));
  const root = (await on.requester.service.rootOf(join(moved, "gcc"), on.digest, never)) ?? "";
  const answer = await supplied(t, on.worker, on.digest, REQUESTER, root);
  assert.ok(answer.kind === "installed", why(answer));
  assert.equal(answer.installed.compiler, join(moved, "gcc"));
});

test("a tree that is too large for a toolchain is refused before its files are fetched", async (t) => {
  await using on = await two();
  const { service, store } = on.requester;
  const codec = await loadTreeCodec();
  const keep = async (entries: Directory): Promise<TreeEntry> => {
    const bytes = codec.encodeDirectory(entries) ?? new Uint8Array();
    return { kind: "directory", digest: await store.write(bytes), size: bytes.length };
  };
  const links = Array.from({ length: limits.toolchains.entries + 1 }, (_, i) => [`link${i}`, { kind: "link", target: "x" }] as const);
  const about = await store.write(Buffer.from("x"));
  const top = await keep(
    new Map<string, TreeEntry>([
      ["toolchain", { kind: "file", digest: about, size: 1, executable: false }],
      ["root", await keep(new Map(links))],
    ]),
  );
  const root = top.kind === "directory" ? top.digest : "";
  const offer: typeof service.offer = async ({ digest, pack }, signal) => {
    const said = await service.offer({ digest, pack }, signal);
    return said && { ...said, root };
  };
  await using worker = machine({ members: new Map([[REQUESTER, { store, service: { offer } }]]) });
  assert.match(why(await supplied(t, worker, on.digest, REQUESTER)), /refused: entries of a tree/);
  assert.equal(worker.store.sizeOf(about), undefined);
});

test("after a restart it is here without anybody's help, unless something of it is gone", async (t) => {
  await using on = await two();
  assert.equal(why(await supplied(t, on.worker, on.digest, REQUESTER)), "installed");
  await using again = await on.worker.again();
  const first = await again.service.supply(on.digest, undefined, REQUESTER, t.signal);
  assert.equal(why(first), "installed");
  const blob = first.kind === "installed" ? first.installed.toolchain.layout?.files[0]?.digest : undefined;
  await again.store.remove(blob ?? "");
  await using later = await again.again();
  assert.equal(why(await later.service.supply(on.digest, undefined, REQUESTER, t.signal)), "being fetched");
  assert.equal(why(await supplied(t, later, on.digest, REQUESTER)), "installed");
});

test("what the version before has kept and approved by another name stays, and approvals of what is not here go", async (t) => {
  await using on = await two({ accept: "approved" });
  on.worker.service.approve(on.digest);
  assert.equal(why(await supplied(t, on.worker, on.digest, REQUESTER)), "installed");
  const file = join(on.worker.directory, "toolchains.json");
  const [before, unknown] = ["ab".repeat(32), "cd".repeat(32)];
  const { shelved } = JSON.parse(readFileSync(file, "utf8")) as { shelved: object[] };
  writeFileSync(file, JSON.stringify({ shelved: shelved.map((row) => ({ ...row, digest: before })), approved: [before, unknown] }));
  await using again = await on.worker.again();
  while (again.service.shelf.isOfBefore) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(again.service.digests, [on.digest]);
  assert.deepEqual([...again.service.shelf.approved], [on.digest]);
  assert.deepEqual(again.service.shelf.dropped, [unknown]);
  assert.equal(why(await again.service.supply(on.digest, undefined, REQUESTER, t.signal)), "installed");
  await using later = await again.again();
  assert.equal(later.service.shelf.isOfBefore, false);
  assert.deepEqual([...later.service.shelf.approved], [on.digest]);
  assert.deepEqual(later.service.shelf.dropped, [unknown], "until somebody has seen to it");
  later.service.approve("ef".repeat(32));
  assert.deepEqual(later.service.shelf.dropped, [unknown], "that was another one");
  assert.equal(later.service.shelf.disapprove(unknown), true);
  assert.deepEqual(later.service.shelf.dropped, []);
});

test("nothing is fetched while somebody builds here", async (t) => {
  let isQuiet = false;
  await using on = await two({ isQuiet: () => isQuiet });
  for (let i = 0; i < 5; i++) assert.equal(why(await on.worker.service.supply(on.digest, undefined, REQUESTER, t.signal)), "being fetched");
  assert.deepEqual(on.worker.service.shelf.list(), []);
  isQuiet = true;
  assert.equal(why(await supplied(t, on.worker, on.digest, REQUESTER)), "installed");
});

test("those that were used last stay, and one that was used just now does not make room", async (t) => {
  let nowMs = Date.now() + 1_000_000; // Files that were made now are old.
  const capacityBytes = 7_000_000; // The C library and its loader are 2.2 MB; each compiler is some 20 kB more.
  await using on = await two({ now: () => nowMs, capacityBytes });
  const { worker, requester } = on;
  assert.equal(why(await supplied(t, worker, on.digest, REQUESTER)), "installed");
  const [first] = worker.service.shelf.list();
  assert.ok(first !== undefined);
  const room = capacityBytes - first.blobs.reduce((sum, { size }) => sum + size, 0);
  assert.ok(room > 0);
  assert.equal(worker.service.shelf.makeRoom(room), true);
  assert.equal(worker.service.shelf.makeRoom(room + 1), false, "it is in use");
  nowMs += 3_600_000;
  assert.equal(worker.service.shelf.makeRoom(capacityBytes + 1), false, "there is never so much room");
  assert.equal(worker.service.shelf.list().length, 1);
  assert.equal(worker.service.shelf.makeRoom(room + 1), true);
  assert.equal(worker.service.shelf.list().length, 0);
  assert.equal(worker.pins.holdsBlob(first.root), false);
  const next = await identified(requester, pretender(join(requester.directory, "next"), "13.0.0"));
  assert.equal(why(await supplied(t, worker, next, REQUESTER)), "installed");
  assert.equal(worker.pins.holdsBlob(worker.service.shelf.list()[0]?.root ?? ""), true);
});
