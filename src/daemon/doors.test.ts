/**
 * What build tools do at the doors for HTTP, as they do it; docs/doors.md. What nobody may do: doors-refused.test.ts.
 */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { test } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CairnError, digestOf, limits } from "../base/index.ts";
import { loadRemoteCodec } from "../wire/index.ts";
import { NO_TLS, type OpenDoors, openDoors, type Reply, TOKEN } from "./doors.fixture.ts";

const BYTES = Buffer.alloc(300_000, "an artifact, ");
const HASH = digestOf(BYTES);
const EMPTY = digestOf("");

/** One request and what comes of it: the status, and the body or what it is called. */
type Step = readonly [method: string, path: string, status: number, body?: Buffer | string];

async function walk(opened: OpenDoors, steps: readonly Step[]): Promise<void> {
  for (const [method, path, status, body = ""] of steps) {
    const reply = await opened.ask(method, path, {}, method === "PUT" || method === "POST" ? body : "");
    assert.equal(reply.status, status, `${method} ${path}`);
    if (method === "GET" && status === 200) assert.ok(reply.body.equals(Buffer.from(body)), `${method} ${path}`);
    if (method === "HEAD" && status === 200) assert.equal(reply.headers["content-length"], String(body.length));
  }
}

/** The same for every tool: nothing, then something, then that; statuses as each of them wants. */
const TOOLS: readonly (readonly [title: string, path: string, stored: number])[] = [
  ["Bazel: a blob", `/bazel-http/cas/${HASH}`, 200],
  ["Bazel: a result that is none of Bazel's", `/bazel-http/ac/${HASH}`, 200],
  ["Bazel: an instance", `/bazel-http/main/linux/ac/${HASH}`, 200],
  ["ccache: subdirs", `/ccache/ab/${"c".repeat(38)}`, 200],
  ["ccache: as it wrote names before 4.9", "/ccache/ca/1ea0o8rdi9fk7c5i8c7hh36lcvvfm6a", 200],
  ["ccache: bazel", `/ccache/ac/${"0123456789abcdef0123".repeat(2)}0123456789abcdef01230123`, 200],
  ["sccache: WebDAV", `/sccache/a/b/c/${HASH}`, 201],
  ["sccache: its check", "/sccache/.sccache_check", 201],
  ["Turborepo", "/turbo/v8/artifacts/0123456789abcdef?teamId=team_x", 202],
  ["Nx", "/nx/v1/cache/1234567890", 200],
  ["Gradle", `/gradle/${HASH.slice(0, 32)}`, 200],
];

for (const [title, path, stored] of TOOLS) {
  test(`${title}: a miss, a put, hits`, async () => {
    await using opened = await openDoors();
    await walk(opened, [
      ["GET", path, 404],
      ["HEAD", path, 404],
      ["PUT", path, stored, BYTES],
      ["HEAD", path, 200, BYTES],
      ["GET", path, 200, BYTES],
    ]);
    const door = path.split("/")[1] ?? "";
    const counters = opened.counters();
    const counted = ["hit", "miss", "put", "sent_bytes", "kept_bytes", "refused"].map((name) => counters[`door:${door}:${name}`] ?? 0);
    assert.deepEqual(counted, [1, 1, 1, BYTES.length, BYTES.length, 0]);
  });
}

test("ccache: the layouts are three ways to one key", async () => {
  await using opened = await openDoors();
  const name = "0123456789abcdef0123456789abcdef01234567";
  await walk(opened, [
    ["PUT", `/ccache/${name}`, 200, "one"],
    ["GET", `/ccache/01/${name.slice(2)}`, 200, "one"],
    ["GET", `/ccache/ac/${name}${name.slice(0, 24)}`, 200, "one"],
    ["PUT", `/ccache/${name}`, 200, "a manifest that has grown"],
    ["GET", `/ccache/${name}`, 200, "a manifest that has grown"],
    ["DELETE", `/ccache/01/${name.slice(2)}`, 204],
    ["DELETE", `/ccache/01/${name.slice(2)}`, 404],
    ["GET", `/ccache/${name}`, 404],
  ]);
});

