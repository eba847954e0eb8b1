import assert from "node:assert/strict";
import { test } from "node:test";
import { type Host, limits } from "../base/index.ts";
import { AddressBook, isUsable, MEMBER_SAYS } from "./addresses.ts";

test("what can be dialled, and what cannot", () => {
  const rows: [address: string, usable: boolean][] = [
    ["/ip4/192.0.2.7/tcp/4711", true],
    ["/ip6/2001:db8::1/tcp/4711", true],
    ["/dns4/build.example/tcp/4711", true],
    ["/ip4/192.0.2.7/tcp/0", false],
    ["/ip4/192.0.2.7/udp/4711", false],
    ["/ip4/192.0.2.7/tcp/80/ws", true],
    ["/dns4/build.example/tcp/80/ws", true],
    ["/ip4/192.0.2.7/tcp/443/wss", false],
    ["/ip4/192.0.2.7/udp/4711/quic-v1", true],
    ["/ip6/2001:db8::7/udp/4711/quic-v1", true],
    ["/dns/build.example/udp/4711/quic-v1", true],
    ["/ip4/192.0.2.7/udp/0/quic-v1", false],
    ["/ip4/192.0.2.7/udp/4711/quic-v1/webtransport", false],
    ["/ip4/192.0.2.7/tcp/443/tls/ws", false],
    ["/ip4/192.0.2.7/tcp/80/ws/ws", false],
    ["/ip4/192.0.2.7", false],
    ["/unix/tmp", false],
    ["192.0.2.7:4711", false],
    ["", false],
  ];
  for (const [address, usable] of rows) assert.equal(isUsable(address), usable, address);
});

function book(t: { saved: Host[]; members: string[]; forgotten?: string[] }): AddressBook {
  const saved = {
    load: () => [],
    save: (host: Host) => void t.saved.push(host),
    forget: (key: string) => void t.forgotten?.push(key),
  };
  const known = new AddressBook({ saved, self: "me", isMember: (key) => t.members.includes(key), own: () => [] });
  known.hint("saved", { peerKey: "b", addresses: ["/ip4/10.0.0.2/tcp/2"] });
  return known;
}

test("what a member says of itself counts; it is saved once, and only when it is news", () => {
  const saved: Host[] = [];
  const known = book({ saved, members: ["me", "b", "c"] });
  assert.equal(known.learnIfUnknown("b", ["/ip4/10.0.0.3/tcp/3"]), false);
  assert.equal(known.learn("b", ["/ip4/10.0.0.4/tcp/4", "nonsense"]), true);
  assert.equal(known.learn("b", ["/ip4/10.0.0.4/tcp/4"]), false);
  assert.equal(known.learn("c", ["nonsense"]), false);
  assert.equal(known.learn("me", ["/ip4/10.0.0.5/tcp/5"]), false);
  assert.deepEqual(saved, [{ peerKey: "b", addresses: ["/ip4/10.0.0.4/tcp/4"] }]);
  assert.deepEqual(known.hosts(), saved);
});

test("what was found is dialled, and neither saved nor passed on; heard and proven ones come first", () => {
  const saved: Host[] = [];
  const known = book({ saved, members: ["b", "c"] });
  const [told, first, second] = ["/ip4/10.0.0.4/tcp/4", "/ip4/10.0.0.8/tcp/8", "/ip6zone/eth0/ip6/fe80::8/tcp/8"];
  known.learn("b", [told]);
  assert.equal(known.hint("mdns", { peerKey: "b", addresses: [first] }), true);
  assert.equal(known.hint("mdns", { peerKey: "b", addresses: [first] }), false);
  assert.equal(known.hint("mdns", { peerKey: "b", addresses: [second] }), true);
  assert.equal(known.hint("mdns", { peerKey: "stranger", addresses: [first] }), false);
  assert.deepEqual(known.host("b")?.addresses.toSorted(), [told, first, second].toSorted());
  known.answered("b", told);
  assert.deepEqual(known.host("b")?.addresses, [second, told, first], "where it was heard last, where it answered last, the rest");
  known.answered("b", first);
  assert.deepEqual(known.host("b")?.addresses, [second, first, told]);
  assert.deepEqual(known.hosts(), [{ peerKey: "b", addresses: [told] }]);
  assert.deepEqual(known.sources("b"), ["itself", "mdns"]);
  assert.equal(saved.length, 1);
  for (let i = 1; i < 100; i++) known.hint("mdns", { peerKey: "b", addresses: [`/ip4/10.0.1.${i}/tcp/8`] });
  assert.ok((known.host("b")?.addresses.length ?? 0) <= limits.addressesDialled, "however many an impostor announces");
  assert.ok(known.host("b")?.addresses.includes(told));
});

test("who is no member is not saved, and is once it is one; who no longer is one is forgotten", () => {
  const t = { saved: [] as Host[], members: ["b"], forgotten: [] as string[] };
  const known = book(t);
  assert.equal(known.learn("d", ["/ip4/10.0.0.6/tcp/6"]), false);
  for (let i = 0; i < 1_000; i++) known.learn(`x${i}`, ["/ip4/10.0.0.7/tcp/7"]);
  assert.deepEqual(t.saved, []);
  t.members = ["d"];
  known.review();
  assert.deepEqual(known.host("d"), { peerKey: "d", addresses: ["/ip4/10.0.0.6/tcp/6"] });
  assert.deepEqual(known.sources("d"), [MEMBER_SAYS]);
  assert.equal(known.host("b"), undefined);
  assert.deepEqual(t.forgotten, ["b"]);
});
