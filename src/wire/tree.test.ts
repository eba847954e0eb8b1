import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, Token, Type } from "cborg";
import fc from "fast-check";
import { digestOf, limits } from "../base/index.ts";
import {
  type Directory,
  decodeDirectory,
  encodeDirectory as encodeSmall,
  formatCid,
  isEntryName,
  parseCid,
  type TreeEntry,
} from "./tree.ts";

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const name = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("__proto__", "toString", "0", "ü", "a b", "…")).filter(isEntryName);
const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc.record(
    { kind: fc.constant("file" as const), digest, size: fc.nat({ max: limits.blobBytes }), executable: fc.boolean() },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant("directory" as const), digest, size: fc.nat({ max: limits.trees.nodeBytes }) }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant("link" as const), target: fc.constantFrom("x", "../y", "/etc/passwd", "ü") }, { noNullPrototype: true }),
);
const directory = fc.array(fc.tuple(name, entry), { maxLength: 30 }).map((all): Directory => new Map(all));

function encodeDirectory(directory: Directory): Uint8Array {
  const bytes = encodeSmall(directory);
  assert.ok(bytes !== undefined);
  return bytes;
}

/** What somebody else may have written. */
function node(entries: unknown): Uint8Array {
  return encode({ entries });
}

function linkTo(code: number, bytes: number = 32): unknown {
  return { cid: Buffer.concat([Buffer.of(0, 1, code, 0x12, bytes), Buffer.alloc(bytes)]) };
}

/** As node, but values of {@link linkTo} become links. */
function linked(entries: unknown): Uint8Array {
  return encode(
    { entries },
    {
      typeEncoders: {
        Object: (value: unknown) =>
          typeof value === "object" && value !== null && "cid" in value && value.cid instanceof Uint8Array
            ? [new Token(Type.tag, 42), new Token(Type.bytes, value.cid)]
            : null,
      },
    },
  );
}

test("a directory comes back as it was, and in one encoding whatever the order of its entries", () => {
  fc.assert(
    fc.property(directory, (one) => {
      const bytes = encodeDirectory(one);
      assert.deepEqual(Object.fromEntries(decodeDirectory(bytes)), Object.fromEntries(one));
      assert.deepEqual(encodeDirectory(new Map([...one].toReversed())), bytes);
    }),
  );
});

test("whatever bytes come, they are a directory with names that are names, or they are refused", () => {
  const changed = fc.tuple(directory, fc.nat(), fc.nat({ max: 255 })).map(([one, at, byte]) => {
    const bytes = Buffer.from(encodeDirectory(one));
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      let read: Directory;
      try {
        read = decodeDirectory(bytes);
      } catch (error) {
        assert.equal(error instanceof Error && "code" in error ? error.code : error, "frame-invalid");
        return;
      }
      assert.ok([...read.keys()].every(isEntryName));
      assert.deepEqual(Buffer.from(encodeDirectory(read)), Buffer.from(bytes));
    }),
    { numRuns: 500 },
  );
});

