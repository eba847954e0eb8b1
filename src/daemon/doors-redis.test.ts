/**
 * What tools do at the door for Redis, and what nobody may do there.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as later } from "node:timers/promises";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { type OpenDoors, openDoors, TOKEN } from "./doors.fixture.ts";

const KEY = "ccache:0123456789abcdef";

function command(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), Buffer.from(word), Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** What is answered to commands of one connection, which ends by itself. */
async function said(opened: OpenDoors, ...commands: readonly (readonly (string | Buffer)[])[]): Promise<string> {
  return opened.raw(Buffer.concat([...commands, ["QUIT"]].map((words) => command(...words))), false, "redis");
}

test("what was set is got, in one connection and in the next; it ends with its time", async () => {
  await using opened = await openDoors();
  assert.equal(await said(opened, ["GET", KEY], ["SET", KEY, "value"], ["get", KEY]), "$-1\r\n+OK\r\n$5\r\nvalue\r\n+OK\r\n");
  assert.equal(await said(opened, ["EXISTS", KEY], ["STRLEN", KEY], ["SET", KEY, "", "EX", "60"]), ":1\r\n:5\r\n+OK\r\n+OK\r\n");
  assert.equal(await said(opened, ["GET", KEY]), "$0\r\n\r\n+OK\r\n");
  opened.clock.at += 59_999;
  assert.equal(await said(opened, ["EXISTS", KEY]), ":1\r\n+OK\r\n");
  opened.clock.at += 1;
  assert.equal(await said(opened, ["EXISTS", KEY], ["GET", KEY]), ":0\r\n$-1\r\n+OK\r\n");
  assert.equal(
    await said(opened, ["SETEX", KEY, "9", "again"], ["SET", KEY, "other", "NX"], ["GET", KEY]),
    "+OK\r\n$-1\r\n$5\r\nagain\r\n+OK\r\n",
  );
  assert.equal(await said(opened, ["DEL", KEY, "none"], ["GET", KEY]), ":1\r\n$-1\r\n+OK\r\n");
  const { "door:redis:hit": hits, "door:redis:miss": misses, "door:redis:put": puts } = opened.counters();
  assert.deepEqual([hits, misses, puts], [3, 3, 3]);
});

test("a value of any bytes and any size comes back, however it was cut on its way", async () => {
  await using opened = await openDoors();
  for (const size of [1, 65_536, 3_000_001]) {
    const value = randomBytes(size);
    const text = await said(opened, ["SET", KEY, value], ["GET", KEY]);
    assert.equal(text, `+OK\r\n$${size}\r\n${value.toString("latin1")}\r\n+OK\r\n`);
  }
});

test("clients are told what they ask before they begin", async () => {
  await using opened = await openDoors();
  const asked = [["PING"], ["SELECT", "0"], ["CLIENT", "SETINFO", "LIB-NAME", "x"], ["COMMAND", "DOCS"], ["ECHO", "x"], ["HELLO", "4"]];
  const hello = "-NOPROTO unsupported protocol version\r\n";
  assert.equal(await said(opened, ...asked), `+PONG\r\n+OK\r\n+OK\r\n*0\r\n$1\r\nx\r\n${hello}+OK\r\n`);
  assert.match(await said(opened, ["HELLO", "2"], ["INFO"]), /^\*10\r\n\$6\r\nserver\r\n.*redis_version/s);
  // In the newer protocol nothing is written otherwise, and so are pairs.
  const [one, two] = [await said(opened, ["HELLO", "3"], ["GET", KEY]), await said(opened, ["HELLO", "3"], ["HELLO", "2"], ["GET", KEY])];
  assert.match(await said(opened, ["HELLO", "3"], ["CONFIG", "GET", "save"]), /\r\n%0\r\n\+OK\r\n$/);
  assert.match(one, /^%5\r\n\$6\r\nserver\r\n.*\r\n:3\r\n.*\r\n_\r\n\+OK\r\n$/s);
  assert.match(two, /^%5\r\n.*\r\n\*10\r\n.*\r\n\$-1\r\n\+OK\r\n$/s);
  assert.match(await said(opened, ["SELECT", "1"], ["FLUSHALL"]), /^-ERR DB index.*-ERR unknown command 'FLUSHALL'/s);
});

