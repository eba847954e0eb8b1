/**
 * The compiler wrapper and the daemon: every answer, no answer, and compilers that end in every way.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import type { CompileRequest, DaemonFrame } from "../../src/wire/index.ts";
import { type Answer, buildWrapper, World } from "./client-world.ts";

const wrapper = buildWrapper();
after(wrapper.remove);

const COMPILE = ["fakecc", "-c", "a.c", "-o", "a.o"];
const pass: Answer = () => [{ kind: "pass", reason: "test" }];
const run =
  (args: readonly string[] = [], environment: readonly string[] = []): Answer =>
  () => [{ kind: "run", job: 77n, rivalled: false, args, environment }];

test("DONE: places the outputs and replays", async () => {
  await using world = new World(wrapper.path);
  await world.listen(({ key }) => [
    { kind: "working" },
    { kind: "working" },
    { kind: "done", record: world.record(key, { validated: true, inputs: [], stderr: Buffer.from("again\n") }) },
  ]);
  assert.deepEqual(await world.start(COMPILE), { code: 0, signal: null, stdout: "", stderr: "again\n" });
  assert.equal(world.output(), "from the store\n");
  assert.ok(!existsSync(join(world.run, "hits.log"))); // The daemon knows of this one.
});

test("DONE: a record that does not claim to be validated is checked, and asked about once more where it is outdated", async () => {
  await using world = new World(wrapper.path);
  const outdated = (key: string): Buffer => world.record(key, { inputs: [{ path: "a.c", fp0: 1, fp1: 1 }] });
  const asked: string[] = [];
  await world.listen(({ key, why, checks }) => {
    asked.push(`${why} ${checks}`);
    return [{ kind: "done", record: why === "outdated" ? world.record(key) : outdated(key) }];
  });
  await world.start(COMPILE);
  assert.equal(world.output(), "from the store\n");
  assert.deepEqual(asked, ["no-record true", "outdated true"]);

  world.forgetCompiles();
  await world.listen(({ key }) => [{ kind: "done", record: outdated(key) }]);
  await world.start(COMPILE);
  assert.equal(world.output(), "compiled\n");
});

test("DONE: outputs that cannot be placed are compiled", async () => {
  await using world = new World(wrapper.path);
  await world.listen(({ key }) => {
    const outputs = [{ ...world.blob("a.o", "x"), digest: "00".repeat(32) }];
    return [{ kind: "done", record: world.record(key, { validated: true, outputs }) }];
  });
  assert.equal((await world.start(COMPILE)).code, 0);
  assert.equal(world.output(), "compiled\n");
});

test("PASS, REFUSED, nonsense and a closed connection: the compiler runs with the arguments and streams it was given", async () => {
  await using world = new World(wrapper.path);
  const answers: Answer[] = [
    pass,
    () => [{ kind: "refused", why: "version" }],
    () => "close",
    () => Buffer.from("this is not a frame at all"),
    () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0x81]),
    () => Buffer.from([0, 0, 0, 0, 0x42]),
    () => Buffer.from([10, 0, 0, 0, 0x82, 1, 2]),
  ];
  for (const answer of answers) {
    world.forgetCompiles();
    await world.listen(answer);
    const ended = await world.start(COMPILE, { env: { FAKE: "echo out; echo err >&2", FAKE_EXIT: "3" } });
    assert.deepEqual(ended, { code: 3, signal: null, stdout: "out\n", stderr: "err\n" });
    assert.deepEqual(world.compiles(), [`${join(world.bin, "fakecc")} -c a.c -o a.o`]);
  }
  assert.ok(!existsSync(join(world.run, "unresponsive")));
});

test("any bytes as RUN or DONE: the compiler's result, whatever they say", async () => {
  await using world = new World(wrapper.path);
  const payload = fc.tuple(fc.constantFrom(0x81, 0x82, 0x83, 0x84), fc.uint8Array({ maxLength: 60 }));
  await fc.assert(
    fc.asyncProperty(payload, async ([type, bytes]) => {
      world.forgetCompiles();
      const head = Buffer.alloc(5);
      head.writeUInt32LE(bytes.length, 0);
      head.writeUInt8(type, 4);
      await world.listen(() => Buffer.concat([head, bytes]));
      assert.equal((await world.start(COMPILE)).code, 0);
      assert.equal(world.output(), "compiled\n");
    }),
    { numRuns: 40 },
  );
});

test("RUN: added arguments and environment, what it printed and used is reported", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run(["-MD", "-MF", "x.d"], ["ADDED=1", "LANG", "PATHS=changed", "CPATH="]));
  const FAKE = `echo "$ADDED,\${LANG-unset},$PATHS,\${CPATH-unset},$CAIRN_DEPTH"; echo first >&2; echo second >&2; cat >&2`;
  const ended = await world.start(COMPILE, { env: { FAKE, PATHS: "before", CPATH: "before" } });
  assert.deepEqual(ended, { code: 0, signal: null, stdout: "1,unset,changed,,1\n", stderr: "first\nsecond\n" });
  assert.deepEqual(world.compiles(), [`${join(world.bin, "fakecc")} -MD -MF x.d -c a.c -o a.o`]);
  const report = world.reports[0];
  assert.ok(report !== undefined);
  assert.equal(report.job, 77n);
  assert.equal(report.waitStatus, 0);
  assert.equal(report.stdout.toString(), "1,unset,changed,,1\n");
  assert.equal(report.stderr.toString(), "first\nsecond\n");
  assert.ok(report.endNs > report.startNs && report.steadyNs > 0n);
  assert.ok(report.startNs <= BigInt(Date.now()) * 1_000_000n);
  assert.ok(report.maxRssKb > 100);
});

test("RUN: the compiler's exit code is ours", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  for (const code of [1, 2, 255]) {
    assert.equal((await world.start(COMPILE, { env: { FAKE_EXIT: String(code) } })).code, code);
    assert.equal(world.reports.at(-1)?.waitStatus, code << 8);
  }
});

test("RUN: the signal that killed the compiler kills us", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  for (const [signal, number] of [
    ["SIGKILL", 9],
    ["SIGSEGV", 11],
    ["SIGTERM", 15],
  ] as const) {
    const ended = await world.start(COMPILE, { env: { FAKE: `ulimit -c 0; kill -${number} $$` } });
    assert.equal(ended.signal, signal);
    assert.equal(world.reports.at(-1)?.waitStatus, number);
  }
});

test("RUN: a signal for us reaches the compiler, and the run is not reported", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  const FAKE = "trap 'kill $!; echo stopped >&2; exit 9' TERM; sleep 30 & echo running; wait";
  const child = spawn(wrapper.path, COMPILE, { cwd: world.project, env: world.environment({ FAKE }), stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.once("data", () => child.kill("SIGTERM"));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.once("close", (...end) => resolve(end)));
  assert.deepEqual([code, signal], [null, "SIGTERM"]);
  assert.equal(stderr, "stopped\n");
  assert.deepEqual(world.reports, []);
});

test("RUN: output beyond 8 MiB goes to the user and not to the daemon", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  const ended = await world.start(COMPILE, { env: { FAKE: "yes warning | head -c 9000000 >&2" } });
  assert.equal(ended.stderr.length, 9_000_000);
  assert.equal(ended.code, 0);
  assert.deepEqual(world.reports, []);
});

test("RUN: output of a few MiB arrives whole on both sides", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  const ended = await world.start(COMPILE, { env: { FAKE: "seq 300000 >&2; seq 100000" } });
  assert.equal(ended.stderr, world.reports[0]?.stderr.toString());
  assert.equal(ended.stdout, world.reports[0]?.stdout.toString());
  assert.ok(ended.stderr.endsWith("\n300000\n"));
});

test("RUN: a daemon that dies while the compiler runs does not matter", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  world.program("slowcc", "#!/bin/sh\nread x < pipe\necho done\nexit 4\n");
  execFileSync("mkfifo", [join(world.project, "pipe")]);
  const ending = world.start(["slowcc", "-c", "a.c"]);
  const pipe = await open(join(world.project, "pipe"), "w"); // Once the compiler reads.
  await world.silence();
  await pipe.writeFile("go\n");
  await pipe.close();
  assert.deepEqual(await ending, { code: 4, signal: null, stdout: "done\n", stderr: "" });
  assert.equal(world.requests.length, 1);
});

test("RUN: a process that the compiler leaves behind does not hold the build", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  // It keeps the pipes open for longer than anyone waits; closing its input ends it.
  const pidFile = join(world.directory, "pid");
  const ended = await world.start(COMPILE, { env: { FAKE: `sleep 30 & echo $! > ${pidFile}; echo said >&2` } });
  process.kill(Number(readFileSync(pidFile, "utf8")));
  assert.equal(ended.stderr, "said\n");
  assert.equal(ended.code, 0);
  assert.deepEqual(world.reports, []); // What it may still print is not known.
});

test("a terminal stays a terminal for the compiler, with its width", async () => {
  await using world = new World(wrapper.path);
  await world.listen(run());
  const FAKE = "test -t 2 && echo error is a terminal >&2; test -t 1 && stty size <&1";
  const inner = `stty rows 30 cols 77 && exec ${wrapper.path} ${COMPILE.join(" ")}`;
  const ended = await world.start(["-qec", inner, "/dev/null"], { command: "script", env: { FAKE } });
  assert.equal(ended.stdout.replaceAll("\r\n", "\n").split("\n").toSorted().join("\n").trim(), "30 77\nerror is a terminal");
  const request = world.requests[0];
  assert.deepEqual([request?.stderrIsTerminal, request?.stdoutIsTerminal, request?.columns], [true, true, 77]);
  assert.equal(world.reports[0]?.stderr.toString(), "error is a terminal\n");
  assert.equal(world.reports[0]?.stdout.toString(), "30 77\n");
});

test("a silent daemon is waited for once; then the marker keeps others from asking until it is old", async () => {
  await using world = new World(wrapper.path);
  const marker = join(world.run, "unresponsive");
  await world.listen(() => "silence");
  assert.equal((await world.start(COMPILE)).code, 0);
  assert.equal(world.output(), "compiled\n");
  assert.equal(world.requests.length, 1);
  assert.ok(existsSync(marker));
  utimesSync(marker, new Date(), new Date());
  await world.start(COMPILE);
  assert.equal(world.requests.length, 1);
  utimesSync(marker, 1, 1);
  await world.start(COMPILE);
  assert.equal(world.requests.length, 2);
  assert.ok(statSync(marker).mtimeMs > 1000);
});

test("a daemon that said that it works is not unresponsive when it dies", async () => {
  await using world = new World(wrapper.path);
  await world.listen(() => Buffer.from([0, 0, 0, 0, 0x80]));
  assert.equal((await world.start(COMPILE)).code, 0);
  assert.equal(world.output(), "compiled\n");
  assert.ok(!existsSync(join(world.run, "unresponsive")));
});

test("a run directory whose path does not fit into a socket's address", async () => {
  await using world = new World(wrapper.path, `deep/${"long-".repeat(12)}/${"name-".repeat(12)}`);
  await world.listen(({ key }) => [{ kind: "done", record: world.record(key, { validated: true }) }]);
  await world.start(COMPILE);
  assert.equal(world.output(), "from the store\n");
});

/** Waits until a file says something; the daemon's start script writes when it gets to it. */
async function said(path: string): Promise<string> {
  const deadline = AbortSignal.timeout(60_000);
  while (!existsSync(path) || readFileSync(path, "utf8") === "") await sleep(10, undefined, { signal: deadline });
  return readFileSync(path, "utf8");
}

