/**
 * The door for the Remote Execution API on a real daemon: what a client brings outlives the daemon, and it listens for nobody who was not let in.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { join } from "node:path";
import { test } from "node:test";
import { headOf } from "../../bench/doors-grpc.ts";
import { limits } from "../../src/base/index.ts";
import { Client, chunksOf, codec, named, uploadName } from "../../src/doors/remote.fixture.ts";
import { checkout, run, TestNode, temporaryDirectory } from "./harness.ts";

const DOOR = { CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1" };

test("what a client has brought outlives a daemon that is killed, and is counted", async () => {
  await using node = await TestNode.start("remote-execution", DOOR);
  const bytes = randomBytes(3_000_000);
  const action = named(randomBytes(10));
  {
    using client = new Client(await node.doorPort("grpc"));
    assert.equal(await client.write(chunksOf(uploadName(bytes), bytes)), 3_000_000n);
    const actionResult = { outputFiles: [{ path: "out", digest: named(bytes) }] };
    await client.ask(codec.actionCache.UpdateActionResult, { actionDigest: action, actionResult });
  }
  await node.stopDaemon("SIGKILL");
  await node.startDaemon();
  using client = new Client(await node.doorPort("grpc"));
  const found = await client.ask(codec.actionCache.GetActionResult, { actionDigest: action });
  assert.equal(found.outputFiles[0]?.path, "out");
  assert.deepEqual(await client.read(`blobs/${named(bytes).hash}/3000000`), bytes);
  const { counters } = (await node.control("GET", "/stats")) as { counters: Record<string, number> };
  assert.equal(counters["door:bazel:hit"], 1);
  assert.equal(counters["door:bazel-blobs:sent_bytes"], 3_000_000);
});

/** A client with a connection of its own that brings a large message, but for its last byte. */
class SlowClient implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #ready: Promise<unknown>;
  readonly #call: ClientHttp2Stream;
  readonly #status: Promise<unknown>;
  readonly #rest: readonly Buffer[];

  /** @param bytes of the blob: the large message, and some more for a small one */
  constructor(port: number, bytes: Buffer) {
    this.#session = connect(`http://127.0.0.1:${port}`);
    this.#ready = once(this.#session, "remoteSettings");
    const headers = { ":method": "POST", ":path": codec.byteStream.Write.path, "content-type": "application/grpc", te: "trailers" };
    this.#call = this.#session.request(headers, { endStream: false });
    const told = Promise.withResolvers<unknown>();
    const look = (head: object): void => void ("grpc-status" in head && told.resolve(head["grpc-status"]));
    this.#status = told.promise;
    this.#call.on("response", look).on("trailers", look).resume();
    this.#call.on("error", () => undefined); // It was destroyed with its connection.
    const message = { resourceName: uploadName(bytes) };
    this.#call.write(headOf(codec.byteStream.Write.requestSerialize(message), LARGE_BYTES));
    this.#call.write(bytes.subarray(0, LARGE_BYTES - 1));
    const last = { writeOffset: BigInt(LARGE_BYTES), finishWrite: true };
    const head = headOf(codec.byteStream.Write.requestSerialize(last), bytes.length - LARGE_BYTES);
    this.#rest = [bytes.subarray(LARGE_BYTES - 1, LARGE_BYTES), head, bytes.subarray(LARGE_BYTES)];
  }

  /** Whether the daemon has read what was written so far. */
  get isRead(): boolean {
    return this.#call.writableLength === 0;
  }

  /** Resolves when whatever was sent before has arrived. */
  async settled(): Promise<void> {
    await this.#ready;
    await new Promise<void>((resolve, reject) => this.#session.ping((error) => (error === null ? resolve() : reject(error))));
  }

  /** Sends the rest. @returns the status */
  finish(): Promise<unknown> {
    this.#call.end(Buffer.concat(this.#rest));
    return this.#status;
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

const LARGE_BYTES = 4_000_000;
/** At most what a message has beside its bytes. */
const NAME_BYTES = 1_000;
const MIB = 1_048_576;

test("of many slow clients with large messages some are read at a time, memory stays bounded, and all get through", {
  timeout: 240_000,
}, async (t) => {
  await using node = await TestNode.start("remote-execution-slow", DOOR);
  using clients = new DisposableStack();
  const port = await node.doorPort("grpc");
  const before = residentBytes(node.pid);
  const { arrivingBytes, windowBytes } = limits.remoteExecution;
  const same = randomBytes(LARGE_BYTES);
  const slow = Array.from({ length: 64 }, (_, i) => clients.use(new SlowClient(port, Buffer.concat([same, Buffer.from(`client ${i}`)]))));
  const atOnce = Math.floor(arrivingBytes / (LARGE_BYTES + NAME_BYTES));
  let left: readonly SlowClient[] = slow;
  const look = async (): Promise<SlowClient[]> => {
    for (;;) {
      t.signal.throwIfAborted();
      await Promise.all(left.map((client) => client.settled()));
      const read = left.filter(({ isRead }) => isRead);
      if (read.length >= Math.min(atOnce, left.length)) return read;
    }
  };
  const first = await look();
  assert.equal(first.length, atOnce);
  const grown = residentBytes(node.pid) - before;
  t.diagnostic(`${Math.round(before / MIB)} MiB before, ${Math.round(grown / MIB)} more while 64 clients bring 4 MB each`);
  // What may arrive, what lies in windows unread, and as much again as was not collected; all messages were 244 MiB.
  assert.ok(grown < 2 * (arrivingBytes + slow.length * windowBytes), `${grown} bytes`);
  const statuses: Promise<unknown>[] = [];
  while (left.length > 0) {
    const read = await look();
    statuses.push(...read.map((client) => client.finish()));
    left = left.filter((client) => !read.includes(client));
  }
  assert.deepEqual(new Set(await Promise.all(statuses)), new Set(["0"]));
  assert.equal((await node.counters())["door:bazel:refused"] ?? 0, 0);
});

function residentBytes(pid: number): number {
  const [, kib = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1_024;
}

/** TCP ports that a process listens at. */
function listening(pid: number): number[] {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)));
  const rows = ["tcp", "tcp6"].flatMap((kind) => readFileSync(`/proc/${pid}/net/${kind}`, "utf8").split("\n").slice(1));
  return rows.flatMap((row) => {
    const [, local = "", , state, , , , , , inode] = row.trim().split(/\s+/);
    return state === "0A" && own.has(`socket:[${inode}]`) ? [Number.parseInt(local.split(":")[1] ?? "", 16)] : [];
  });
}

test("a daemon listens for nobody, unless somebody wants it to; then cairn connect knows where", async () => {
  await using node = await TestNode.start("remote-execution-off");
  using directory = temporaryDirectory("connect");
  const cwd = directory.path;
  const connect = (...words: string[]): ReturnType<typeof run> =>
    run(join(checkout, "bin/cairn"), ["connect", ...words], { cwd, env: { ...node.env, HOME: cwd } });
  assert.deepEqual(listening(node.pid), []);
  const refused = await connect("bazel");
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /is not open: it is off\n.*cairn config set doors\.grpc\.listen/);
  await node.stopDaemon();
  await node.startDaemon(DOOR);
  const port = await node.doorPort("grpc");
  assert.deepEqual(listening(node.pid), [port]);
  writeFileSync(join(cwd, ".bazelrc"), "build -c opt");
  assert.match((await connect("bazel", "--write")).stdout, /^added to /);
  assert.match((await connect("bazel", "--write")).stdout, /has all of it already/);
  assert.equal(
    readFileSync(join(cwd, ".bazelrc"), "utf8"),
    `build -c opt\nbuild --remote_cache=grpc://127.0.0.1:${port}\nbuild --remote_local_fallback\n`,
  );
});
