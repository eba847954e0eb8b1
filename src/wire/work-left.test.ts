import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import type { Left } from "../contracts/index.ts";
import { decodeWorkLeft, encodeWorkLeft } from "./work-left.ts";

const refused = { code: "frame-invalid" };
const file = (path: string, text = "x"): Left => ({ kind: "file", path, content: Buffer.from(text), executable: false });

function content(left: readonly Left[]): Buffer {
  return Buffer.concat(left.flatMap((one) => (one.kind === "file" ? [one.content] : [])));
}

test("what was left is read as it was written", () => {
  const name = fc.stringMatching(/^[a-z]{1,8}$/);
  const one = fc.oneof(
    fc.record({
      kind: fc.constant("file" as const),
      path: name,
      content: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
      executable: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("directory" as const), path: name }),
    fc.record({ kind: fc.constant("link" as const), path: name, target: name }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(one, { selector: ({ path }) => path, maxLength: 20 }), (some) => {
      const left: Left[] = [{ kind: "directory", path: "out/put" }, ...some.map((entry) => ({ ...entry, path: `out/put/${entry.path}` }))];
      const heard = decodeWorkLeft(encodeWorkLeft(left), content(left), ["out/put", "none"]);
      assert.deepEqual(JSON.parse(JSON.stringify(heard)), JSON.parse(JSON.stringify(left)));
    }),
  );
});

const LIES: readonly (readonly [about: string, left: readonly Left[], outputs: readonly string[]])[] = [
  ["what was not declared", [file("b")], ["a"]],
  ["in a file that was declared", [file("a"), file("a/b")], ["a"]],
  ["in a directory that it does not tell of", [file("a/b/c")], ["a"]],
  ["beside what was declared, by a name that leads up", [{ kind: "directory", path: "a" }, file("a/../b")], ["a"]],
  ["at an absolute path", [file("/a")], ["/a"]],
  ["without a name", [file("")], [""]],
  ["twice", [file("a"), file("a")], ["a"]],
  ["by a name with a zero byte", [file("a\0")], ["a\0"]],
  ["a link to nothing", [{ kind: "link", path: "a", target: "" }], ["a"]],
  ["a name that is too long", [file("a".repeat(limits.action.pathBytes + 1))], ["a".repeat(limits.action.pathBytes + 1)]],
];

for (const [about, left, outputs] of LIES)
  test(`refused: ${about}`, () => assert.throws(() => decodeWorkLeft(encodeWorkLeft(left), content(left), outputs), refused));

test("refused: more or fewer bytes than its files have, and what is no list", () => {
  const left = [file("a", "abc")];
  for (const bytes of ["ab", "abcd"]) assert.throws(() => decodeWorkLeft(encodeWorkLeft(left), Buffer.from(bytes), ["a"]), refused);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (some) => {
      try {
        decodeWorkLeft(some, Buffer.alloc(0), ["a"]);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "frame-invalid", String(error));
      }
    }),
  );
});