test("Bazel: the empty blob is always there; instances have results of their own", async () => {
  await using opened = await openDoors();
  await walk(opened, [
    ["GET", `/bazel-http/cas/${EMPTY}`, 200, ""],
    ["HEAD", `/bazel-http/cas/${EMPTY}`, 200, ""],
    ["PUT", `/bazel-http/one/ac/${HASH}`, 200, "result"],
    ["GET", `/bazel-http/two/ac/${HASH}`, 404],
    ["PUT", `/bazel-http/cas/${HASH}`, 200, BYTES],
    ["GET", `/bazel-http/any/instance/cas/${HASH}`, 200, BYTES],
  ]);
});

test("Bazel: blobs travel compressed both ways where the client says so", async () => {
  await using opened = await openDoors();
  const packed = zstdCompressSync(BYTES);
  const headers = { "content-encoding": "zstd", "x-digest-sizebytes": String(BYTES.length) };
  assert.equal((await opened.ask("PUT", `/bazel-http/cas/${HASH}`, headers, packed)).status, 200);
  assert.ok((await opened.ask("GET", `/bazel-http/cas/${HASH}`)).body.equals(BYTES));
  const reply = await opened.ask("GET", `/bazel-http/cas/${HASH}`, { "accept-encoding": "gzip, zstd" });
  assert.equal(reply.headers["content-encoding"], "zstd");
  assert.ok(reply.body.length < BYTES.length / 10 && zstdDecompressSync(reply.body).equals(BYTES));
});

test("a part of an artifact, where a client asks for one", async () => {
  await using opened = await openDoors();
  for (const bytes of [BYTES, BYTES.subarray(0, 1_000)]) {
    const path = `/bazel-http/cas/${digestOf(bytes)}`;
    assert.equal((await opened.ask("PUT", path, {}, bytes)).status, 200);
    const part = async (range: string, more: Record<string, string> = {}): Promise<readonly unknown[]> => {
      const { status, headers, body } = await opened.ask("GET", path, { range, ...more });
      return [status, headers["content-range"], status === 416 ? "" : digestOf(body)];
    };
    const told = (from: number, to: number): readonly unknown[] => [
      206,
      `bytes ${from}-${to - 1}/${bytes.length}`,
      digestOf(bytes.subarray(from, to)),
    ];
    assert.deepEqual(await part("bytes=10-19"), told(10, 20));
    assert.deepEqual(await part("bytes=500-", { "accept-encoding": "zstd" }), told(500, bytes.length));
    assert.deepEqual(await part("bytes=-7"), told(bytes.length - 7, bytes.length));
    assert.deepEqual(await part(`bytes=${bytes.length}-`), [416, `bytes */${bytes.length}`, ""]);
    assert.deepEqual(await part("bytes=1-2,4-5"), [200, undefined, digestOf(bytes)]);
    assert.deepEqual(await part("bytes=1-2", { "if-range": "yesterday" }), [200, undefined, digestOf(bytes)]);
  }
});

test("Bazel: a body may be packed in several frames; many at once wait for their turn", async () => {
  await using opened = await openDoors();
  const [one, other] = [zstdCompressSync(BYTES), zstdCompressSync("and the rest")];
  const whole = Buffer.concat([BYTES, Buffer.from("and the rest")]);
  const headers = { "content-encoding": "zstd" };
  const put = (body: Buffer): Promise<Reply> => opened.ask("PUT", `/bazel-http/cas/${digestOf(whole)}`, headers, body);
  const replies = await Promise.all(Array.from({ length: 3 * limits.doors.unpackings }, () => put(Buffer.concat([one, other]))));
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
  assert.ok((await opened.ask("GET", `/bazel-http/cas/${digestOf(whole)}`)).body.equals(whole));
  assert.equal((await put(Buffer.concat([one, other.subarray(0, -1)]))).status, 400);
  assert.equal((await put(Buffer.concat([one, Buffer.from("no frame")]))).status, 400);
});

