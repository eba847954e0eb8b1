/**
 * What nobody may do at the doors for HTTP: a table of requests, each with its status. After each of them nothing is kept, and the door
 * answers the next one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, createZstdCompress, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { digestOf } from "../base/index.ts";
import { type OpenDoors, openDoors, TOKEN } from "./doors.fixture.ts";

const BODY = "some bytes";
const HASH = digestOf(BODY);
const CRLF = "\r\n";
const LONG = "a".repeat(2_000);

/** A title, what is sent, the status that comes, and whether what is sent ends there for good. */
type Row = readonly [title: string, bytes: string | Buffer, status: number, isCut?: boolean];

function text(first: string, headers: readonly string[] = [], body = ""): string {
  return [`${first} HTTP/1.1`, "Host: 127.0.0.1", "Connection: close", ...headers, "", body].join(CRLF);
}

const put = (path: string, headers: readonly string[] = [], body = BODY): string =>
  text(`PUT ${path}`, [`Content-Length: ${body.length}`, ...headers], body);

/** Names that are none, below each tool's path. */
const PATHS: Readonly<Record<string, readonly string[]>> = {
  "bazel-http": [
    "",
    "/",
    "/cas",
    "/cas/",
    "/cas/abc",
    `/cas/${HASH}a`,
    `/cas/${HASH.toUpperCase()}`,
    `/ac/${HASH.slice(1)}`,
    `/ac/${HASH}/`,
    `/other/${HASH}`,
    `//ac/${HASH}`,
    `/ac/g${HASH.slice(1)}`,
    `/../ac/${HASH}`,
    `/x/../../ac/${HASH}`,
    `/%2e%2e/ac/${HASH}`,
    `/ac/%00${HASH.slice(3)}`,
    `/ac/..`,
    `/${"a/".repeat(9)}ac/${HASH}`,
    `/a b/ac/${HASH}`,
    `/é/cas/${HASH}`,
  ],
  ccache: [
    "/",
    "/ab",
    "/../ab/cd",
    `/ab/${HASH}`,
    `/ac/${HASH}`,
    "/ab/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    `/${"g".repeat(40)}`,
    `/ab/${"A".repeat(38)}`,
    `/a/${"a".repeat(39)}`,
    `/${LONG}`,
  ],
  sccache: [
    "/../x",
    "/a/../../x",
    "/.",
    "/..",
    "/a/./b",
    "/a//b",
    "/%2e%2e/x",
    "/a%2fb",
    "/a\\b",
    "/a?b/../..\\c\\..",
    `/${LONG}/${LONG}`,
  ].filter((path) => !path.includes("?") && path.length < 4_000),
  turbo: [
    "/",
    "/v8",
    "/v8/artifacts/",
    "/v8/artifacts/../x",
    "/v8/artifacts/a.b",
    "/v8/artifacts/a/b",
    "/v9/artifacts/abc",
    `/v8/artifacts/${LONG}`,
    "/v8/artifacts/abc?teamId=../../x",
    "/v8/artifacts/abc?slug=a%2Fb",
    "/v8/artifacts/%61bc",
  ],
  nx: [
    "/",
    "/v1/cache",
    "/v1/cache/",
    "/v1/cache/../1",
    "/v1/cache/a.b",
    "/v1/cache/1/2",
    "/v2/cache/1",
    `/v1/cache/${LONG}`,
    "/v1/cache/%31",
  ],
  gradle: ["/", "/abc", "/../abc", `/${HASH}${HASH}a`, `/${"g".repeat(32)}`, `/a/${HASH}`, `/${HASH}/x`],
};

const GOOD: Readonly<Record<string, string>> = {
  "bazel-http": `/bazel-http/ac/${HASH}`,
  ccache: `/ccache/ab/${"c".repeat(38)}`,
  sccache: `/sccache/a/b/c/${HASH}`,
  turbo: "/turbo/v8/artifacts/abcdef?teamId=team_x",
  nx: "/nx/v1/cache/123",
  gradle: `/gradle/${HASH.slice(0, 32)}`,
};

const badPaths = Object.entries(PATHS).flatMap(([door, paths]) =>
  paths.flatMap((path): Row[] => [
    [`${door}: GET of ${path.slice(0, 60)}`, text(`GET /${door}${path}`), path.includes(" ") || path.includes("é") ? 400 : 400],
    [`${door}: PUT of ${path.slice(0, 60)}`, put(`/${door}${path}`), 400],
  ]),
);

const badMethods = Object.entries(GOOD).flatMap(([door, path]): Row[] => [
  [`${door}: POST of an artifact`, text(`POST ${path}`, ["Content-Length: 1"], "x"), 405],
  [`${door}: PATCH of an artifact`, text(`PATCH ${path}`, ["Content-Length: 1"], "x"), 405],
  [`${door}: a method that there is not`, text(`STEAL ${path}`), 400],
  [`${door}: TRACE`, text(`TRACE ${path}`), 405],
]);

