/**
 * Never in the way: with the daemon dead, hung, absent or replaced, with a full disk, a ruined home or a storm of requests, a build
 * ends with the compiler's exit code, messages and objects. docs/resilience.md lists what is shown here.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { writeDaemonFrame } from "../../src/wire/index.ts";
import { age, checkout, run } from "./harness.ts";
import { Asker, BreakableNode, eventually, filesBelow } from "./resilience-world.ts";

const source = "int f(void) { return 1; }\n";

function runFile(node: BreakableNode, name: string): string {
  return join(node.home, "run", name);
}

/** Compiles two sources, one that is known and one that is new. */
async function stillCompiles(node: BreakableNode, fresh: string): Promise<void> {
  node.write({ [`${fresh}.c`]: `int ${fresh}(void) { return 1; }\n` });
  await node.sameAsCompiler("known.c");
  await node.sameAsCompiler(`${fresh}.c`);
}

async function nodeThatKnows(name: string, options: Parameters<typeof BreakableNode.make>[1] = {}): Promise<BreakableNode> {
  const node = await BreakableNode.make(name, options);
  node.write({ "known.c": `#include "known.h"\n${source}`, "known.h": "" });
  await node.up();
  await age();
  await node.untilStored("known.c");
  return node;
}

describe("the daemon", () => {
  test("hung: one waits a moment, the others do not, and it is asked again when it answers", async () => {
    await using node = await nodeThatKnows("hung");
    process.kill(node.daemon.pid, "SIGSTOP");
    await stillCompiles(node, "first");
    assert.ok(existsSync(runFile(node, "unresponsive")));
    utimesSync(runFile(node, "unresponsive"), new Date(), new Date()); // However long that took.
    // The marker is what keeps others from waiting: with it, the socket is not even connected to.
    const asked = spawnSync("strace", ["-f", "-e", "trace=connect", node.client, "gcc", "-c", "known.c", "-O1"], {
      cwd: node.project,
      env: { ...process.env, ...node.env },
    });
    if (asked.error === undefined) assert.doesNotMatch(asked.stderr.toString(), /cairn\.sock/);
    process.kill(node.daemon.pid, "SIGCONT");
    await eventually("the marker goes", () => !existsSync(runFile(node, "unresponsive")));
    await stillCompiles(node, "second");
    assert.equal((await node.counters()).stored, 2);
  });

  test("killed and started again: what it knew it still knows", async () => {
    await using node = await nodeThatKnows("killed");
    await node.kill();
    await stillCompiles(node, "dead");
    rmSync(runFile(node, "hot"), { recursive: true });
    await node.up();
    await stillCompiles(node, "again");
    const { hit_daemon: hits = 0 } = await node.counters();
    assert.equal(hits, 1);
  });

  test("whose records nobody can read: it answers again and again, and never with what was", async () => {
    await using node = await nodeThatKnows("unseen");
    rmSync(runFile(node, "hot"), { recursive: true });
    writeFileSync(runFile(node, "hot"), "");
    for (let hits = 1; hits <= 4; hits++) {
      await node.sameAsCompiler("known.c");
      assert.equal((await node.counters()).hit_daemon, hits, node.daemon.log());
    }
    node.write({ "known.h": "int other;\n" });
    await age();
    await node.sameAsCompiler("known.c");
    node.write({ "known.h": "" });
    await age();
    for (let hits = 5; hits <= 6; hits++) {
      await node.sameAsCompiler("known.c");
      assert.equal((await node.counters()).hit_daemon, hits, node.daemon.log());
    }
    assert.equal((await node.counters()).miss, 2);
  });

  test("absent: of 20 wrappers one starts it, and one daemon runs", async () => {
    await using node = await BreakableNode.make("absent", { env: { CAIRN_NO_AUTOSTART: undefined } });
    const starts = join(node.directory, "starts");
    const bin = join(node.directory, "bin");
    mkdirSync(bin);
    spawnSync("cp", [node.client, join(bin, "cairn-cc")]);
    const script = `#!/bin/sh\necho x >> ${starts}\nexec ${process.execPath} ${join(checkout, "bin/daemon.js")}\n`;
    writeFileSync(join(bin, "start"), script, { mode: 0o755 });
    node.write(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`s${i}.c`, source])));
    const env = { ...node.env, CAIRN_HOME: node.home };
    const compiles = Array.from({ length: 20 }, (_, i) => run(join(bin, "cairn-cc"), ["gcc", "-c", `s${i}.c`], { cwd: node.project, env }));
    for (const ran of await Promise.all(compiles)) assert.deepEqual(ran, { code: 0, signal: null, stdout: "", stderr: "" });
    await eventually("the daemon answers", () =>
      node.control("GET", "/status").then(
        () => true,
        () => false,
      ),
    );
    assert.equal(readFileSync(starts, "utf8"), "x\n");
    const { pid } = (await node.control("GET", "/status")).body;
    const second = node.start();
    assert.deepEqual(await second.ended, { code: 3, signal: null });
    assert.match(second.log(), /^\{[^\n]*"code":"daemon-running"[^\n]*\}\n$/);
    assert.equal((await node.control("GET", "/status")).body.pid, pid);
    await node.control("POST", "/stop");
    await eventually("it has gone", () => !existsSync(runFile(node, "control.sock")));
  });

  test("replaced by another process while compiles run", async () => {
    await using node = await nodeThatKnows("replaced");
    node.write(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`s${i}.c`, `int s${i};\n`])));
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < 40) await node.sameAsCompiler(`s${next++}.c`);
    };
    const workers = Promise.all([worker(), worker(), worker(), worker()]);
    for (let i = 0; i < 3; i++) {
      await node.kill("SIGTERM");
      await node.up();
    }
    await workers;
    await node.sameAsCompiler("known.c");
  });

  test("of another version: refuses, and the compiler runs", async () => {
    await using node = await BreakableNode.make("refuses");
    mkdirSync(join(node.home, "run"), { mode: 0o700 });
    let refused = 0;
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        refused++;
        socket.end(writeDaemonFrame({ kind: "refused", why: "the daemon speaks version 9" }));
      });
    });
    await new Promise<void>((resolve) => server.listen(runFile(node, "cairn.sock"), resolve));
    node.write({ "a.c": source });
    await node.sameAsCompiler("a.c");
    assert.equal(refused, 1);
    await new Promise((resolve) => server.close(resolve));
  });

  test("slow, and asked by hundreds at once", async () => {
    await using node = await nodeThatKnows("storm");
    const storm = Number(process.env.CAIRN_TEST_STORM ?? 100);
    let next = 0;
    const pauses = setInterval(() => {
      process.kill(node.daemon.pid, "SIGSTOP");
      setTimeout(() => process.kill(node.daemon.pid, "SIGCONT"), 60);
    }, 100);
    const worker = async (): Promise<void> => {
      while (next < storm) {
        const number = next++;
        const ran = await node.cc(["-c", "known.c", "-o", `storm${number}.o`, `-DN=${number % 7}`]);
        assert.deepEqual(ran, { code: 0, signal: null, stdout: "", stderr: "" });
      }
    };
    try {
      await Promise.all(Array.from({ length: 64 }, worker));
    } finally {
      clearInterval(pauses);
      await sleep(100);
    }
    const objects = Array.from({ length: storm }, (_, i) => readFileSync(join(node.project, `storm${i}.o`)));
    for (const object of objects) assert.deepEqual(object, objects[0]);
  });
});

