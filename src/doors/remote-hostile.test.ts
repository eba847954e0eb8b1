/**
 * What is no call of the Remote Execution API, or hardly one: the door stays open, nothing is kept, and somebody who is in order is served.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { Client, chunksOf, codec, type Ground, ground, named, uploadName } from "./remote.fixture.ts";
import { codes } from "./remote-failure.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** A frame of HTTP/2. */
function frame(type: number, flags: number, stream: number, body: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

const opening = Buffer.concat([Buffer.from(PREFACE), SETTINGS]);
const connections: Readonly<Record<string, Buffer>> = {
  "HTTP/1.1": Buffer.from("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
  "a page's request": Buffer.from(
    "POST /build.bazel.remote.execution.v2.Capabilities/GetCapabilities HTTP/1.1\r\nOrigin: http://evil.example\r\n\r\n",
  ),
  TLS: Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
  nothing: Buffer.alloc(0),
  noise: randomBytes(4_096),
  "the opening and noise": Buffer.concat([opening, randomBytes(4_096)]),
  "half an opening": opening.subarray(0, 20),
  "a frame of 16 MiB": Buffer.concat([opening, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])]),
  "data of a call that there is not": Buffer.concat([opening, frame(0, 1, 1, Buffer.from("x"))]),
  "headers that are none": Buffer.concat([opening, frame(1, 5, 1, randomBytes(64))]),
  "a window beyond all bounds": Buffer.concat([opening, frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))]),
  "an even stream": Buffer.concat([opening, frame(1, 5, 2, Buffer.from([0x82]))]),
  "a thousand pings": Buffer.concat([opening, ...Array.from({ length: 1_000 }, () => frame(6, 0, 0, randomBytes(8)))]),
  "a thousand resets": Buffer.concat([opening, ...Array.from({ length: 1_000 }, (_, i) => frame(3, 0, 2 * i + 1, Buffer.alloc(4)))]),
};

/** Sends bytes, and ends. Resolves when the other side has ended, too. */
function say(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
    socket.on("error", () => undefined); // It closes next.
    socket.on("close", () => resolve());
    socket.resume();
  });
}

async function assertWell(on: Ground): Promise<void> {
  using client = new Client(on.door.port);
  assert.equal((await client.ask(codec.capabilities.GetCapabilities, {})).highApiVersion?.major, 2);
}

test("connections that are none of this protocol end, and leave nothing", async (t) => {
  await using on = await ground();
  for (const [what, bytes] of Object.entries(connections))
    await t.test(what, async () => {
      await say(on.door.port, bytes);
      await assertWell(on);
    });
  assert.equal(on.store.facts().blobs, 0);
});

const methods: readonly { readonly path: string; readonly responseStream: boolean }[] = [
  ...Object.values(codec.capabilities),
  ...Object.values(codec.actionCache),
  ...Object.values(codec.contents),
  ...Object.values(codec.byteStream),
  ...Object.values(codec.execution),
];

test("any bytes as a message to any method are answered by a status", async () => {
  await using on = await ground();
  using client = new Client(on.door.port);
  const good = named(Buffer.from("x"));
  const messages = [
    codec.contents.FindMissingBlobs.requestSerialize({ blobDigests: [good, good] }),
    codec.contents.GetTree.requestSerialize({ rootDigest: good, pageSize: -1, pageToken: "9" }),
    codec.byteStream.Read.requestSerialize({ resourceName: `blobs/${good.hash}/1`, readOffset: 1n }),
    codec.actionCache.GetActionResult.requestSerialize({ actionDigest: good, inlineStdout: true }),
  ];
  const changed = fc
    .tuple(fc.constantFrom(...messages), fc.nat(), fc.uint8Array({ maxLength: 12 }))
    .map(([message, at, bytes]) =>
      Buffer.concat([message.subarray(0, at % message.length), bytes, message.subarray((at % message.length) + 2)]),
    );
  const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...methods), fc.oneof(changed, anything), async (method, bytes) => {
      const raw = { path: method.path, requestSerialize: (): Buffer => bytes, responseDeserialize: (response: Buffer): Buffer => response };
      const answered = async (): Promise<void> => {
        if (!method.responseStream) return void (await client.ask(raw, undefined));
        for await (const _ of client.answers(raw, undefined)) break;
      };
      await answered().catch((error: unknown) => assert.equal(typeof (error as { code?: unknown }).code, "number", String(error)));
    }),
    { numRuns: 150 },
  );
  await assertWell(on);
  assert.equal(on.store.facts().blobs, 0);
});

test("a client that writes and goes leaves nothing but what it may go on with", async () => {
  await using on = await ground();
  const bytes = randomBytes(2_000_000);
  for (let i = 0; i < 10; i++) {
    using client = new Client(on.door.port);
    const writing = client.write(chunksOf(uploadName(bytes), bytes, 0, 1_000_000), "break");
    await assert.rejects(writing);
  }
  await assertWell(on);
  assert.equal(on.store.facts().blobs, 0);
});

test("requests of which nothing more comes take places like others, and give them back", async (t) => {
  await using on = await ground();
  const { calls, callsPerConnection } = limits.remoteExecution;
  const headers = { ":method": "POST", ":path": codec.contents.BatchUpdateBlobs.path, "content-type": "application/grpc", te: "trailers" };
  const sessions = Array.from({ length: calls / callsPerConnection }, () => connectHttp2(`http://127.0.0.1:${on.door.port}`));
  t.after(() => sessions.forEach((session) => session.destroy()));
  for (const session of sessions) {
    await once(session, "remoteSettings");
    for (let i = 0; i < callsPerConnection; i++)
      session
        .request(headers, { endStream: false })
        .on("error", () => undefined) // They end with their connection.
        .write(Buffer.from([0, 0, 0, 1, 0, 1]));
  }
  const refused = (): boolean => on.told.includes("refused bazel");
  using client = new Client(on.door.port);
  const ask = (): Promise<unknown> => client.ask(codec.capabilities.GetCapabilities, {});
  while (!refused()) await ask().catch(() => t.signal.throwIfAborted());
  await assert.rejects(ask(), { code: codes.unavailable });
  for (const session of sessions) session.destroy();
  for (let isWell = false; !isWell; t.signal.throwIfAborted())
    isWell = await ask().then(
      () => true,
      () => false,
    );
});
