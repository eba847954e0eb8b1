/**
 * Actions of the Remote Execution API, run in the sandbox: what they may use, what comes of them, and who hears of it.
 */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import type { Metadata } from "@grpc/grpc-js";
import { digestOf } from "../../src/base/index.ts";
import { type Chunk, chunksOf, codec, type Ground, ground, named, uploadName } from "../../src/doors/remote.fixture.ts";
import { codes } from "../../src/doors/remote-failure.ts";
import { SandboxExecutor, workPlaces } from "../../src/exec/index.ts";
import { Actions } from "../../src/flows/index.ts";
import { PreconditionFailureSchema, StatusSchema } from "../../src/wire/generated/google-rpc_pb.ts";
import { Actor, last, type Name, sh } from "./actions-world.ts";

const log = { event: () => undefined };

class World extends Actor implements AsyncDisposable {
  readonly on: Ground;
  readonly #sandbox: SandboxExecutor;

  /** @returns undefined, and the test is skipped, where there can be no sandbox */
  static async open(t: TestContext): Promise<World | undefined> {
    let sandbox: SandboxExecutor | undefined;
    const on = await ground(undefined, ({ store, directory }) => {
      chmodSync(directory, 0o755);
      const runAs = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
      const options = {
        directory: join(directory, "sandbox"),
        path: process.env.PATH ?? "",
        runAs,
        filesBytes: 2 ** 30,
        othersBytes: 2 ** 33,
      };
      sandbox = new SandboxExecutor({ blobs: store, files: { state: () => ({ kind: "absent" }) } as never, log }, options);
      const runner = new Actions({ executor: sandbox, helpers: () => undefined, system: () => undefined, store, log }, { cores: 2 });
      return { runner, root: workPlaces.inputs };
    });
    assert.ok(sandbox !== undefined);
    const world = new World(on, sandbox);
    const look = await sandbox.look();
    if (look.kind === "walled") return world;
    t.skip(`no sandbox here: ${look.reason}: ${look.detail}`);
    await world[Symbol.asyncDispose]();
    return undefined;
  }

  private constructor(on: Ground, sandbox: SandboxExecutor) {
    super(on.door.port);
    this.on = on;
    this.#sandbox = sandbox;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.on[Symbol.asyncDispose]();
    await this.#sandbox[Symbol.asyncDispose]();
  }
}

test("an action runs, what it leaves is in the store, and the next who wants it is served from there", async (t) => {
  await using world = await World.open(t);
  if (world === undefined) return;
  const script =
    "./tool < a.txt > out/b.txt; mkdir -p out/d/e; echo x > out/d/e/f; ln -s e/f out/d/l; ln -s b.txt out/l; echo said; echo warned >&2";
  const files = { "a.txt": "one\n", tool: "#!/bin/sh\ntr a-z A-Z\n" };
  const action = await world.action({ arguments: sh(script), outputPaths: ["out/b.txt", "out/d", "out/l", "out/none"] }, files);
  const { result, cachedResult, status } = await world.run(action);
  assert.deepEqual([status?.code, result?.exitCode, cachedResult], [0, 0, false], Buffer.from(result?.stderrRaw ?? []).toString());
  assert.ok(result !== undefined);
  assert.deepEqual(
    result.outputFiles.map(({ path }) => path),
    ["out/b.txt"],
  );
  assert.equal(await world.bytes(named(Buffer.from("ONE\n"))), "ONE\n");
  assert.deepEqual(
    result.outputSymlinks.map(({ path, target }) => [path, target]),
    [["out/l", "b.txt"]],
  );
  assert.equal(Buffer.from(result.stdoutRaw).toString(), "said\n");
  assert.equal(Buffer.from(result.stderrRaw).toString(), "warned\n");
  const tree = codec.readTree(
    await world.client.read(
      `blobs/${result.outputDirectories[0]?.treeDigest?.hash ?? ""}/${result.outputDirectories[0]?.treeDigest?.sizeBytes ?? 0}`,
    ),
  );
  assert.deepEqual(
    tree.root?.symlinks.map(({ target }) => target),
    ["e/f"],
  );
  assert.deepEqual(
    tree.children.map(({ files: inner }) => inner.map(({ name }) => name)),
    [["f"]],
  );
  assert.equal(tree.root.directories[0]?.digest?.hash, digestOf(codec.writeDirectory(tree.children[0] ?? {})));
  assert.equal((await world.run(action)).cachedResult, true);
  assert.equal((await world.run(action, true)).cachedResult, false);
  assert.equal((await world.client.ask(codec.actionCache.GetActionResult, { actionDigest: action })).outputFiles.length, 1);
});

test("what fails is no error of the interface, and is not kept; what must not be kept is not either", async (t) => {
  await using world = await World.open(t);
  if (world === undefined) return;
  const failing = await world.action({ arguments: sh("echo no >&2; exit 3"), outputPaths: ["x"] });
  const { result, status } = await world.run(failing);
  assert.deepEqual([status?.code, result?.exitCode], [0, 3]);
  const once = await world.action({ arguments: sh("echo y > x"), outputFiles: ["x"] }, {}, { doNotCache: true });
  assert.equal((await world.run(once)).result?.outputFiles.length, 1);
  for (const action of [failing, once]) assert.equal((await world.run(action)).cachedResult, false);
  const absent = await world.run(await world.action({ arguments: ["there-is-no-such-program"] }));
  assert.equal(absent.result?.exitCode, 127);
});

