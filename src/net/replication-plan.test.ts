import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../base/index.ts";
import { rendezvousOrder } from "./rendezvous-hash.ts";
import { planCopies } from "./replication-plan.ts";

const digest = digestOf("manifest");
const members = Array.from({ length: 7 }, (_, i) => ({ key: digestOf(`member ${i}`), domain: "home" }));
const [first = "", second = "", third = "", fourth = "", fifth = ""] = rendezvousOrder(digest, members).map(({ key }) => key);

function plan(self: string, holders: readonly string[], refusing: readonly string[] = [], present = members): unknown {
  return planCopies({ digest, self, present, holders: new Set(holders), refusing: new Set(refusing), copies: 3 });
}

const without = (...gone: string[]): typeof members => members.filter(({ key }) => !gone.includes(key));

for (const [about, actual, expected] of [
  ["who made it offers it to the nearest", plan(fifth, [fifth]), { offerTo: [first, second, third], turn: 0 }],
  ["who made it may be one of them", plan(second, [second]), { offerTo: [first, third], turn: 0 }],
  ["nothing is to do", plan(first, [first, second, third]), { offerTo: [], turn: 0 }],
  ["a holder that is gone is replaced by the next", plan(first, [first, second], [], without(third)), { offerTo: [fourth], turn: 0 }],
  ["the others wait", plan(second, [first, second], [], without(third)), { offerTo: [fourth], turn: 1 }],
  ["a holder that is gone is nobody's turn", plan(second, [first, second], [], without(first)), { offerTo: [third, fourth], turn: 0 }],
  ["who does not want it is passed over", plan(first, [first], [second]), { offerTo: [third, fourth], turn: 0 }],
  ["a holder counts that takes no more", plan(first, [first, second], [second]), { offerTo: [third], turn: 0 }],
  ["who does not have it offers nothing", plan(first, [second]), { offerTo: [], turn: 0 }],
  [
    "a member alone",
    plan(first, [first], [], without(...members.map(({ key }) => key).filter((key) => key !== first))),
    { offerTo: [], turn: 0 },
  ],
] as const)
  test(about, () => assert.deepEqual(actual, expected));

test("exactly one holder has the first turn, and following it gives the copies that can be had", () => {
  const some = fc.subarray(members.map(({ key }) => key));
  fc.assert(
    fc.property(fc.string(), fc.subarray(members, { minLength: 1 }), some, some, (name, present, all, refusing) => {
      const there = new Set(present.map(({ key }) => key));
      const holders = new Set(all.filter((key) => there.has(key)));
      const known = { digest: digestOf(name), present, holders, refusing: new Set(refusing), copies: 3 };
      const plans = [...holders].map((self) => planCopies({ ...known, self }));
      if (plans.length === 0) return;
      const [now, ...others] = plans.filter(({ turn }) => turn === 0);
      assert.ok(now !== undefined && others.length === 0);
      const takers = present.filter(({ key }) => holders.has(key) || !refusing.includes(key)).length;
      assert.equal(new Set([...holders, ...now.offerTo]).size >= Math.min(3, takers), true);
      for (const key of now.offerTo) assert.ok(there.has(key) && !holders.has(key) && !refusing.includes(key));
    }),
  );
});