test("Bazel: a result is given only while all that it names is here", async () => {
  await using opened = await openDoors();
  const { writeResult, digestMessage, nameOf, writeTree } = await loadRemoteCodec();
  const digest = digestMessage(nameOf(BYTES));
  const tree = Buffer.from(
    writeTree({ root: { files: [{ name: "in-a-directory", digest: digestMessage(nameOf(Buffer.from("deep"))) }] } }),
  );
  const results = [
    writeResult({ outputFiles: [{ path: "a.o", digest }] }),
    writeResult({ stdoutDigest: digest }),
    writeResult({ outputDirectories: [{ path: "d", treeDigest: digestMessage(nameOf(tree)) }] }),
  ];
  const blobs = [BYTES, BYTES, tree];
  for (const [i, result] of results.entries()) {
    const path = `/bazel-http/case${i}/ac/${HASH}`;
    assert.equal((await opened.ask("PUT", path, {}, result)).status, 200);
    for (const method of ["GET", "HEAD"]) assert.equal((await opened.ask(method, path)).status, 404);
    const blob = blobs[i] ?? BYTES;
    await opened.ask("PUT", `/bazel-http/cas/${digestOf(blob)}`, {}, blob);
    if (blob === tree) {
      assert.equal((await opened.ask("GET", path)).status, 404, "a file of the tree is missing");
      await opened.ask("PUT", `/bazel-http/cas/${digestOf("deep")}`, {}, "deep");
    }
    assert.ok((await opened.ask("GET", path)).body.equals(result));
    await opened.store.remove(digestOf(blob));
    assert.equal((await opened.ask("GET", path)).status, 404);
  }
});

test("Turborepo: tags and durations come back; teams do not see each other's", async () => {
  await using opened = await openDoors();
  const [path, headers] = ["/turbo/v8/artifacts/abc?slug=mine", { "x-artifact-duration": "1234", "x-artifact-tag": "c2lnbmVk" }];
  await opened.ask("PUT", path, { ...headers, "x-artifact-client-ci": "GITHUB" }, BYTES);
  for (const method of ["GET", "HEAD"]) {
    const { headers: said } = await opened.ask(method, path);
    assert.deepEqual([said["x-artifact-duration"], said["x-artifact-tag"], said["x-artifact-client-ci"]], ["1234", "c2lnbmVk", undefined]);
  }
  assert.equal((await opened.ask("GET", "/turbo/v8/artifacts/abc?slug=others")).status, 404);
  const json = async (method: string, question: string, body = ""): Promise<unknown> =>
    JSON.parse((await opened.ask(method, `/turbo/v8/artifacts${question}?slug=mine`, {}, body)).body.toString()) as unknown;
  assert.deepEqual(await json("GET", "/status"), { status: "enabled" });
  const found = { abc: { size: BYTES.length, taskDurationMs: 1234, tag: "c2lnbmVk" }, def: null };
  assert.deepEqual(await json("POST", "", JSON.stringify({ hashes: ["abc", "def"] })), found);
  assert.deepEqual(await json("POST", "/events", JSON.stringify([{ event: "HIT", hash: "abc" }])), {});
  const preflight = await opened.ask("OPTIONS", path, { "access-control-request-headers": "authorization" });
  assert.deepEqual(
    [preflight.status, preflight.headers.location, preflight.headers["access-control-allow-origin"]],
    [200, path, undefined],
  );
  assert.match(preflight.headers["access-control-allow-headers"] ?? "", /authorization/i);
});

test("Nx: what is there stays, whatever comes; every refusal is one of the codes it lives with", async () => {
  await using opened = await openDoors({ doorsTokenFile: "one" });
  const headers = { authorization: `Bearer ${TOKEN}` };
  const put = (body: Buffer | string): Promise<Reply> => opened.ask("PUT", "/nx/v1/cache/1", headers, body);
  assert.deepEqual([(await put(BYTES)).status, (await put(BYTES)).status, (await put("other bytes")).status], [200, 409, 409]);
  assert.ok((await opened.ask("GET", "/nx/v1/cache/1", headers)).body.equals(BYTES));
  const stranger = await opened.ask("GET", "/nx/v1/cache/1");
  assert.deepEqual([stranger.status, stranger.headers["content-type"]], [401, "text/plain"]);
  opened.entries.find = () => Promise.reject(new CairnError("index-corrupt", {}));
  assert.deepEqual([(await opened.ask("GET", "/nx/v1/cache/1", headers)).status, (await put(BYTES)).status], [404, 403]);
});

