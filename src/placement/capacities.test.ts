import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import type { Capacity } from "../contracts/index.ts";
import { Capacities, type Claim } from "./capacities.ts";

const { busyMs, phantomMs, settleMs, tellStaleMs } = limits.placement;
const FOREVER = 1e9;
const HERE = "linux-x86_64";
const OTHER = "linux-aarch64";

function world(): { capacities: Capacities; pass: (ms: number) => void } {
  let now = 1_000;
  return { capacities: new Capacities({ self: "self", rttMs: () => 0, now: () => now }), pass: (ms) => (now += ms) };
}

function capacity(free: number, slots = 8): Capacity {
  return { member: "a", slots, free, queue: slots, toolchains: ["gcc"], takesToolchains: false, platform: "linux-x86_64", targets: [] };
}

test("what was given is subtracted at once, and counted once when the member tells of it", () => {
  const { capacities, pass } = world();
  capacities.told(capacity(8));
  pass(1_000);
  const claims = [1, 2, 3].map(() => capacities.claim("a", FOREVER));
  assert.equal(capacities.free("a"), 5);
  pass(settleMs / 2);
  capacities.told(capacity(8)); // Said before the work arrived.
  assert.equal(capacities.free("a"), 5);
  pass(settleMs);
  capacities.told(capacity(5));
  assert.equal(capacities.free("a"), 5);
  for (const claim of claims) capacities.release(claim);
  assert.equal(capacities.free("a"), 8);
  capacities.told(capacity(8));
  assert.equal(capacities.free("a"), 8);
});

test("others' jobs, however many wait, leave a member that has nothing there a place for one", () => {
  for (const [slots, before, after] of [
    [1, 0, -3],
    [4, 0, -3],
    [0, -2, -3],
  ] as const) {
    const { capacities } = world();
    capacities.told(capacity(-2, slots));
    assert.equal(capacities.free("a"), before);
    const claim = capacities.claim("a", FOREVER);
    assert.equal(capacities.free("a"), after);
    capacities.release(claim);
    assert.equal(capacities.free("a"), before);
  }
});

test("a claim that nobody gives back ends; one is given back once", () => {
  const { capacities, pass } = world();
  capacities.told(capacity(2, 2));
  const claim = capacities.claim("a", 500);
  capacities.claim("a", 500);
  assert.equal(capacities.free("a"), 0);
  capacities.release(claim);
  capacities.release(claim);
  assert.equal(capacities.free("a"), 1);
  pass(500);
  assert.equal(capacities.free("a"), 2);
});

test("what a member must know of and does not has ended, though nobody said so; what it does is kept", () => {
  const { capacities, pass } = world();
  for (let i = 0; i < 6; i++) capacities.claim("a", FOREVER);
  pass(phantomMs - 1);
  capacities.told(capacity(8));
  assert.equal(capacities.free("a"), 2);
  pass(1);
  capacities.told(capacity(5)); // Three run there.
  assert.equal(capacities.free("a"), 5);
  capacities.told(capacity(8));
  assert.equal(capacities.free("a"), 8);
});

test("what has waited there for long is known by how many wait: each that comes back leaves a place", () => {
  const { capacities, pass } = world();
  const first = capacities.claim("a", FOREVER);
  capacities.claim("a", FOREVER);
  pass(phantomMs);
  capacities.told(capacity(-1, 1));
  assert.equal(capacities.free("a"), -1);
  capacities.release(first);
  assert.equal(capacities.free("a"), 0);
});

