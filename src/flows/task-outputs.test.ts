import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TaskLeft } from "../contracts/index.ts";
import { missingOutputs, oddity, placeLeft, readLeft, type Whole } from "./task-outputs.ts";

const { signal } = new AbortController();

function directory(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "cairn-task-")));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function file(path: string, content = path, executable = false): Whole {
  return { kind: "file", path, executable, content: Buffer.from(content) };
}

const dir = (path: string): Whole => ({ kind: "directory", path });
const link = (path: string, target: string): Whole => ({ kind: "link", path, target });

const odd: readonly (readonly [left: readonly TaskLeft[], outputs: readonly string[], why: RegExp | undefined])[] = [
  [[file("a")], ["a"], undefined],
  [[dir("d"), file("d/a"), dir("d/e"), link("d/e/l", "../a")], ["d"], undefined],
  [[file("b")], ["a"], /no directory that is an output/],
  [[file("a"), file("a")], ["a"], /twice/],
  [[file("d/a")], ["d"], /no directory/], // What it would be in is not among what was left.
  [[link("d", "elsewhere"), file("d/a")], ["d"], /no directory/], // Through a link.
  [[file("d"), file("d/a")], ["d"], /no directory/],
  [[dir("d"), link("d/l", "/etc")], ["d"], /leads out/],
  [[dir("d"), link("d/l", "../../etc")], ["d"], /leads out/],
  [[dir("d"), link("d/l", "."), link("d/m", "l/l/l/../../../../.bashrc")], ["d"], /leads out/],
  [[dir("d"), link("d/l", "./../..//d")], ["d"], /leads out/],
  [[dir("d"), dir("d/e"), link("d/e/l", "../../a//b/.")], ["d"], undefined],
  [[link("l", "..")], ["l"], /leads out/],
  [[file("d/a"), dir("d")], ["d"], /no directory/], // It would be written before there is one.
  [[dir("d"), dir("dd"), file("dd/a")], ["d"], /no directory/],
];
for (const [left, outputs, why] of odd)
  test(`${left.map(({ kind, path }) => `${kind} ${path}`).join(", ")} of ${outputs.join()}: ${why === undefined ? "fine" : String(why)}`, () => {
    const found = oddity(left, outputs);
    assert.equal(why === undefined ? found : why.test(found ?? ""), why === undefined ? undefined : true, found);
  });

test("outputs that nothing was left at are told", () => {
  assert.deepEqual(missingOutputs([dir("d"), file("d/a")], ["d", "e"]), ["e"]);
});

test("outputs take the places of what was there, with their modes, and leave nothing beside them", async (t) => {
  const root = directory(t);
  writeFileSync(join(root, "a"), "before");
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/old"), "before");
  const question = { root, outputs: ["a", "d", "new/deep/b"], force: false, umask: 0o022 };
  const left = [file("a", "after", true), dir("d"), file("d/x"), link("d/l", "x"), file("new/deep/b")];
  await placeLeft(question, left, new Set(["d/old"]), signal);
  assert.deepEqual([readFileSync(join(root, "a"), "utf8"), statSync(join(root, "a")).mode & 0o777], ["after", 0o755]);
  assert.deepEqual(readdirSync(join(root, "d")).toSorted(), ["l", "x"]);
  assert.deepEqual(readdirSync(root).toSorted(), ["a", "d", "new"]);
});

test("where one output cannot be put, none has been", async (t) => {
  const root = directory(t);
  writeFileSync(join(root, "a"), "before");
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/mine"), "precious");
  const question = { root, outputs: ["a", "d"], force: false, umask: 0 };
  const left = [file("a", "after"), dir("d"), file("d/x")];
  await assert.rejects(placeLeft(question, left, new Set(), signal), /d\/mine was not put there/);
  assert.deepEqual([readFileSync(join(root, "a"), "utf8"), readdirSync(root).toSorted()], ["before", ["a", "d"]]);
  await assert.rejects(placeLeft({ ...question, outputs: ["d"] }, [file("d")], new Set(), signal), /d was not put there/);
  await placeLeft({ ...question, force: true }, left, new Set(), signal);
  assert.deepEqual(readdirSync(join(root, "d")), ["x"]);
  const ended = AbortSignal.abort(new Error("ended"));
  await assert.rejects(placeLeft(question, [file("a", "later"), dir("d"), file("d/x")], new Set(), ended), /ended/);
  assert.deepEqual([readFileSync(join(root, "a"), "utf8"), readdirSync(root).toSorted()], ["after", ["a", "d"]]);
});

test("what a kill between two renames has left goes with the next run, also where nothing was there", async (t) => {
  const root = directory(t);
  mkdirSync(join(root, ".d.cairn-old"));
  writeFileSync(join(root, ".d.cairn-old/x"), "before");
  await placeLeft({ root, outputs: ["d"], force: false, umask: 0 }, [dir("d"), file("d/x")], new Set(), signal);
  assert.deepEqual(readdirSync(root), ["d"]);
});

test("where a link of the checkout puts an output elsewhere, a link in it counts from there", async (t) => {
  const root = directory(t);
  mkdirSync(join(root, "d/e"), { recursive: true });
  symlinkSync("..", join(root, "d/e/up"));
  const place = (output: string, target: string): Promise<void> =>
    placeLeft({ root, outputs: [output], force: false, umask: 0 }, [link(output, target)], new Set(), signal);
  await assert.rejects(place("d/e/up/x", "../../y"), /leads out/);
  assert.deepEqual(readdirSync(join(root, "d")), ["e"]);
  await place("d/e/up/x", "../y");
});

test("nothing is written behind a link that leads out of the project", async (t) => {
  const [root, outside] = [directory(t), directory(t)];
  symlinkSync(outside, join(root, "d"));
  const place = (output: string): Promise<void> =>
    placeLeft({ root, outputs: [output], force: true, umask: 0 }, [file(output)], new Set(), signal);
  await assert.rejects(place("d/a"), /outside the project/);
  await assert.rejects(place("d/e/a"), /outside the project/);
  assert.deepEqual(readdirSync(outside), []);
  await place("d"); // The link itself is what the output replaces.
  assert.deepEqual([readFileSync(join(root, "d"), "utf8"), readdirSync(outside)], ["d", []]);
});

test("what a run in the checkout has left is read; what was there before is not its work", async (t) => {
  const root = directory(t);
  mkdirSync(join(root, "d"));
  writeFileSync(join(root, "d/a"), "a", { mode: 0o755 });
  symlinkSync("a", join(root, "d/l"));
  const now = Date.now();
  const left = await readLeft({ root, outputs: ["d", "none"] }, now - 1_000, signal);
  assert.deepEqual(left, [dir("d"), file("d/a", "a", true), link("d/l", "a")]);
  utimesSync(join(root, "d/a"), 1, 1); // That it was changed shows all the same.
  assert.equal((await readLeft({ root, outputs: ["d"] }, now - 1_000, signal)).length, 3);
  await assert.rejects(readLeft({ root, outputs: ["d"] }, now + 60_000, signal), /was there before/);
});