test("Turborepo and Gradle: what is there stays, and whoever brings something else goes on building", async () => {
  await using opened = await openDoors();
  for (const [path, stored] of [
    [`/gradle/${HASH}`, 200],
    ["/turbo/v8/artifacts/abc?slug=mine", 202],
  ] as const)
    await walk(opened, [
      ["PUT", path, stored, "the first"],
      ["PUT", path, stored, "other bytes"],
      ["GET", path, 200, "the first"],
    ]);
  assert.deepEqual(
    opened.doors.checks().filter(({ ok }) => !ok),
    [],
  );
});

test("sccache: the steps of a WebDAV client before its first file, and afterwards", async () => {
  await using opened = await openDoors();
  const path = `/sccache/a/b/c/${HASH}`;
  await walk(opened, [
    ["GET", "/sccache/.sccache_check", 404],
    ["PUT", "/sccache/.sccache_check", 201, "Hello, World!"],
    ["PROPFIND", "/sccache/a/b/c/", 207],
    ["MKCOL", "/sccache/a/b/c/", 201],
    ["PROPFIND", path, 404],
    ["PUT", path, 201, BYTES],
    ["PROPFIND", path, 207],
    ["DELETE", path, 204],
    ["GET", path, 404],
  ]);
  const directory = (await opened.ask("PROPFIND", "/sccache/a/", { depth: "0" })).body.toString();
  assert.match(directory, /<D:href>\/sccache\/a\/<\/D:href>.*<D:collection\/>.*HTTP\/1\.1 200 OK/s);
});

test("who asks whether a body is wanted is told so, and an answer instead where it is not", async () => {
  await using opened = await openDoors();
  const ask = (path: string, length: number): Promise<{ wanted: boolean; status: number }> =>
    new Promise((resolve, reject) => {
      const headers = { expect: "100-continue", "content-length": length };
      const asked = request({ host: "127.0.0.1", port: opened.port(), method: "PUT", path, headers, agent: false });
      let wanted = false;
      asked.on("continue", () => {
        wanted = true;
        asked.end(BYTES);
      });
      asked.on("response", (response) => {
        response.resume();
        resolve({ wanted, status: response.statusCode ?? 0 });
        asked.destroy();
      });
      asked.on("error", reject);
      asked.flushHeaders();
    });
  assert.deepEqual(await ask(`/gradle/${HASH}`, BYTES.length), { wanted: true, status: 200 });
  assert.deepEqual(await ask("/gradle/none", BYTES.length), { wanted: false, status: 400 });
  assert.deepEqual(await ask(`/gradle/${HASH}`, 1e12), { wanted: false, status: 413 });
});

test("a client that goes away in the middle, either way, is no defect and leaves nothing", async () => {
  await using opened = await openDoors();
  await opened.raw(`PUT /gradle/${HASH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n${"x".repeat(400_000)}`, true);
  assert.deepEqual(opened.kept(), { blobs: 0, entries: 0 });
  assert.deepEqual(
    opened.doors.checks().filter(({ ok }) => !ok),
    [],
  );
  const large = Buffer.alloc(20_000_000, "an artifact, ");
  await opened.ask("PUT", `/gradle/${HASH}`, {}, large);
  await new Promise<void>((resolve) => {
    const asked = request({ host: "127.0.0.1", port: opened.port(), path: `/gradle/${HASH}`, agent: false }, (response) => {
      response.once("data", () => asked.destroy());
      response.on("error", () => undefined);
      response.on("close", resolve);
    });
    asked.on("error", () => undefined);
    asked.end();
  });
  assert.ok((await opened.ask("GET", `/gradle/${HASH}`)).body.equals(large));
  assert.deepEqual(
    opened.events.filter(({ name }) => name === "door.defect"),
    [],
  );
});

test("an artifact that was damaged on the disk is never taken for a whole one, and is a miss from then on", async () => {
  await using opened = await openDoors();
  const path = `/gradle/${HASH}`;
  await opened.ask("PUT", path, {}, BYTES);
  const file = opened.store.plainPath(HASH);
  const bytes = readFileSync(file);
  bytes[200_000] = 0;
  chmodSync(file, 0o600);
  writeFileSync(file, bytes);
  await assert.rejects(opened.ask("GET", path), /aborted|hang up|reset/);
  assert.equal((await opened.ask("GET", path)).status, 404);
  assert.equal((await opened.ask("PUT", path, {}, BYTES)).status, 200);
  assert.ok((await opened.ask("GET", path)).body.equals(BYTES));
});

