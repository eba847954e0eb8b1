/**
 * Forgeries in small: every kind, with what chance makes of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { forge, forgeryKinds, isActionBelieved, isBelievedWhenSigned, isHonestBelieved, isReceiptTaken } from "./forgeries.ts";

test("the reader believes what two domains have signed, whatever it is: else nothing below could fail", () => {
  assert.ok(isHonestBelieved());
  assert.ok(isBelievedWhenSigned());
  assert.ok(isReceiptTaken());
  assert.ok(isActionBelieved());
  assert.ok(forgeryKinds.length >= 60, `${forgeryKinds.length} kinds`);
});

test("no forgery is believed", () => {
  const property = fc.property(fc.constantFrom(...forgeryKinds), fc.nat(), fc.nat(), (kind, seed, number) => !forge(kind, seed, number));
  fc.assert(property, { numRuns: 1_000 });
  for (const kind of forgeryKinds) assert.ok(!forge(kind, 1, 0), kind);
});