test("busy, away, silent for long, no member any more", () => {
  const { capacities, pass } = world();
  capacities.told(capacity(4));
  capacities.busy("a");
  assert.equal(capacities.free("a"), -8);
  pass(busyMs);
  assert.equal(capacities.free("a"), 4);
  capacities.claim("a", FOREVER);
  capacities.lost("a");
  assert.equal(capacities.free("a"), 4);
  assert.deepEqual(capacities.able({ toolchain: "gcc", platform: HERE }), ["a"]);
  assert.deepEqual(capacities.able({ toolchain: "clang", platform: HERE }), []);
  capacities.told({ ...capacity(4), takesToolchains: true });
  assert.deepEqual(capacities.able({ toolchain: "clang", platform: HERE }), ["a"]);
  // What is installed somewhere does not travel.
  assert.deepEqual(capacities.able({ toolchain: "clang", platform: "", isGeneral: true }), []);
  assert.deepEqual(capacities.able({ toolchain: "gcc", platform: "", isGeneral: true }), ["a"]);
  capacities.told(capacity(0, 0));
  assert.deepEqual(capacities.able({ toolchain: "gcc", platform: HERE }), []);
  capacities.told(capacity(4));
  pass(tellStaleMs);
  assert.deepEqual(capacities.able({ toolchain: "gcc", platform: HERE }), []);
  assert.equal(capacities.free("a"), 0);
  capacities.told(capacity(4));
  capacities.forget(() => true);
  assert.equal(capacities.of("a"), undefined);
});

/** What a member tells, and whether units for gcc here and there, and for another compiler here and there, are for it. */
const ABLE: readonly (readonly [told: Partial<Capacity>, gcc: string, other: string])[] = [
  [{ platform: HERE, toolchains: ["gcc"], takesToolchains: false }, "here there", ""],
  [{ platform: HERE, toolchains: ["gcc"], takesToolchains: true }, "here there", "here"],
  [{ platform: HERE, toolchains: [], takesToolchains: false }, "", ""],
  [{ platform: HERE, toolchains: [], takesToolchains: true }, "here", "here"],
  // It has no use for a compiler of another machine, but may have a cross compiler that is also here: equal is equal.
  [{ platform: OTHER, toolchains: [], takesToolchains: true }, "there", "there"],
  [{ platform: OTHER, toolchains: ["gcc"], takesToolchains: true }, "here there", "there"],
  // Of a version before.
  [{ platform: "", toolchains: [], takesToolchains: true }, "here there", "here there"],
  [{ platform: "", toolchains: ["gcc"], takesToolchains: false }, "here there", ""],
  [{ platform: HERE, toolchains: ["gcc"], takesToolchains: true, slots: 0 }, "", ""],
];

test("a unit is for who has its toolchain, and for who would fetch it and can execute it", () => {
  for (const [told, gcc, other] of ABLE) {
    const { capacities } = world();
    capacities.told({ ...capacity(4), ...told });
    const places = (toolchain: string): string =>
      [HERE, OTHER]
        .filter((platform) => capacities.able({ toolchain, platform }).length > 0)
        .map((platform) => (platform === HERE ? "here" : "there"))
        .join(" ");
    assert.deepEqual([places("gcc"), places("clang")], [gcc, other], JSON.stringify(told));
  }
});

test("free slots and slots that were given are never more than there are, whatever is told, given and given back", () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant("tell" as const), free: fc.nat({ max: 8 }) }),
    fc.record({ what: fc.constantFrom("claim" as const, "release" as const, "busy" as const), free: fc.constant(0) }),
    fc.record({ what: fc.constant("pass" as const), free: fc.nat({ max: 400 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { capacities, pass } = world();
      const held: Claim[] = [];
      for (const { what, free } of steps) {
        const before = capacities.free("a");
        if (what === "tell") capacities.told(capacity(free));
        else if (what === "claim") held.push(capacities.claim("a", FOREVER));
        else if (what === "release") {
          const claim = held.pop();
          if (claim !== undefined) capacities.release(claim);
        } else if (what === "busy") capacities.busy("a");
        else pass(free);
        const after = capacities.free("a");
        assert.ok(after + held.length <= 8, `${what}: ${after} free beside ${held.length} given`);
        if (what === "claim") assert.ok(after <= before);
      }
    }),
  );
});
