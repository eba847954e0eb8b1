/**
 * Files and directories: put on one machine, got on another, also after it was killed in the middle, pinned, named and listed.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkout, type TestNode, writeFiles } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";

const MIB = 1_048_576;
const LONG = { timeout: 180_000 };

async function two(t: TestContext): Promise<[TestNode, TestNode]> {
  const [laptop, desktop] = [await machine(t, "tree-a"), await machine(t, "tree-b")];
  await ask(laptop, "init", "--machine", "laptop");
  await ask(desktop, "join", await invitation(laptop), "--machine", "desktop");
  await Promise.all([untilConnected(t, laptop, "desktop"), untilConnected(t, desktop, "laptop")]);
  return [laptop, desktop];
}

/** A directory with all that a tree can tell, and some files that travel in chunks. */
function sample(node: TestNode, large: number): string {
  const directory = join(dirname(node.home), "sample");
  writeFiles(directory, { "a.txt": "one", "bin/app": "#!/bin/sh\n", "bin/empty": "", "deep/er/one": "one", "with space ü": "x" });
  chmodSync(join(directory, "bin/app"), 0o755);
  mkdirSync(join(directory, "nothing"));
  symlinkSync("../a.txt", join(directory, "bin/link"));
  for (let i = 0; i < 200; i++) writeFileSync(join(directory, `file-${i}`), randomBytes(5_000));
  for (let i = 0; i < large; i++) writeFileSync(join(directory, `large-${i}`), randomBytes(24 * MIB));
  return directory;
}

/** All that can be told of a path, in order. */
function told(path: string): string[] {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return [`-> ${readlinkSync(path)}`];
  if (stats.isFile()) return [`${(stats.mode & 0o100) === 0 ? "file" : "program"} ${readFileSync(path).toString("base64")}`];
  return [
    "directory",
    ...readdirSync(path)
      .toSorted()
      .flatMap((name) => [name, ...told(join(path, name))]),
  ];
}

/** Without the bytes, where they differ the message would be large. */
function assertSame(left: string, right: string): void {
  const [a, b] = [told(left), told(right)];
  assert.equal(a.length, b.length);
  assert.equal(
    a.findIndex((line, i) => line !== b[i]),
    -1,
  );
}

test("what is put on one machine is got on another, listed, pinned and called by a name", LONG, async (t) => {
  const [laptop, desktop] = await two(t);
  const source = sample(laptop, 1);
  const put = await ask(laptop, "put", source);
  const cid = String(put.cid);
  assert.match(cid, /^bafyrei/);
  assert.deepEqual([put.kind, put.files], ["directory", 206]);
  const target = join(dirname(desktop.home), "got");
  const got = await ask(desktop, "get", cid, target);
  assert.equal((got.fetched as { bytes: number }).bytes > 24 * MIB + 1_000_000, true);
  assertSame(source, target);
  assert.equal((await ask(desktop, "put", target)).cid, cid);
  assert.deepEqual(
    readdirSync(dirname(target)).filter((name) => name.startsWith(".")),
    [],
  );

  // What is there stays, unless somebody says otherwise; and nothing is fetched twice.
  const refused = await cairn(desktop, "get", cid, target);
  assert.deepEqual([refused.code, /exists/.test(refused.stderr)], [2, true]);
  writeFileSync(join(target, "extra"), "mine");
  const again = await ask(desktop, "get", cid, target, "--force");
  assert.equal((again.fetched as { bytes: number }).bytes, 0);
  assertSame(source, target);

  const entries = (await ask(desktop, "ls", `${cid}/bin`)).entries as { name: string; kind: string }[];
  assert.deepEqual(entries.map(({ name, kind }) => `${name} ${kind}`).toSorted(), ["app file", "empty file", "link link"]);
  const app = join(dirname(desktop.home), "app");
  await ask(desktop, "get", `${cid}/bin/app`, app);
  assert.equal(lstatSync(app).mode & 0o100, 0o100);

  // A name knows that it stands for a directory.
  await ask(laptop, "name", "publish", "latest", cid);
  assert.equal((await ask(desktop, "name", "resolve", "latest")).cid, cid);
  await ask(desktop, "get", "latest", join(dirname(desktop.home), "named"));
  assertSame(source, join(dirname(desktop.home), "named"));

  // Pinned, it outlives the cache and the machine that it came from.
  const pinned = (await ask(desktop, "pin", "latest")).pinned as { cid: string; kind: string }[];
  assert.deepEqual([pinned[0]?.cid, pinned[0]?.kind], [cid, "tree"]);
  await ask(desktop, "gc", "--all");
  await laptop.stopDaemon();
  await ask(desktop, "get", cid, join(dirname(desktop.home), "later"));
  assertSame(source, join(dirname(desktop.home), "later"));
  await ask(desktop, "unpin", cid);
  await ask(desktop, "gc", "--all");
  const gone = await cairn(desktop, "get", cid, join(dirname(desktop.home), "gone"));
  assert.deepEqual([gone.code, /no connected member has it/.test(gone.stderr)], [1, true]);
  assert.equal(existsSync(join(dirname(desktop.home), "gone")), false);
});

