import assert from "node:assert/strict";
import { endianness } from "node:os";
import { test } from "node:test";
import { routerIn } from "./default-router.ts";

const HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
const LAN = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0";
const WIRED = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0";
const WIRELESS = "wlan0\t00000000\tFE02A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0";
const TUNNEL = "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0";

test("the router of the default route that is preferred", {
  skip: endianness() === "LE" ? false : "these tables are of a machine of the other byte order",
}, () => {
  for (const [lines, router] of [
    [[HEAD, WIRELESS, WIRED, LAN], "192.168.1.1"],
    [[HEAD, WIRELESS], "192.168.2.254"],
    [[HEAD, LAN], undefined],
    [[HEAD, TUNNEL], undefined],
    [[], undefined],
  ] as const)
    assert.equal(routerIn(lines.join("\n")), router);
});
