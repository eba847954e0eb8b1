import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import type { PlacementFrame } from "../contracts/index.ts";
import { WorkCapacitySchema } from "./generated/placement_pb.ts";
import {
  decodeCoordinatorLease,
  decodePlacementFrame,
  decodeWorkCapacity,
  encodeCoordinatorLease,
  encodePlacementFrame,
  encodeWorkCapacity,
} from "./placement.ts";

const PLAIN = { noNullPrototype: true } as const;
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const term = fc.nat();
const id = fc.nat();
const able = fc.array(
  fc
    .record({ member: key, expectedMs: fc.nat(), travelMs: fc.nat() }, PLAIN)
    .map((one) => ({ ...one, travelMs: Math.min(one.travelMs, one.expectedMs) })),
  { maxLength: limits.placement.ableMost },
);
const questions = fc.array(fc.record({ id, hereMs: fc.nat(), able }, PLAIN), { maxLength: 8 });
const placed = fc.array(fc.record({ id, member: fc.option(key, { nil: undefined }) }, PLAIN), { maxLength: 8 });
const frame: fc.Arbitrary<PlacementFrame> = fc.oneof(
  fc.record({ kind: fc.constant("ask" as const), term, questions }, PLAIN),
  fc.record({ kind: fc.constant("answer" as const), term, placed }, PLAIN),
  fc.record({ kind: fc.constant("release" as const), term, members: fc.array(key, { maxLength: 8 }) }, PLAIN),
  fc.record({ kind: fc.constantFrom("check" as const, "well" as const), term }, PLAIN),
);

test("what is said about placing is heard as it was said", () => {
  fc.assert(fc.property(frame, (one) => assert.deepEqual(decodePlacementFrame(encodePlacementFrame(one)), one)));
});

test("capacities and leases are heard as they were told", () => {
  const capacity = fc.record(
    {
      slots: fc.constant(8),
      free: fc.integer({ min: -16, max: 8 }),
      queue: fc.integer({ min: 8, max: limits.work.waitingPerMember }),
      toolchains: fc.array(key, { maxLength: 8 }),
      takesToolchains: fc.boolean(),
      platform: fc.constantFrom("", "linux-x86_64", "linux-aarch64"),
      targets: fc.uniqueArray(fc.constantFrom("x86_64-linux-gnu", "aarch64", "wasm32")),
    },
    PLAIN,
  );
  fc.assert(fc.property(capacity, (one) => assert.deepEqual(decodeWorkCapacity(encodeWorkCapacity(one)), one)));
  fc.assert(fc.property(fc.integer({ min: 1 }), (one) => assert.equal(decodeCoordinatorLease(encodeCoordinatorLease(one)), one)));
});

test("who says that it lets more wait than anybody does is taken to let as many wait as count", () => {
  const told = { slots: 8, free: 8, queue: 4_096, toolchains: [], takesToolchains: false, platform: "linux-x86_64", targets: [] };
  assert.equal(decodeWorkCapacity(encodeWorkCapacity(told)).queue, limits.work.waitingPerMember);
  assert.equal(decodeWorkCapacity(encodeWorkCapacity({ ...told, slots: 64, queue: 0 })).queue, 64);
});

test("names of targets that nobody could read are neither told nor heard, and the others are", () => {
  const told = {
    slots: 1,
    free: 1,
    queue: 1,
    toolchains: [],
    takesToolchains: false,
    platform: "",
    targets: ["aarch64", "a b", "x".repeat(99)],
  };
  assert.deepEqual(decodeWorkCapacity(encodeWorkCapacity(told)).targets, ["aarch64"]);
  const heard = (fields: { platform?: string; targets?: string[] }): readonly string[] =>
    decodeWorkCapacity(toBinary(WorkCapacitySchema, create(WorkCapacitySchema, fields))).targets;
  assert.throws(() => heard({ platform: "a\nb" }), { code: "frame-invalid" });
  const most = Array.from({ length: limits.placement.targets }, (_, i) => `target${i}`);
  assert.deepEqual(heard({ targets: ["a\u001b", "x".repeat(limits.placement.targetBytes + 1), ...most, "one", "target0"] }), most);
  assert.deepEqual(heard({ targets: ["a", "a", "b"] }), ["a", "b"]);
});

test("what a member of before tells is understood: it does not say what it executes", () => {
  const before = toBinary(WorkCapacitySchema, create(WorkCapacitySchema, { slots: 2, free: 1, takesToolchains: true }));
  const told = decodeWorkCapacity(before);
  assert.deepEqual([told.slots, told.platform, told.targets], [2, "", []]);
});

test("whatever bytes come, they are understood or refused, and what is too much is refused", () => {
  const refused = { code: "frame-invalid" };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const decode of [decodePlacementFrame, decodeWorkCapacity, decodeCoordinatorLease])
        try {
          decode(bytes);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "frame-invalid");
        }
    }),
  );
  const member = "ab".repeat(32);
  const many = Array.from({ length: limits.placement.ableMost + 1 }, () => ({ member, expectedMs: 1, travelMs: 0 }));
  assert.throws(
    () => decodePlacementFrame(encodePlacementFrame({ kind: "ask", term: 1, questions: [{ id: 1, hereMs: 1, able: many }] })),
    refused,
  );
  assert.throws(
    () =>
      decodeWorkCapacity(
        encodeWorkCapacity({ slots: 1, free: 2, queue: 1, toolchains: [], takesToolchains: false, platform: "linux-x86_64", targets: [] }),
      ),
    refused,
  );
  const few = toBinary(
    WorkCapacitySchema,
    create(WorkCapacitySchema, { slots: 1, free: -limits.placement.slots - 1, takesToolchains: true }),
  );
  assert.throws(() => decodeWorkCapacity(few), refused);
  assert.throws(() => decodeCoordinatorLease(encodeCoordinatorLease(0)), refused);
  assert.throws(() => decodePlacementFrame(encodePlacementFrame({ kind: "check", term: Number.MAX_SAFE_INTEGER })), refused);
});
