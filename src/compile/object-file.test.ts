import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { objectDifference } from "./object-file.ts";

const scratch = mkdtempSync(join(tmpdir(), "cairn-object-"));
after(() => rmSync(scratch, { recursive: true }));

/** What the compiler of this machine makes of it. */
function compiled(text: string, ...options: string[]): Buffer {
  const [source, object] = [join(scratch, "unit.c"), join(scratch, "unit.o")];
  writeFileSync(source, text);
  execFileSync("gcc", ["-O1", ...options, "-c", source, "-o", object], { stdio: "pipe" });
  return readFileSync(object);
}

const UNIT = "int one(void) { return 41; }\nint two(int a) { return a * 7 + 3; }\n";

test("the same", () => {
  assert.equal(objectDifference(compiled(UNIT), compiled(UNIT)), undefined);
});

test("code: the section, and how far into which function", () => {
  const found = objectDifference(compiled(UNIT), compiled(UNIT.replace("41", "42")));
  assert.deepEqual([found?.section, found?.symbol?.name, found?.before.length, found?.after.length], [".text", "one", 32, 32]);
  // x86: b8 29 00 00 00; elsewhere another place of the same function.
  if (process.arch === "x64") assert.deepEqual([found?.symbol?.offset, found?.before.slice(0, 4)], [1, "2900"]);
});

test("text is shown as text", () => {
  const at = (time: string): Buffer => compiled(`const char *const when = "built at ${time}, here";`);
  const found = objectDifference(at("12:30:01"), at("12:30:02"));
  assert.match(found?.section ?? "", /^\.rodata/);
  assert.deepEqual([found?.before, found?.after], ["built at 12:30:01, here", "built at 12:30:02, here"]);
});

test("a variable", () => {
  const found = objectDifference(compiled("int first = 5, second = 6;"), compiled("int first = 5, second = 9;"));
  assert.deepEqual([found?.section, found?.symbol], [".data", { name: "second", offset: 0 }]);
});

test("a section that one of them alone has", () => {
  const [plain, noted] = [compiled(UNIT), compiled(`${UNIT}int more __attribute__((section("extra"))) = 1;`)];
  const [found, turned] = [objectDifference(plain, noted), objectDifference(noted, plain)];
  assert.deepEqual([found?.section, found?.before, found?.after], ["extra", "it is not", "it is there"]);
  assert.deepEqual([turned?.section, turned?.before, turned?.after], ["extra", "it is there", "it is not"]);
});

test("what is no object: bytes from where they differ", () => {
  const found = objectDifference(Buffer.from([0, 1, 2]), Buffer.from([0, 9]));
  assert.deepEqual(found, { section: "", offset: 1, symbol: undefined, before: "0102", after: "09" });
});

test("whatever an object says of itself, something is found, and nothing is thrown", () => {
  const object = compiled(UNIT, "-g");
  const changes = fc.array(fc.tuple(fc.nat(object.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
  const heads = fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(changes, heads, fc.nat(object.length), (some, more, length) => {
      const other = Buffer.from(object);
      for (const [at, byte] of [...some, ...more]) other[at] = byte;
      const cut = length % 3 === 0 ? other.subarray(0, length) : other;
      const [found, turned] = [objectDifference(object, cut), objectDifference(cut, object)];
      assert.equal(found === undefined, cut.equals(object));
      assert.equal(turned === undefined, cut.equals(object));
    }),
    { numRuns: 2_000 },
  );
});
