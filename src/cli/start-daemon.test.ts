import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { homeFrom } from "../base/index.ts";
import { ControlClient } from "./control.ts";
import { type DaemonParts, daemonEnvironment, daemonVariables, ensureDaemon } from "./start-daemon.ts";

/** @param daemon what bin/daemon.js does; `home` is at its hand */
function stage(t: TestContext, daemon: string): DaemonParts & { readonly log: string } {
  const root = mkdtempSync(join(tmpdir(), "cairn-start-"));
  // More than once: one that found another there may still be on its way out, and make a directory meanwhile.
  t.after(() => rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  mkdirSync(join(root, "bin"));
  writeFileSync(join(root, "bin/daemon.js"), daemon);
  const env = { PATH: process.env.PATH, CAIRN_HOME: join(root, "home"), CAIRN_SESSION: "00000000000000ff" };
  const home = homeFrom(env, "/nowhere");
  const control = new ControlClient({ socket: join(home.runDir, "control.sock"), deadlineMs: 5_000 });
  return { home, control, env, root, log: join(home.stateDir, "daemon.log") };
}

/** Serves /status and ends itself after one POST, or after a minute at most. */
const SERVES = `
  const { createServer } = require("node:http");
  const { mkdirSync } = require("node:fs");
  const run = process.env.CAIRN_HOME + "/run";
  mkdirSync(run, { recursive: true });
  console.error("session " + process.env.CAIRN_SESSION);
  createServer((request, response) => {
    response.end(JSON.stringify({ pid: process.pid, version: "1" }));
    if (request.method === "POST") response.on("close", () => process.exit());
  }).listen(run + "/control.sock");
  setTimeout(() => process.exit(), 60_000);
`;
const signal = new AbortController().signal;
/** Far beyond what a busy machine takes to start a process. */
const PATIENCE_MS = 60_000;

test("starts one, finds it again, and gives it nothing of the build", async (t) => {
  const parts = stage(t, SERVES);
  const first = await ensureDaemon(parts, PATIENCE_MS, signal);
  const second = await ensureDaemon(parts, PATIENCE_MS, signal);
  assert.deepEqual([first.kind, second.kind], ["started", "running"]);
  assert.equal(first.status.pid, second.status.pid);
  assert.equal(readFileSync(parts.log, "utf8"), "session undefined\n");
  assert.equal(statSync(parts.log).mode & 0o777, 0o600);
  await parts.control.post("/stop");
});

test("of two at once one is started, both find it", async (t) => {
  // The second finds the socket in use and ends with an error, as a daemon does whose home is locked.
  const parts = stage(t, SERVES);
  const both = await Promise.all([ensureDaemon(parts, PATIENCE_MS, signal), ensureDaemon(parts, PATIENCE_MS, signal)]);
  assert.equal(both[0].status.pid, both[1].status.pid);
  await parts.control.post("/stop");
});

test("a daemon that does not come up: its own words", async (t) => {
  const rows: [daemon: string, wanted: object][] = [
    [
      'console.error(JSON.stringify({ event: "x" })); console.error(JSON.stringify({ code: "config-invalid", where: "/c", name: "a" })); process.exit(1)',
      { code: "config-invalid", facts: { where: "/c", name: "a" } },
    ],
    ['throw new Error("boom")', { code: "daemon-failed" }],
    ["process.exit(1)", { code: "daemon-failed" }],
  ];
  for (const [daemon, wanted] of rows) await assert.rejects(ensureDaemon(stage(t, daemon), PATIENCE_MS, signal), wanted);
});

test("the log of an earlier daemon is not taken for this one's, and does not grow without end", async (t) => {
  const parts = stage(t, "process.exit(1)");
  mkdirSync(parts.home.stateDir, { recursive: true });
  writeFileSync(parts.log, `${JSON.stringify({ code: "index-corrupt" })}\n${"x".repeat(9_000_000)}\n`);
  await assert.rejects(ensureDaemon(parts, PATIENCE_MS, signal), { code: "daemon-failed" });
  assert.ok(statSync(parts.log).size < 1_000);
  assert.ok(statSync(`${parts.log}.1`).size > 9_000_000);
});

test("a state directory that cannot be made", async (t) => {
  const parts = stage(t, "process.exit(1)");
  writeFileSync(join(parts.root, "home"), "");
  await assert.rejects(ensureDaemon(parts, PATIENCE_MS, signal), { code: "home-unwritable" });
});

test("variables of one build stay with the build", () => {
  assert.deepEqual(
    daemonEnvironment({ HOME: "/h", CAIRN_SESSION: "1", CAIRN_DEPTH: "2", CAIRN_DISABLE: "1", MAKEFLAGS: "-j", EMPTY: undefined }),
    { ...daemonVariables, HOME: "/h" },
  );
});