test("no daemon: one is started in the background, detached and at most once", async () => {
  await using world = new World(wrapper.path);
  const installed = join(world.directory, "installed");
  mkdirSync(installed);
  const own = join(installed, "cairn-cc");
  writeFileSync(own, readFileSync(wrapper.path), { mode: 0o755 });
  const log = join(world.directory, "started");
  const script = `#!/bin/sh\nexec > ${log}.new 2>&1\nls -l /proc/$$/fd > ${log}.fds\ngrep -c -e pipe -e socket ${log}.fds\nps -o sid=,pid= -p $$\npwd\nmv ${log}.new ${log}\n`;
  const env = { CAIRN_NO_AUTOSTART: "" };
  await world.start(COMPILE, { command: own, env }); // Nothing to start it with: not an error.
  writeFileSync(join(installed, "start"), script, { mode: 0o755 });

  rmSync(world.run, { recursive: true }); // As after a reboot.
  symlinkSync(own, join(world.directory, "linked-cairn"));
  await world.start(COMPILE, { command: own, env: { CAIRN_NO_AUTOSTART: "1" } });
  assert.ok(!existsSync(world.run));
  const ended = await world.start(COMPILE, { command: own, env });
  assert.equal(ended.code, 0);
  assert.equal(statSync(world.run).mode & 0o7777, 0o700);
  const [inherited, ids, cwd] = (await said(log)).trim().split("\n");
  assert.equal(inherited, "0");
  const [session, pid] = (ids ?? "").trim().split(/ +/);
  assert.notEqual(session, pid); // Started by a session leader that is gone, so it can never get a terminal.
  assert.equal(cwd, "/");

  rmSync(log);
  const lock = join(world.run, "starting");
  utimesSync(lock, new Date(), new Date()); // However long all that took: somebody has just started it.
  await world.start(COMPILE, { command: own, env });
  assert.ok(!existsSync(log));
  utimesSync(lock, 1, 1);
  await world.start(COMPILE, { command: own, env });
  assert.notEqual(await said(log), "");
});

