import assert from "node:assert/strict";
import { test } from "node:test";
import { discoveryCompliance, FRIEND, LATER, SELF, STRANGER } from "../../test/compliance/discovery.ts";
import type { Host } from "../base/index.ts";
import { SavedDiscovery, StaticDiscovery } from "./known-peers.ts";

const settle = (): Promise<void> => Promise.resolve();
const address = "/ip4/192.0.2.7/tcp/4711";

discoveryCompliance("saved peers", () => {
  const members = new Set([SELF, FRIEND]);
  const hosts: Host[] = [];
  const saved = { load: () => [...hosts], save: () => undefined, forget: () => undefined };
  return {
    discovery: new SavedDiscovery({ saved, members: () => [...members].filter((key) => key !== SELF) }),
    appears: (peerKey) => void hosts.push({ peerKey, addresses: [address] }),
    members,
    settle,
  };
});

discoveryCompliance("a static list", () => {
  const members = new Set([SELF, FRIEND]);
  const names = new Map([
    ["self", SELF],
    ["friend", FRIEND],
    ["later", LATER],
    ["stranger", STRANGER],
  ]);
  const keyOf = (name: string): string | undefined =>
    [names.get(name)].find((key) => key !== undefined && key !== SELF && members.has(key));
  const peers = [...names.keys()].map((member) => ({ member, address }));
  // A list is what it is: whom it names has appeared already.
  return { discovery: new StaticDiscovery({ keyOf }, { peers }), appears: () => undefined, members, settle };
});

test("a member that is listed with several addresses has all of them", () => {
  const found: Host[] = [];
  const peers = ["/ip4/192.0.2.7/tcp/1", "/dns/a.example/tcp/2"].map((one) => ({ member: "friend", address: one }));
  using discovery = new StaticDiscovery({ keyOf: () => FRIEND }, { peers });
  discovery.start((hint) => found.push(hint));
  assert.deepEqual(found, [{ peerKey: FRIEND, addresses: peers.map((peer) => peer.address) }]);
});
