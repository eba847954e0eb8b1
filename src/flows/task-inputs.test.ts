import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../base/index.ts";
import type { Files } from "../contracts/index.ts";
import { compareListings, gatherInputs, type TaskInputs } from "./task-inputs.ts";

const { signal } = new AbortController();

/** Reads each time. */
const files = {
  state: (path: string) => {
    const [content, { size }] = [readFileSync(path), statSync(path)];
    return { kind: "file", digest: digestOf(content), size, fingerprint: { fp0: 0, fp1: 0 }, changedNs: 0n };
  },
  prepare: () => Promise.resolve(),
} as unknown as Files;

function project(t: TestContext, ...paths: string[]): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-task-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
  return root;
}

function gather(
  root: string,
  patterns: readonly string[],
  outputs: readonly string[] = [],
  cwd: string = root,
  named: readonly string[] = [],
): Promise<TaskInputs> {
  return gatherInputs(files, { root, cwd, patterns, named, outputs }, signal);
}

async function paths(...args: Parameters<typeof gather>): Promise<string[]> {
  return (await gather(...args)).all.map(({ path }) => path);
}

test("files, directories, patterns and what is left out of them", async (t) => {
  const root = project(t, "a.ts", "src/b.ts", "src/b.test.ts", "src/.hidden", "src/[id]/c.ts", "dist/out.js", ".git/HEAD", "src/.git/HEAD");
  const table: readonly (readonly [patterns: readonly string[], outputs: readonly string[], found: readonly string[]])[] = [
    [["a.ts"], [], ["a.ts"]],
    [["src"], [], ["src", "src/.hidden", "src/[id]", "src/[id]/c.ts", "src/b.test.ts", "src/b.ts"]],
    [["./src/"], [], ["src", "src/.hidden", "src/[id]", "src/[id]/c.ts", "src/b.test.ts", "src/b.ts"]],
    [["**/*.ts", "!src/**/*.test.ts"], [], ["a.ts", "src/[id]/c.ts", "src/b.ts"]],
    [["src", "!src/[id]"], [], ["src", "src/.hidden", "src/b.test.ts", "src/b.ts"]],
    [["src/[id]"], [], ["src/[id]", "src/[id]/c.ts"]],
    [[".", "!src"], ["dist"], ["a.ts"]],
    [[".", "!src"], ["dist/out.js"], ["a.ts", "dist"]],
    [[join(root, "a.ts")], [], ["a.ts"]],
    [["{a,z}.ts"], [], ["a.ts"]],
  ];
  for (const [patterns, outputs, found] of table) assert.deepEqual(await paths(root, patterns, outputs), found, patterns.join(" "));
  assert.deepEqual(await paths(root, ["../a.ts", "b.ts"], [], join(root, "src")), ["a.ts", "src/b.ts"]);
  await assert.rejects(gather(root, ["src/*.js"]), /matches no file/);
  await assert.rejects(gather(root, ["nothing"]), /does not exist/);
  await assert.rejects(gather(root, ["../other"]), /outside the project/);
  await assert.rejects(gather(root, ["/etc/passwd"]), /outside the project/);
});

test("signs in the names of directories above are no pattern; what is named is taken whatever is left out", async (t) => {
  const root = project(t, "[id]/{a,b}/c.ts", "[id]/{a,b}/c.test.ts", "[id]/d.ts", "i/a/c.ts");
  const cwd = join(root, "[id]/{a,b}");
  assert.deepEqual(await paths(root, ["*.ts", "!*.test.ts"], [], cwd), ["[id]/{a,b}/c.ts"]);
  assert.deepEqual(await paths(root, ["../**/*.ts", "!../d*"], [], cwd), ["[id]/{a,b}/c.test.ts", "[id]/{a,b}/c.ts"]);
  assert.deepEqual(await paths(root, [".", `!${cwd}/*.test.ts`, "!c.ts"], [], cwd), ["[id]/{a,b}"]);
  assert.deepEqual(await paths(root, ["!*.test.ts"], ["i"], cwd, ["c.test.ts", "../../i/a/c.ts"]), ["[id]/{a,b}/c.test.ts"]);
  await assert.rejects(gather(root, [], [], cwd, ["*.ts"]), /cannot be read: ENOENT/);
});

test("a link into the project stays one; any other stands for what it leads to, and one gives way to what lies behind it", async (t) => {
  const elsewhere = project(t, "lib/index.js", "lib/deep/x.js");
  const root = project(t, "real/a");
  symlinkSync("real", join(root, "inside"));
  symlinkSync(join(elsewhere, "lib"), join(root, "outside"));
  symlinkSync("nowhere", join(elsewhere, "lib/broken"));
  const { all } = await gather(root, ["."]);
  const kinds = all.map((one) => `${one.kind} ${one.path}`);
  assert.deepEqual(kinds, [
    "link inside",
    "directory outside",
    "directory outside/deep",
    "file outside/deep/x.js",
    "file outside/index.js",
    "directory real",
    "file real/a",
  ]);
  assert.deepEqual(await paths(root, ["outside/**/*.js"]), ["outside/deep/x.js", "outside/index.js"]);
  assert.deepEqual(await paths(root, ["inside", "inside/a"]), ["inside/a"]);
});

test("content, names and modes are in the digest; the order of patterns, and where the project lies, are not", async (t) => {
  const [one, other] = [project(t, "a", "d/b"), project(t, "a", "d/b")];
  const before = await gather(one, ["a", "d"]);
  assert.equal((await gather(other, ["d", "a", "d/b"])).digest, before.digest);
  const changes: readonly (() => void)[] = [
    () => writeFileSync(join(other, "a"), "changed"),
    () => writeFileSync(join(other, "d/c"), ""),
    () => rmSync(join(other, "d/b")),
    () => writeFileSync(join(other, "d/b"), "d/b", { mode: 0o755 }),
    () => mkdirSync(join(other, "d/empty")),
    () => symlinkSync("a", join(other, "d/l")),
  ];
  const seen = new Set([before.digest]);
  for (const change of changes) {
    change();
    seen.add((await gather(other, ["a", "d"])).digest);
  }
  assert.equal(seen.size, changes.length + 1);
  const found = compareListings(before.listing, (await gather(other, ["a", "d"])).listing);
  assert.deepEqual(found.map(({ path, how }) => `${path} ${how}`).toSorted(), [
    "a changed",
    "d/b changed",
    "d/c new",
    "d/empty new",
    "d/l new",
  ]);
});