test("other machines are not let in without a token; a door that cannot open says why, and opens when it can", async () => {
  await using opened = await openDoors({ doorsHttpListen: "0.0.0.0", doorsRedisListen: "off" });
  const [status] = opened.doors.status();
  assert.equal(status?.open, false);
  assert.match(opened.doors.checks()[0]?.detail ?? "", /not open: 0\.0\.0\.0 can be reached from other machines: set doors\.tokenFile/);
  await opened.doors.follow({
    doorsHttpListen: "127.0.0.1",
    doorsRedisListen: "off",
    doorsCcacheSocket: "off",
    doorsGrpcListen: "off",
    doorsGrpcExecute: "off",
    doorsTokenFile: `${opened.directory}/none`,
    ...NO_TLS,
  });
  assert.match(opened.doors.status()[0]?.why ?? "", /cannot be read: there is no such file/);
  writeFileSync(`${opened.directory}/short`, "short\n");
  await opened.doors.follow({
    doorsHttpListen: "127.0.0.1",
    doorsRedisListen: "off",
    doorsCcacheSocket: "off",
    doorsGrpcListen: "off",
    doorsGrpcExecute: "off",
    doorsTokenFile: `${opened.directory}/short`,
    ...NO_TLS,
  });
  assert.match(opened.doors.status()[0]?.why ?? "", /a token of 16 signs or more/);
  await opened.doors.follow({
    doorsHttpListen: "0.0.0.0",
    doorsRedisListen: "off",
    doorsCcacheSocket: "off",
    doorsGrpcListen: "off",
    doorsGrpcExecute: "off",
    doorsTokenFile: `${opened.directory}/token`,
    ...NO_TLS,
  });
  assert.equal((await opened.ask("GET", "/nx/v1/cache/1", { authorization: `Bearer ${TOKEN}` })).status, 404);
  await opened.doors.follow({
    doorsHttpListen: "off",
    doorsRedisListen: "off",
    doorsCcacheSocket: "off",
    doorsGrpcListen: "off",
    doorsGrpcExecute: "off",
    doorsTokenFile: "",
    ...NO_TLS,
  });
  assert.deepEqual(opened.doors.status(), []);
});

test("a token that was changed in its file counts from the next look at the settings", async () => {
  const settings = { doorsHttpListen: "127.0.0.1", doorsRedisListen: "off", doorsCcacheSocket: "off" } as const;
  const grpc = { doorsGrpcListen: "off", doorsGrpcExecute: "off" } as const;
  await using opened = await openDoors({ ...settings, doorsTokenFile: "one" });
  const status = async (token: string): Promise<number> =>
    (await opened.ask("GET", "/nx/v1/cache/1", { authorization: `Bearer ${token}` })).status;
  const [file, other] = [`${opened.directory}/token`, `${TOKEN}-of-today`];
  const port = opened.port();
  await opened.doors.follow({ ...settings, ...grpc, doorsTokenFile: file, ...NO_TLS });
  assert.deepEqual([opened.port(), await status(TOKEN), await status(other)], [port, 404, 401], "nothing has changed");
  writeFileSync(file, `${other}\n`);
  await opened.doors.follow({ ...settings, ...grpc, doorsTokenFile: file, ...NO_TLS });
  assert.deepEqual([await status(TOKEN), await status(other)], [401, 404]);
});

test("the doctor tells who came, and who was sent away", async () => {
  await using opened = await openDoors();
  await opened.ask("GET", "/nx/v1/cache/1");
  await opened.ask("GET", "/turbo/v8/artifacts/a", { host: "evil.example" });
  const checks = opened.doors.checks().map(({ check, ok, detail }) => [check, ok, detail.replace(/\d+ s ago/, "now")]);
  assert.deepEqual(checks.slice(2), [
    ["door: nx", true, "1 requests, the last now"],
    ["door: turbo", true, "1 requests, the last now; 1 refused, the last one too (host)"],
  ]);
});
