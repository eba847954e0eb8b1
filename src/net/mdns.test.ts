import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { discoveryCompliance, FRIEND, LATER, SELF } from "../../test/compliance/discovery.ts";
import { type Host, type Key, limits, silentLog } from "../base/index.ts";
import type { InterfaceAddress } from "./interfaces.ts";
import { MdnsDiscovery } from "./mdns.ts";
import type { MdnsPacket, MulticastParts, OpenMulticast } from "./mdns-sockets.ts";
import { MdnsTags } from "./mdns-tags.ts";
import type { TransportName } from "./ports.ts";

const NETWORK = "12".repeat(32);
const HOUR_MS = 3_600_000;
const NOW = 1_800_000_000_000;

/** A wire: what one puts on it, all hear, with the sender's address, like multicast. Time passes only when it is told to. */
class Wire {
  readonly heard: { readonly from: string; readonly packet: MdnsPacket }[] = [];
  readonly #ears = new Set<{ parts: MulticastParts; at: string }>();

  opener(): OpenMulticast {
    return (parts, on) => {
      const ear = { parts, at: on.address };
      this.#ears.add(ear);
      return {
        send: (packet) => this.put(on.address, { questions: packet.questions ?? [], answers: packet.answers ?? [] }),
        close: () => void this.#ears.delete(ear),
      };
    };
  }

  get sockets(): string[] {
    return [...this.#ears].map(({ at }) => at).toSorted();
  }

  put(from: string, { questions, answers }: { readonly questions: readonly unknown[]; readonly answers: readonly unknown[] }): void {
    const packet: MdnsPacket = { kind: answers.length > 0 ? "response" : "query", questions, answers, from };
    this.heard.push({ from, packet });
    for (const { parts } of this.#ears) parts.received(packet);
  }
}

function lan(address: string, name = "eth0"): InterfaceAddress {
  return { name, address, family: address.includes(":") ? "ip6" : "ip4", prefix: address.includes(":") ? 64 : 24, internal: false };
}

interface NodeOptions {
  readonly self: Key;
  readonly interfaces: () => readonly InterfaceAddress[];
  readonly members?: () => readonly Key[];
  readonly network?: string;
  readonly wallClock?: () => number;
  readonly speaks?: TransportName;
}

function node(t: TestContext, wire: Wire, options: NodeOptions): MdnsDiscovery {
  const members = options.members ?? ((): Key[] => [SELF, FRIEND]);
  const discovery = new MdnsDiscovery(
    {
      self: options.self,
      members: () => members().filter((key) => key !== options.self),
      interfaces: options.interfaces,
      portAt: () => ({ port: 4_711, speaks: options.speaks ?? "tcp" }),
      open: wire.opener(),
      log: silentLog,
      wallClock: options.wallClock ?? ((): number => NOW),
      random: () => 0.5,
    },
    { network: options.network ?? NETWORK },
  );
  t.after(() => discovery[Symbol.dispose]());
  return discovery;
}

const ignore = (): void => undefined;

discoveryCompliance("mDNS", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wire = new Wire();
  const members = new Set([SELF, FRIEND]);
  const discovery = node(t, wire, { self: SELF, interfaces: () => [lan("192.168.1.4")], members: () => [...members] });
  let last = 10;
  return {
    discovery,
    appears: (key) => {
      last += 1;
      const address = `192.168.1.${last}`;
      node(t, wire, { self: key, interfaces: () => [lan(address)] }).start(ignore);
    },
    members,
    settle: () => {
      t.mock.timers.tick(limits.mdnsMostMs);
      return Promise.resolve();
    },
  };
});

test("two members of which one comes later find each other at once, and only members do", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wire = new Wire();
  const found: Record<string, Host[]> = { first: [], second: [], foreign: [] };
  const begin = (name: string, options: NodeOptions): void => node(t, wire, options).start((hint) => found[name]?.push(hint));
  begin("first", { self: SELF, interfaces: () => [lan("192.168.1.4")] });
  begin("foreign", { self: FRIEND, interfaces: () => [lan("192.168.1.6")], network: "34".repeat(32) });
  t.mock.timers.tick(10 * limits.mdnsMostMs);
  begin("second", { self: FRIEND, interfaces: () => [lan("192.168.1.5")] });
  assert.deepEqual(found.first, [{ peerKey: FRIEND, addresses: ["/ip4/192.168.1.5/tcp/4711"] }]);
  t.mock.timers.tick(3 * limits.mdnsFirstMs);
  assert.deepEqual(
    found.second?.[0],
    { peerKey: SELF, addresses: ["/ip4/192.168.1.4/tcp/4711"] },
    "the first one answers, within a second of having answered others",
  );
  assert.deepEqual(found.foreign, []);
  const said = JSON.stringify(wire.heard);
  for (const secret of [SELF, FRIEND, NETWORK]) assert.ok(!said.includes(secret.slice(0, 16)), "no key and no network on the wire");
});

for (const [speaks, address] of [
  ["ws", "/ip4/192.168.1.5/tcp/4711/ws"],
  ["quic", "/ip4/192.168.1.5/udp/4711/quic-v1"],
] as const)
  test(`who listens for ${speaks} alone is found where it speaks it`, (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const wire = new Wire();
    const found: Host[] = [];
    node(t, wire, { self: SELF, interfaces: () => [lan("192.168.1.4")] }).start((hint) => found.push(hint));
    node(t, wire, { self: FRIEND, interfaces: () => [lan("192.168.1.5")], speaks }).start(ignore);
    t.mock.timers.tick(limits.mdnsFirstMs);
    assert.deepEqual(found[0], { peerKey: FRIEND, addresses: [address] });
  });

