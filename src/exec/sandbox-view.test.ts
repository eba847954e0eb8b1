/** What an action sees is what a kernel would show it of the root that is planned. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, type Stats, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../base/index.ts";
import { type Entry, Plan } from "./sandbox-plan.ts";
import { SandboxView } from "./sandbox-view.ts";

const NAMES = ["a", "b", "c"] as const;
const name = fc.constantFrom(...NAMES);
const path = fc
  .array(fc.oneof({ weight: 3, arbitrary: name }, fc.constantFrom(".", "..", "")), { minLength: 1, maxLength: 6 })
  .map((parts) => `/${parts.join("/")}`);
const place = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const entries = fc.array(fc.record({ at: place, what: fc.oneof(fc.constant("directory" as const), fc.constant("file" as const), path) }), {
  minLength: 1,
  maxLength: 8,
});

test("paths lead where they lead in the directory itself, by way of links and steps upwards", () => {
  fc.assert(
    fc.property(entries, fc.array(path, { minLength: 1, maxLength: 12 }), (some, asked) => {
      using stack = new DisposableStack();
      const root = mkdtempSync(join(tmpdir(), "cairn-view-"));
      stack.defer(() => rmSync(root, { recursive: true }));
      const plan = new Plan(new Map());
      for (const { at, what } of some) {
        const entry: Entry =
          what === "directory"
            ? { kind: "directory" }
            : what === "file"
              ? { kind: "file", digest: digestOf(at), executable: false }
              : { kind: "link", target: relative(what) };
        plan.put(at, entry);
      }
      for (const [at, entry] of plan.entries) {
        const there = join(root, at);
        mkdirSync(dirname(there), { recursive: true });
        if (entry.kind === "directory") mkdirSync(there, { recursive: true });
        else if (entry.kind === "file") writeFileSync(there, entry.digest);
        else if (entry.kind === "link") symlinkSync(entry.target, there);
      }
      const view = new SandboxView({ entries: plan.entries, content: () => undefined, sizeOf: () => 0 });
      for (const one of asked) {
        if (leaves(one)) continue; // A root's parent is itself, a directory's is not.
        const there = statOf(`${root}${one}`);
        const state = view.state(one);
        const kind = there === undefined ? "absent" : there.isFile() ? "file" : "other";
        assert.equal(state.kind, kind, one);
        if (state.kind === "file") assert.equal(state.digest, readFileSync(`${root}${one}`, "utf8"));
        assert.equal(view.absent(one), there === undefined);
      }
    }),
    { numRuns: 150 },
  );
});

test("who looks below a place of the sandbox's own has seen something that is nowhere else", () => {
  const plan = new Plan(new Map());
  plan.put("/out", { kind: "mount" });
  plan.put("/tmp", { kind: "link", target: "/out" });
  const view = new SandboxView({ entries: plan.entries, content: () => undefined, sizeOf: () => 0 });
  assert.equal(view.absent("/nothing"), true);
  assert.equal(view.touchesMount, false);
  assert.equal(view.absent("/tmp/object"), false);
  assert.equal(view.touchesMount, true);
});

/** Links of the test lead no higher than they are. */
function relative(target: string): string {
  return (
    target
      .split("/")
      .filter((part) => /[a-z]/.test(part))
      .join("/") || "a"
  );
}

/** Whether a path climbs out of its root. */
function leaves(path: string): boolean {
  let depth = 0;
  for (const part of path.split("/")) {
    depth += part === ".." ? -1 : /[a-z]/.test(part) ? 1 : 0;
    if (depth < 0) return true;
  }
  return false;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // Links in a circle.
  }
}