const LINK = { link: linkTo(0x55), size: 1 };
for (const [about, bytes, holds] of [
  ["a file", linked({ a: LINK }), true],
  ["a link", node({ a: { target: "x" } }), true],
  ["nothing", node({}), true],
  ...["", ".", "..", "a/b", "/", "\0", "n".repeat(256)].map(
    (bad) => [`the name ${JSON.stringify(bad)}`, linked({ [bad]: LINK }), false] as const,
  ),
  ["another codec", linked({ a: { link: linkTo(0x70), size: 1 } }), false],
  ["another length of hash", linked({ a: { link: linkTo(0x55, 31), size: 1 } }), false],
  ["no size", linked({ a: { link: linkTo(0x55) } }), false],
  ["a negative size", linked({ a: { link: linkTo(0x55), size: -1 } }), false],
  ["half a byte", linked({ a: { link: linkTo(0x55), size: 0.5 } }), false],
  ["a file that is too large", linked({ a: { link: linkTo(0x55), size: limits.blobBytes + 1 } }), false],
  ["a directory that is too large", linked({ a: { link: linkTo(0x71), size: limits.trees.nodeBytes + 1 } }), false],
  ["a directory that can be executed", linked({ a: { link: linkTo(0x71), size: 1, executable: true } }), false],
  ["what says that it is not executable", linked({ a: { ...LINK, executable: false } }), false],
  ["fields that nobody knows", linked({ a: { ...LINK, owner: "root" } }), false],
  ["a link to nothing", node({ a: { target: "" } }), false],
  ["a link with a zero byte", node({ a: { target: "x\0y" } }), false],
  ["a link that is too long", node({ a: { target: "x".repeat(4_096) } }), false],
  ["no map", encode([]), false],
  ["something beside the entries", encode({ entries: {}, more: 1 }), false],
  ["a name twice", Buffer.from("a167656e7472696573a26161a16674617267657461786161a1667461726765746179", "hex"), false],
  ["names in another order", Buffer.from("a167656e7472696573a26162a16674617267657461786161a1667461726765746179", "hex"), false],
  ["a length without need", Buffer.from("b80167656e7472696573a0", "hex"), false],
  ["an end without length", Buffer.from("bf67656e7472696573a0ff", "hex"), false],
  ["bytes after it", Buffer.concat([node({}), Buffer.of(0)]), false],
  ["much nesting", Buffer.alloc(200_000, 0x81), false],
  ["too many bytes", Buffer.alloc(limits.trees.nodeBytes + 1), false],
] as const)
  test(`a node with ${about} ${holds ? "holds" : "is refused"}`, () => {
    if (holds) assert.deepEqual(Buffer.from(encodeDirectory(decodeDirectory(bytes))), Buffer.from(bytes));
    else assert.throws(() => decodeDirectory(bytes), { code: "frame-invalid" });
  });

test("names and targets that cannot be told are not written", () => {
  for (const bad of ["", "..", "a/b", "\ud800"])
    assert.throws(() => encodeDirectory(new Map([[bad, { kind: "link", target: "x" }]])), { code: "usage" });
  assert.throws(() => encodeDirectory(new Map([["a", { kind: "link", target: "" }]])), { code: "usage" });
});

const manyLinks = (count: number, nameBytes: number): Directory =>
  new Map(Array.from({ length: count }, (_, i) => [`${i}`.padEnd(nameBytes, "n"), { kind: "link", target: "x" }]));

test("a directory is written and read up to the largest there may be, and no further", () => {
  const { directoryEntries, nodeBytes } = limits.trees;
  const largest = encodeDirectory(manyLinks(directoryEntries, 5));
  assert.equal(decodeDirectory(largest).size, directoryEntries);
  assert.equal(encodeSmall(manyLinks(directoryEntries + 1, 5)), undefined);
  assert.equal(encodeSmall(manyLinks(Math.ceil(nodeBytes / 255), 255)), undefined);
  const tooMany = node(Object.fromEntries([...manyLinks(directoryEntries + 1, 5).keys()].map((one) => [one, { target: "x" }])));
  assert.ok(tooMany.length < nodeBytes);
  assert.throws(() => decodeDirectory(tooMany), { code: "frame-invalid" });
});

test("what is no directory is not read to its end", () => {
  const junk = node(Array.from({ length: 500_000 }, () => 0));
  assert.ok(junk.length < limits.trees.nodeBytes);
  assert.throws(() => decodeDirectory(junk), { code: "frame-invalid", facts: { what: "too many tokens" } });
});

test("numbers and lengths are written as DAG-CBOR prescribes", () => {
  const one = digestOf("x");
  for (const size of [0, 23, 24, 255, 256, 65_535, 65_536, limits.blobBytes])
    for (const nameBytes of [1, 23, 24, 255]) {
      const name = "n".repeat(nameBytes);
      const cid = Buffer.concat([Buffer.of(0, 1, 0x55, 0x12, 32), Buffer.from(one, "hex")]);
      const bytes = linked({ [name]: { link: { cid }, size } });
      assert.deepEqual(
        Buffer.from(encodeDirectory(new Map([[name, { kind: "file", digest: one, size, executable: false }]]))),
        Buffer.from(bytes),
      );
    }
});

test("CIDs are those of IPFS, and others are none", () => {
  assert.equal(formatCid({ digest: digestOf("hello world"), codec: "raw" }), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
  fc.assert(
    fc.property(digest, fc.constantFrom("raw" as const, "directory" as const), (one, codec) => {
      assert.deepEqual(parseCid(formatCid({ digest: one, codec })), { digest: one, codec });
    }),
  );
  const none = [
    "",
    "x",
    "bafy",
    "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKU6CQ",
    "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
  ];
  for (const text of none) assert.equal(parseCid(text), undefined);
});
