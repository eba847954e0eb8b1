import assert from "node:assert/strict";
import { test } from "node:test";
import { isName } from "../base/index.ts";
import { dataListen, listenAddresses } from "./listen-addresses.ts";
import { nameFrom } from "./machine-name.ts";

test("the setting and the port of the last time become addresses to try in turn", () => {
  const rows: [listen: string, saved: string | undefined, wanted: string[][]][] = [
    ["0.0.0.0:8080/ws", "5000", [["/ip4/0.0.0.0/tcp/8080/ws"]]],
    ["[::]:0/ws", "5000", [["/ip6/::/tcp/6000/ws"], ["/ip6/::/tcp/0/ws"]]],
    [
      "127.0.0.1:0 127.0.0.1:80/ws",
      "5000",
      [
        ["/ip4/127.0.0.1/tcp/5000", "/ip4/127.0.0.1/tcp/80/ws"],
        ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/80/ws"],
      ],
    ],
    [
      "192.0.2.1:80/ws, auto",
      undefined,
      [
        ["/ip4/0.0.0.0/tcp/4711", "/ip6/::/tcp/4711", "/ip4/192.0.2.1/tcp/80/ws"],
        ["/ip4/0.0.0.0/tcp/4711", "/ip4/192.0.2.1/tcp/80/ws"],
        ["/ip4/0.0.0.0/tcp/0", "/ip4/192.0.2.1/tcp/80/ws"],
      ],
    ],
    ["0.0.0.0:4711/quic", "5000", [["/ip4/0.0.0.0/udp/4711/quic-v1"]]],
    [
      "[::1]:0/quic 127.0.0.1:4000",
      undefined,
      [
        ["/ip4/127.0.0.1/tcp/4000", "/ip6/::1/udp/7000/quic-v1"],
        ["/ip4/127.0.0.1/tcp/4000", "/ip6/::1/udp/0/quic-v1"],
      ],
    ],
    ["127.0.0.1:0", undefined, [["/ip4/127.0.0.1/tcp/0"]]],
    ["127.0.0.1:0", "5000", [["/ip4/127.0.0.1/tcp/5000"], ["/ip4/127.0.0.1/tcp/0"]]],
    ["192.0.2.1:4000", "5000", [["/ip4/192.0.2.1/tcp/4000"]]],
    ["[::1]:4000", undefined, [["/ip6/::1/tcp/4000"]]],
    ["auto", undefined, [["/ip4/0.0.0.0/tcp/4711", "/ip6/::/tcp/4711"], ["/ip4/0.0.0.0/tcp/4711"], ["/ip4/0.0.0.0/tcp/0"]]],
    ["auto", "5000", [["/ip4/0.0.0.0/tcp/5000", "/ip6/::/tcp/5000"], ["/ip4/0.0.0.0/tcp/5000"], ["/ip4/0.0.0.0/tcp/0"]]],
  ];
  for (const [listen, tcp, wanted] of rows)
    assert.deepEqual(listenAddresses(listen, { tcp, webSocket: "6000", quic: "7000" }), wanted, `${listen} ${tcp}`);
});

test("whatever a machine is called, a name comes of it", () => {
  const rows: [hostname: string, name: string][] = [
    ["laptop", "laptop"],
    ["Build-Box.example.org", "build-box"],
    ["MacBook Pro von Ö", "macbook-pro-von"],
    ["__", "machine"],
    ["", "machine"],
    [`${"x".repeat(62)}--y`, "x".repeat(62)],
  ];
  for (const [hostname, name] of rows) {
    assert.equal(nameFrom(hostname), name);
    assert.ok(isName(nameFrom(hostname)));
  }
});

test("the data plane listens where the network does, beside its port or where it was before", () => {
  const rows: [listen: string, saved: string | undefined, host: string, ports: number[]][] = [
    ["auto", undefined, "", [4712, 0]],
    ["auto", "5000", "", [5000, 4712, 0]],
    ["192.0.2.7:4711", "5000", "192.0.2.7", [4712, 5000, 0]],
    ["127.0.0.1:0", undefined, "127.0.0.1", [0]],
    ["127.0.0.1:0", "5000", "127.0.0.1", [5000, 0]],
    ["[::1]:65535", undefined, "::1", [0]],
    ["[fe80::1]:80", undefined, "fe80::1", [81, 0]],
    ["127.0.0.1:8080/ws", undefined, "127.0.0.1", [8081, 0]],
    ["127.0.0.1:8079 0.0.0.0:8080/ws", "5000", "127.0.0.1", [5000, 0]],
    ["auto 0.0.0.0:8080/ws", undefined, "", [4712, 0]],
    ["127.0.0.1:4711/quic", undefined, "127.0.0.1", [4712, 0]],
  ];
  for (const [listen, saved, host, ports] of rows) assert.deepEqual(dataListen(listen, saved), { host, ports }, listen);
});
