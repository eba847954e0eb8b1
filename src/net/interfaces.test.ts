import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { type Disturbance, type InterfaceAddress, InterfaceWatch, readInterfaces } from "./interfaces.ts";

const HOME: InterfaceAddress = { name: "wlan0", address: "192.168.1.4", family: "ip4", prefix: 24, internal: false };
const TRAIN: InterfaceAddress = { name: "wlan0", address: "10.3.2.1", family: "ip4", prefix: 16, internal: false };

test("addresses that come and go are told once, and sleep is told from the clock", () => {
  const seen: Disturbance[] = [];
  let interfaces = [HOME];
  let now = 1_000_000;
  using watch = new InterfaceWatch({ read: () => interfaces, wallClock: () => now, disturbed: (what) => seen.push(what) });
  const look = (afterMs: number): Disturbance[] => {
    now += afterMs;
    watch.look();
    return seen.splice(0);
  };
  assert.deepEqual(look(limits.interfaceLookMs), []);
  assert.deepEqual(look(limits.interfaceLookMs + limits.sleptMs), [], "a busy machine is not one that slept");
  interfaces = [TRAIN];
  assert.deepEqual(look(limits.interfaceLookMs), [{ kind: "interfaces", gone: ["wlan0 192.168.1.4/24"], come: ["wlan0 10.3.2.1/16"] }]);
  assert.deepEqual(watch.current, [TRAIN]);
  assert.deepEqual(look(limits.interfaceLookMs), []);
  assert.deepEqual(look(3_600_000), [{ kind: "slept", forMs: 3_600_000 - limits.interfaceLookMs }]);
  assert.deepEqual(look(-3_600_000), [], "set back: nothing slept");
});

test("this machine's own addresses make sense", () => {
  for (const { address, prefix, family } of readInterfaces()) {
    assert.ok(prefix > 0 && prefix <= (family === "ip4" ? 32 : 128));
    assert.doesNotMatch(address, /%/);
  }
});
