import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { digestOf } from "../base/index.ts";
import type { ExecutorAction, ExecutorOutcome, Left } from "../contracts/index.ts";
import { type Ground, ground, never, sandboxOn } from "./executors.fixture.ts";

const ROOT = "/inputs";

/** An action of a shell that works among `inputs`, by their paths below the root. */
function working(on: Ground, script: string, inputs: Readonly<Record<string, string>>, outputs: readonly string[]): ExecutorAction {
  return {
    program: "/bin/sh",
    arguments: ["-c", script],
    environment: new Map([["PATH", "/usr/bin:/bin"]]),
    cwd: `${ROOT}/project`,
    toolchain: undefined,
    inputs: Object.entries(inputs).map(([path, text]) => {
      const bytes = Buffer.from(text);
      return { path: `${ROOT}/${path}`, digest: on.store.write(bytes), executable: text.startsWith("#!"), bytes: bytes.length };
    }),
    directories: [`${ROOT}/project/empty`],
    outputs: [],
    work: { root: ROOT, outputs, links: [{ path: `${ROOT}/project/link`, target: "a.txt" }] },
    usesSystem: true,
    limits: {
      cpuMs: 20_000,
      wallMs: 20_000,
      memoryBytes: 2 ** 33,
      processes: 64,
      fileBytes: 2 ** 24,
      outputBytes: 2 ** 20,
      printedBytes: 65_536,
    },
  };
}

function leftOf(outcome: ExecutorOutcome): Record<string, string> {
  assert.equal(outcome.kind, "done", JSON.stringify(outcome));
  assert.equal(outcome.exitCode, 0, outcome.stderr.toString());
  const told = (left: Left): string => {
    if (left.kind === "directory") return "directory";
    return left.kind === "link" ? `-> ${left.target}` : `${left.content.toString()}${left.executable ? " (x)" : ""}`;
  };
  return Object.fromEntries((outcome.left ?? []).map((left) => [left.path, told(left)]));
}

test("a program works among its inputs and leaves files, directories and links", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const inputs = {
    "project/a.txt": "one\n",
    "project/sub/b.txt": "two\n",
    "project/tool": "#!/bin/sh\necho made\n",
    "other/c.txt": "three\n",
  };
  const script = `
    cat a.txt sub/b.txt ../other/c.txt link > out/deep/all.txt
    ./tool > out/by-tool; chmod +x out/by-tool
    mkdir -p tree/inner empty; echo x > tree/inner/x; ln -s inner/x tree/l; ln tree/inner/x tree/hard
    echo changed > new && mv new sub/b.txt
    ls empty && echo nothing is lost`;
  const outputs = [
    "project/out/deep/all.txt",
    "project/out/by-tool",
    "project/tree",
    "project/sub/b.txt",
    "project/a.txt",
    "project/absent",
  ];
  assert.deepEqual(leftOf(await sandbox.run(working(on, script, inputs, outputs), never)), {
    "project/out/deep/all.txt": "one\ntwo\nthree\none\n",
    "project/out/by-tool": "made\n (x)",
    "project/tree": "directory",
    "project/tree/inner": "directory",
    "project/tree/inner/x": "x\n",
    "project/tree/l": "-> inner/x",
    "project/tree/hard": "x\n",
    "project/sub/b.txt": "changed\n",
    "project/a.txt": "one\n",
  });
  const again = await sandbox.run(working(on, "cat sub/b.txt > copy", inputs, ["project/copy"]), never);
  assert.deepEqual(leftOf(again), { "project/copy": "two\n" }, "what one has changed no other sees");
});

