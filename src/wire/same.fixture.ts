/**
 * For tests of this room: whether what was decoded is what had been encoded.
 */
import assert from "node:assert/strict";

/** Equal but for the kind of array: decoded bytes are Uint8Arrays or Buffers as it happens. */
export function same(actual: unknown, expected: unknown): void {
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  };
  assert.deepEqual(plain(actual), plain(expected));
}
