import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { StoredResult } from "../contracts/index.ts";
import { partingOf, type Written, writtenIn } from "./partings.ts";

function written(object: string, depfile = "", stderr = ""): Written {
  const files = [
    { role: "object", content: Buffer.from(object) },
    { role: "depfile", content: Buffer.from(depfile) },
  ];
  return { files, stdout: Buffer.alloc(0), stderr: Buffer.from(stderr) };
}

const rows: readonly (readonly [name: string, before: Written, after: Written, expected: unknown])[] = [
  ["nothing", written("a"), written("a"), undefined],
  ["what it was to write", written("a\nb"), written("a\nc", "x", "y"), { stage: "assembly", place: { line: 2, before: "b", after: "c" } }],
  ["what it has read", written("a", "x"), written("a", "y"), { stage: "dependency file", place: { line: 1, before: "x", after: "y" } }],
  [
    "what it says",
    written("a", "", "old"),
    written("a", "", "new"),
    { stage: "messages", place: { line: 1, before: "old", after: "new" } },
  ],
];
for (const [name, before, after, expected] of rows)
  test(`where two compiles part ways: ${name}`, () => {
    assert.deepEqual(partingOf(before, after, "assembly"), expected);
  });

test("of what is kept nothing is said where a part of it is gone", async () => {
  const outputs = ["one", "two"].map((content) => {
    return { path: content, digest: digestOf(content), size: 3, role: "object", template: false } as const;
  });
  const result: StoredResult = { outputs, stdout: "", stderr: Buffer.from("told").toString("base64"), compileMs: 1, cpuMs: 1 };
  const whole = await writtenIn(result, (digest) => Promise.resolve(Buffer.from(digest === digestOf("one") ? "one" : "two")));
  assert.deepEqual([whole?.files.map(({ content }) => String(content)), String(whole?.stderr)], [["one", "two"], "told"]);
  assert.equal(
    await writtenIn(result, (digest) => Promise.resolve(digest === digestOf("one") ? Buffer.from("one") : undefined)),
    undefined,
  );
});
