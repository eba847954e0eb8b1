import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeDataAnswer, decodeDataOpen, decodeDataPort, encodeDataAnswer, encodeDataOpen, encodeDataPort } from "./data-plane.ts";

const printable = fc.string({ unit: "grapheme-ascii", maxLength: 128 });

test("what is written is read", () => {
  fc.assert(
    fc.property(printable, printable, (service, argument) => {
      assert.deepEqual(decodeDataOpen(encodeDataOpen({ service, argument })), { service, argument });
      assert.deepEqual(decodeDataAnswer(encodeDataAnswer({ kind: "refused", reason: argument })), { kind: "refused", reason: argument });
    }),
  );
  assert.deepEqual(decodeDataAnswer(encodeDataAnswer({ kind: "ready" })), { kind: "ready" });
  fc.assert(fc.property(fc.integer({ min: 1, max: 65_535 }), (port) => assert.equal(decodeDataPort(encodeDataPort(port)), port)));
});

test("what no member may say is no message", () => {
  const invalid = { code: "frame-invalid" };
  for (const port of [0, 65_536]) assert.throws(() => decodeDataPort(encodeDataPort(port)), invalid);
  for (const text of ["x".repeat(129), "line\nline", "\u001b[31m", "ä"])
    assert.throws(() => decodeDataOpen(encodeDataOpen({ service: text, argument: "" })), invalid);
  assert.throws(() => decodeDataAnswer(Buffer.alloc(0)), invalid);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const decode of [decodeDataOpen, decodeDataAnswer, decodeDataPort])
        try {
          decode(bytes);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "frame-invalid");
        }
    }),
  );
});
