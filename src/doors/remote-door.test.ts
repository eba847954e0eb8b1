import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { digestOf, limits } from "../base/index.ts";
import { Client, chunksOf, codec, type Ground, ground, named, uploadName } from "./remote.fixture.ts";
import { codes } from "./remote-failure.ts";

/** A call that fails with that status. */
async function fails(call: Promise<unknown>, code: keyof typeof codes): Promise<void> {
  await assert.rejects(call, (error: { code?: number; details?: string }) => {
    assert.equal(error.code, codes[code], error.details);
    return true;
  });
}

/** Files that somebody is writing. */
function unfinished({ store }: Ground): string[] {
  return readdirSync(join(store.directory, "tmp"));
}

test("a client hears what there is", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const told = await client.ask(codec.capabilities.GetCapabilities, { instanceName: "" });
  assert.deepEqual(told.cacheCapabilities?.digestFunctions, [1]);
  assert.equal(told.cacheCapabilities.actionCacheUpdateCapabilities?.updateEnabled, true);
  assert.equal(told.lowApiVersion?.major, 2);
  assert.equal(told.highApiVersion?.minor, 3);
});

test("small blobs come and go in batches, each with its own status", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const [one, packed, other] = [randomBytes(1_000), Buffer.alloc(50_000, "a"), randomBytes(10)];
  const empty = Buffer.alloc(0);
  const { responses } = await client.ask(codec.contents.BatchUpdateBlobs, {
    requests: [
      { digest: named(one), data: one },
      { digest: named(packed), data: zstdCompressSync(packed), compressor: codec.Compressor.ZSTD },
      { digest: named(other), data: one },
      { digest: named(other), data: Buffer.from("no zstd"), compressor: codec.Compressor.ZSTD },
      { digest: { ...named(packed), sizeBytes: 49_999n }, data: zstdCompressSync(packed), compressor: codec.Compressor.ZSTD },
      { digest: named(empty), data: empty },
      { digest: { hash: "x", sizeBytes: 1n }, data: one },
      { data: one },
    ],
  });
  const { ok, invalidArgument: bad } = codes;
  assert.deepEqual(
    responses.map(({ status }) => status?.code),
    [ok, ok, bad, bad, bad, ok, bad, bad],
  );
  const missing = await client.ask(codec.contents.FindMissingBlobs, { blobDigests: [one, packed, other, empty].map(named) });
  assert.deepEqual(
    missing.missingBlobDigests.map(({ hash }) => hash),
    [digestOf(other)],
  );
  const read = await client.ask(codec.contents.BatchReadBlobs, { digests: [one, other, packed, empty].map(named) });
  assert.deepEqual(
    read.responses.map(({ status, data }) => [status?.code, data.length]),
    [
      [ok, 1_000],
      [codes.notFound, 0],
      [ok, 50_000],
      [ok, 0],
    ],
  );
  const another = { ...named(one), sizeBytes: 999n };
  assert.equal((await client.ask(codec.contents.FindMissingBlobs, { blobDigests: [another] })).missingBlobDigests.length, 1);
});

test("a batch that is too large is refused as a whole, before anything of it is kept or read", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const half = randomBytes(limits.remoteExecution.batchBytes / 2 + 1);
  const request = { digest: named(half), data: half };
  await fails(client.ask(codec.contents.BatchUpdateBlobs, { requests: [request, request] }), "invalidArgument");
  assert.equal(on.store.isHere(digestOf(half)), false);
  await client.ask(codec.contents.BatchUpdateBlobs, { requests: [request] });
  await fails(client.ask(codec.contents.BatchReadBlobs, { digests: [named(half), named(half)] }), "invalidArgument");
  const huge = Buffer.alloc(limits.remoteExecution.messageBytes + 1);
  await fails(client.ask(codec.contents.BatchUpdateBlobs, { requests: [{ digest: named(huge), data: huge }] }), "resourceExhausted");
});

