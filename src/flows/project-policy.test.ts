import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { FileState } from "../contracts/index.ts";
import { projectPolicy } from "./project-policy.ts";

/** Files by path; null: something that is no file. */
function look(all: Readonly<Record<string, string | null>>) {
  return {
    state: (path: string): FileState => {
      const text = all[path];
      if (text === undefined) return { kind: "absent" };
      if (text === null) return { kind: "other" };
      return { kind: "file", digest: digestOf(text), size: text.length, fingerprint: { fp0: 1, fp1: 1 }, changedNs: 1n };
    },
    content: (path: string): Buffer | undefined => Buffer.from(all[path] ?? ""),
  };
}

function demanded(all: Readonly<Record<string, string | null>>, ...roots: readonly string[]): readonly [string | undefined, string] {
  const files = look(all);
  const { sharing, by } = projectPolicy(files, files, roots);
  return [sharing, by];
}

const RELEASE = '{"sharing":"release"}';
const SELF = '{"sharing":"self"}';

test("a project without the file demands nothing, and whoever answers for longer watches where it would be", () => {
  const files = look({});
  assert.deepEqual(projectPolicy(files, files, ["/p", "/p", "/"]), {
    files: ["/p/.cairn.json", "/.cairn.json"],
    sharing: undefined,
    by: "",
    trouble: "",
  });
});

test("the strictest of several projects counts, in whatever order they are named", () => {
  const all = { "/p/.cairn.json": RELEASE, "/q/.cairn.json": SELF, "/r/.cairn.json": "{}" };
  assert.deepEqual(demanded(all, "/p", "/q", "/r"), ["self", "/q/.cairn.json"]);
  assert.deepEqual(demanded(all, "/q", "/r", "/p"), ["self", "/q/.cairn.json"]);
  assert.deepEqual(demanded(all, "/r", "/p"), ["release", "/p/.cairn.json"]);
  assert.deepEqual(demanded(all, "/r"), [undefined, ""]);
});

test("the laxest that can be said is said, too", () => {
  assert.deepEqual(demanded({ "/p/.cairn.json": '{"sharing":"speculative"}' }, "/p"), ["speculative", "/p/.cairn.json"]);
});

test("what is there and cannot be read demands the strictest", () => {
  assert.deepEqual(demanded({ "/p/.cairn.json": null }, "/p"), ["self", "/p/.cairn.json"]);
  const gone = { ...look({ "/p/.cairn.json": RELEASE + " " }), content: () => undefined };
  assert.equal(projectPolicy(gone, gone, ["/p"]).sharing, "self", "it changed while it was looked at");
  assert.deepEqual(demanded({ "/p/.cairn.json": RELEASE + " " }, "/p")[0], "release", "and is read again the next time");
});

test("a link that leads nowhere demands the strictest", (t) => {
  const root = mkdtempSync(join(tmpdir(), "cairn-project-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  assert.deepEqual(demanded({}, root), [undefined, ""]);
  symlinkSync(join(root, "nowhere"), join(root, ".cairn.json"));
  assert.deepEqual(demanded({}, root), ["self", join(root, ".cairn.json")]);
});
