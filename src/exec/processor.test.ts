import assert from "node:assert/strict";
import { test } from "node:test";
import { featuresIn } from "./processor.ts";

test("processors are told apart by what they can do, and not by how many there are or how fast they run", () => {
  const x86 = (mhz: number, flags: string): string => `processor\t: 0\ncpu MHz\t\t: ${mhz}\nflags\t\t: ${flags}\nbugs\t\t: spectre_v1\n`;
  const one = featuresIn(x86(2_000, "fpu sse avx2"));
  assert.equal(one, "avx2 fpu sse");
  assert.equal(featuresIn(`${x86(2_100, "sse fpu avx2")}\n${x86(1_900, "fpu sse avx2")}`), one);
  assert.notEqual(featuresIn(x86(2_000, "fpu sse avx2 avx512f")), one);
  assert.equal(featuresIn("processor\t: 0\nFeatures\t: fp asimd\n"), "asimd fp");
  assert.equal(featuresIn("processor\t: 0\n"), undefined);
  assert.equal(featuresIn(""), undefined);
});
