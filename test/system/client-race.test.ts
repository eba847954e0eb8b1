/**
 * The compiler wrapper while another machine does the same compile: the compiler is stopped when the other is first, and never otherwise.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import type { DaemonFrame } from "../../src/wire/index.ts";
import { buildWrapper, type Ended, World } from "./client-world.ts";
import { until } from "./network-world.ts";

const wrapper = buildWrapper();
after(wrapper.remove);

const COMPILE = ["fakecc", "-c", "a.c", "-o", "a.o"];
const MINUTE = { timeout: 60_000 };
/** Waits for a word; what it has started waits, too. */
const WAITS = "sleep 60 & echo $! > pid; echo half > a.o; : > started; read x < go";
/** Without another program: a compiler that is asked to stop has half a second. */
const TIDY = 'trap ": > tidied; exit 9" TERM';

/** A compile that has begun, and waits. */
interface Begun {
  readonly world: World;
  readonly ending: Promise<Ended>;
  /** The daemon's word that another machine was first. */
  readonly done: DaemonFrame;
  /** Lets the compiler go on. */
  readonly go: () => Promise<void>;
}

async function begin(
  t: TestContext,
  FAKE: string,
  { rivalled = true, shown, before }: { rivalled?: boolean; shown?: () => void; before?: string } = {},
): Promise<Begun> {
  const world = new World(wrapper.path);
  t.after(() => world[Symbol.asyncDispose]());
  execFileSync("mkfifo", [join(world.project, "go")]);
  let key = "";
  await world.listen((request) => {
    key = request.key;
    return [{ kind: "run", job: 77n, rivalled, args: [], environment: [] }];
  });
  const line = before === undefined ? COMPILE : ["-c", `${before} exec "$0" "$@"`, wrapper.path, ...COMPILE];
  const ending = world.start(line, { env: { FAKE }, ...(shown && { shown }), ...(before !== undefined && { command: "/bin/sh" }) });
  await until(t, () => Promise.resolve(existsSync(join(world.project, "started"))));
  const record = world.record(key, { validated: true, inputs: [], stderr: Buffer.from("a warning\n") });
  const go = async (): Promise<void> => {
    const pipe: FileHandle = await open(join(world.project, "go"), "w"); // Once the compiler reads.
    await pipe.writeFile("go\n");
    await pipe.close();
  };
  return { world, ending, done: { kind: "done", record }, go };
}

/** Of the process whose number the compiler, or who ran it, has left. */
function pidOf(world: World): number {
  return Number(readFileSync(join(world.project, "pid"), "utf8"));
}

function isRunning(world: World): boolean {
  try {
    process.kill(pidOf(world), 0);
    return true;
  } catch {
    return false;
  }
}

test(
  "who is stopped is let clear away what is temporary; nothing that it started goes on; outputs and messages are the other's",
  MINUTE,
  async (t) => {
    const { world, ending, done } = await begin(t, `${TIDY}; ${WAITS}`);
    assert.ok(isRunning(world));
    world.say(done);
    assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "a warning\n" });
    assert.equal(world.output(), "from the store\n");
    assert.ok(existsSync(join(world.project, "tidied")));
    await until(t, () => Promise.resolve(!isRunning(world)));
    assert.deepEqual([world.reports.length, world.compiles().length], [0, 1]);
  },
);

test("who does not stop when asked is stopped all the same", MINUTE, async (t) => {
  const { world, ending, done } = await begin(t, `trap "" TERM; ${WAITS}`);
  world.say(done);
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "a warning\n" });
  assert.equal(world.output(), "from the store\n");
  await until(t, () => Promise.resolve(!isRunning(world)));
});

test("a compiler that has printed something ends as if it had been alone", MINUTE, async (t) => {
  const shown = Promise.withResolvers<void>();
  const { world, ending, done, go } = await begin(t, "echo mine >&2; : > started; read x < go", { shown: shown.resolve });
  await shown.promise;
  world.say(done);
  await go();
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "mine\n" });
  assert.equal(world.output(), "compiled\n");
  assert.equal(world.reports.length, 1);
});