describe("the home", () => {
  interface Ruin {
    readonly name: string;
    readonly ruin: (node: BreakableNode) => void;
    /** Whether this daemon goes on; otherwise it ends by itself. */
    readonly daemon: "goes on" | "ends";
    readonly heals?: false;
  }
  const ruins: readonly Ruin[] = [
    { name: "its socket removed", ruin: (node) => rmSync(runFile(node, "cairn.sock")), daemon: "ends" },
    { name: "its hot records removed", ruin: (node) => rmSync(runFile(node, "hot"), { recursive: true }), daemon: "goes on" },
    { name: "its blobs removed", ruin: (node) => rmSync(join(node.home, "cache/cas"), { recursive: true }), daemon: "goes on" },
    { name: "its index removed", ruin: (node) => rmSync(join(node.home, "cache/index.db")), daemon: "goes on" },
    {
      name: "its index overwritten",
      ruin: (node) => {
        for (const suffix of ["", "-wal"]) {
          const path = join(node.home, `cache/index.db${suffix}`);
          if (existsSync(path)) writeFileSync(path, Buffer.alloc(Math.max(4096, statSync(path).size), "rubbish "));
        }
      },
      daemon: "goes on",
    },
    { name: "its cache replaced by a file", ruin: (node) => replaceByFile(join(node.home, "cache")), daemon: "goes on", heals: false },
    { name: "its run directory removed", ruin: (node) => rmSync(join(node.home, "run"), { recursive: true }), daemon: "ends" },
    { name: "removed", ruin: (node) => rmSync(node.home, { recursive: true }), daemon: "ends" },
    { name: "replaced by a file", ruin: (node) => replaceByFile(node.home), daemon: "ends", heals: false },
    { name: "moved", ruin: (node) => renameSync(node.home, `${node.home}.moved`), daemon: "ends" },
  ];

  function replaceByFile(path: string): void {
    rmSync(path, { recursive: true });
    writeFileSync(path, "");
  }

  for (const { name, ruin, daemon, heals } of ruins) {
    test(`${name} while the daemon runs`, async () => {
      await using node = await nodeThatKnows("ruin");
      ruin(node);
      await stillCompiles(node, "ruined");
      if (daemon === "ends") assert.deepEqual(await node.daemon.ended, { code: 0, signal: null }, node.daemon.log());
      await stillCompiles(node, "later");
      if (daemon === "goes on") assert.equal((await node.control("GET", "/status")).status, 200);
      else if (heals !== false) await node.up();
      assert.doesNotMatch(node.daemon.log(), /"event":"unhandled"/);
      if (heals === false) return;
      // After the next compile of it the known one hits again.
      const hits = async (): Promise<number> => {
        const { hit_local: local = 0, hit_daemon: asked = 0 } = await node.counters();
        return local + asked;
      };
      const before = await hits();
      await eventually("the known one hits", async () => {
        await age();
        await node.sameAsCompiler("known.c");
        return (await hits()) > before;
      });
    });
  }

  test("removed, and another daemon started in it at once: the old one takes nothing along", async () => {
    await using node = await nodeThatKnows("succeeded");
    const old = node.daemon;
    rmSync(node.home, { recursive: true });
    mkdirSync(node.home, { mode: 0o700 });
    await node.up();
    assert.deepEqual(await old.ended, { code: 0, signal: null });
    assert.equal((await node.control("GET", "/status")).body.pid, node.daemon.pid);
    await stillCompiles(node, "next");
  });

  test("removed while the compiler runs: the compiler does not notice", async () => {
    await using node = await nodeThatKnows("removed-midway");
    // A compiler that takes long enough: it waits for a pipe that is its source's header.
    node.write({ "slow.c": '#include "pipe.h"\nint slow;\n' });
    spawnSync("mkfifo", [join(node.project, "pipe.h")]);
    const running = node.cc(["-c", "slow.c", "-o", "slow.o"]);
    await eventually("the compiler runs", async () => {
      const jobs = (await node.control("GET", "/status")).body.jobs as { running: number };
      return jobs.running === 1;
    });
    rmSync(node.home, { recursive: true });
    writeFileSync(join(node.project, "pipe.h"), "int x;\n");
    assert.deepEqual(await running, { code: 0, signal: null, stdout: "", stderr: "" });
    assert.ok(existsSync(join(node.project, "slow.o")));
  });

  const unusable: readonly { readonly name: string; readonly spoil: (node: BreakableNode) => void; readonly says: RegExp }[] = [
    { name: "a file", spoil: (node) => replaceByFile(node.home), says: /"code":"home-(foreign|unwritable)"/ },
    {
      name: "somebody else's",
      spoil: (node) => {
        mkdirSync(join(node.home, "run"));
        chownSync(join(node.home, "run"), 65534, 65534);
      },
      says: /"code":"home-foreign".*"owner":65534/,
    },
    {
      name: "open to others",
      spoil: (node) => {
        mkdirSync(join(node.home, "run"));
        chmodSync(join(node.home, "run"), 0o777);
      },
      says: /"code":"home-foreign".*"mode":"777"/,
    },
    {
      name: "configured with nonsense",
      spoil: (node) => writeFileSync(join(node.home, "config.toml"), "[store]\ncapacity = 'much'\n"),
      says: /"code":"config-invalid".*"name":"store.capacity"/,
    },
    {
      name: "configured with what is not TOML",
      spoil: (node) => writeFileSync(join(node.home, "config.toml"), "\u0000\u0001 = = ]["),
      says: /"code":"config-invalid".*"line":1/,
    },
  ];
  for (const { name, spoil, says } of unusable) {
    test(`${name}: one clear line, and compiles go on`, { skip: process.getuid?.() !== 0 && "changing owners takes root" }, async () => {
      await using node = await BreakableNode.make("unusable");
      spoil(node);
      const daemon = node.start();
      assert.deepEqual(await daemon.ended, { code: 1, signal: null });
      assert.equal(daemon.log().trimEnd().split("\n").length, 1, daemon.log());
      assert.match(daemon.log(), says);
      node.write({ "a.c": source });
      await node.sameAsCompiler("a.c");
    });
  }

  test("deep, reached through a link, under any umask", async () => {
    for (const umask of [0o000, 0o077]) {
      const old = process.umask(umask);
      try {
        await using node = await BreakableNode.make("odd", { homeName: join("d".repeat(60), "e".repeat(60), "home") });
        symlinkSync(node.home, join(node.directory, "link"));
        const real = node.home;
        node.home = join(node.directory, "link");
        node.write({ "known.c": source });
        await node.up();
        await age();
        await node.sameAsCompiler("known.c");
        node.home = real; // The same home by its own, long name: the same daemon.
        await sleep(100);
        await node.sameAsCompiler("known.c");
        node.home = join(node.directory, "link");
        const counters = await node.counters();
        assert.equal(counters.stored, 1, node.daemon.log());
        assert.equal((counters.hit_local ?? 0) + (counters.hit_daemon ?? 0), 1, JSON.stringify(counters));
        for (const name of ["run", "cache", "state"]) assert.equal(statSync(join(real, name)).mode & 0o777, 0o700);
        const second = node.start();
        assert.deepEqual(await second.ended, { code: 3, signal: null });
      } finally {
        process.umask(old);
      }
    }
  });
});

