/** Whoever stops a daemon goes on when it has ended, and does not wait until somebody has looked after its process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { stopDaemon } from "./stop-daemon.ts";

test("a daemon that has ended and that nobody looks after is not waited for", { timeout: 60_000 }, async (t) => {
  // A shell that starts something, becomes something else, and so never hears that the other has ended.
  const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => parent.kill("SIGKILL"));
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line);
  const control = { post: async () => void process.kill(pid, "SIGKILL") };
  await stopDaemon(control, { pid, home: "" }, t.signal);
  assert.doesNotThrow(() => process.kill(pid, 0), "it is still there, for its parent to look at");
});