test("missing blobs are named, all of them", async (t) => {
  await using world = await World.open(t);
  if (world === undefined) return;
  const missingOf = async (action: Name): Promise<string[]> => {
    let failure: { code?: number; metadata?: Metadata } = {};
    await world.run(action).catch((error: unknown) => {
      failure = error as typeof failure;
    });
    assert.equal(failure.code, codes.failedPrecondition);
    const [told] = failure.metadata?.get("grpc-status-details-bin") ?? [];
    assert.ok(told instanceof Buffer);
    const { details, code } = fromBinary(StatusSchema, told);
    assert.equal(code, codes.failedPrecondition);
    const [detail] = details;
    assert.ok(detail !== undefined);
    return anyUnpack(detail, PreconditionFailureSchema)?.violations.map(({ type, subject }) => `${type} ${subject}`) ?? [];
  };
  const named1 = (text: string): string => `MISSING blobs/${digestOf(text)}/${text.length}`;
  assert.deepEqual(await missingOf(named(Buffer.from("no action"))), [named1("no action")]);
  const action = await world.action({ arguments: sh("true") }, { one: "content one", two: "content two", three: "content three" });
  for (const text of ["content one", "content two"]) await world.on.store.remove(digestOf(text));
  assert.deepEqual(await missingOf(action), [named1("content one"), named1("content two")]);
  await Promise.all(["content one", "content two"].map((text) => world.client.write(chunks(Buffer.from(text)))));
  assert.equal((await world.run(action)).result?.exitCode, 0);
});

function chunks(bytes: Buffer): Iterable<Chunk> {
  return chunksOf(uploadName(bytes), bytes);
}

test("an action that leads out of its inputs, or asks for more than there is, is refused", async (t) => {
  await using world = await World.open(t);
  if (world === undefined) return;
  const rows: readonly [keyof typeof codes, Name][] = [
    ["invalidArgument", await world.action({ arguments: [] })],
    ["invalidArgument", await world.action({ arguments: ["A=1", "sh"] })],
    ["invalidArgument", await world.action({ arguments: ["--help"] })],
    ["invalidArgument", await world.action({ arguments: sh("true"), outputPaths: ["../x"] })],
    ["invalidArgument", await world.action({ arguments: sh("true"), outputPaths: ["/etc/passwd"] })],
    ["invalidArgument", await world.action({ arguments: sh("true"), workingDirectory: "../.." })],
    ["invalidArgument", await world.action({ arguments: sh("true") }, { "../x": "y" })],
    ["invalidArgument", await world.action({ arguments: sh("true") }, { "": "y" })],
    ["invalidArgument", await world.action({ arguments: sh("true") }, {}, { timeoutS: 1_000_000 })],
    ["invalidArgument", { hash: "no digest", sizeBytes: 3n }],
  ];
  for (const [code, action] of rows)
    await assert.rejects(world.run(action), (error: { code?: number; details?: string }) => {
      assert.equal(error.code, codes[code], error.details);
      return true;
    });
  const slow = await world.run(await world.action({ arguments: sh("sleep 60") }, {}, { timeoutS: 1 }));
  assert.equal(slow.status?.code, codes.deadlineExceeded);
});

test("who wants what runs already waits for the same run; who lost it comes back by its name", async (t) => {
  await using world = await World.open(t);
  if (world === undefined) return;
  const action = await world.action({ arguments: sh("sleep 1; head -c 16 /dev/urandom > x"), outputPaths: ["x"] });
  const first = world.operations(action);
  const { value: begun } = (await first.next()) as { value: { name: string } };
  const [one, two, three] = await Promise.all([
    last(first),
    world.run(action),
    last(world.client.answers(codec.execution.WaitExecution, { name: begun.name })),
  ]);
  const digest = one.result?.outputFiles[0]?.digest?.hash;
  assert.ok(digest !== undefined);
  for (const other of [two, three]) assert.equal(other.result?.outputFiles[0]?.digest?.hash, digest);
  assert.equal((await last(world.client.answers(codec.execution.WaitExecution, { name: begun.name }))).result?.exitCode, 0, "it has ended");
  await assert.rejects(last(world.client.answers(codec.execution.WaitExecution, { name: "operations/none" })), { code: codes.notFound });
});

test("an execution that nobody waits for is ended, and its slot is free again", { timeout: 60_000 }, async (t) => {
  await using world = await World.open(t);
  if (world === undefined) return;
  const long = await Promise.all([1, 2, 3].map((i) => world.action({ arguments: sh(`sleep 60${i}`) })));
  const begun = long.map((action) => world.operations(action));
  for (const operations of begun) await operations.next();
  const short = world.run(await world.action({ arguments: sh("echo done") }));
  for (const operations of begun) await operations.return(undefined);
  assert.equal((await short).result?.exitCode, 0);
});
