import assert from "node:assert/strict";
import { test } from "node:test";
import type { InterfaceAddress } from "./interfaces.ts";
import { placeOf, type Scope, scopeOf, toldTo, travels } from "./scopes.ts";

const OWN: readonly InterfaceAddress[] = [
  { name: "lo", address: "127.0.0.1", family: "ip4", prefix: 8, internal: true },
  { name: "eth0", address: "192.168.1.4", family: "ip4", prefix: 24, internal: false },
  { name: "tun0", address: "10.8.0.4", family: "ip4", prefix: 24, internal: false },
  { name: "eth0", address: "2001:db8:1::4", family: "ip6", prefix: 64, internal: false },
];
const at = (ip: string): string => `/${ip.includes(":") ? "ip6" : "ip4"}/${ip}/tcp/4711`;
const MINE = ["127.0.0.1", "::1", "192.168.1.4", "10.8.0.4", "2001:db8:1::4", "fe80::4"].map(at);

test("how far addresses reach", () => {
  const rows: [scope: Scope, ...ips: string[]][] = [
    ["loopback", "127.0.0.1", "127.255.255.254", "::1"],
    ["link", "169.254.1.1", "fe80::1", "febf::1"],
    ["private", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.0.1", "fc00::1", "fd12:3456::1"],
    ["global", "9.255.255.255", "11.0.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "203.0.113.7", "2001:db8::1"],
  ];
  for (const [scope, ...ips] of rows) for (const ip of ips) assert.equal(scopeOf(at(ip)), scope, ip);
  assert.equal(scopeOf("/dns/build.example/tcp/4711"), "name");
  assert.equal(scopeOf("/ip6zone/eth0/ip6/fe80::1/tcp/4711"), "link");
});

test("who is told what of this node's own addresses", () => {
  const told = (remote: string): string[] => toldTo(placeOf(remote, OWN), MINE, true);
  const everywhere = at("2001:db8:1::4");
  assert.deepEqual(told("/ip4/127.0.0.1/tcp/9"), MINE.slice(0, 5), "on this machine: all but link-local ones");
  assert.deepEqual(told("/ip4/192.168.1.4/tcp/9"), MINE.slice(0, 5));
  assert.deepEqual(told("/ip4/192.168.1.9/tcp/9"), [at("192.168.1.4"), everywhere], "not the tunnel's");
  assert.deepEqual(told("/ip4/10.8.0.9/tcp/9"), [at("10.8.0.4"), everywhere], "not the home's");
  assert.deepEqual(
    told("/ip4/172.20.0.9/tcp/9"),
    [at("192.168.1.4"), at("10.8.0.4"), everywhere],
    "reached in private, by no range of ours",
  );
  assert.deepEqual(told("/ip4/203.0.113.7/tcp/9"), [everywhere]);
  assert.deepEqual(told("/ip6/2001:db8:1::9/tcp/9"), [at("192.168.1.4"), at("10.8.0.4"), everywhere], "global, but on the same wire");
  assert.deepEqual(told("/ip6/2001:db8:2::9/tcp/9"), [everywhere]);
  assert.deepEqual(told("/p2p/12D3/p2p-circuit"), [everywhere], "behind a relay it can be anywhere");
});

test("who is told what of somebody else's", () => {
  const theirs = ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.9/tcp/1", "/ip4/203.0.113.9/tcp/1", "/dns/nine.example/tcp/1"];
  const told = (remote: string): string[] => toldTo(placeOf(remote, OWN), theirs, false);
  assert.deepEqual(told("/ip4/192.168.1.7/tcp/9"), theirs.slice(1));
  assert.deepEqual(told("/ip4/10.8.0.9/tcp/9"), theirs.slice(2), "another site's private range");
  assert.deepEqual(told("/ip4/203.0.113.7/tcp/9"), theirs.slice(2));
  assert.deepEqual(told("/ip4/127.0.0.1/tcp/9"), theirs);
});

test("what is believed: nobody makes this node dial its own machine, or its own site, from outside", () => {
  const believes = (remote: string, address: string): boolean => travels(address, placeOf(remote, OWN));
  assert.equal(believes("/ip4/203.0.113.7/tcp/9", "/ip4/127.0.0.1/tcp/22"), false);
  assert.equal(believes("/ip4/192.168.1.7/tcp/9", "/ip4/127.0.0.1/tcp/22"), false);
  assert.equal(believes("/ip4/203.0.113.7/tcp/9", "/ip4/192.168.1.1/tcp/80"), false);
  assert.equal(believes("/ip4/192.168.1.7/tcp/9", "/ip4/192.168.1.8/tcp/80"), true);
  assert.equal(believes("/ip4/192.168.1.7/tcp/9", "/ip4/169.254.0.8/tcp/80"), false);
});
