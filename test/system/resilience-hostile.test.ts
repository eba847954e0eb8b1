/**
 * Hostile and broken askers on both sockets: the daemon's memory and time stay bounded, honest work goes on beside them.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { age } from "./harness.ts";
import {
  Asker,
  BreakableNode,
  compileFrame,
  eventually,
  frameOf,
  heard,
  type Question,
  randomFrom,
  ranFrame,
  readRun,
} from "./resilience-world.ts";

/** Resident memory may grow by so much under attack, bytes: unfinished frames may take 128 MiB. */
const GROWTH_BYTES = 320 * 1024 ** 2;

describe("hostile askers", () => {
  let node: BreakableNode;
  let made = 0;
  let restBytes = 0;

  before(async () => {
    node = await BreakableNode.make("hostile");
    await node.up();
    await honestWork();
    restBytes = residentBytes();
  });
  after(async () => {
    assert.doesNotMatch(node.daemon.log(), /"event":"unhandled"/);
    assert.ok(residentBytes() < restBytes + GROWTH_BYTES, `${residentBytes()} bytes, ${restBytes} at first`);
    await node[Symbol.asyncDispose]();
  });

  function residentBytes(): number {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${node.daemon.pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  }

  async function honestWork(): Promise<void> {
    const name = `honest${made++}.c`;
    node.write({ [name]: `int honest${made};\n` });
    await age();
    await node.untilStored(name);
  }

  function asker(): Asker {
    return new Asker(join(node.home, "run/cairn.sock"));
  }

  function question(name: string): Question {
    node.write({ [name]: `int ${name.replace(/\W/g, "_")};\n` });
    return { cwd: node.project, compiler: "/usr/bin/gcc", argv: ["gcc", "-c", name], environment: ["PATH=/usr/bin:/bin"] };
  }

  async function runningJobs(): Promise<number> {
    return ((await node.control("GET", "/status")).body.jobs as { running: number }).running;
  }

  const nonsense: readonly (readonly [string, Uint8Array])[] = [
    ["a frame that claims to be enormous", Buffer.from([0xff, 0xff, 0xff, 0xff, 0x01])],
    ["a frame of an unknown type", frameOf(0x7f, Buffer.alloc(10))],
    ["a frame that only the daemon sends", frameOf(heard.done, Buffer.alloc(100))],
    ["an empty COMPILE", frameOf(0x01, Buffer.alloc(0))],
    ["a COMPILE cut short", frameOf(0x01, compileFrame({ cwd: "/", compiler: "gcc", argv: ["gcc"] }).subarray(5, 70))],
    [
      "a COMPILE with more than it should",
      frameOf(0x01, Buffer.concat([compileFrame({ cwd: "/", compiler: "gcc", argv: [] }).subarray(5), Buffer.alloc(9)])),
    ],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
    ["a RAN that nobody asked for", ranFrame({ job: 1n })],
    ["a RAN cut short", frameOf(0x02, Buffer.alloc(12))],
  ];
  for (const [name, bytes] of nonsense) {
    test(`${name}: the connection ends`, async () => {
      using liar = asker().send(bytes);
      const answer = await liar.next();
      assert.ok(answer === undefined || answer.type === heard.refused || answer.type === heard.pass, answer?.type.toString(16));
      await liar.closed;
    });
  }

  test("any bytes at all", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const whole = compileFrame(question("fuzzed.c"));
    for (let i = 0; i < 200; i++) {
      const bytes = Buffer.from(whole);
      for (let changes = random(4); changes >= 0; changes--) bytes[random(3) === 0 ? random(5) : random(bytes.length)] = random(256);
      const liar = asker().send(bytes);
      liar.socket.end();
      await liar.closed;
    }
    await honestWork();
    await eventually("no job is left", async () => (await runningJobs()) === 0);
  });

  test("another version is refused in words", async () => {
    using old = asker().send(compileFrame({ cwd: "/", compiler: "gcc", argv: ["gcc"], version: 1 }));
    const answer = await old.next();
    assert.equal(answer?.type, heard.refused);
    assert.match(answer.payload.toString(), /version/);
    await old.closed;
  });

  test("one question a connection, one report a job, no report for another's", async () => {
    using first = asker().send(compileFrame(question("first.c")));
    using second = asker().send(compileFrame(question("second.c")));
    const firstJob = readRun((await first.next()) ?? assert.fail("no answer")).job;
    const secondJob = readRun((await second.next()) ?? assert.fail("no answer")).job;
    assert.notEqual(firstJob, secondJob);
    first.send(ranFrame({ job: secondJob }));
    assert.equal((await first.next())?.type, heard.refused);
    await first.closed;
    await eventually("only the second one's job is left", async () => (await runningJobs()) === 1);
    second.send(ranFrame({ job: secondJob, waitStatus: 256 }), ranFrame({ job: secondJob }));
    assert.notEqual((await second.next())?.payload[0], 1);
    await second.closed;
    using twice = asker().send(compileFrame(question("third.c")), compileFrame(question("fourth.c")));
    await twice.closed;
    await eventually("no job is left", async () => (await runningJobs()) === 0);
  });

  test("a clock that was set while the compiler ran: nothing is stored", async () => {
    const asked = question("clock.c");
    await age();
    const before = await node.counters();
    for (const stepNs of [-3_600_000_000_000n, 3_600_000_000_000n]) {
      using liar = asker().send(compileFrame(asked));
      const { job, args } = readRun((await liar.next()) ?? assert.fail("no answer"));
      const startNs = BigInt(Date.now()) * 1_000_000n;
      const depfile = join(node.project, "clock.d");
      execFileSync("gcc", [...args.map((arg) => arg || depfile), "-c", "clock.c"], { cwd: node.project });
      const steadyNs = 20_000_000n;
      const endNs = startNs + steadyNs + stepNs;
      const report = { job, startNs, steadyNs, endNs: endNs < 0n ? 0n : endNs, dependencies: readFileSync(depfile, "utf8") };
      const stored = await liar.send(ranFrame(report)).next();
      assert.equal(stored?.type, heard.stored);
      assert.equal(stored.payload[0], 0);
    }
    const counters = await node.counters();
    assert.equal((counters["not_stored:clock_stepped"] ?? 0) - (before["not_stored:clock_stepped"] ?? 0), 2);
  });

  test("frames that never end: bounded memory, and a deadline", async () => {
    const slow = Array.from({ length: 200 }, () => asker());
    try {
      // Each promises 15 MiB and sends nearly all of it: 3 GB together.
      const header = Buffer.from([0, 0, 0xf0, 0, 0x01]);
      const most = Buffer.alloc(1024 * 1024);
      for (const each of slow) each.send(header);
      for (let sent = 0; sent < 14; sent++) {
        for (const each of slow) if (!each.socket.destroyed && each.socket.writableLength === 0) each.send(most);
        await sleep(10);
      }
      assert.ok(residentBytes() < restBytes + GROWTH_BYTES, `${residentBytes()} bytes`);
      await honestWork();
      using loris = asker();
      const began = performance.now();
      const drip = setInterval(() => loris.send(Buffer.from([0])), 1_000);
      await loris.closed;
      clearInterval(drip);
      assert.ok(performance.now() - began > 2_000, "a slow asker has some time");
      for (const each of slow) await each.closed;
    } finally {
      for (const each of slow) each[Symbol.dispose]();
    }
  });

  test("the control socket: garbage, large bodies, odd paths, silent connections", async () => {
    const control = join(node.home, "run/control.sock");
    const silent = Array.from({ length: 30 }, () => connect(control).on("error", () => undefined));
    const raw = (bytes: string): Promise<string> =>
      new Promise((resolve) => {
        let said = "";
        const socket = connect(control, () => socket.end(bytes));
        socket.on("data", (chunk) => {
          said += chunk.toString();
        });
        socket.on("error", () => undefined).on("close", () => resolve(said));
      });
    assert.match(await raw("\0\u0001\u0002 nonsense\r\n\r\n"), /^HTTP\/1\.1 400/);
    assert.match(await raw(`GET /${"x".repeat(100_000)} HTTP/1.1\r\n\r\n`), /^HTTP\/1\.1 4/);
    assert.match(await raw("GET //[ HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1\.1 [45]00/);
    for (const file of ["../../../../etc/passwd", "/etc/passwd", "%2e%2e%2f", "\u0000"]) {
      const { status, body } = await node.control("GET", `/explain?file=${encodeURIComponent(file)}`);
      assert.deepEqual([status, body], [200, { found: false }]);
    }
    assert.equal((await node.control("GET", "/../status")).status, 200);
    assert.equal((await node.control("GET", "/etc/passwd")).status, 404);
    assert.equal((await node.control("DELETE", "/status")).status, 404);
    for (const body of ["[", '"x"', '{"maxBytes":-1}', '{"maxBytes":"1"}', '{"all":1}', "x".repeat(1_000_000)]) {
      // Whoever sends too much may find the connection closed before the answer is read.
      const answer = await node.control("POST", "/gc", body).catch((error: unknown) => ({ status: 400, body: { error: String(error) } }));
      assert.equal(answer.status, 400, body.slice(0, 20));
    }
    await honestWork();
    for (const socket of silent) socket.destroy();
  });
});

test("more connections than the daemon may have open files", async () => {
  await using node = await BreakableNode.make("few-files");
  const limited = `ulimit -n 256; exec "$0" "$@"`;
  const { pid } = node.start({ NODE_OPTIONS: "" }, ["/bin/sh", "-c", limited]);
  await node.daemon.listening;
  node.write({ "a.c": "int a;\n", "b.c": "int b;\n" });
  await age();
  await node.sameAsCompiler("a.c");
  const idle = Array.from({ length: 600 }, () => new Asker(join(node.home, "run/cairn.sock")));
  try {
    await sleep(200);
    await node.sameAsCompiler("b.c");
    const status = await node.control("GET", "/status");
    assert.deepEqual([status.status, status.body.pid], [200, pid]);
    await node.sameAsCompiler("a.c");
  } finally {
    for (const each of idle) each[Symbol.dispose]();
  }
  await eventually("it answers again", async () => {
    await node.sameAsCompiler("b.c");
    return ((await node.counters()).stored ?? 0) >= 2;
  });
  assert.doesNotMatch(node.daemon.log(), /"event":"unhandled"/);
});