test("large blobs come and go as streams, in parts and compressed", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const bytes = Buffer.concat([randomBytes(1_500_000), Buffer.alloc(1_500_000, "text ")]);
  const { hash } = named(bytes);
  assert.equal(await client.write(chunksOf(uploadName(bytes), bytes)), 3_000_000n);
  assert.deepEqual(await client.read(`blobs/${hash}/3000000`), bytes);
  assert.deepEqual(await client.read(`any/instance/blobs/${hash}/3000000`), bytes);
  assert.deepEqual(await client.read(`blobs/${hash}/3000000`, 1_499_990n, 20n), bytes.subarray(1_499_990, 1_500_010));
  assert.deepEqual(await client.read(`blobs/${hash}/3000000`, 2_999_999n), bytes.subarray(2_999_999));
  assert.equal((await client.read(`blobs/${hash}/3000000`, 3_000_000n)).length, 0);
  const packed = await client.read(`compressed-blobs/zstd/${hash}/3000000`);
  assert.ok(packed.length < 1_600_000);
  assert.deepEqual(zstdDecompressSync(packed), bytes);
  assert.deepEqual(zstdDecompressSync(await client.read(`compressed-blobs/zstd/${hash}/3000000`, 100n)), bytes.subarray(100));
  assert.equal((await client.read(`blobs/${digestOf("")}/0`)).length, 0);
  await fails(client.read(`blobs/${hash}/3000000`, 3_000_001n), "outOfRange");
  await fails(client.read(`blobs/${hash}/3000000`, -1n), "outOfRange");
  await fails(client.read(`blobs/${hash}/3000000`, 0n, -1n), "invalidArgument");
  await fails(client.read(`compressed-blobs/zstd/${hash}/3000000`, 0n, 5n), "invalidArgument");
  await fails(client.read(`blobs/${hash}/2999999`), "notFound");
  await fails(client.read(`blobs/${digestOf("nobody has it")}/13`), "notFound");
});

test("a blob can be written compressed, and is named by what it is", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const bytes = Buffer.alloc(5_000_000, "much of the same ");
  const packed = zstdCompressSync(bytes);
  const name = uploadName(bytes, "compressed-blobs/zstd");
  const chunk = { resourceName: name, finishWrite: true, data: packed };
  assert.equal(await client.write([chunk]), -1n);
  assert.deepEqual(await client.read(`blobs/${digestOf(bytes)}/${bytes.length}`), bytes);
  assert.equal(await client.write([chunk]), -1n, "it was there already");
  const other = randomBytes(100);
  const wrong = [
    { ...chunk, resourceName: uploadName(other, "compressed-blobs/zstd") },
    { ...chunk, resourceName: uploadName(other, "compressed-blobs/zstd"), data: packed.subarray(0, 100) },
    { ...chunk, resourceName: uploadName(other, "compressed-blobs/zstd"), data: randomBytes(100) },
  ];
  for (const one of wrong) await fails(client.write([one]), "invalidArgument");
  assert.equal(on.store.isHere(digestOf(other)), false);
  assert.deepEqual(unfinished(on), []);
});

test("what is there already is not read again", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const bytes = randomBytes(3_000_000);
  await on.store.write(bytes);
  assert.equal(await client.write(chunksOf(uploadName(bytes), bytes)), 3_000_000n);
});

test("a write that broke is gone on with where it was", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const bytes = randomBytes(1_000_000);
  const name = uploadName(bytes);
  const status = (): Promise<{ committedSize: bigint; complete: boolean }> =>
    client.ask(codec.byteStream.QueryWriteStatus, { resourceName: name });
  assert.equal((await status()).committedSize, 0n);
  assert.equal(await client.write(chunksOf(name, bytes, 0, 300_000)), 300_000n, "one that ends too early");
  await fails(client.write(chunksOf(name, bytes, 300_000, 700_000), "break"), "cancelled");
  const { committedSize, complete } = await status();
  assert.equal(complete, false);
  assert.ok(committedSize >= 300_000n && committedSize <= 700_000n, `${committedSize}`);
  await fails(client.write(chunksOf(name, bytes, Number(committedSize) + 1)), "outOfRange");
  assert.equal(await client.write(chunksOf(name, bytes, Number(committedSize))), 1_000_000n);
  assert.deepEqual(await client.read(`blobs/${digestOf(bytes)}/1000000`), bytes);
  assert.deepEqual(await status().then(({ committedSize: all, complete: whole }) => [all, whole]), [1_000_000n, true]);
  assert.deepEqual(unfinished(on), []);
});

