/**
 * A node that has nothing and does nothing but be a member of a network.
 */
import { join } from "node:path";
import { type Log, limits } from "../base/index.ts";
import { LogFiles, type NetworkState } from "../store/index.ts";
import { KeptTrees } from "./kept-trees.ts";
import type { RuntimeOptions, RuntimeParts } from "./network-compose.ts";

function nothing(): never {
  throw new Error("it keeps nothing");
}

/** @param where a directory, and what the files of this node begin with there */
export function idleParts(
  log: Log,
  kept: NetworkState,
  where: { readonly directory: string; readonly name: string },
): Omit<RuntimeParts, "shelf" | "known"> {
  const { directory, name } = where;
  const file = (what: string): string => join(directory, `${name}-${what}`);
  const store = {
    has: () => Promise.resolve(false),
    writeVerified: nothing,
    hasRoom: () => false,
    plain: () => Promise.resolve(undefined),
    partPath: nothing,
    plainPath: nothing,
    sizeOf: () => undefined,
    adopt: nothing,
  };
  const isQuiet = (): boolean => false;
  const pins = { hold: nothing, list: () => [], settle: () => undefined };
  const trees = KeptTrees.open({ log, pins, now: Date.now }, { file: file("trees.json") });
  return {
    log,
    kept,
    local: {
      store,
      index: { add: () => undefined, result: () => undefined },
      isQuiet,
      works: { memberOf: () => undefined, members: () => [], of: () => [], delete: () => undefined },
    },
    localTrees: { store: { ...store, read: nothing, write: nothing, directory }, pins, kept: trees, isQuiet, capacityBytes: 0 },
    work: () => ({ jobs: 0, cacheBytes: 0 }),
    logs: { own: new LogFiles(file("log")), mirrors: new LogFiles(file("witnessed")) },
    recalls: {
      begin: () => undefined,
      end: () => undefined,
      takeBack: () => undefined,
      left: () => [],
      bySigners: () => Promise.resolve(0),
    },
    speak: () => false,
    doorsShare: () => "policy",
    wordsChanged: () => undefined,
    desk: { compile: nothing, act: nothing },
    capacity: {
      now: () => ({ slots: 0, free: 0, queue: 0, toolchains: [], takesToolchains: false, platform: "linux-x86_64", targets: [] }),
      onChange: () => undefined,
    },
    toolchainOffer: () => Promise.resolve(undefined),
  };
}

/** On loopback, by itself. */
export function idleOptions(identity: RuntimeOptions["identity"]): RuntimeOptions {
  return {
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
    links: limits.peers,
    halfLifeMs: 172_800_000,
    placement: { pattern: "hybrid", healthCheckMs: 1_000 },
    portMapping: false,
  };
}
