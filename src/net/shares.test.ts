import assert from "node:assert/strict";
import { test } from "node:test";
import { Shares } from "./shares.ts";

const MIB = 1024 * 1024;

/** Lets members move a MiB whenever they may, for so long. @returns bytes a second that each got */
function contend(shares: Shares, clock: { nowMs: number }, members: readonly string[], forMs: number): number[] {
  const free = members.map(() => clock.nowMs);
  const moved = members.map(() => 0);
  for (const end = clock.nowMs + forMs; clock.nowMs < end; clock.nowMs += 1) {
    members.forEach((member, at) => {
      while ((free[at] ?? 0) <= clock.nowMs) {
        free[at] = clock.nowMs + shares.use(member, MIB);
        moved[at] = (moved[at] ?? 0) + MIB;
        if ((moved[at] ?? 0) > 1_000_000 * MIB) return;
        if (free[at] === clock.nowMs) return;
      }
    });
  }
  return moved.map((bytes) => bytes / (forMs / 1_000));
}

function shares(): { shares: Shares; clock: { nowMs: number } } {
  const clock = { nowMs: 1_000_000 };
  return { shares: new Shares({ now: () => clock.nowMs }, { bytesPerSecond: 32 * MIB }), clock };
}

function near(value: number | undefined, wanted: number): void {
  assert.ok(value !== undefined && Math.abs(value / wanted - 1) < 0.1, `${value} is not about ${wanted}`);
}

test("whoever is alone has all there is; two who gave nothing have half each", () => {
  const { shares: relay, clock } = shares();
  near(contend(relay, clock, ["a"], 20_000)[0], 32 * MIB);
  const [a, b] = contend(relay, clock, ["a", "b"], 20_000);
  near(a, 16 * MIB);
  near(b, 16 * MIB);
});

test("who relays for this node goes first, up to four to one, and is forgotten in time", () => {
  const { shares: relay, clock } = shares();
  relay.earn("giver", 1_000_000 * MIB);
  const [giver, taker] = contend(relay, clock, ["giver", "taker"], 20_000);
  near((giver ?? 0) / (taker ?? 1), 4);
  clock.nowMs += 30 * 24 * 3_600_000; // What was earned has shrunk to a 32,768th, and new use outweighs it.
  relay.use("giver", 10_000 * MIB);
  clock.nowMs += 1_000_000;
  const [before, other] = contend(relay, clock, ["giver", "taker"], 20_000);
  near((before ?? 0) / (other ?? 1), 1);
});

test("relaying for nobody and for oneself alone costs nothing: nobody waits below the capacity", () => {
  const { shares: relay, clock } = shares();
  for (let i = 0; i < 1_000; i++) {
    assert.equal(relay.use(`m${i % 10}`, 1_024), 0);
    clock.nowMs += 10;
  }
});
