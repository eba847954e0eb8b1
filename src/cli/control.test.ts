import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { ControlClient } from "./control.ts";

test("who is told may take longer than a daemon may be silent", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-control-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const socket = join(directory, "control.sock");
  const server = createServer((_, response) => response.end('{"line":1}\n{"done":"all"}\n'));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  const seen: string[] = [];
  const silent = { refresh: () => seen.push("waits anew") };
  const waiting = t.mock.method(globalThis, "setTimeout", () => silent as never);
  const client = new ControlClient({ socket, deadlineMs: 1_000 });
  // As a write to a pipe that nobody reads: the time until it is done is not the daemon's.
  assert.equal(await client.follow("/x", {}, () => void seen.push("told"), new AbortController().signal), "all");
  assert.deepEqual([seen, waiting.mock.calls[0]?.arguments.at(1)], [["told", "waits anew"], limits.trees.silentMs]);
});