describe("full disks", () => {
  const mounted: string[] = [];
  after(() => {
    for (const path of mounted) spawnSync("umount", ["-l", path]);
  });

  /** A file system of a few MiB at `path`. @returns false where this user may not mount */
  function mount(path: string, size: string): boolean {
    mkdirSync(path, { recursive: true });
    const done = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=700`, "tmpfs", path], { stdio: "ignore" }).status === 0;
    if (done) mounted.push(path);
    return done;
  }

  function fill(directory: string): void {
    const left = spawnSync("dd", ["if=/dev/zero", `of=${join(directory, "filling")}`, "bs=4096"], { stdio: "ignore" });
    assert.notEqual(left.status, 0);
  }

  for (const part of ["cache", "run", "."]) {
    test(`below the home's ${part}`, async (t) => {
      await using node = await BreakableNode.make("full");
      const disk = join(node.home, part);
      if (!mount(disk, "6m")) return t.skip("mounting takes more rights than this user has");
      node.write({ "known.c": source });
      await node.up();
      await age();
      await node.sameAsCompiler("known.c");
      fill(disk);
      for (const fresh of ["one", "two", "three"]) await stillCompiles(node, fresh);
      assert.equal((await node.control("GET", "/status")).status, 200);
      rmSync(join(disk, "filling"));
      await stillCompiles(node, "room");
      node.write({ "roomagain.c": "int roomagain;\n" });
      await age();
      await node.untilStored("roomagain.c");
      assert.doesNotMatch(node.daemon.log(), /"event":"unhandled"/);
      await node.kill();
      spawnSync("umount", ["-l", disk]);
    });
  }

  test("a daemon that starts on one can make room, and loses no index", async (t) => {
    await using node = await BreakableNode.make("full-start");
    if (!mount(node.home, "16m")) return t.skip("mounting takes more rights than this user has");
    node.write({ "known.c": source });
    await node.up();
    await age();
    await node.sameAsCompiler("known.c");
    await node.kill("SIGTERM");
    const part = join(node.home, "cache/cas/tmp", `part-${"7".repeat(64)}`);
    writeFileSync(part, "");
    spawnSync("dd", ["if=/dev/zero", `of=${part}`, "bs=4096"], { stdio: "ignore" });
    const long = new Date(Date.now() - 600_000);
    utimesSync(part, long, long);
    await node.up();
    const collected = await node.control("POST", "/gc", "{}");
    assert.equal(collected.status, 200);
    assert.ok(Number(collected.body.freedBytes) > 1_000_000, node.daemon.log());
    assert.equal(existsSync(part), false);
    await node.kill("SIGTERM");
    await node.up();
    const before = await node.counters();
    await node.sameAsCompiler("known.c");
    assert.equal((await node.counters()).miss, before.miss, "the index of before is there");
    await node.kill();
    spawnSync("umount", ["-l", node.home]);
  });

  test("of the build itself: a hit that does not fit ends as the compiler does", async (t) => {
    await using node = await BreakableNode.make("full-build");
    const disk = join(node.project, "out");
    if (!mount(disk, "64k")) return t.skip("mounting takes more rights than this user has");
    node.write({ "big.c": "char big[40000] = {1};\n" });
    await node.up();
    await age();
    const args = ["-c", "big.c", "-o", "out/big.o"];
    for (let i = 0; i < 3; i++) {
      assert.equal((await node.cc(args)).code, 0);
      await sleep(100);
    }
    rmSync(join(disk, "big.o"));
    fill(disk);
    const plain = await run("gcc", args, { cwd: node.project });
    const left = filesBelow(disk);
    const ran = await node.cc(args);
    assert.notEqual(plain.code, 0);
    assert.equal(ran.code, plain.code);
    assert.deepEqual(filesBelow(disk), left);
    await node.kill();
    spawnSync("umount", ["-l", disk]);
  });
});

