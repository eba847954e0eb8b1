/** Byte readers and writers: what is written is read, and nothing is read past the end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "./bytes.ts";

type Field =
  | { kind: "u8" | "u16" | "u32"; value: number }
  | { kind: "u64"; value: bigint }
  | { kind: "text"; value: string }
  | { kind: "block"; value: Uint8Array };

const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ kind: fc.constant("u8" as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant("u16" as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant("u32" as const), value: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant("u64" as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "binary" }) }),
  fc.record({ kind: fc.constant("block" as const), value: fc.uint8Array() }),
);

test("what is written is read, however small the buffer was at first", () => {
  fc.assert(
    fc.property(fc.array(field), fc.integer({ min: 1, max: 64 }), (fields, expectedBytes) => {
      const writer = new ByteWriter(expectedBytes);
      for (const one of fields) write(writer, one);
      const reader = new ByteReader(Buffer.from(writer.view()));
      for (const one of fields) assert.deepEqual(read(reader, one.kind), one.kind === "block" ? Buffer.from(one.value) : one.value);
      reader.end();
    }),
  );
});

test("nothing is read past the end", () => {
  const reader = new ByteReader(Buffer.from([5, 0, 0, 0, 1, 2]));
  assert.throws(() => reader.block(), { code: "frame-invalid" });
});

test("text that is not UTF-8 says so", () => {
  const writer = new ByteWriter().block(Buffer.from([0x66, 0xff])).text32("ok �");
  const reader = new ByteReader(writer.view());
  assert.equal(reader.text().exact, false);
  assert.deepEqual(reader.text(), { text: "ok �", exact: true });
});

function write(writer: ByteWriter, one: Field): void {
  switch (one.kind) {
    case "u8":
    case "u16":
    case "u32":
      writer[one.kind](one.value);
      return;
    case "u64":
      writer.u64(one.value);
      return;
    case "text":
      writer.text32(one.value);
      return;
    case "block":
      writer.block(one.value);
      return;
  }
}

function read(reader: ByteReader, kind: Field["kind"]): unknown {
  if (kind === "text") return reader.text().text;
  if (kind === "block") return reader.block();
  return reader[kind]();
}
