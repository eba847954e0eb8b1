import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../test/system/harness.ts";
import type { Log } from "../base/index.ts";
import { NetworkState } from "../store/index.ts";
import { idleOptions, idleParts } from "./network-runtime.fixture.ts";
import { foundNetwork, NetworkRuntime } from "./network-runtime.ts";

test("a start that fails late closes what had opened: nothing listens any more", async () => {
  using directory = temporaryDirectory("runtime");
  using kept = NetworkState.open(join(directory.path, "network.db"));
  const seeds = { peerSeed: Buffer.alloc(32, 1), attestationSeed: Buffer.alloc(32, 2) };
  const { network, statements } = await foundNetwork(
    seeds,
    { name: "net", domain: "home", machine: "m", isUnanimous: true },
    Buffer.alloc(16),
  );
  kept.keep(statements);
  const told: string[] = [];
  const log: Log = { event: (_level, name) => void told.push(name) };
  const shelf = (): never => {
    throw new Error("no shelf");
  };
  const never = (): never => assert.fail("it does not get so far");
  const parts = { ...idleParts(log, kept, { directory: directory.path, name: "m" }), shelf, known: never };
  const identity = { network, name: "m", peerSeed: seeds.peerSeed.toString("hex"), attestationSeed: seeds.attestationSeed.toString("hex") };
  await assert.rejects(NetworkRuntime.start(parts, idleOptions(identity)), /no shelf/);
  assert.deepEqual(told.slice(-2), ["network.listening", "network.stopped"]);
  const port = Number(kept.setting("port"));
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  server.close();
});