test("nothing outside the place is read, written or taken along", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const inputs = { "project/a.txt": "one\n" };
  const run = (script: string, outputs: readonly string[]): Promise<ExecutorOutcome> =>
    sandbox.run(working(on, script, inputs, outputs), never);
  const files = await run("ls /; cat /etc/passwd /proc/self/environ; echo x > /inputs/project/a.txt; echo x > /usr/x; true", []);
  assert.equal(files.kind === "done" && files.stdout.toString().includes("root:"), false);
  assert.match(files.kind === "done" ? files.stderr.toString() : "", /\/inputs\/project\/a.txt: (?:Read-only|Permission)/);
  const led = leftOf(
    await run("ln -s /etc out; rmdir l; ln -s /usr l; ln -s /inputs/../etc/passwd file; ln -s ../../.. up; mkfifo pipe", [
      "project/out",
      "project/file",
      "project/up",
      "project/pipe",
      "project/l/passwd",
    ]),
  );
  assert.deepEqual(led, { "project/out": "-> /etc", "project/file": "-> /inputs/../etc/passwd", "project/up": "-> ../../.." });
  const much = await run("head -c 2000000 /dev/zero > big", ["project/big"]);
  assert.equal(much.kind === "killed" || (much.kind === "done" && much.exitCode !== 0), true, JSON.stringify(much));
  const many = await run("i=0; while [ $i -lt 9000 ]; do i=$((i+1)); : > f$i; done", ["project"]);
  assert.deepEqual(many.kind === "killed" && many.limit, "files", JSON.stringify(many));
});

test("what is no action with a place to work in is refused by name", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const good = working(on, "true", { "project/a.txt": "one" }, ["project/x"]);
  const work = good.work ?? { root: ROOT, outputs: [], links: [] };
  const rows: readonly [string, ExecutorAction][] = [
    ["bad_path", { ...good, work: { ...work, outputs: ["../x"] } }],
    ["bad_path", { ...good, work: { ...work, outputs: ["/x"] } }],
    ["bad_path", { ...good, work: { ...work, outputs: [""] } }],
    ["bad_path", { ...good, work: { ...work, root: "/elsewhere" }, cwd: "/elsewhere", directories: [] }],
    ["bad_path", { ...good, cwd: "/project" }],
    ["bad_path", { ...good, inputs: [{ path: "/usr/bin/env", digest: digestOf(""), executable: true }] }],
    ["bad_path", { ...good, work: { ...work, links: [{ path: "/usr/bin/env", target: "x" }] } }],
    ["bad_argument", { ...good, outputs: ["x"] }],
    ["input_conflict", { ...good, work: { ...work, links: [{ path: `${ROOT}/project/a.txt`, target: "x" }] } }],
  ];
  for (const [reason, action] of rows) {
    const outcome = await sandbox.run(action, never);
    assert.equal(outcome.kind === "refused" && outcome.reason, reason, JSON.stringify(outcome));
  }
});

test("what a program prints is shown while it runs, and all of it is in the outcome", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const shown = { stdout: "", stderr: "" };
  const ended = new AbortController();
  const show = (stream: "stdout" | "stderr", bytes: Buffer): void => {
    shown[stream] += bytes.toString();
    if (shown.stdout === "begun\n" && shown.stderr === "so it is\n") ended.abort(new Error("seen"));
  };
  // It does not end before it was seen.
  const endless = working(on, "echo begun; echo so it is >&2; sleep 1000", {}, []);
  await assert.rejects(sandbox.run({ ...endless, show, limits: { ...endless.limits, wallMs: 600_000 } }, ended.signal), /seen/);

  const pieces: Buffer[] = [];
  const loud = working(on, "head -c 60000 /dev/zero; echo more", {}, []);
  const outcome = await sandbox.run({ ...loud, show: (_, bytes) => void pieces.push(Buffer.from(bytes)) }, never);
  assert.ok(outcome.kind === "done", JSON.stringify(outcome));
  const seen = Buffer.concat(pieces);
  assert.ok(outcome.stdout.equals(seen), "also what it printed just before it ended");
  assert.equal(outcome.stdout.length, 60_005);

  const tooMuch = await sandbox.run({ ...working(on, "head -c 200000 /dev/zero", {}, []), show }, never);
  assert.ok(tooMuch.kind === "killed" && tooMuch.limit === "output", JSON.stringify(tooMuch));
});