test("a root that is not here is fetched by pinning it, and a single file has a CID of its bytes", PATIENT, async (t) => {
  const [laptop, desktop] = await two(t);
  const source = sample(laptop, 0);
  const { cid } = await ask(laptop, "put", source);
  const file = await ask(laptop, "put", join(source, "file-0"));
  assert.match(String(file.cid), /^bafkrei/);
  await ask(desktop, "pin", String(cid));
  const [pin] = (await ask(desktop, "pins")).pins as { cid: string; missing: number }[];
  assert.deepEqual([pin?.cid, pin?.missing], [cid, 0]);
  await laptop.stopDaemon();
  const target = join(dirname(desktop.home), "file");
  await ask(desktop, "get", String(file.digest), target);
  assert.deepEqual(readFileSync(target), readFileSync(join(source, "file-0")));
});

test("what had come before Ctrl-C, or before the daemon was killed, is not fetched again", LONG, async (t) => {
  const [laptop, desktop] = await two(t);
  const source = sample(laptop, 6);
  const cid = String((await ask(laptop, "put", source)).cid);
  const target = join(dirname(desktop.home), "got");
  const fetched = (): number => desktop.events("swarm.fetched").length;
  const interrupted = execFile(join(checkout, "bin/cairn"), ["get", cid, target], { env: { ...process.env, ...desktop.env } });
  const ended = once(interrupted, "exit");
  await until(t, () => Promise.resolve(fetched() > 0));
  interrupted.kill("SIGINT");
  assert.deepEqual(await ended, [130, null]);
  assert.equal(existsSync(target), false);
  const before = fetched();
  const broken = cairn(desktop, "get", cid, target);
  await until(t, () => Promise.resolve(fetched() > before));
  await desktop.stopDaemon("SIGKILL");
  assert.notEqual((await broken).code, 0);
  assert.equal(existsSync(target), false);
  await desktop.startDaemon();
  await untilConnected(t, desktop, "laptop");
  const { bytes } = (await ask(desktop, "get", cid, target)).fetched as { bytes: number };
  t.diagnostic(`${bytes} bytes were still missing`);
  assert.ok(bytes <= 4 * 24 * MIB);
  assertSame(source, target);
});

test("what a tree cannot tell is refused by name", PATIENT, async (t) => {
  const node = await machine(t, "tree-c");
  const directory = join(dirname(node.home), "odd");
  mkdirSync(directory);
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(join(directory, "socket"), resolve));
  const refused = await cairn(node, "put", directory);
  assert.deepEqual([refused.code, /socket is neither a file nor a directory nor a link/.test(refused.stderr)], [2, true]);
  assert.match((await cairn(node, "get", "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", "x")).stderr, /neither a CID/);
});
