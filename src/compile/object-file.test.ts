import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, mock, test } from "node:test";
import fc from "fast-check";
import { isCompressed, objectDifference } from "./object-file.ts";

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

test("what debuggers read, compressed", () => {
  assert.deepEqual(
    [[], ["-g"], ["-g", "-gz"]].map((options) => isCompressed(compiled(UNIT, ...options))),
    [false, false, true],
  );
  assert.equal(isCompressed(Buffer.from("a.o: a.c\n")), false);
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

interface Part {
  readonly name: number;
  readonly type?: number;
  readonly link?: number;
  readonly start: number;
  readonly bytes: number;
}

/** An object of 64 bits whose first section holds the names of all. */
function elf(bytes: number, parts: readonly Part[], headBytes = 64): Buffer {
  const object = Buffer.alloc(bytes);
  object.write("7f454c460201", "hex");
  object.writeBigUInt64LE(64n, 0x28);
  object.writeUInt16LE(headBytes, 0x3a);
  object.writeUInt16LE(parts.length, 0x3c);
  for (const [i, { name, type = 1, link = 0, start, bytes: length }] of parts.entries()) {
    const at = 64 + i * headBytes;
    object.writeUInt32LE(name, at);
    object.writeUInt32LE(type, at + 4);
    object.writeBigUInt64LE(BigInt(start), at + 0x18);
    object.writeBigUInt64LE(BigInt(length), at + 0x20);
    object.writeUInt32LE(link, at + 0x28);
  }
  return object;
}

const buffers = Object.getPrototypeOf(Buffer.alloc(0)) as Buffer;

/** How often something was made text, and how many bytes were looked through for the ends of names. */
function workOf(compare: () => ReturnType<typeof objectDifference>): { found: ReturnType<typeof compare>; texts: number; bytes: number } {
  const toText = mock.method(buffers, "toString");
  const search = mock.method(buffers, "indexOf");
  try {
    const found = compare();
    const lengths = search.mock.calls.map((call) => Math.max(0, (call.this as Buffer).length - (Number(call.arguments[1]) || 0)));
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    return { found, texts: toText.mock.callCount(), bytes };
  } finally {
    toText.mock.restore();
    search.mock.restore();
  }
}

test("of hundreds of thousands of symbols whose names do not end, one name is read", () => {
  const [count, code, symbols, nameBytes] = [200_000, 512, 1024, 1_000_000];
  const sections = [
    { name: 1, start: 400, bytes: 100 },
    { name: 7, start: code, bytes: 64 },
    { name: 13, type: 2, link: 3, start: symbols, bytes: 24 * count },
    { name: 13, type: 3, start: symbols + 24 * count, bytes: nameBytes },
  ];
  const object = elf(symbols + 24 * count + nameBytes, sections);
  object.write("\0names\0.text\0\0", 400, "latin1");
  object.fill("A", symbols + 24 * count);
  for (let i = 0; i < count; i++) {
    const at = symbols + 24 * i;
    object.writeUInt32LE(i, at);
    object[at + 4] = 0x12;
    object.writeUInt16LE(1, at + 6);
    object.writeBigUInt64LE(i === 100 ? 8n : 1_000n, at + 8);
    object.writeBigUInt64LE(8n, at + 16);
  }
  const other = Buffer.from(object);
  other[code + 10] = 1;
  const { found, texts, bytes } = workOf(() => objectDifference(object, other));
  assert.deepEqual([found?.section, found?.symbol?.offset, found?.symbol?.name.length], [".text", 2, 256]);
  assert.ok(texts < 20 && bytes < 20_000, `${texts} texts, ${bytes} bytes`);
});

test("heads of sections that are all the same bytes are not read", () => {
  const [object, other] = [0, 1].map((last) => {
    const made = elf(4096, [{ name: 1, start: 0, bytes: 4096 }]);
    made.writeUInt16LE(0, 0x3a);
    made.writeUInt16LE(0xffff, 0x3c);
    made[4095] = last;
    return made;
  }) as [Buffer, Buffer];
  const { found, texts } = workOf(() => objectDifference(object, other));
  assert.deepEqual([found?.section, found?.offset], ["", 4095]);
  assert.ok(texts < 10, `${texts} texts`);
});

test("sections that all hold the whole file are not compared one by one", () => {
  const [object, other] = [0, 1].map((last) => {
    const parts = Array.from({ length: 60_000 }, (_, i) => ({ name: i, start: 64, bytes: 5_000_000 - last }));
    return elf(5_000_000, parts);
  }) as [Buffer, Buffer];
  const compared = mock.method(buffers, "equals");
  try {
    const found = objectDifference(object, other);
    assert.equal(found?.section, "");
    assert.ok(compared.mock.callCount() < 10, `${compared.mock.callCount()} comparisons`);
  } finally {
    compared.mock.restore();
  }
});
