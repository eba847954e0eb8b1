/**
 * How much others may use: by share, hour, power and the owner's own builds.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { isOnBattery } from "./power.ts";
import { type ShareOptions, type Withheld, WorkShare } from "./work-share.ts";

interface Case {
  readonly about: string;
  readonly options?: Partial<ShareOptions>;
  readonly ownRunning?: number;
  readonly ownIdleMs?: number;
  readonly hasBuilt?: boolean;
  readonly onBattery?: boolean;
  readonly hour?: number;
  readonly slots: number;
  readonly withheld?: Withheld;
}

const CASES: readonly Case[] = [
  { about: "all cores", slots: 8 },
  { about: "half of them", options: { workShare: 50 }, slots: 4 },
  { about: "a little is one core", options: { workShare: 1 }, slots: 1 },
  { about: "the owner's builds come first", options: { workShare: 50 }, ownRunning: 3, slots: 1 },
  { about: "more of them than are shared", options: { workShare: 50 }, ownRunning: 9, slots: 0 },
  { about: "nothing", options: { workShare: 0 }, slots: 0, withheld: "off" },
  { about: "on its battery", onBattery: true, slots: 0, withheld: "battery" },
  { about: "on its battery, which is allowed", options: { workPower: "any" }, onBattery: true, slots: 8 },
  { about: "only when idle, and the owner builds", options: { workWhen: "idle" }, ownIdleMs: 1_000, slots: 0, withheld: "in-use" },
  {
    about: "only when idle, and nobody has built since the start",
    options: { workWhen: "idle" },
    ownIdleMs: 1_000,
    hasBuilt: false,
    slots: 0,
    withheld: "just-started",
  },
  { about: "only when idle, and it is", options: { workWhen: "idle" }, ownIdleMs: limits.work.idleMs, slots: 8 },
  { about: "by day, at noon", options: { workHours: "9-17" }, hour: 12, slots: 8 },
  { about: "by day, at its end", options: { workHours: "9-17" }, hour: 17, slots: 0, withheld: "hours" },
  { about: "by night, before midnight", options: { workHours: "22-6" }, hour: 23, slots: 8 },
  { about: "by night, after midnight", options: { workHours: "22-6" }, hour: 5, slots: 8 },
  { about: "by night, at noon", options: { workHours: "22-6" }, hour: 12, slots: 0, withheld: "hours" },
];

for (const { about, options, ownRunning = 0, ownIdleMs = 0, hasBuilt = true, onBattery = false, hour = 12, slots, withheld } of CASES)
  test(`shared: ${about}`, () => {
    const share = new WorkShare(
      {
        ownRunning: () => ownRunning,
        ownIdleMs: () => ownIdleMs,
        hasBuilt: () => hasBuilt,
        isOnBattery: () => onBattery,
        hour: () => hour,
        now: () => 0,
      },
      { cores: 8, workShare: 100, workPower: "mains", workWhen: "always", workHours: "all", ...options },
    );
    assert.equal(share.slots(), slots);
    assert.equal(share.withheld(), withheld);
  });

test("a machine is on its battery when one discharges that is not a mouse's", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-power-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const supply = (name: string, facts: Record<string, string>): void => {
    mkdirSync(join(directory, name), { recursive: true });
    for (const [fact, text] of Object.entries(facts)) writeFileSync(join(directory, name, fact), `${text}\n`);
  };
  assert.equal(isOnBattery(join(directory, "none")), false);
  supply("mouse", { type: "Battery", scope: "Device", status: "Discharging" });
  supply("AC", { type: "Mains", online: "1" });
  supply("BAT0", { type: "Battery", status: "Charging" });
  assert.equal(isOnBattery(directory), false);
  supply("BAT0", { type: "Battery", status: "Discharging" });
  assert.equal(isOnBattery(directory), true);
});
