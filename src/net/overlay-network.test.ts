/**
 * The overlay over real connections on loopback, in a network in which each node is linked with few of the others.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { isSigned, keyPairFromSeed } from "../trust/index.ts";
import { codec, dialler, founded, join, type Node, seedOf, start, until } from "./network.fixture.ts";
import { Overlay } from "./overlay.ts";
import { OverlayDiscovery } from "./overlay-discovery.ts";
import { OVERLAY } from "./overlay-streams.ts";

const FEW = { ...limits.peerSet, most: 1, outbound: 1, guests: 8, guestMs: 500, feelerEveryMs: 3_600_000 };
/** However slow the machine is. */
const PATIENCE_MS = 180_000;
const LOOPBACK = [["/ip4/127.0.0.1/tcp/0"]];

function overlayOf({ network, members, keys, events }: Node): Promise<Overlay> {
  return Overlay.start({
    network,
    roster: members,
    domainOf: () => "home",
    discovery: new OverlayDiscovery(),
    manifests: () => [],
    isDirectory: () => false,
    codec,
    sign: (body) => keys.sign("cairn overlay addresses 1", body),
    isSigned: (key, body, signature) => isSigned(key, "cairn overlay addresses 1", body, signature),
    log: { event: (_level, name, facts = {}) => void events.push({ name, facts }) },
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
  });
}

test("members that are not linked know each other, and can be visited; who was called for what it has is linked; strangers are not heard", {
  timeout: PATIENCE_MS,
}, async (t) => {
  const first = await start(t, 1, founded(1), undefined, LOOPBACK, FEW);
  const nodes = [first];
  for (const number of [2, 3, 4, 5]) nodes.push(await join(t, number, first, LOOPBACK, FEW));
  const isLinkedWithAll = ({ network }: Node): boolean => network.peers().every(({ state }) => state === "connected");
  await until(t, () => !nodes.some(isLinkedWithAll)); // Guests have gone.
  const overlays = await Promise.all(nodes.map(overlayOf));
  for (const overlay of overlays) t.after(() => overlay[Symbol.dispose]());
  for (const overlay of overlays) await until(t, () => overlay.facts.contacts === nodes.length - 1);
  const isAbsent = ({ state }: { readonly state: string }): boolean => state !== "connected";
  const lonely = nodes.find(({ network }) => network.peers().some(isAbsent));
  const absent = lonely?.network.peers().find(isAbsent);
  const there = nodes.find(({ members }) => members.self === absent?.key);
  assert.ok(lonely && absent && there);
  const { connection } = await lonely.network.visit({ peerKey: absent.key, addresses: there.network.addresses }, OVERLAY, PATIENCE_MS);
  const opened = (): boolean => there.events.some(({ name, facts }) => name === "stream.opened" && facts.protocol === OVERLAY);
  await until(t, opened);
  connection.abort(new Error("seen"));
  const called = (): void => lonely.network.call(absent.key);
  called();
  const again = setInterval(called, limits.redialSpacingMs); // As for the next thing that it has: one call is one attempt.
  t.after(() => clearInterval(again));
  await until(t, () => lonely.events.some(({ name, facts }) => name === "peer.connected" && facts.peer === absent.key));

  const stranger = await dialler(t, seedOf(99), first);
  const ended = new Promise((resolve) => stranger.addEventListener("close", resolve));
  await stranger.newStream(OVERLAY).catch(() => undefined);
  await ended;
  const { publicKey } = keyPairFromSeed(seedOf(99));
  assert.ok(!first.events.some(({ name, facts }) => name === "stream.opened" && facts.peer === publicKey));
});