test("nobody heeds the other where the daemon had not said that there is one", MINUTE, async (t) => {
  const { world, ending, done, go } = await begin(t, ": > started; read x < go; echo mine >&2", { rivalled: false });
  world.say(done);
  await go();
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "mine\n" });
  assert.equal(world.output(), "compiled\n");
  assert.equal(world.reports[0]?.stderr.toString(), "mine\n");
});

test("what cannot be placed is compiled once more, and whole", MINUTE, async (t) => {
  const { world, ending, done } = await begin(t, "if [ ! -e started ]; then echo half > a.o; : > started; read x < go; fi");
  assert.ok(done.kind === "done");
  const [output] = [world.blob("a.o", "from the store\n")];
  execFileSync("rm", [world.blobPath(output?.digest ?? "")]);
  world.say(done);
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "" });
  assert.equal(world.output(), "compiled\n");
  assert.equal(world.compiles().length, 2);
});

test("a daemon that talks nonsense, or goes away, changes nothing", MINUTE, async (t) => {
  for (const last of ["nonsense", "close"]) {
    const { world, ending, go } = await begin(t, ": > started; read x < go; echo mine >&2");
    if (last === "nonsense") world.say({ kind: "done", record: Buffer.from("no record") });
    else await world.silence();
    await go();
    assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "mine\n" }, last);
    assert.equal(world.output(), "compiled\n");
    assert.deepEqual(world.reports, []);
  }
});

test("who has left the compiler's group and its session is stopped as well", MINUTE, async (t) => {
  const { world, ending, done } = await begin(t, "setsid sleep 60 & echo $! > pid; : > started; read x < go");
  world.say(done);
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "a warning\n" });
  assert.equal(world.output(), "from the store\n");
  assert.ok(!isRunning(world));
});

test("nothing is placed while a stranger holds the compiler's streams", MINUTE, async (t) => {
  const { world, ending, done } = await begin(t, "if [ ! -e started ]; then echo $$ > pid; : > started; read x < go; fi");
  const stream = await open(`/proc/${pidOf(world)}/fd/1`, "w");
  t.after(() => stream.close());
  world.say(done);
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "" });
  assert.equal(world.output(), "compiled\n");
  assert.equal(world.compiles().length, 2);
});

test("who had children before it was executed as the wrapper keeps them: nobody is stopped", MINUTE, async (t) => {
  const FAKE = ": > started; read x < go; echo mine >&2";
  const { world, ending, done, go } = await begin(t, FAKE, { before: "sleep 60 > before.log 2>&1 & echo $! > pid;" });
  const child = pidOf(world);
  t.after(() => process.kill(child, "SIGKILL"));
  world.say(done);
  await go();
  assert.deepEqual(await ending, { code: 0, signal: null, stdout: "", stderr: "mine\n" });
  assert.equal(world.output(), "compiled\n");
  assert.ok(isRunning(world));
});

test("what kills the build kills all that the compiler has started", MINUTE, async (t) => {
  for (const signal of ["SIGKILL", "SIGINT", "SIGQUIT"] as const) {
    const world = new World(wrapper.path);
    t.after(() => world[Symbol.asyncDispose]());
    await world.listen(() => [{ kind: "run", job: 77n, rivalled: true, args: [], environment: [] }]);
    const env = world.environment({ FAKE: "ulimit -c 0; sh -c 'echo $$ > pid; : > started; exec sleep 60'; :" });
    const build = spawn(wrapper.path, COMPILE, { cwd: world.project, env, stdio: "ignore", detached: true });
    const ended = new Promise<string | null>((resolve) => build.once("close", (_code, by) => resolve(by)));
    await until(t, () => Promise.resolve(existsSync(join(world.project, "started"))));
    assert.ok(build.pid !== undefined);
    process.kill(-build.pid, signal); // As a terminal does it, or who gives up a build.
    assert.equal(await ended, signal);
    await until(t, () => Promise.resolve(!isRunning(world)));
    assert.deepEqual(world.reports, []);
  }
});