test("masquerading finds the next compiler on PATH and not itself", async () => {
  await using world = new World(wrapper.path);
  world.program("gcc-12", `#!/bin/sh\necho "$0 $*"\n`);
  const masquerade = world.masquerade("gcc-12");
  const env = { PATH: `${masquerade}:${world.directory}/nowhere::${masquerade}/:${world.bin}:/usr/bin` };
  const request = await world.requestOf(["-c", "a.c"], env, join(masquerade, "gcc-12"));
  assert.deepEqual(request.argv, [join(world.bin, "gcc-12"), "-c", "a.c"]);
  assert.equal(request.compiler, join(world.bin, "gcc-12"));
  const direct = await world.start(["a.o", "-o", "a"], { command: join(masquerade, "gcc-12"), env });
  assert.equal(direct.stdout, `${join(world.bin, "gcc-12")} a.o -o a\n`);
  const launched = await world.requestOf(["gcc-12", "-c", "a.c"], env);
  assert.deepEqual([launched.compiler, launched.argv[0]], [join(world.bin, "gcc-12"), "gcc-12"]);
  assert.deepEqual(await world.start(["a.c"], { command: join(masquerade, "gcc-12"), env: { PATH: masquerade } }), {
    code: 127,
    signal: null,
    stdout: "",
    stderr: "cairn: gcc-12: not found on PATH\n",
  });
});

