/**
 * What tools leave at the door of one daemon, found at the doors of others: of the same trust domain, and of nobody else's.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../../src/base/index.ts";
import { Client, chunksOf, codec, named, uploadName } from "../../src/doors/remote.fixture.ts";
import type { RemoteResult } from "../../src/wire/index.ts";
import { ACTIONS, assertBuilt, Bazel, lists, sorted, withoutBazel } from "./bazel-world.ts";
import { type TestNode, temporaryDirectory } from "./harness.ts";
import { ask, cairn, invitation, machine, members, PATIENT, until, untilConnected } from "./network-world.ts";
import { untilOffered } from "./sharing-world.ts";

const CCACHE = `/ccache/ab/${"cdef".repeat(9)}01`;
const DOORS = { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1", CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1", CAIRN_LOG_LEVEL: "debug" };

async function untilAdmitted(t: TestContext, ...nodes: TestNode[]): Promise<void> {
  for (const node of nodes) await until(t, async () => (await members(node)).every(({ provisional }) => !provisional));
}

/** Two machines of one person. */
async function pair(t: TestContext): Promise<[TestNode, TestNode]> {
  const [a, b] = await Promise.all([machine(t, "receipts-a", DOORS), machine(t, "receipts-b", DOORS)]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  await untilAdmitted(t, a, b);
  return [a, b];
}

async function http(
  node: TestNode,
  method: string,
  path: string,
  body?: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Response> {
  const port = await node.doorPort("http");
  return fetch(`http://127.0.0.1:${port}${path}`, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
}

/** The digest of what lies there, or the status: what differs in megabytes is not to be shown. */
async function digestAt(node: TestNode, path: string): Promise<string | number> {
  const response = await http(node, "GET", path);
  const bytes = Buffer.from(await response.arrayBuffer());
  return response.status === 200 ? digestOf(bytes) : response.status;
}

async function put(node: TestNode, path: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<void> {
  const { status } = await http(node, "PUT", path, body, headers);
  assert.ok(status >= 200 && status < 300, `${path}: ${status}`);
}

test("what a tool leaves at one machine is found at the others of the same person, byte for byte", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const [artifact, large, first, second] = [randomBytes(70_000), randomBytes(20_000_000), randomBytes(900), randomBytes(1_100)];
  const turbo = "/turbo/v8/artifacts/0123456789abcdef?slug=cairn";
  await put(a, turbo, artifact, { "x-artifact-tag": "signed+/=", "x-artifact-duration": "1234" });
  await put(a, "/gradle/0123456789abcdef0123456789abcdef", large);
  await put(a, CCACHE, first);
  await untilOffered(t, b, "laptop", 3);
  await put(a, CCACHE, second); // Manifests of ccache grow.
  await until(t, () => Promise.resolve(a.events("door.put").length === 4));

  // Where the machine is busy it may take longer than a tool would wait.
  await until(t, async () => (await digestAt(b, turbo)) === digestOf(artifact));
  const found = await http(b, "HEAD", turbo);
  assert.deepEqual([found.headers.get("x-artifact-tag"), found.headers.get("x-artifact-duration")], ["signed+/=", "1234"]);
  await until(t, async () => (await digestAt(b, "/gradle/0123456789abcdef0123456789abcdef")) === digestOf(large));
  await until(t, async () => (await digestAt(b, CCACHE)) === digestOf(second));
  assert.equal(await digestAt(b, "/gradle/00000000000000000000000000000000"), 404, "what nobody has");

  const hits = b.events("door.hit").map(({ door, from }) => `${String(door)} from ${String(from)}`);
  assert.ok(
    ["turbo from laptop", "gradle from laptop", "ccache from laptop"].every((one) => hits.includes(one)),
    hits.join(),
  );
  assert.ok(((await b.counters())["door:turbo:others"] ?? 0) >= 1);
  const brought = b.events("door.brought").length;
  assert.equal(await digestAt(b, turbo), digestOf(artifact));
  assert.equal(b.events("door.brought").length, brought, "it is here now");

  // Nothing takes its place where nothing may, and a newer one does where it may.
  await put(b, turbo, randomBytes(10));
  assert.equal(await digestAt(b, turbo), digestOf(artifact));
  await put(b, CCACHE, first);
  assert.equal(await digestAt(b, CCACHE), digestOf(first));
  assert.equal(await digestAt(a, CCACHE), digestOf(second), "what is here goes before what others have");

  // People are told that nobody executed it.
  const file = join(dirname(b.home), "artifact");
  writeFileSync(file, artifact);
  const shown = await cairn(b, "attest", "show", file);
  assert.match(shown.stdout, /signed by +laptop/);
  assert.match(shown.stdout, /received .*at the door turbo/);
  assert.match(shown.stdout, /nobody says that anything was executed/);
  assert.equal((await cairn(b, "attest", "export", file, "--output", `${file}.json`)).code, 0);
  const verified = await cairn(b, "attest", "verify", `${file}.json`);
  assert.match(verified.stdout, /good .*\n +received by .*laptop.* at its door turbo/);
  const summary = await cairn(b, "attest", "export", file, "--summary");
  assert.match(summary.stderr, /nobody says to have executed it/);

  // One machine alone still has what it has brought; the rest is a miss.
  await put(a, "/nx/v1/cache/fedcba9876543210", artifact);
  await a.stopDaemon("SIGKILL");
  assert.equal(await digestAt(b, turbo), digestOf(artifact));
  assert.equal(await digestAt(b, "/nx/v1/cache/fedcba9876543210"), 404);
});

type Result = ReturnType<(typeof codec)["readResult"]>;

/** What a client of the Remote Execution API leaves: files, and a directory of so many more. */
async function build(node: TestNode, files: number): Promise<{ action: ReturnType<typeof named>; contents: string[] }> {
  using client = new Client(await node.doorPort("grpc"));
  const contents = Array.from({ length: files }, () => randomBytes(3_000));
  for (const bytes of contents) await client.write(chunksOf(uploadName(bytes), bytes));
  const [printed, ...written] = contents;
  assert.ok(printed !== undefined);
  const action = named(randomBytes(10));
  const outputFiles = written.map((bytes, at) => ({ path: `out${at}`, digest: named(bytes) }));
  const actionResult = { outputFiles, stdoutDigest: named(printed) };
  await client.ask(codec.actionCache.UpdateActionResult, { actionDigest: action, actionResult });
  return { action, contents: contents.map((bytes) => digestOf(bytes)) };
}

async function resultAt(node: TestNode, action: ReturnType<typeof named>): Promise<{ result: Result; contents: string[] } | undefined> {
  using client = new Client(await node.doorPort("grpc"));
  const result: RemoteResult | undefined = await client
    .ask(codec.actionCache.GetActionResult, { actionDigest: action })
    .catch((error: unknown) => (error instanceof Error && "code" in error && error.code === 5 ? undefined : assert.fail(String(error))));
  if (result === undefined) return undefined;
  const digests = [result.stdoutDigest, ...result.outputFiles.map(({ digest }) => digest)];
  const contents: string[] = [];
  for (const digest of digests) contents.push(digestOf(await client.read(`blobs/${digest?.hash}/${digest?.sizeBytes}`)));
  return { result, contents };
}

test("a result of a build tool comes with all that it names, or is a miss", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const { action, contents } = await build(a, 20);
  const other = await build(a, 5);
  const many = await build(a, 300); // More than one receipt can name.
  await untilOffered(t, b, "laptop", 3);
  await until(t, async () => (await resultAt(b, action)) !== undefined);
  assert.deepEqual((await resultAt(b, action))?.contents, contents);
  assert.equal(b.events("door.hit").find(({ door }) => door === "bazel")?.from, "laptop");
  await until(t, async () => (await resultAt(b, many.action)) !== undefined);
  assert.deepEqual((await resultAt(b, many.action))?.contents, many.contents);
  // The same by HTTP as by gRPC.
  await until(t, async () => typeof (await digestAt(b, `/bazel-http/ac/${other.action.hash}`)) === "string");
  await a.stopDaemon();
  assert.deepEqual((await resultAt(b, action))?.contents, contents);
  assert.deepEqual((await resultAt(b, many.action))?.contents, many.contents);
  assert.equal(await resultAt(b, named(randomBytes(10))), undefined);
});

test("Bazel: what was built with one machine's door comes from another's, over gRPC and over HTTP", PATIENT, async (t) => {
  if (withoutBazel !== false) return t.skip(withoutBazel);
  const [a, b] = await pair(t);
  using directory = temporaryDirectory("receipts-bazel");
  await using bazel = new Bazel(directory.path, lists("a"));
  const grpc = async (node: TestNode): Promise<string> => `--remote_cache=grpc://127.0.0.1:${await node.doorPort("grpc")}`;
  assertBuilt(await bazel.build(await grpc(a)), { local: ACTIONS });
  await untilOffered(t, b, "laptop", ACTIONS);
  await bazel.clean();
  assertBuilt(await bazel.build(await grpc(b)), { hits: ACTIONS });
  assert.equal(bazel.made("all.txt").toString(), sorted("a"));
  const brought = (): number => b.events("door.hit").filter(({ door, from }) => door === "bazel" && from === "laptop").length;
  assert.equal(brought(), ACTIONS);
  await a.stopDaemon();
  await bazel.clean();
  assertBuilt(await bazel.build(`--remote_cache=http://127.0.0.1:${await b.doorPort("http")}/bazel-http`), { hits: ACTIONS });
  assert.equal(bazel.made("all.txt").toString(), sorted("a"));
});

test("other domains get none of it, and the own only as policy and the owner say", PATIENT, async (t) => {
  const [a, b] = await pair(t);
  const c = await machine(t, "receipts-c", { ...DOORS, CAIRN_DOORS_SHARE: "domain", CAIRN_SHARING_POLICY: "speculative" });
  await ask(c, "join", await invitation(a, "--domain", "partner"), "--machine", "partner");
  await Promise.all([
    untilConnected(t, a, "desktop", "partner"),
    untilConnected(t, b, "laptop", "partner"),
    untilConnected(t, c, "desktop", "laptop"),
  ]);
  await untilAdmitted(t, a, b, c);
  const artifact = randomBytes(5_000);
  const [one, two] = ["/nx/v1/cache/1111111111111111", "/nx/v1/cache/2222222222222222"] as const;
  await put(a, one, artifact);
  await Promise.all([untilOffered(t, b, "laptop", 1), untilOffered(t, c, "laptop", 1)]);
  assert.equal(await digestAt(c, one), 404, "it is of another domain, whatever this one's owner says");
  assert.deepEqual(
    c.events("door.not-taken").map(({ door, why }) => [door, why]),
    [["nx", "received"]],
  );
  // Team wants two domains by now, and nobody executed it.
  assert.equal(await digestAt(b, one), 404);
  const checks = (await b.control("GET", "/doctor")) as unknown as { check: string; advice?: string }[];
  assert.match(checks.find(({ check }) => check === "doors and other machines")?.advice ?? "", /doors\.share domain/);
  assert.equal((await cairn(b, "config", "set", "doors.share", "domain")).code, 0);
  assert.equal(await digestAt(b, one), digestOf(artifact));
  assert.equal((await cairn(b, "config", "set", "doors.share", "off")).code, 0);
  assert.equal(await digestAt(b, one), 404, "it is not of this machine");
  assert.equal((await cairn(b, "config", "set", "doors.share", "domain")).code, 0);
  assert.equal(await digestAt(b, one), digestOf(artifact));
  // Whoever leaves the network has left nothing that is still used.
  assert.equal((await cairn(a, "config", "set", "doors.share", "off")).code, 0);
  await put(a, two, artifact);
  assert.equal((await cairn(a, "config", "set", "doors.share", "policy")).code, 0);
  assert.equal(await digestAt(b, two), 404, "it was not signed");
});
