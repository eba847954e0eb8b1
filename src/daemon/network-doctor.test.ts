import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerFacts } from "../net/index.ts";
import { checkNetwork, type NetworkFacts } from "./network-doctor.ts";

const absent = (key: string): PeerFacts => ({
  key,
  state: "unreachable",
  failures: 1,
  addresses: [],
  sources: [],
  why: "connection refused",
});
const WELL: NetworkFacts = {
  standing: "active",
  addresses: ["/ip4/192.168.1.4/tcp/4711"],
  outward: ["192.168.1.4"],
  peers: [],
  nameOf: (key) => `machine-${key}`,
  mdns: [{ interface: "eth0", family: "ip4", members: 1, trouble: undefined }],
  neighbours: 1,
  isolation: undefined,
  reach: { addresses: [{ address: "/ip4/192.168.1.4/tcp/4711", by: 1, inVain: 0 }], dataPort: 4712, data: true },
  quicTrouble: undefined,
  portMapping: { addresses: ["/ip4/203.0.113.7/tcp/4711"], trouble: undefined },
  youngestMs: 1_000,
  nowMs: 2_000,
  policy: { holds: "sharing team (this machine's own)", waits: [] },
};

test("each trouble is named, alone, with something to do; none is made up", () => {
  const rows: [what: Partial<NetworkFacts>, ...wrong: string[]][] = [
    [{}],
    [{ standing: "revoked" }, "membership"],
    [{ outward: [], addresses: ["/ip4/127.0.0.1/tcp/1"], mdns: [], neighbours: 0 }, "interfaces"],
    [{ addresses: ["/ip4/127.0.0.1/tcp/1"], mdns: [], neighbours: 0 }, "listening"],
    [{ mdns: [{ interface: "eth0", family: "ip4", members: 0, trouble: "EPERM" }] }, "mDNS"],
    [{ mdns: [{ interface: "eth0", family: "ip4", members: 0, trouble: undefined }] }, "mDNS"],
    [{ mdns: [{ interface: "eth0", family: "ip4", members: 0, trouble: undefined }], neighbours: 0 }],
    [{ mdns: undefined }],
    [{ quicTrouble: "there is no package for aix on ppc64" }, "QUIC"],
    [{ reach: { addresses: [], dataPort: 0, data: undefined } }],
    [{ reach: { addresses: [{ address: "/ip4/192.168.1.4/tcp/4711", by: 0, inVain: 2 }], dataPort: 0, data: undefined } }, "reachability"],
    [{ reach: { ...WELL.reach, data: false } }, "reachability"],
    [{ reach: { addresses: [{ address: "/ip4/203.0.113.7/tcp/4711", by: 0, inVain: 2 }], dataPort: 0, data: undefined } }],
    [{ portMapping: undefined }],
    [{ portMapping: { addresses: [], trouble: undefined } }],
    [{ portMapping: { addresses: [], trouble: "the router is behind another one: 100.64.1.1" } }, "port mapping"],
    [{ peers: [absent("a"), absent("b")] }, "members"],
    [{ isolation: "few-domains" }, "isolation"],
    [{ youngestMs: 10_000_000 }, "clock"],
  ];
  for (const [what, ...wrong] of rows) {
    const checks = checkNetwork({ ...WELL, ...what });
    const bad = checks.filter(({ ok }) => !ok);
    assert.deepEqual(
      bad.map(({ check }) => check),
      wrong,
      JSON.stringify(what),
    );
    for (const { advice } of bad) assert.ok(advice);
  }
});

test("who cannot be reached is named with the reason", () => {
  const [members] = checkNetwork({ ...WELL, peers: [absent("a")] }).filter(({ check }) => check === "members");
  assert.equal(members?.detail, "0 of 1 connected; machine-a: connection refused");
});