const badBodies = Object.entries(GOOD).flatMap(([door, path]): Row[] => [
  [`${door}: a body that ends too early`, text(`PUT ${path}`, ["Content-Length: 100000"], "only this"), 400, true],
  [`${door}: a length that is none`, text(`PUT ${path}`, ["Content-Length: many"], BODY), 400],
  [`${door}: a length below zero`, text(`PUT ${path}`, ["Content-Length: -1"], BODY), 400],
  [`${door}: two lengths`, text(`PUT ${path}`, ["Content-Length: 3", "Content-Length: 9"], BODY), 400],
  [
    `${door}: a length and chunks`,
    text(`PUT ${path}`, ["Content-Length: 10", "Transfer-Encoding: chunked"], `a${CRLF}${BODY}${CRLF}0${CRLF}${CRLF}`),
    400,
  ],
  [`${door}: more than may be kept`, text(`PUT ${path}`, ["Content-Length: 99999999999"], BODY), door === "nx" ? 403 : 413],
  [`${door}: an encoding that nobody knows`, put(path, ["Content-Encoding: br"]), door === "nx" ? 403 : 415],
  [`${door}: a body that says nothing of its length`, text(`PUT ${path}`), door === "nx" ? 403 : 411],
  [`${door}: chunks that are none`, text(`PUT ${path}`, ["Transfer-Encoding: chunked"], `zz${CRLF}${BODY}`), 400],
  [
    `${door}: chunks that do not end`,
    text(`PUT ${path}`, ["Transfer-Encoding: chunked"], `a${CRLF}${BODY}${CRLF}`),
    door === "nx" ? 403 : door === "turbo" ? 411 : 400,
    true,
  ],
]);

const packed = (path: string, bytes: Buffer, headers: readonly string[] = []): Buffer =>
  Buffer.concat([Buffer.from(text(`PUT ${path}`, [`Content-Length: ${bytes.length}`, "Content-Encoding: zstd", ...headers])), bytes]);
const OTHER = zstdCompressSync(Buffer.from("other bytes"));

/** Few bytes that ask whoever unpacks them for much memory. */
const FAR_BACK = await packedFarBack();

async function packedFarBack(): Promise<Buffer> {
  const packer = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: 27 } });
  packer.write(Buffer.alloc(1_000));
  packer.end("and something else");
  return Buffer.concat(await packer.toArray());
}

