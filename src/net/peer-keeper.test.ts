import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { founded, join, type Node, start, until } from "./network.fixture.ts";
import type { PeerKeeperOptions } from "./peer-keeper.ts";

const FEW: PeerKeeperOptions = { ...limits.peerSet, most: 6, outbound: 2, guests: 2, guestMs: 500, retryMs: 2_000, feelerEveryMs: 60_000 };

function links(node: Node): number {
  return node.network.peers().filter(({ state }) => state === "connected").length;
}

test("more members than links: everybody can still join, and keeps as many links as it may", { timeout: 60_000 }, async (t) => {
  const first = await start(t, 1, founded(1), new Map(), undefined, FEW);
  const nodes = [first];
  for (let number = 2; number <= 9; number++) nodes.push(await join(t, number, first, undefined, FEW));
  first.members.decide();
  await until(t, () => nodes.every(({ members }) => members.others().length === 8));
  // Guests go, and whoever has lost a link chooses somebody else.
  await until(t, () => nodes.every((node) => links(node) >= FEW.outbound && links(node) <= FEW.most));
  assert.ok(nodes.some((node) => links(node) < nodes.length - 1));
  first.members.issue({ kind: "revoke", member: nodes[8]?.members.self ?? "" });
  await until(t, () => nodes.slice(0, 8).every(({ members }) => members.others().length === 7));
});