test("of what is given up everything is shown that it had printed by then", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  // Given up as soon as it has printed, and so mostly before anybody has looked what it printed: in none of the rounds it must be lost.
  for (let round = 0; round < 5; round++) {
    const shown: Buffer[] = [];
    const isOver = new AbortController();
    const mark = `1000.${process.pid}${round}`;
    const action = working(on, `echo late; exec sleep ${mark}`, {}, []);
    const run = sandbox.run({ ...action, show: (_, bytes) => void shown.push(bytes) }, isOver.signal);
    while (!isRunning(`sleep\0${mark}\0`)) await setTimeout(1, undefined, { signal: t.signal });
    isOver.abort();
    await assert.rejects(run, { name: "AbortError" });
    assert.equal(Buffer.concat(shown).toString(), "late\n");
    assert.equal(isRunning(`sleep\0${mark}\0`), false);
  }
});

function isRunning(command: string): boolean {
  return processesOf(command).length > 0;
}

/** Their numbers. */
function processesOf(command: string): string[] {
  return readdirSync("/proc").filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(join("/proc", entry, "cmdline"), "latin1") === command;
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}

test("many processes each of which holds little hold too much together", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  // tail keeps what it reads until a line ends.
  const eater = "(head -c 20000000 /dev/zero; sleep 15) | tail > /dev/null &";
  const heldBytes = 128 * 2 ** 20;
  const outcome = await sandbox.run({ ...working(on, `${eater.repeat(10)} wait`, {}, []), heldBytes }, never);
  assert.ok(outcome.kind === "killed" && outcome.limit === "memory", JSON.stringify(outcome));
  const alone = await sandbox.run({ ...working(on, "head -c 20000000 /dev/zero | tail > /dev/null; sleep 0.5", {}, []), heldBytes }, never);
  assert.equal(alone.kind, "done", JSON.stringify(alone));
});

test("several that hold too much together: the youngest ends, and is neither a failure nor at fault; the kernel would end such first", async (t) => {
  await using on = ground();
  await using sandbox = await sandboxOn(t, on, undefined, 128 * 2 ** 20);
  if (sandbox === undefined) return;
  const isOver = new AbortController();
  const mark = `1000.${process.pid}8`;
  const eater = (bytes: number): string => `(head -c ${bytes} /dev/zero; exec sleep ${mark}) | tail > /dev/null`;
  const heldBytes = 120 * 2 ** 20;
  const eldest = sandbox.run({ ...working(on, eater(80_000_000), {}, []), heldBytes }, isOver.signal);
  const began = async (): Promise<string> => {
    for (;;) {
      const found = processesOf(`sleep\0${mark}\0`)[0];
      if (found !== undefined) return found;
      await setTimeout(5, undefined, { signal: t.signal });
    }
  };
  assert.equal(readFileSync(`/proc/${await began()}/oom_score_adj`, "latin1"), "1000\n");
  const youngest = await sandbox.run({ ...working(on, eater(70_000_000), {}, []), heldBytes }, never);
  assert.ok(youngest.kind === "unavailable" && youngest.reason === "memory_taken", JSON.stringify(youngest));
  await began(); // The other one goes on.
  const small = await sandbox.run({ ...working(on, "sleep 0.5", {}, []), heldBytes }, never);
  assert.equal(small.kind, "done", JSON.stringify(small));
  isOver.abort();
  await assert.rejects(eldest, { name: "AbortError" });
});

test("memory that would be no process' own is refused where what all hold together counts", async (t) => {
  if (spawnSync("python3", ["-c", ""], { env: { PATH: "/usr/bin" } }).status !== 0) return t.skip("no python3 is installed");
  await using on = ground();
  await using sandbox = await sandboxOn(t, on);
  if (sandbox === undefined) return;
  const action = working(on, "python3 -c 'import mmap; mmap.mmap(-1, 4096)'", {}, []);
  const outcomes = [await sandbox.run({ ...action, heldBytes: 2 ** 30 }, never), await sandbox.run(action, never)];
  assert.deepEqual(
    outcomes.map((outcome) => outcome.kind === "done" && outcome.exitCode),
    [1, 0],
  );
});
