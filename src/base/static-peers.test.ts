import assert from "node:assert/strict";
import { test } from "node:test";
import { readStaticPeers } from "./static-peers.ts";

test("members and addresses, as people write them", () => {
  const rows: [text: string, peers: [member: string, address: string][] | undefined][] = [
    ["", []],
    ["desktop@192.168.1.20", [["desktop", "/ip4/192.168.1.20/tcp/4711"]]],
    [
      "desktop@192.168.1.20:5000, ci@build.example:4712  3f9ac2@[2001:db8::7]",
      [
        ["desktop", "/ip4/192.168.1.20/tcp/5000"],
        ["ci", "/dns/build.example/tcp/4712"],
        ["3f9ac2", "/ip6/2001:db8::7/tcp/4711"],
      ],
    ],
    [
      "desktop@192.168.1.20:80/ws ci@build.example:8080/ws 3f9ac2@[2001:db8::7]:80/ws",
      [
        ["desktop", "/ip4/192.168.1.20/tcp/80/ws"],
        ["ci", "/dns/build.example/tcp/8080/ws"],
        ["3f9ac2", "/ip6/2001:db8::7/tcp/80/ws"],
      ],
    ],
    [
      "desktop@192.168.1.20:4711/quic ci@build.example:8080/quic",
      [
        ["desktop", "/ip4/192.168.1.20/udp/4711/quic-v1"],
        ["ci", "/dns/build.example/udp/8080/quic-v1"],
      ],
    ],
    ["desktop@10.0.0.1/ws", undefined],
    ["desktop@10.0.0.1/quic", undefined],
    ["desktop@10.0.0.1:80/wss", undefined],
    ["192.168.1.20:4711", undefined],
    ["desktop@", undefined],
    ["desktop@10.0.0.256", undefined],
    ["desktop@10.0.0.1:0", undefined],
    ["desktop@10.0.0.1:65536", undefined],
    ["desktop@[10.0.0.1]", undefined],
    ["desktop@host_name/tcp", undefined],
    ["desktop@ok.example nonsense", undefined],
  ];
  for (const [text, peers] of rows)
    assert.deepEqual(
      readStaticPeers(text),
      peers?.map(([member, address]) => ({ member, address })),
      text,
    );
});