describe("the wrapper", () => {
  for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"] as const) {
    test(`${signal} while the compiler runs: nothing is left and the daemon forgets`, async () => {
      await using node = await nodeThatKnows("client-killed");
      node.write({ "slow.c": '#include "pipe.h"\nint slow;\n' });
      spawnSync("mkfifo", [join(node.project, "pipe.h")]);
      const stored = filesBelow(join(node.home, "cache/cas"));
      const child = spawn(node.client, ["gcc", "-c", "slow.c", "-o", "slow.o"], {
        cwd: node.project,
        env: { ...process.env, ...node.env },
        stdio: "ignore",
      });
      const running = async (): Promise<number> => ((await node.control("GET", "/status")).body.jobs as { running: number }).running;
      await eventually("the compiler runs", async () => (await running()) === 1);
      await sleep(50);
      const ended = new Promise((resolve) => child.once("exit", (_, by) => resolve(by)));
      child.kill(signal);
      assert.equal(await ended, signal);
      await eventually("the daemon forgets the job", async () => (await running()) === 0);
      // Only now may a compiler that lived on go on: it must not write an object that nobody waits for.
      writeFileSync(join(node.project, "pipe.h"), "", { flag: "r+" });
      await sleep(100);
      assert.deepEqual(
        readdirSync(node.project).filter((name) => name.startsWith("slow")),
        ["slow.c"],
      );
      assert.deepEqual(filesBelow(join(node.home, "cache/cas")), stored);
    });
  }
});

describe("idle connections", () => {
  test("thousands of them: compiles go on, and the daemon lives", async () => {
    await using node = await nodeThatKnows("idle");
    const idle: Asker[] = [];
    const many = Number(process.env.CAIRN_TEST_CONNECTIONS ?? 5_000);
    try {
      for (let i = 0; i < many; i += 100) {
        idle.push(...Array.from({ length: 100 }, () => new Asker(runFile(node, "cairn.sock"))));
        await sleep(1);
      }
      await stillCompiles(node, "crowded");
      assert.equal((await node.control("GET", "/status")).status, 200);
    } finally {
      for (const asker of idle) asker[Symbol.dispose]();
    }
    await eventually("they are forgotten", async () => {
      utimesSync(join(node.project, "known.c"), new Date(), new Date());
      await age();
      const before = (await node.counters()).hit_daemon ?? 0;
      await node.sameAsCompiler("known.c");
      return ((await node.counters()).hit_daemon ?? 0) > before;
    });
  });
});
