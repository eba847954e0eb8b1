import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../test/system/harness.ts";
import type { Log } from "../base/index.ts";
import { LogFiles, NetworkState } from "../store/index.ts";
import { KeptTrees } from "./kept-trees.ts";
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
  const local = {
    store: {
      has: never,
      writeVerified: never,
      sizeOf: never,
      hasRoom: never,
      plain: never,
      partPath: never,
      plainPath: never,
      adopt: never,
    },
    index: { add: never, forget: never, result: never },
    isQuiet: never,
    works: { memberOf: never, members: never, of: never, delete: never },
  };
  const localTrees = {
    store: { has: never, read: never, write: never, sizeOf: never, hasRoom: never, directory: "" },
    pins: { hold: never, list: never, settle: never },
    kept: KeptTrees.open({ log, pins: { hold: never }, now: never }, { file: "/nonexistent/tree-copies.json" }),
    isQuiet: never,
    capacityBytes: 0,
  };
  const parts = {
    log,
    local,
    localTrees,
    kept,
    work: () => ({ jobs: 0, cacheBytes: 0 }),
    shelf,
    known: never,
    logs: { own: new LogFiles("/nowhere"), mirrors: new LogFiles("/nowhere") },
    recalls: {
      begin: () => undefined,
      end: () => undefined,
      takeBack: () => undefined,
      left: () => [],
      bySigners: () => Promise.resolve(0),
    },
    speak: () => false,
    doorsShare: () => "policy" as const,
    wordsChanged: () => undefined,
    desk: { compile: never, act: never },
    capacity: { now: never, onChange: () => undefined },
    toolchainOffer: () => Promise.resolve(undefined),
  };
  const identity = { network, name: "m", peerSeed: seeds.peerSeed.toString("hex"), attestationSeed: seeds.attestationSeed.toString("hex") };
  await assert.rejects(
    NetworkRuntime.start(parts, {
      identity,
      listen: "127.0.0.1:0",
      mdns: false,
      peers: [],
      policy: "self",
      toolchains: "domain",
      circle: "domain",
      copies: 0,
      directory: "auto",
      relayCircuits: 256,
      links: 200,
      halfLifeMs: 172_800_000,
      placement: { pattern: "hybrid", healthCheckMs: 1_000 },
      portMapping: false,
    }),
    /no shelf/,
  );
  assert.deepEqual(told.slice(-2), ["network.listening", "network.stopped"]);
  const port = Number(kept.setting("port"));
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  server.close();
});