test("who does not show the token learns nothing, and leaves nothing", async () => {
  await using opened = await openDoors({ doorsTokenFile: "one" });
  const refused = await said(
    opened,
    ["SET", KEY, "x"],
    ["GET", KEY],
    ["AUTH", "wrong"],
    ["HELLO", "2"],
    ["HELLO", "2", "AUTH", "a", "wrong"],
  );
  assert.equal(refused.match(/-NOAUTH/g)?.length, 3);
  assert.equal(refused.match(/-WRONGPASS/g)?.length, 2);
  assert.match(await opened.raw(command("SET", KEY, randomBytes(100_000)), false, "redis"), /^-ERR Protocol error/);
  assert.deepEqual(opened.kept(), { blobs: 0, entries: 0 });
  const guesses = await said(opened, ...Array.from({ length: 100 }, (_, i) => ["AUTH", `guess ${i}`]));
  assert.equal(guesses.match(/-WRONGPASS/g)?.length, limits.doors.strangerCommands);
  assert.equal(await said(opened, ["AUTH", TOKEN], ["SET", KEY, "x"], ["GET", KEY]), "+OK\r\n+OK\r\n$1\r\nx\r\n+OK\r\n");
  assert.match(await said(opened, ["HELLO", "2", "AUTH", "default", TOKEN], ["GET", KEY]), /^\*10.*\$1\r\nx\r\n\+OK\r\n$/s);
});

test("who asks and asks and never reads makes the door hold next to nothing", async (t) => {
  await using opened = await openDoors();
  const served = Promise.withResolvers<Socket>();
  const seen = (message: unknown): void => served.resolve((message as { socket: Socket }).socket);
  subscribe("net.server.socket", seen);
  t.after(() => unsubscribe("net.server.socket", seen));
  const client = connect(opened.port("redis"), "127.0.0.1");
  t.after(() => client.destroy());
  const door = await served.promise;
  // More than what the buffers of the system take.
  const questions = Buffer.concat(Array.from({ length: 6_000 }, () => command("ECHO", "e".repeat(4_000))));
  client.write(questions);
  for (let before = -1, still = 0; still < 10 && door.bytesRead < questions.length; before = door.bytesRead) {
    await later(20, undefined, { signal: t.signal });
    still = door.bytesRead === before && door.writableNeedDrain ? still + 1 : 0;
  }
  assert.ok(door.bytesRead < questions.length, "all of it was read");
  assert.ok(door.writableLength < 100_000, `${door.writableLength} bytes wait`);
});

test("what is not ASCII comes back as it was", async () => {
  await using opened = await openDoors();
  assert.equal(await said(opened, ["ECHO", Buffer.from([0xe9, 0xff])]), "$2\r\n\xe9\xff\r\n+OK\r\n");
});

/** What is no Redis, or too much of it, or ends too early. */
const WRONG: readonly (readonly [title: string, bytes: string | Buffer])[] = [
  ["HTTP", "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nSET a b\r\n"],
  ["words on a line", "SET a b\r\n"],
  ["nothing at all", "\r\n"],
  ["no words", "*0\r\n"],
  ["too many words", "*33\r\n"],
  ["fewer than none", "*-1\r\n"],
  ["a number that is none", "*x\r\n"],
  ["a number without end", `*${"1".repeat(100)}`],
  ["a line without its end", `*1\rx${"y".repeat(50)}`],
  ["a number where a string should be", "*1\r\n:1\r\n"],
  ["a word that is longer than it says", "*1\r\n$3\r\nPING\r\n"],
  ["a word without end", "*1\r\n$99999\r\nPING"],
  ["a key without end", `*3\r\n$3\r\nSET\r\n$5000\r\n${"k".repeat(5_000)}\r\n$1\r\nv\r\n`],
  ["a key with a space", "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$1\r\nv\r\n"],
  ["a key that is none", "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1\r\nv\r\n"],
  ["a value that is too large", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9999999999\r\n"],
  ["a value that is cut", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nval"],
  ["a large value that is cut", `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$500000\r\n${"v".repeat(400_000)}`],
  ["a value that is longer than it says", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nvalue\r\n"],
];

test("what is no Redis ends the connection, and leaves no entry", async () => {
  await using opened = await openDoors();
  for (const [title, bytes] of WRONG) {
    const isCut = title.endsWith("cut"); // Nobody is left then who could be told.
    assert.equal(await opened.raw(bytes, isCut, "redis"), isCut ? "" : "-ERR Protocol error\r\n", title);
    assert.equal(opened.kept().entries, 0, title);
  }
  assert.equal(
    await said(opened, ["SET", KEY, "v", "EXAT", "1"], ["SET", KEY, "v", "EX", "-1"]),
    "-ERR syntax error\r\n-ERR syntax error\r\n+OK\r\n",
  );
  assert.equal(opened.kept().entries, 0);
});

test("whatever comes, the door answers the next one", async () => {
  await using opened = await openDoors();
  const start = Buffer.concat([command("GET", KEY), command("SET", KEY, "value", "EX", "5"), command("DEL", KEY)]);
  await fc.assert(
    fc.asyncProperty(fc.nat(start.length - 1), fc.uint8Array({ maxLength: 8 }), fc.nat(3), async (at, noise, cut) => {
      await opened.raw(Buffer.concat([start.subarray(0, at), noise, start.subarray(at + cut)]), true, "redis");
      assert.equal(await said(opened, ["PING"]), "+PONG\r\n+OK\r\n");
    }),
    { numRuns: 150 },
  );
  assert.deepEqual(
    opened.events.filter(({ name }) => name === "door.defect"),
    [],
  );
});
