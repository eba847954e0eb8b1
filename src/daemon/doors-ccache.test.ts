/**
 * ccache's own protocol for storage helpers, by a client written from its description; and what nobody may say there.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { endianness } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NO_TLS, type OpenDoors, openDoors } from "./doors.fixture.ts";

const KEY = Buffer.from("0123456789abcdef0123456789abcdef01234567", "hex");
const GREETING = Buffer.of(1, 2, 0, 1);
const [OK, NOOP] = [Buffer.of(0), Buffer.of(1)];

function value(bytes: Buffer): Buffer {
  const length = Buffer.alloc(8);
  if (endianness() === "LE") length.writeBigUInt64LE(BigInt(bytes.length));
  else length.writeBigUInt64BE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

const key = (bytes = KEY): Buffer => Buffer.concat([Buffer.of(bytes.length), bytes]);
const get = (): Buffer => Buffer.concat([Buffer.of(0), key()]);
const put = (bytes: Buffer, overwrite: boolean): Buffer => Buffer.concat([Buffer.of(1), key(), Buffer.of(overwrite ? 1 : 0), value(bytes)]);
const REMOVE = Buffer.concat([Buffer.of(2), key()]);
/** Ends this connection, and no more. */
const STOP = Buffer.of(3);
const INFO = Buffer.of(4);

/** What comes back until the connection ends, without the greeting. */
async function said(opened: OpenDoors, bytes: readonly Buffer[], isCut = false): Promise<Buffer> {
  return new Promise((resolve) => {
    const sent = Buffer.concat([...bytes]);
    const socket = connect(join(opened.directory, "ccache.sock"), () => (isCut ? socket.end(sent) : socket.write(sent)));
    const pieces: Buffer[] = [];
    socket.on("data", (piece) => pieces.push(piece));
    socket.on("error", () => undefined); // "close" follows.
    socket.on("close", () => {
      const all = Buffer.concat(pieces);
      assert.deepEqual(all.subarray(0, 4), GREETING);
      resolve(all.subarray(4));
    });
  });
}

test("what was put is got, by the socket and over HTTP; only its owner may open the socket", async () => {
  await using opened = await openDoors({ doorsCcacheSocket: "on" });
  const [one, other] = [randomBytes(2_000_000), Buffer.from("other")];
  assert.equal(statSync(join(opened.directory, "ccache.sock")).mode & 0o777, 0o600);
  assert.deepEqual(await said(opened, [get(), put(one, false), get(), STOP]), Buffer.concat([NOOP, OK, OK, value(one), OK]));
  assert.ok((await opened.ask("GET", `/ccache/${KEY.toString("hex")}`)).body.equals(one));
  // Not overwritten unless that is wanted.
  const answers = Buffer.concat([NOOP, OK, OK, value(other), OK, NOOP, NOOP, OK]);
  assert.deepEqual(await said(opened, [put(other, false), put(other, true), get(), REMOVE, REMOVE, get(), STOP]), answers);
});

test("it says what it is, and goes on for others when one client ends it", async () => {
  await using opened = await openDoors({ doorsCcacheSocket: "on" });
  const info = await said(opened, [INFO, STOP]);
  assert.match(info.toString("latin1"), /^.Cairn \d+\.\d+\.\d+\0\0$/s);
  assert.deepEqual(await said(opened, [STOP, get()]), OK);
  assert.equal(opened.doors.checks().find(({ check }) => check === "ccache door")?.ok, true);
  const { doorsHttpListen, doorsRedisListen, doorsGrpcListen } = {
    doorsHttpListen: "off",
    doorsRedisListen: "off",
    doorsGrpcListen: "off",
  };
  await opened.doors.follow({
    doorsHttpListen,
    doorsRedisListen,
    doorsGrpcListen,
    doorsGrpcExecute: "off",
    doorsCcacheSocket: "off",
    doorsTokenFile: "",
    ...NO_TLS,
  });
  assert.equal(existsSync(join(opened.directory, "ccache.sock")), false);
});

/** What makes no sense, and whether the client has gone then. */
const WRONG: readonly (readonly [title: string, bytes: Buffer, isCut: boolean])[] = [
  ["a request that there is not", Buffer.of(9), false],
  ["a key of no bytes", Buffer.of(0, 0), false],
  ["a key that is cut", Buffer.of(0, 20, 1, 2, 3), true],
  ["a value that is too large", Buffer.concat([Buffer.of(1), key(), Buffer.of(0), Buffer.alloc(8, 0x7f)]), false],
  ["a value that is cut", put(randomBytes(500_000), true).subarray(0, 400_000), true],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n"), false],
];

test("what makes no sense ends the connection, and leaves nothing", async () => {
  await using opened = await openDoors({ doorsCcacheSocket: "on" });
  for (const [title, bytes, isCut] of WRONG) {
    const [failed] = await said(opened, [bytes], isCut);
    assert.equal(failed, isCut ? undefined : 2, title);
    assert.deepEqual(opened.kept(), { blobs: 0, entries: 0 }, title);
  }
  assert.deepEqual(await said(opened, [get(), STOP]), Buffer.concat([NOOP, OK]));
});