test("clocks that are wrong by as much as they may be do not keep members from recognising each other", () => {
  fc.assert(
    fc.property(
      fc.nat(1e13),
      fc.integer({ min: -HOUR_MS, max: HOUR_MS }),
      fc.integer({ min: -HOUR_MS, max: HOUR_MS }),
      (now, mine, theirs) => {
        const tags = (offset: number): MdnsTags =>
          new MdnsTags({ network: NETWORK, members: () => [FRIEND, LATER], wallClock: () => now + offset });
        assert.equal(tags(mine).who(tags(theirs).of(FRIEND)), FRIEND);
      },
    ),
  );
});

test("a name is not the same in the next window, nor in another network", () => {
  let now = NOW;
  const tags = (network: string): MdnsTags => new MdnsTags({ network, members: () => [FRIEND], wallClock: () => now });
  const first = tags(NETWORK).of(FRIEND);
  assert.notEqual(tags("34".repeat(32)).of(FRIEND), first);
  now += 2 * HOUR_MS;
  assert.notEqual(tags(NETWORK).of(FRIEND), first);
  now += 2 * HOUR_MS;
  assert.equal(tags(NETWORK).who(first), undefined, "and an old one says nothing any more");
});

test("whatever comes over the wire: nothing is found that was not announced from this network", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wire = new Wire();
  const found: Host[] = [];
  node(t, wire, { self: SELF, interfaces: () => [lan("192.168.1.4")], members: () => [SELF, FRIEND] }).start((hint) => found.push(hint));
  const tag = new MdnsTags({ network: NETWORK, members: () => [], wallClock: () => NOW }).of(FRIEND);
  const name = `${tag}._cairn._tcp.local`;
  const good = { type: "SRV", name, data: { port: 4_711 } };
  wire.put("203.0.113.7", { questions: [], answers: [good] });
  wire.put("192.168.2.7", { questions: [], answers: [good] });
  for (const port of [0, -1, 65_536, "4711", null, undefined])
    wire.put("192.168.1.7", { questions: [], answers: [{ ...good, data: { port } }] });
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.object(), fc.record({ type: fc.constant("SRV"), name: fc.string(), data: fc.anything() }))),
      (records) => {
        wire.put("192.168.1.7", { questions: records, answers: [] });
        wire.put("192.168.1.7", { questions: [], answers: records });
      },
    ),
  );
  assert.deepEqual(found, []);
  const flood = Array.from({ length: limits.mdnsRecords }, (_, i) => ({
    ...good,
    name: `${i.toString(16).padStart(32, "0")}._cairn._tcp.local`,
  }));
  wire.put("192.168.1.7", { questions: [], answers: [...flood, good] });
  assert.deepEqual(found, [], "of a packet that is full of others, the rest is not looked at");
  wire.put("192.168.1.7", { questions: [], answers: [good] });
  wire.put("fe80::7%eth0", { questions: [], answers: [good] });
  assert.deepEqual(
    found.map(({ addresses }) => addresses),
    [["/ip4/192.168.1.7/tcp/4711"], ["/ip6zone/eth0/ip6/fe80::7/tcp/4711"]],
  );
});

test("one socket an interface and family, and they follow the interfaces", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wire = new Wire();
  const loopback: InterfaceAddress = { name: "lo", address: "127.0.0.1", family: "ip4", prefix: 8, internal: true };
  let interfaces = [loopback, lan("192.168.1.4"), lan("192.168.1.44"), lan("fe80::4"), lan("10.0.0.4", "eth1")];
  const discovery = node(t, wire, { self: SELF, interfaces: () => interfaces });
  discovery.start(ignore);
  assert.deepEqual(wire.sockets, ["10.0.0.4", "192.168.1.4", "fe80::4"]);
  interfaces = [loopback, lan("192.168.7.4"), lan("fe80::4")];
  const before = wire.heard.length;
  discovery.refresh();
  assert.deepEqual(wire.sockets, ["192.168.7.4", "fe80::4"]);
  assert.ok(
    wire.heard.slice(before).some(({ from }) => from === "192.168.7.4"),
    "it speaks at once where it is new",
  );
  discovery[Symbol.dispose]();
  assert.deepEqual(wire.sockets, []);
});

test("however often it is asked or told to look again, it speaks about once a second", (t) => {
  let now = NOW;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wire = new Wire();
  const discovery = node(t, wire, { self: SELF, interfaces: () => [lan("192.168.1.4")], wallClock: () => now });
  discovery.start(ignore);
  const before = wire.heard.filter(({ from }) => from === "192.168.1.4").length;
  for (let ms = 0; ms < 10_000; ms += 10) {
    now += 10;
    t.mock.timers.tick(10);
    discovery.refresh();
    wire.put("192.168.1.9", { questions: [{ name: "_cairn._tcp.local", type: "PTR" }], answers: [] });
  }
  const said = wire.heard.filter(({ from }) => from === "192.168.1.4").length - before;
  assert.ok(said >= 10 && said <= 3 * 12, `${said} packets in 10 s`);
});
