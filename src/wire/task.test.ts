import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CairnError, digestOf } from "../base/index.ts";
import type { TaskLeft, TaskOutcome } from "../contracts/index.ts";
import { decodeTaskOutcome, encodeTaskOutcome } from "./task.ts";

const part = fc
  .string({ minLength: 1, maxLength: 8 })
  .filter((text) => !/[/\0]/.test(text) && text !== "." && text !== ".." && text.isWellFormed());
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const bytes = fc.uint8Array({ maxLength: 40 });
const left: fc.Arbitrary<TaskLeft> = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), path, executable: fc.boolean(), content: bytes }),
  fc.record({
    kind: fc.constant("apart" as const),
    path,
    executable: fc.boolean(),
    digest: fc.string().map((text) => digestOf(text)),
    size: fc.nat(),
  }),
  fc.record({ kind: fc.constant("directory" as const), path }),
  fc.record({ kind: fc.constant("link" as const), path, target: part }),
);
const outcome: fc.Arbitrary<TaskOutcome> = fc.record({
  exitCode: fc.nat({ max: 255 }),
  left: fc.array(left, { maxLength: 6 }),
  stdout: bytes,
  stderr: bytes,
});

test("what came of a task comes back as it was", () => {
  fc.assert(fc.property(outcome, (one) => assert.deepEqual(decodeTaskOutcome(encodeTaskOutcome(one)), structuredClone(one))));
});

test("bytes that are no outcome are refused, whatever they are", () => {
  fc.assert(
    fc.property(outcome, fc.nat(), fc.nat({ max: 255 }), (one, at, byte) => {
      const changed = Buffer.from(encodeTaskOutcome(one));
      if (changed.length > 0) changed[at % changed.length] = byte;
      try {
        decodeTaskOutcome(changed);
      } catch (error) {
        assert.ok(error instanceof CairnError && error.code === "frame-invalid");
      }
    }),
  );
});

test("paths that are not below the root, exit codes that are none, and empty links are refused", () => {
  const nothing = { exitCode: 0, stdout: new Uint8Array(), stderr: new Uint8Array() };
  const wrong: TaskOutcome[] = [
    { ...nothing, left: [], exitCode: 256 },
    { ...nothing, left: [{ kind: "link", path: "a", target: "" }] },
    ...["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", "./a", "a\0b", "x".repeat(3_000)].map((one) => ({
      ...nothing,
      left: [{ kind: "directory" as const, path: one }],
    })),
  ];
  for (const one of wrong)
    assert.throws(() => decodeTaskOutcome(encodeTaskOutcome(one)), /frame-invalid/, JSON.stringify(one).slice(0, 100));
});
