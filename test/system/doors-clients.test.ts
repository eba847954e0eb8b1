/**
 * Clients that others wrote, at the doors for sccache: WebDAV and Redis as those who made them understand them.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createClient as createRedis, RESP_TYPES } from "@redis/client";
import { createClient as createWebDav } from "webdav";
import { TestNode } from "./harness.ts";

const KEY = "0123456789abcdef".repeat(4);
/** As sccache files what it keeps. */
const PLACE = `/sccache/0/1/2/${KEY}`;

test("a client of WebDAV makes directories, leaves something, finds it, and takes it away again", async () => {
  await using node = await TestNode.start("doors-webdav", { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1" });
  const client = createWebDav(`http://127.0.0.1:${await node.doorPort("http")}`);
  const content = randomBytes(100_000);
  assert.equal(await client.exists(PLACE), false);
  await client.createDirectory("/sccache/0/1/2", { recursive: true });
  assert.equal(await client.putFileContents(PLACE, content), true);
  const [found, got] = [await client.stat(PLACE), await client.getFileContents(PLACE)];
  assert.ok("size" in found && found.type === "file");
  assert.equal(found.size, content.length);
  assert.ok(Buffer.isBuffer(got) && got.equals(content));
  const grown = randomBytes(50_000);
  assert.equal(await client.putFileContents(PLACE, grown, { overwrite: true }), true);
  assert.ok(grown.equals((await client.getFileContents(PLACE)) as Buffer));
  await client.deleteFile(PLACE);
  assert.equal(await client.exists(PLACE), false);
  await assert.rejects(client.getFileContents(PLACE), /404/);
  assert.equal((await node.counters())["door:sccache:refused"] ?? 0, 0);
});

test("a client of Redis shakes hands, leaves bytes with a time to live, and finds them", async () => {
  await using node = await TestNode.start("doors-redis", { CAIRN_DOORS_REDIS_LISTEN: "127.0.0.1" });
  const client = createRedis({ url: `redis://127.0.0.1:${await node.doorPort("redis")}`, socket: { reconnectStrategy: false } });
  client.on("error", () => undefined); // What was asked fails by itself.
  await client.connect();
  try {
    const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    const content = randomBytes(100_000);
    assert.equal(await client.get(KEY), null);
    assert.equal(await client.set(KEY, content, { expiration: { type: "EX", value: 3_600 } }), "OK");
    const got = await bytes.get(KEY);
    assert.ok(Buffer.isBuffer(got) && got.equals(content));
    assert.equal(await client.exists(KEY), 1);
    assert.equal(await client.set(KEY, "other", { condition: "NX" }), null);
    assert.equal(await client.del(KEY), 1);
    assert.equal(await client.get(KEY), null);
    assert.equal(await client.ping(), "PONG");
    await assert.rejects(client.sendCommand(["FLUSHALL"]), /unknown command/i);
  } finally {
    client.destroy();
  }
  assert.equal((await node.counters())["door:redis:put"], 1);
});