const others: readonly Row[] = [
  ["a page of another name", text(`GET ${GOOD.nx}`).replace("127.0.0.1", "evil.example"), 403],
  ["a name that begins like an address", put(GOOD.nx ?? "").replace("127.0.0.1", "127.0.0.1.evil.example"), 403],
  ["a name with a port", put(GOOD.ccache ?? "").replace("127.0.0.1", "evil.example:80"), 403],
  ["no host at all", text(`GET ${GOOD.nx}`).replace(`Host: 127.0.0.1${CRLF}`, ""), 400],
  ["a page of this very address", put(GOOD.nx ?? "", ["Origin: http://127.0.0.1"]), 403],
  [
    "a page that asks before it writes",
    text(`OPTIONS ${GOOD.turbo}`, ["Origin: https://evil.example", "Access-Control-Request-Method: PUT"]),
    403,
  ],
  ["the root", text("GET /"), 400],
  ["no tool's path", text("GET /favicon.ico"), 400],
  ["a tool that there is not", put("/conan/x"), 400],
  ["a whole address", text("GET http://127.0.0.1/nx/v1/cache/1"), 400],
  ["an asterisk", text("OPTIONS *"), 400],
  ["no path", "GET  HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 400],
  ["no HTTP", "hello\r\n\r\n", 400],
  ["TLS", Buffer.from("16030100ff010000fb0303", "hex"), 400],
  ["HTTP of tomorrow", "GET / HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n", 400],
  ["headers without end", text("GET /nx/v1/cache/1", [`X: ${"x".repeat(20_000)}`]), 431],
  ["a path without end", text(`GET /nx/v1/cache/${"1".repeat(20_000)}`), 431],
  ["a header with a zero", text("GET /nx/v1/cache/1", ["X: a\0b"]), 400],
  ["a header in two lines", text("GET /nx/v1/cache/1", ["X: a", "\tb: c"]), 400],
  ["other bytes than the digest says", put(`/bazel-http/cas/${digestOf("other")}`), 400],
  ["packed bytes that are none", put(`/bazel-http/cas/${HASH}`, ["Content-Encoding: zstd"]), 400],
  ["other packed bytes than the digest says", packed(`/bazel-http/cas/${HASH}`, OTHER), 400],
  ["packed bytes of another size", packed(`/bazel-http/ac/${HASH}`, OTHER, ["X-Digest-SizeBytes: 3"]), 400],
  ["packed bytes that are cut", packed(`/bazel-http/ac/${HASH}`, OTHER.subarray(0, -3)), 400],
  ["packed bytes that point too far back", packed(`/bazel-http/ac/${HASH}`, FAR_BACK), 400],
  ["packed bytes for a tool that has none", packed(GOOD.gradle ?? "", OTHER), 415],
  ["a blob that is to be removed", text(`DELETE /bazel-http/cas/${HASH}`), 405],
  ["an artifact of Nx that is to be removed", text(`DELETE ${GOOD.nx}`), 405],
  ["a question of Turborepo that is no JSON", text("POST /turbo/v8/artifacts", ["Content-Length: 3"], "{a}"), 400],
  ["a question of Turborepo without hashes", text("POST /turbo/v8/artifacts", ["Content-Length: 2"], "{}"), 400],
  ["a question without end", text("POST /turbo/v8/artifacts/events", ["Content-Length: 2000000"], "[".repeat(2_000_000)), 413],
  ["a tag without end", put(GOOD.turbo ?? "", [`x-artifact-tag: ${"t".repeat(8_000)}`]), 413],
  ["directories of a tool that has none", text(`PROPFIND ${GOOD.nx}`), 405],
  ["a file that is a directory", put("/sccache/a/b/"), 405],
];

/** Requests that would be good, if they had shown the token. */
const strangers = Object.entries(GOOD).flatMap(([door, path]): Row[] => [
  [`${door}: GET without a token`, text(`GET ${path}`), 401],
  [`${door}: PUT without a token`, put(path), 401],
  [`${door}: another token`, put(path, [`Authorization: Bearer ${TOKEN}x`]), 401],
  [`${door}: half a token`, put(path, [`Authorization: Bearer ${TOKEN.slice(0, -1)}`]), 401],
  [`${door}: a token of another kind`, put(path, [`Authorization: Digest ${TOKEN}`]), 401],
  [`${door}: a password that is none`, put(path, [`Authorization: Basic ${Buffer.from("cairn:cairn").toString("base64")}`]), 401],
  [`${door}: a token from a web page`, put(path, [`Authorization: Bearer ${TOKEN}`, "Origin: https://evil.example"]), 403],
]);

async function refuses(opened: OpenDoors, rows: readonly Row[]): Promise<void> {
  const wrong: string[] = [];
  for (const [title, bytes, status, isCut] of rows) {
    const said = await opened.raw(bytes, isCut);
    const [, code = "0"] = /^HTTP\/1\.1 (\d{3})/.exec(said) ?? [];
    if (Number(code) !== status) wrong.push(`${title}: ${status} was expected: ${said.slice(0, 100)}`);
    assert.deepEqual(opened.kept(), { blobs: 0, entries: 0 }, title);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    opened.events.filter(({ name }) => name === "door.defect"),
    [],
  );
}

test(`requests that make no sense get a clear status, and leave nothing (${[...badPaths, ...badMethods, ...badBodies, ...others].length})`, async () => {
  await using opened = await openDoors();
  await refuses(opened, [...badPaths, ...badMethods, ...badBodies, ...others]);
  assert.equal((await opened.ask("PUT", GOOD.nx ?? "", {}, BODY)).status, 200);
});

test(`who does not show the token learns nothing, and leaves nothing (${strangers.length})`, async () => {
  await using opened = await openDoors({ doorsTokenFile: "one" });
  await refuses(opened, strangers);
  for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Basic ${Buffer.from(`anybody:${TOKEN}`).toString("base64")}`]) {
    assert.equal((await opened.ask("PUT", GOOD.ccache ?? "", { authorization }, BODY)).status, 200);
  }
  // With a token, a name may stand for this machine: no page knows it.
  assert.equal((await opened.ask("GET", GOOD.ccache ?? "", { host: "build.example", authorization: `Bearer ${TOKEN}` })).status, 200);
});

test("whatever comes, the door answers the next request", async () => {
  await using opened = await openDoors();
  const starts = Object.values(GOOD).flatMap((path) => [text(`GET ${path}`), put(path), text(`PROPFIND ${path}`)]);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...starts), fc.nat(), fc.uint8Array({ maxLength: 12 }), fc.nat(3), async (start, at, noise, cut) => {
      const bytes = Buffer.from(start, "latin1");
      const place = at % bytes.length;
      await opened.raw(Buffer.concat([bytes.subarray(0, place), noise, bytes.subarray(place + cut)]), true);
      assert.equal((await opened.ask("GET", "/nx/v1/cache/nobody")).status, 404);
    }),
    { numRuns: 150 },
  );
  assert.deepEqual(
    opened.events.filter(({ name }) => name === "door.defect"),
    [],
  );
});
