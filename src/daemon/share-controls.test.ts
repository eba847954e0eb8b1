/**
 * Why a machine does nothing for others now, as it is told to people and programs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ShareControls, type ShareControlsParts } from "./share-controls.ts";
import { type ShareOptions, WorkShare } from "./work-share.ts";
import type { Worker } from "./worker.ts";

type Lack = NonNullable<Worker["lack"]>;
const NO_BWRAP: Lack = { reason: "sandbox_missing", detail: "bwrap is missing" };

function controls(options: Partial<ShareOptions>, ownRunning: number, lack?: Lack): ShareControls {
  const parts = {
    ownRunning: () => ownRunning,
    ownIdleMs: () => 0,
    hasBuilt: () => true,
    isOnBattery: () => true,
    hour: () => 12,
    now: () => 0,
  };
  const share = new WorkShare(parts, { workShare: 100, workPower: "any", workWhen: "always", workHours: "all", cores: 8, ...options });
  const bounds = { options: { workMemberSlots: 50, workMemberSeconds: 60, workMemberWhen: "wanted" } };
  const worker = { running: 0, counts: {}, runningFor: {}, lack };
  return new ShareControls({ share, bounds, worker, general: { isOn: false, offeredName: undefined } } as unknown as ShareControlsParts);
}

for (const [about, made, declined] of [
  ["it works", controls({}, 7), null],
  ["its owner's compiles take all", controls({}, 8), "own-compiles"],
  ["of what is shared", controls({ workShare: 25 }, 2), "own-compiles"],
  ["nothing is shared, whatever its owner does", controls({ workShare: 0 }, 8), "off"],
  ["its owner builds", controls({ workWhen: "idle" }, 0), "in-use"],
  ["its battery", controls({ workPower: "mains" }, 0), "battery"],
  ["the hour", controls({ workHours: "22-6" }, 0), "hours"],
  ["no sandbox", controls({}, 0, NO_BWRAP), "lack"],
  ["no sandbox, and nothing is shared anyway", controls({ workShare: 0 }, 0, NO_BWRAP), "lack"],
] as const)
  test(`why nothing is done for others: ${about}`, () => {
    const { declined: told, member } = made.now as { declined: string | null; member: object };
    assert.equal(told, declined);
    assert.deepEqual(member, { percent: 50, secondsPerMinute: 60, when: "wanted" });
  });

test("a machine that cannot work for others says what is missing, what to do, and that there is no slot", () => {
  const { slots, most, lack, advice } = controls({}, 0, NO_BWRAP).now as Record<string, unknown>;
  assert.deepEqual([slots, most, lack], [0, 0, "bwrap is missing"]);
  assert.match(String(advice), /install bubblewrap/);
  const able = controls({}, 0).now as Record<string, unknown>;
  assert.deepEqual([able["slots"], able["most"], able["lack"], able["advice"]], [8, 8, null, null]);
});
