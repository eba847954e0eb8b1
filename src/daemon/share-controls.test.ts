/**
 * Why a machine does nothing for others now, as it is told to people and programs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ShareControls, type ShareControlsParts } from "./share-controls.ts";
import { type ShareOptions, WorkShare } from "./work-share.ts";

function controls(options: Partial<ShareOptions>, ownRunning: number, lack?: string): ShareControls {
  const parts = { ownRunning: () => ownRunning, ownIdleMs: () => 0, isOnBattery: () => true, hour: () => 12, now: () => 0 };
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
  ["no sandbox", controls({}, 0, "bwrap is missing"), "lack"],
] as const)
  test(`why nothing is done for others: ${about}`, () => {
    const { declined: told, member } = made.now as { declined: string | null; member: object };
    assert.equal(told, declined);
    assert.deepEqual(member, { percent: 50, secondsPerMinute: 60, when: "wanted" });
  });
