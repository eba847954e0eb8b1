import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { dialOrder } from "./dial-order.ts";
import type { InterfaceAddress } from "./interfaces.ts";

const OWN: readonly InterfaceAddress[] = [
  { name: "eth0", address: "192.168.1.4", family: "ip4", prefix: 24, internal: false },
  { name: "eth0", address: "2001:db8:1::4", family: "ip6", prefix: 64, internal: false },
];
const [dns, far4, far6, office, here4, here6, linkLocal, loopback] = [
  "/dns/a.example/tcp/1",
  "/ip4/203.0.113.7/tcp/1",
  "/ip6/2001:db8:2::7/tcp/1",
  "/ip4/10.0.0.7/tcp/1",
  "/ip4/192.168.1.7/tcp/1",
  "/ip6/2001:db8:1::7/tcp/1",
  "/ip6zone/eth0/ip6/fe80::7/tcp/1",
  "/ip4/127.0.0.1/tcp/1",
];
const ALL = [dns, far4, far6, office, here4, here6, linkLocal, loopback];

function order(addresses: readonly string[], heard?: string, good?: string): string[] {
  return dialOrder({ addresses, heard, good }, OWN);
}

test("near ones first, families in turn", () => {
  assert.deepEqual(order([far4, far6, here6, here4]), [here6, here4, far6, far4]);
  assert.deepEqual(order([dns, office, here4, loopback]), [loopback, here4, office, dns]);
});

test("what was just heard, then what answered, before all others; but only while it is known at all", () => {
  assert.deepEqual(order([here4, far4, dns], far4, dns), [far4, dns, here4]);
  assert.deepEqual(order([here4, far4], undefined, dns), [here4, far4]);
});

test("what speaks QUIC comes last, whatever was heard or answered there", () => {
  const [quic, quicHere] = ["/ip4/203.0.113.7/udp/1/quic-v1", "/ip4/192.168.1.7/udp/1/quic-v1"];
  assert.deepEqual(order([quic, quicHere, far4, here4], undefined, quic), [here4, far4, quic, quicHere]);
  assert.deepEqual(order([quic, quicHere, far4, here4], quic, far4), [far4, here4, quic, quicHere]);
});

test("each address once, none made up, none lost below the limit", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...ALL)), fc.option(fc.constantFrom(...ALL), { nil: undefined }), (addresses, good) => {
      const ordered = order(addresses, undefined, good);
      assert.deepEqual(ordered.toSorted(), [...new Set(addresses)].toSorted());
    }),
  );
  const many = Array.from({ length: 100 }, (_, i) => `/ip4/10.0.1.${i}/tcp/1`);
  assert.equal(order(many).length, limits.addressesDialled);
});
