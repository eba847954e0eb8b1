import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../base/index.ts";
import type { Fetched } from "../contracts/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { type TestPlane, tlsPlanes } from "./data.fixture.ts";
import { Swarm } from "./swarm.ts";
import { SWARM } from "./swarm-server.ts";

const codec = await loadNetworkCodec();
const LONG = { timeout: 60_000 };
const { chunkBytes } = limits.swarm;

interface Node extends TestPlane {
  readonly swarm: Swarm;
  readonly path: string;
  readonly files: Map<string, string>;
  get(blob: Blob, from: readonly string[], signal?: AbortSignal): Promise<Fetched>;
}

interface Blob {
  readonly bytes: Buffer;
  readonly digest: string;
}

function blobOf(chunks: number): Blob {
  const bytes = randomBytes(Math.floor(chunks * chunkBytes));
  return { bytes, digest: createHash("sha256").update(bytes).digest("hex") };
}

async function nodes(t: TestContext, count: number): Promise<Node[]> {
  const directory = mkdtempSync(join(tmpdir(), "cairn-swarm-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const planes = await tlsPlanes(t, new Set(), ...Array.from({ length: count }, (_, i) => i + 1));
  return planes.map((plane, i) => {
    const files = new Map<string, string>();
    const log = { event: (_level: string, name: string, facts = {}) => void plane.events.push({ name, facts }) };
    const swarm = new Swarm({
      plane: plane.plane,
      codec,
      log,
      now: () => performance.now(),
      random: Math.random,
      fileOf: async (digest) => files.get(digest),
    });
    const path = join(directory, `part-${i}`);
    const get = ({ digest, bytes }: Blob, from: readonly string[], signal = t.signal): Promise<Fetched> =>
      swarm.fetch({ digest, size: bytes.length, path, from }, signal);
    return { ...plane, swarm, files, path, get };
  });
}

function hold(node: Node, { digest, bytes }: Blob): void {
  const path = `${node.path}-held-${digest.slice(0, 8)}`;
  writeFileSync(path, bytes);
  node.files.set(digest, path);
}

function two(all: readonly Node[]): [Node, Node] {
  const [a, b] = all;
  assert.ok(a !== undefined && b !== undefined);
  return [a, b];
}

/** A member that speaks the protocol and gives what it likes for every chunk. */
function lie(node: Node, chunks: number, chunkOf: (chunk: number) => Buffer, list?: Buffer): void {
  node.plane.serve(SWARM, async () => ({
    kind: "ready",
    begin: ({ bytes }) => {
      bytes.write(codec.encodeSwarmGive({ kind: "state", complete: true, have: new Uint8Array(0), listDigest: undefined }));
      let rest = Buffer.alloc(0);
      bytes
        .on("error", () => undefined)
        .on("data", (data: Buffer) => {
          rest = Buffer.concat([rest, data]);
          while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
            const want = codec.decodeSwarmWant(rest.subarray(4, 4 + rest.readUInt32BE()));
            rest = rest.subarray(4 + rest.readUInt32BE());
            if (want.kind === "list") bytes.write(codec.encodeSwarmGive({ kind: "list", hashes: list ?? randomBytes(32 * chunks) }));
            if (want.kind !== "chunk") continue;
            const chunk = chunkOf(want.chunk);
            bytes.write(codec.encodeSwarmGive({ kind: "chunk", chunk: want.chunk, length: chunk.length }));
            bytes.write(chunk);
          }
        });
    },
  }));
}

function chunkAt({ bytes }: Blob, chunk: number): Buffer {
  return bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
}

function listOf(blob: Blob): Buffer {
  const chunks = Math.ceil(blob.bytes.length / chunkBytes);
  return Buffer.concat(Array.from({ length: chunks }, (_, i) => createHash("sha256").update(chunkAt(blob, i)).digest()));
}

for (const chunks of [1, 9.3])
  test(`a blob of ${chunks} chunks comes whole`, LONG, async (t) => {
    const [a, b] = two(await nodes(t, 2));
    const blob = blobOf(chunks);
    hold(a, blob);
    const fetched = await b.get(blob, [a.key]);
    assert.equal(fetched.kind === "whole" && fetched.blob.digest, blob.digest);
    assert.ok(readFileSync(b.path).equals(blob.bytes));
  });

test("those who fetch the same blob give each other what they have", LONG, async (t) => {
  const [seeder, ...others] = await nodes(t, 5);
  assert.ok(seeder !== undefined);
  const blob = blobOf(96); // So much that they have met long before the end, on a quick machine too.
  hold(seeder, blob);
  // They are told of the seeder only.
  const fetched = await Promise.all(others.map((node) => node.get(blob, [seeder.key])));
  assert.ok(fetched.every(({ kind }) => kind === "whole"));
  for (const { path } of others) assert.ok(readFileSync(path).equals(blob.bytes));
  const given = [...seeder.plane.traffic().values()].reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  const copies = given / blob.bytes.length;
  t.diagnostic(`the seeder gave ${copies.toFixed(2)} copies of 4`);
  assert.ok(copies < 3.9, `${copies} copies`);
});

test("what had come before the process was killed is not fetched again", LONG, async (t) => {
  const [a, b] = two(await nodes(t, 2));
  const blob = blobOf(16);
  hold(a, blob);
  // Half of it lies there, and some rubbish behind.
  const file = openSync(b.path, "w");
  writeSync(file, blob.bytes, 0, 8 * chunkBytes, 0);
  writeSync(file, randomBytes(chunkBytes), 0, chunkBytes, 10 * chunkBytes);
  closeSync(file);
  const fetched = await b.get(blob, [a.key]);
  assert.equal(fetched.kind === "whole" && fetched.received, 8 * chunkBytes);
  assert.ok(readFileSync(b.path).equals(blob.bytes));
  const [traffic] = [...a.plane.traffic().values()];
  assert.ok((traffic?.bytesOut ?? 0) < 9 * chunkBytes, `${traffic?.bytesOut} bytes`);
});

test("a member whose chunks are wrong is cut off at its first, and the others give the rest", LONG, async (t) => {
  const [a, b, liar] = await nodes(t, 3);
  assert.ok(a !== undefined && b !== undefined && liar !== undefined);
  const blob = blobOf(12);
  hold(a, blob);
  lie(liar, 12, () => randomBytes(chunkBytes), listOf(blob));
  assert.equal((await b.get(blob, [liar.key, a.key])).kind, "whole");
  assert.ok(readFileSync(b.path).equals(blob.bytes));
  const cut = b.events.filter(({ name }) => name === "swarm.cut-off");
  assert.deepEqual(
    cut.map(({ facts }) => facts.peer),
    [liar.key],
  );
});

test("a chunk list that somebody made up is given up when others contradict it, and when the blob comes out wrong", LONG, async (t) => {
  const [a, b, liar, c] = await nodes(t, 4);
  assert.ok(a !== undefined && b !== undefined && liar !== undefined && c !== undefined);
  const [blob, other] = [blobOf(10), blobOf(10)];
  for (const node of [a, c]) hold(node, blob);
  // All of it holds together, but it is another blob.
  lie(liar, 10, (chunk) => chunkAt(other, chunk), listOf(other));
  const first = b.get(blob, [liar.key]);
  while (!b.events.some(({ name }) => name === "data.opened")) await sleep(5, undefined, { signal: t.signal });
  assert.equal((await first).kind, "missing");
  assert.ok(b.events.some(({ name }) => name === "swarm.list-wrong"));
  assert.equal((await b.get(blob, [liar.key, a.key, c.key])).kind, "whole");
  assert.ok(readFileSync(b.path).equals(blob.bytes));
});

test("what nobody has is missing, and who gives up keeps what has come", LONG, async (t) => {
  const [a, b] = two(await nodes(t, 2));
  const blob = blobOf(4);
  assert.equal((await b.get(blob, [a.key])).kind, "missing");
  const gone = new AbortController();
  const fetching = b.get(blob, [a.key], gone.signal);
  gone.abort(new Error("enough"));
  await assert.rejects(fetching, /enough/);
});