test("a write that broke can be begun anew, under its name or another", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const bytes = randomBytes(800_000);
  const name = uploadName(bytes);
  assert.equal(await client.write(chunksOf(name, bytes, 0, 300_000)), 300_000n);
  assert.equal(await client.write(chunksOf(uploadName(bytes), bytes, 0, 400_000)), 400_000n);
  assert.equal(await client.write(chunksOf(name, bytes)), 800_000n);
  assert.deepEqual(await client.read(`blobs/${digestOf(bytes)}/800000`), bytes);
});

test("who writes goes before those who may come back, when there is no room for all", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const most = limits.remoteExecution.uploads;
  const begun = Array.from({ length: most }, (_, i) => Buffer.from(`a blob of which only a part comes: ${i}`));
  const names = begun.map((bytes) => uploadName(bytes));
  for (const [i, bytes] of begun.entries()) await client.write([{ resourceName: names[i] ?? "", data: bytes.subarray(0, 10) }]);
  const status = async (at: number): Promise<bigint> =>
    (await client.ask(codec.byteStream.QueryWriteStatus, { resourceName: names[at] ?? "" })).committedSize;
  assert.equal(await status(0), 10n);
  const one = randomBytes(100_000);
  assert.equal(await client.write(chunksOf(uploadName(one), one)), 100_000n);
  assert.equal(await status(0), 0n);
  assert.equal(await status(most - 1), 10n);
});

test("what is written otherwise than it must be leaves nothing", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const bytes = randomBytes(500_000);
  const other = randomBytes(500_000);
  const name = uploadName(bytes);
  const names = ["", "blobs", name.replace("uploads", "upload"), name.replace(/[0-9a-f]{64}/, "../../etc/passwd"), `${name}0`.slice(0, 60)];
  const sizes = ["-1", "1e3", "", "05", "99999999999999999999", "0"].map((size) => name.replace(/500000$/, size));
  const kinds = ["blobs/blake3", "compressed-blobs/gzip", "compressed-blobs", "other"].map((kind) => uploadName(bytes, kind));
  for (const resourceName of [...names, ...sizes, ...kinds, `uploads//blobs/${digestOf(bytes)}/500000`, `blobs/${digestOf(bytes)}/500000`])
    await fails(client.write([{ resourceName, finishWrite: true, data: bytes }]), "invalidArgument");
  await fails(client.write([]), "invalidArgument");
  await fails(client.write(chunksOf(name, other)), "invalidArgument");
  await fails(client.write([...chunksOf(name, bytes, 0, 200_000), { writeOffset: 100n, data: bytes }]), "invalidArgument");
  await fails(client.write([...chunksOf(uploadName(bytes), bytes, 0, 65_536), { resourceName: uploadName(other) }]), "invalidArgument");
  await fails(client.write([{ resourceName: uploadName(bytes), data: Buffer.concat([bytes, other]) }]), "invalidArgument");
  await fails(client.write([{ resourceName: uploadName(bytes), finishWrite: true, data: bytes.subarray(1) }]), "invalidArgument");
  await fails(client.write([{ resourceName: uploadName(bytes), writeOffset: -5n, data: bytes }]), "outOfRange");
  assert.equal(on.store.isHere(digestOf(bytes)), false);
  assert.equal(on.store.isHere(digestOf(other)), false);
});

test("a result is given while all that it names is here", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const [file, inTree, printed, action] = [randomBytes(10), randomBytes(11), Buffer.from("printed"), named(randomBytes(12))];
  const tree = codec.writeTree({ root: { files: [{ name: "f", digest: named(inTree) }] } });
  const result = {
    outputFiles: [{ path: "out/f", digest: named(file), isExecutable: true }],
    outputDirectories: [{ path: "out/d", treeDigest: named(tree) }],
    stdoutDigest: named(printed),
    stderrDigest: named(Buffer.alloc(0)),
  };
  const ask = (): Promise<unknown> =>
    client.ask(codec.actionCache.GetActionResult, { actionDigest: action, inlineStdout: true, inlineStderr: true });
  await fails(ask(), "notFound");
  await client.ask(codec.actionCache.UpdateActionResult, { actionDigest: action, actionResult: result });
  for (const bytes of [file, inTree, printed, tree]) {
    await fails(ask(), "notFound");
    await on.store.write(bytes);
  }
  const found = (await ask()) as { outputFiles: { path: string }[]; stdoutRaw: Uint8Array };
  assert.equal(found.outputFiles[0]?.path, "out/f");
  assert.equal(Buffer.from(found.stdoutRaw).toString(), "printed");
  await fails(client.ask(codec.actionCache.GetActionResult, { actionDigest: action, instanceName: "other" }), "notFound");
  await on.store.remove(digestOf(inTree));
  await fails(ask(), "notFound");
  assert.deepEqual(
    on.told,
    ["miss", "put", "miss", "miss", "miss", "miss", "hit", "miss", "miss"].map((event) => `${event} bazel`),
  );
});

