import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { NetworkState } from "./network-state.ts";

function place(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "cairn-network-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "network.db");
}

const statement = (id: string): { id: string; bytes: Uint8Array } => ({ id, bytes: Uint8Array.from(Buffer.from(id)) });

test("what was kept is there again, in order, and only that", (t) => {
  const file = place(t);
  {
    using state = NetworkState.open(file);
    state.keep(["c", "a", "b"].map(statement));
    state.keep(["b", "c", "d"].map(statement));
    state.save({ peerKey: "k", addresses: ["/ip4/1.2.3.4/tcp/5", "/ip6/::1/tcp/5"] });
    state.save({ peerKey: "k", addresses: ["/ip4/1.2.3.4/tcp/6"] });
    state.save({ peerKey: "gone", addresses: ["x"] });
    state.forget("gone");
    state.set("port", "4711");
  }
  using again = NetworkState.open(file);
  assert.deepEqual(
    again.statements().map((bytes) => Buffer.from(bytes).toString()),
    ["b", "c", "d"],
  );
  assert.deepEqual(again.load(), [{ peerKey: "k", addresses: ["/ip4/1.2.3.4/tcp/6"] }]);
  assert.equal(again.setting("port"), "4711");
  assert.equal(again.setting("other"), undefined);
});

test("a process that is killed right after a call has lost nothing", (t) => {
  const file = place(t);
  const code = `import { NetworkState } from ${JSON.stringify(join(import.meta.dirname, "network-state.ts"))};
    const state = NetworkState.open(${JSON.stringify(file)});
    state.keep([{ id: "a", bytes: Uint8Array.of(1) }]);
    state.save({ peerKey: "k", addresses: ["x"] });
    process.kill(process.pid, "SIGKILL");`;
  const ran = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", code]);
  assert.equal(ran.signal, "SIGKILL", ran.stderr.toString());
  using state = NetworkState.open(file);
  assert.equal(state.statements().length, 1);
  assert.equal(state.load().length, 1);
});

test("a file that is none is reported and left as it is", (t) => {
  const file = place(t);
  writeFileSync(file, "not a database, but something that somebody may want back");
  assert.throws(() => NetworkState.open(file), { code: "network-damaged" });
  assert.throws(() => NetworkState.open(file), { code: "network-damaged" });
});
