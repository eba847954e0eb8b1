import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../base/index.ts";
import { AddressBook, announced, isUsable } from "./addresses.ts";

test("what can be dialled, and what cannot", () => {
  const rows: [address: string, usable: boolean][] = [
    ["/ip4/192.0.2.7/tcp/4711", true],
    ["/ip6/2001:db8::1/tcp/4711", true],
    ["/dns4/build.example/tcp/4711", true],
    ["/ip4/192.0.2.7/tcp/0", false],
    ["/ip4/192.0.2.7/udp/4711", false],
    ["/ip4/192.0.2.7/tcp/4711/ws", false],
    ["/ip4/192.0.2.7", false],
    ["/unix/tmp", false],
    ["192.0.2.7:4711", false],
    ["", false],
  ];
  for (const [address, usable] of rows) assert.equal(isUsable(address), usable, address);
});

test("loopback is told only where there is nothing else", () => {
  const loopback = "/ip4/127.0.0.1/tcp/1";
  assert.deepEqual(announced([loopback, "/ip6/::1/tcp/1"]), [loopback, "/ip6/::1/tcp/1"]);
  assert.deepEqual(announced([loopback, "/ip6/fe80::1/tcp/1", "/ip4/10.0.0.4/tcp/1"]), ["/ip4/10.0.0.4/tcp/1"]);
});

function book(t: { saved: Host[]; members: string[]; forgotten?: string[] }): AddressBook {
  const saved = {
    load: () => [{ peerKey: "b", addresses: ["/ip4/10.0.0.2/tcp/2"] }],
    save: (host: Host) => void t.saved.push(host),
    forget: (key: string) => void t.forgotten?.push(key),
  };
  return new AddressBook({ saved, self: "me", isMember: (key) => t.members.includes(key) });
}

test("what a member says of itself counts; it is saved once, and only when it is news", () => {
  const saved: Host[] = [];
  const known = book({ saved, members: ["me", "b", "c"] });
  assert.equal(known.learn("b", ["/ip4/10.0.0.2/tcp/2"]), false);
  assert.equal(known.learnIfUnknown("b", ["/ip4/10.0.0.3/tcp/3"]), false);
  assert.equal(known.learn("b", ["/ip4/10.0.0.4/tcp/4", "nonsense"]), true);
  assert.equal(known.learn("c", ["nonsense"]), false);
  assert.equal(known.learn("me", ["/ip4/10.0.0.5/tcp/5"]), false);
  assert.deepEqual(saved, [{ peerKey: "b", addresses: ["/ip4/10.0.0.4/tcp/4"] }]);
  assert.deepEqual(known.hosts(), saved);
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
  assert.equal(known.host("b"), undefined);
  assert.deepEqual(t.forgotten, ["b"]);
});