test("wrappers that call each other end with an error", async () => {
  await using world = new World(wrapper.path);
  world.program("looping", `#!/bin/sh\nexec ${wrapper.path} looping "$@"\n`);
  const ended = await world.start(["looping", "-c", "a.c"]);
  assert.equal(ended.code, 126);
  assert.equal(ended.stderr, "cairn: looping: wrappers call each other without end\n");
});

test("what is no compile goes to the compiler without a question", async () => {
  await using world = new World(wrapper.path);
  const asked: CompileRequest[] = [];
  await world.listen((request): DaemonFrame[] => {
    asked.push(request);
    return [{ kind: "pass", reason: "test" }];
  });
  for (const args of [["a.o", "-o", "a"], ["-E", "a.c"], ["--version"], []]) await world.start(["fakecc", ...args]);
  await world.start(COMPILE, { env: { CAIRN_DISABLE: "1" } });
  assert.equal(world.compiles().length, 5);
  assert.equal(asked.length, 0);
  for (const args of [["-S", "a.c"], ["-fsyntax-only", "a.c"], ["@args"]]) await world.start(["fakecc", ...args]);
  assert.equal(asked.length, 3);
});

test("errors of executing are a shell's, and scripts without a first line run", async () => {
  await using world = new World(wrapper.path);
  const unreadable = join(world.directory, "unreadable");
  writeFileSync(unreadable, "#!/nowhere/sh\n");
  assert.equal((await world.start(["missing", "-c", "a.c"])).code, 127);
  assert.equal((await world.start([unreadable, "-c", "a.c"])).code, 126);
  chmodSync(unreadable, 0o755);
  assert.equal((await world.start([unreadable, "-c", "a.c"])).code, 127);
  world.program("plain", `echo plain "$0" "$@"\n`);
  assert.equal((await world.start(["plain", "-c", "a.c"])).stdout, `plain ${join(world.bin, "plain")} -c a.c\n`);
  await world.listen(run());
  assert.equal((await world.start([unreadable, "-c", "a.c"])).code, 127);
});

test("help and version", async () => {
  await using world = new World(wrapper.path);
  assert.match((await world.start(["--version"])).stdout, /^cairn-cc/);
  assert.match((await world.start(["--help"])).stdout, /^usage/);
  const without = await world.start([]);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /^usage/);
});

test("a real compiler: what RUN brought home, a record brings back byte for byte", async () => {
  await using world = new World(wrapper.path);
  writeFileSync(join(world.project, "a.c"), "int twice(int x) { int unused; return 2 * x; }\n");
  const args = ["gcc", "-Wall", "-g", "-c", "a.c", "-o", "a.o"];
  await world.listen(run(["-MD", "-MF", join(world.directory, "x.d")]));
  const first = await world.start(args);
  assert.match(first.stderr, /unused variable/);
  const object = readFileSync(join(world.project, "a.o"));
  assert.ok(readFileSync(join(world.directory, "x.d"), "utf8").includes("a.c"));
  const [key, stderr] = [world.requests[0]?.key ?? "", world.reports[0]?.stderr ?? Buffer.alloc(0)];
  await world.silence();
  world.leave(key, world.record(key, { outputs: [world.blob("a.o", object)], stderr }));
  rmSync(join(world.project, "a.o"));
  assert.deepEqual(await world.start(args), first);
  assert.ok(readFileSync(join(world.project, "a.o")).equals(object));
});
