/** Results with very many files: everything else has a turn while they are looked at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits } from "../base/index.ts";
import type { Left } from "../contracts/index.ts";
import { codec, named } from "./remote.fixture.ts";
import { RemoteActions } from "./remote-actions.ts";
import { RemoteResults } from "./remote-results.ts";

const FILES = 20_000;
const { stepsAtOnce } = limits.remoteExecution;

/** How often something else had its turn during some work. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  await work().finally(() => clearImmediate(next));
  return turns;
}

test("a directory of very many files that an action leaves is told as one tree, the same by each of its names", async () => {
  const content = Buffer.from("the same");
  const file = (path: string): Left => ({ kind: "file", path, content, executable: false });
  const left: Left[] = [
    { kind: "directory", path: "out" },
    { kind: "directory", path: "out/d" },
    file("out/d/b"),
    file("out/d/a"),
    ...Array.from({ length: FILES }, (_, i) => file(`out/${i}`)),
  ];
  const kept = new Map<string, Uint8Array>();
  const blobs = { name: () => codec.EMPTY, bytes: async () => undefined, isHere: () => true };
  const store = { writeVerified: async (digest: string, bytes: Uint8Array) => void kept.set(digest, bytes) };
  const actions = new RemoteActions({ blobs, store, codec }, { root: "/r" });
  const outputs = ["out", "./out", "out/d"].map((name) => ({ name, path: name.replace("./", ""), isDirectory: true }));
  const action = {
    program: "/usr/bin/env",
    arguments: ["true"],
    environment: new Map(),
    cwd: "/r",
    toolchain: undefined,
    inputs: [],
    directories: [],
    outputs: [],
    limits: limits.remoteExecution.action,
  };
  const used = { wallMs: 1, cpuMs: undefined, residentBytes: undefined };
  const done = {
    kind: "done",
    exitCode: 0,
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    outputs: [],
    strange: [],
    left,
    used,
  } as const;
  let result: Awaited<ReturnType<RemoteActions["result"]>> = {};
  const turns = await turnsDuring(async () => {
    result = await actions.result(
      { isShared: false, madeOf: { command: digestOf("command"), inputRoot: digestOf("inputs") }, outputs, action },
      done,
    );
  });
  assert.ok(turns >= Math.floor(FILES / stepsAtOnce) - 1, `${turns} turns`);
  const [one, other, inner] = (result.outputDirectories ?? []).map(({ treeDigest }) => treeDigest?.hash ?? "");
  assert.equal(one, other);
  const tree = codec.readTree(kept.get(one ?? "") ?? new Uint8Array());
  assert.equal(tree.root?.files.length, FILES);
  const [child] = tree.children;
  assert.deepEqual(
    child?.files.map(({ name, digest }) => [name, digest?.hash]),
    [
      ["a", digestOf(content)],
      ["b", digestOf(content)],
    ],
  );
  assert.deepEqual(codec.readTree(kept.get(inner ?? "") ?? new Uint8Array()).root, child);
  assert.deepEqual(tree.root?.directories[0]?.digest?.hash, digestOf(codec.writeDirectory(child ?? {})));
});

test("a result that names very many files, and a directory of as many, is looked through", async () => {
  const files = Array.from({ length: FILES }, (_, i) => ({ path: `${i}`, name: `${i}`, digest: named(Buffer.from(`${i}`)) }));
  const bytes = codec.writeTree({ root: { files } });
  let looked = 0;
  const blobs = {
    name: (digest: Parameters<typeof codec.readName>[0]) => codec.readName(digest) ?? codec.EMPTY,
    bytes: async () => bytes,
    isHere: () => ++looked > 0,
  };
  const entries = { find: async () => undefined, keep: () => "kept" as const, forget: () => false };
  const results = new RemoteResults({ entries, store: { writeVerified: async () => undefined }, blobs, codec, now: Date.now });
  const result = codec.readResult(codec.writeResult({ outputFiles: files, outputDirectories: [{ path: "d", treeDigest: named(bytes) }] }));
  const turns = await turnsDuring(async () => assert.equal(await results.isWhole(result, new AbortController().signal), true));
  assert.equal(looked, 2 * FILES + 1);
  assert.ok(turns >= Math.floor((2 * FILES) / stepsAtOnce) - 1, `${turns} turns`);
});