test("a later result takes the place of an earlier one; what is no result is a miss", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const action = named(randomBytes(12));
  const update = (exitCode: number): Promise<unknown> =>
    client.ask(codec.actionCache.UpdateActionResult, { actionDigest: action, actionResult: { exitCode } });
  await update(1);
  await update(2);
  assert.equal((await client.ask(codec.actionCache.GetActionResult, { actionDigest: action })).exitCode, 2);
  const bad = { outputFiles: [{ path: "f", digest: { hash: "x", sizeBytes: 1n } }] };
  await fails(client.ask(codec.actionCache.UpdateActionResult, { actionDigest: action, actionResult: bad }), "invalidArgument");
  await fails(client.ask(codec.actionCache.UpdateActionResult, { actionDigest: action }), "invalidArgument");
  await fails(client.ask(codec.actionCache.UpdateActionResult, { actionResult: {} }), "invalidArgument");
  const foreign = Buffer.from("what another tool keeps under such a key");
  const blob = await on.store.write(foreign);
  on.entries.keep("bazel-ac", action.hash, { blob, size: foreign.length, meta: {}, at: 1 }, true);
  await fails(client.ask(codec.actionCache.GetActionResult, { actionDigest: action }), "notFound");
});

test("a tree is told directory by directory, each once, and can be gone on with", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const put = async (directories: { name: string; digest: { hash: string; sizeBytes: bigint } }[], name: string): Promise<Buffer> => {
    const bytes = codec.writeDirectory({ directories, files: [{ name, digest: named(Buffer.from(name)) }] });
    await on.store.write(bytes);
    return bytes;
  };
  const leaf = await put([], "leaf");
  const gone = named(Buffer.from("gone"));
  const middle = await put(
    [
      { name: "l", digest: named(leaf) },
      { name: "x", digest: gone },
    ],
    "middle",
  );
  const root = await put(
    [
      { name: "a", digest: named(middle) },
      { name: "b", digest: named(middle) },
      { name: "c", digest: named(leaf) },
    ],
    "root",
  );
  const told = async (question: { pageSize?: number; pageToken?: string }): Promise<[string[], string][]> => {
    const pages: [string[], string][] = [];
    for await (const page of client.answers(codec.contents.GetTree, { rootDigest: named(root), ...question }))
      pages.push([page.directories.map(({ files }) => files[0]?.name ?? ""), page.nextPageToken]);
    return pages;
  };
  assert.deepEqual(await told({}), [[["root", "middle", "leaf"], ""]]);
  assert.deepEqual(await told({ pageSize: 2 }), [
    [["root", "middle"], "2"],
    [["leaf"], ""],
  ]);
  assert.deepEqual(await told({ pageToken: "2" }), [[["leaf"], ""]]);
  await fails(told({ pageToken: "x" }), "invalidArgument");
  const absent = client.answers(codec.contents.GetTree, { rootDigest: gone });
  await fails(absent.next(), "notFound");
});

test("whoever has not the token learns nothing and leaves nothing", async () => {
  await using on = await ground("let me in");
  const bytes = randomBytes(100_000);
  for (const said of [undefined, "Bearer let me i", "Bearer let me in2", "let me in", "Basic let me in", ""]) {
    using stranger = new Client(on.door.port, said);
    await fails(stranger.ask(codec.capabilities.GetCapabilities, {}), "unauthenticated");
    await fails(stranger.write(chunksOf(uploadName(bytes), bytes)), "unauthenticated");
    await fails(stranger.read(`blobs/${digestOf("")}/0`), "unauthenticated");
  }
  assert.equal(on.store.isHere(digestOf(bytes)), false);
  using client = new Client(on.door.port, "Bearer let me in");
  assert.equal(await client.write(chunksOf(uploadName(bytes), bytes)), 100_000n);
  assert.equal(on.told.filter((event) => event === "refused bazel").length, 18);
});
