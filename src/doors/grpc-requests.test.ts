/** Requests that do not come to an end, as somebody sends them who writes HTTP/2 himself. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { createConnection, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import { silentLog } from "../base/index.ts";
import { GrpcCalls, type GrpcCallsOptions } from "./grpc-calls.ts";
import { GrpcRequests, type GrpcRequestsOptions } from "./grpc-requests.ts";
import { codec } from "./remote.fixture.ts";
import { ClientCancelled, codes, RemoteFailure } from "./remote-failure.ts";

const roomy: GrpcRequestsOptions & GrpcCallsOptions = {
  calls: 1_000,
  arrivingBytes: 2 ** 30,
  smallBytes: 100,
  messageBytes: 2 ** 22,
  requestMs: 2 ** 30,
  leftOpenMs: 2 ** 30,
  idleMs: 2 ** 30,
  windowBytes: 262_144,
};

/** A write to which this is the answer, whatever comes. */
const REFUSED = "/test/Refused";

interface Ground extends AsyncDisposable {
  readonly session: ClientHttp2Session;
  /** What the session goes over. */
  readonly socket: Socket;
  readonly refusals: string[];
  /** Why each call that waits does not any more. */
  readonly waits: Promise<unknown>[];
}

/** A server that knows how to say what is missing, that reads writes and keeps nothing of them, and refuses others at once. */
async function ground(options: Partial<typeof roomy>): Promise<Ground> {
  const refusals: string[] = [];
  const refused = (why: string): void => void refusals.push(why);
  const all = { ...roomy, ...options };
  const requests = new GrpcRequests({ refused }, all);
  const calls = new GrpcCalls({ log: silentLog, stop: new AbortController().signal, refused, requests }, all);
  const server = new grpc.Server({ interceptors: [requests.interceptor], "grpc.max_receive_message_length": roomy.messageBytes });
  const missing = calls.unary(async () => ({ missingBlobDigests: [] }));
  const read = calls.gathered(async (messages: AsyncIterable<unknown>) => {
    let count = 0;
    for await (const _ of messages) count++;
    return { committedSize: BigInt(count) };
  });
  const refuse = calls.gathered(async () => {
    throw new RemoteFailure("aborted", "no");
  });
  const waits: Promise<unknown>[] = [];
  const wait = calls.answers(false, async (_request, _send, signal) => {
    const gone = once(signal, "abort").then((): unknown => signal.reason);
    waits.push(gone);
    await gone;
  });
  server.addService(codec.contents, { FindMissingBlobs: missing });
  server.addService(codec.byteStream, { Write: read });
  server.addService(codec.execution, { WaitExecution: wait });
  server.addService({ Refused: { ...codec.byteStream.Write, path: REFUSED } }, { Refused: refuse });
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const listener = createServer((socket) => injector.injectConnection(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const socket = createConnection(port, "127.0.0.1");
  const session = connect(`http://127.0.0.1:${port}`, { createConnection: () => socket });
  await once(session, "remoteSettings");
  return {
    session,
    socket,
    refusals,
    waits,

    [Symbol.asyncDispose]: async () => {
      session.destroy();
      server.forceShutdown();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

const { FindMissingBlobs } = codec.contents;
const { Write } = codec.byteStream;
const { WaitExecution } = codec.execution;

/** A message in a frame, with that much in it that nobody looks at. */
function frameOf(path: string, bytes: number): Buffer {
  const text = "x".repeat(bytes);
  if (path === Write.path) return framed(Write.requestSerialize({ data: Buffer.alloc(bytes) }));
  return framed(
    path === WaitExecution.path
      ? WaitExecution.requestSerialize({ name: text })
      : FindMissingBlobs.requestSerialize({ instanceName: text }),
  );
}

function framed(message: Buffer, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(Number(isCompressed));
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A call with a message of which the end is kept back, and whose request does not end. */
class HalfCall {
  readonly stream: ClientHttp2Stream;
  /** The status, and that the stream is closed. */
  readonly ended: Promise<number>;
  readonly #rest: Buffer;

  constructor({ session }: Ground, path = FindMissingBlobs.path, { bytes = 1_000, kept = 100 } = {}) {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    this.stream = session.request(headers, { endStream: false });
    const frame = frameOf(path, bytes);
    this.stream.write(frame.subarray(0, -kept));
    this.#rest = frame.subarray(-kept);
    let status = Number.NaN;
    const look = (from: { readonly [name: string]: unknown }): void => {
      if (from["grpc-status"] !== undefined) status = Number(from["grpc-status"]);
    };
    this.stream.on("response", look).on("trailers", look);
    this.stream.on("error", () => undefined); // It closes next.
    this.stream.resume();
    this.ended = new Promise((resolve) => this.stream.once("close", () => resolve(status)));
  }

  /** Whether all that was written could be sent: nobody hears of more than a window that is not read. */
  get isRead(): boolean {
    return this.stream.writableLength === 0;
  }

  /** What was kept back of the message. */
  whole(): void {
    this.stream.write(this.#rest);
  }
}

/** Waits until all that was sent has been read. */
function settled({ session }: Ground): Promise<void> {
  return new Promise((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
}

/** An ordinary call: one whole message, in which there is nothing. */
async function ask({ session }: Ground, frame = framed(Buffer.alloc(0)), more: OutgoingHttpHeaders = {}): Promise<number> {
  const stream = session.request({
    ":method": "POST",
    ":path": FindMissingBlobs.path,
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
  const ended = new Promise<number>((resolve) => {
    const look = (from: { readonly [name: string]: unknown }): void => {
      if (from["grpc-status"] !== undefined) resolve(Number(from["grpc-status"]));
    };
    stream.on("response", look).on("trailers", look);
  });
  stream.on("error", () => undefined);
  stream.resume();
  stream.end(frame);
  return ended;
}

test("calls are counted before their messages are whole", async () => {
  await using on = await ground({ calls: 3 });
  const halves = Array.from({ length: 3 }, () => new HalfCall(on));
  await settled(on);
  assert.equal(await new HalfCall(on).ended, codes.unavailable);
  assert.equal(on.refusals.length, 1);
  halves[0]?.stream.close(constants.NGHTTP2_CANCEL);
  await halves[0]?.ended;
  await settled(on);
  assert.equal(await ask(on), codes.ok);
});

/** More than one call may have on its way unheard. */
const LARGE_BYTES = 1_000_000;

function largeCall(on: Ground, path: string = FindMissingBlobs.path): HalfCall {
  return new HalfCall(on, path, { bytes: LARGE_BYTES });
}

/** Waits until so many are read, and looks whether it stays at that. */
async function demandRead(on: Ground, calls: readonly HalfCall[], count: number, signal: AbortSignal): Promise<void> {
  const read = (): number => calls.filter(({ isRead }) => isRead).length;
  while (read() < count) {
    signal.throwIfAborted();
    await settled(on);
  }
  for (let i = 0; i < 20; i++) await settled(on);
  assert.equal(read(), count);
}

for (const [what, path] of [
  ["requests of one message", FindMissingBlobs.path],
  ["streams", Write.path],
] as const)
  test(`${what}: so much of them comes at a time, the others wait, and all get through`, { timeout: 60_000 }, async (t) => {
    await using on = await ground({ arrivingBytes: 3.5 * LARGE_BYTES });
    for (let left = Array.from({ length: 10 }, () => largeCall(on, path)); left.length > 0; ) {
      await demandRead(on, left, Math.min(3, left.length), t.signal);
      assert.equal(await ask(on), codes.ok); // Small ones do not wait.
      const ready = left.filter(({ isRead }) => isRead);
      for (const call of ready) {
        call.whole();
        call.stream.end();
        assert.equal(await call.ended, codes.ok);
      }
      left = left.filter((call) => !ready.includes(call));
    }
    assert.deepEqual(on.refusals, []);
  });

test("a message of a stream takes room until it was looked at, one of a request until that has ended", { timeout: 60_000 }, async (t) => {
  await using on = await ground({ arrivingBytes: 1.5 * LARGE_BYTES });
  for (const [path, isStream] of [
    [FindMissingBlobs.path, false],
    [Write.path, true],
  ] as const) {
    const first = largeCall(on, path);
    await demandRead(on, [first], 1, t.signal);
    const next = largeCall(on, path);
    await demandRead(on, [next], 0, t.signal);
    first.whole();
    await demandRead(on, [next], isStream ? 1 : 0, t.signal);
    first.stream.end();
    assert.equal(await first.ended, codes.ok);
    await demandRead(on, [next], 1, t.signal);
    next.stream.close(constants.NGHTTP2_CANCEL);
    await next.ended;
  }
  assert.deepEqual(on.refusals, []);
});

test("who waits for others is not late, and whoever goes makes room", { timeout: 60_000 }, async (t) => {
  await using on = await ground({ arrivingBytes: 1.5 * LARGE_BYTES, requestMs: 50 });
  const first = largeCall(on, Write.path); // Only requests of one message have so long.
  await demandRead(on, [first], 1, t.signal);
  const second = largeCall(on);
  let hasEnded = false;
  void second.ended.then(() => (hasEnded = true));
  const small = new HalfCall(on, FindMissingBlobs.path, { bytes: 50, kept: 10 });
  assert.equal(await small.ended, codes.deadlineExceeded); // It came later, and waits for nobody.
  assert.equal(hasEnded, false);
  first.stream.close(constants.NGHTTP2_CANCEL);
  assert.equal(await second.ended, codes.deadlineExceeded); // It has so long from now on.
  assert.equal(on.refusals.length, 2);
});

test("who has waited has all of the time that nothing may move from then on", { timeout: 60_000 }, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using on = await ground({ arrivingBytes: 1.5 * LARGE_BYTES, idleMs: 1_000 });
  const first = largeCall(on);
  await demandRead(on, [first], 1, t.signal);
  const second = largeCall(on, Write.path);
  await demandRead(on, [second], 0, t.signal);
  t.mock.timers.tick(999);
  first.stream.close(constants.NGHTTP2_CANCEL);
  await demandRead(on, [second], 1, t.signal);
  t.mock.timers.tick(999);
  await settled(on);
  second.whole();
  second.stream.end();
  assert.equal(await second.ended, codes.ok);

  const idle = largeCall(on, Write.path);
  await demandRead(on, [idle], 1, t.signal);
  t.mock.timers.tick(1_000);
  idle.stream.end();
  assert.equal(await idle.ended, codes.deadlineExceeded);
});

test("what asks for a stream of answers is small, and in nobody's way while that goes on", { timeout: 60_000 }, async (t) => {
  await using on = await ground({ arrivingBytes: 1.5 * LARGE_BYTES });
  assert.equal(await largeCall(on, WaitExecution.path).ended, codes.resourceExhausted);
  const whole = new HalfCall(on, WaitExecution.path, { bytes: 101 });
  whole.whole();
  assert.equal(await whole.ended, codes.resourceExhausted);
  const small = new HalfCall(on, WaitExecution.path, { bytes: 90, kept: 10 });
  small.whole();
  await demandRead(on, [largeCall(on)], 1, t.signal);
  assert.deepEqual([small.stream.closed, on.refusals.length], [false, 2]);
});

test("messages that the library would unpack are refused before it does", async () => {
  await using on = await ground({});
  const message = FindMissingBlobs.requestSerialize({ instanceName: "x".repeat(LARGE_BYTES) });
  const frame = framed(gzipSync(message), true);
  assert.equal(await ask(on, frame, { "grpc-encoding": "gzip" }), grpc.status.UNIMPLEMENTED);
  assert.equal(on.refusals.length, 1);
  assert.equal(await ask(on, undefined, { "grpc-encoding": "identity" }), codes.ok);
});

test("who has been answered, or gone, while he waited is in nobody's way", { timeout: 60_000 }, async (t) => {
  await using on = await ground({ arrivingBytes: 1.5 * LARGE_BYTES, leftOpenMs: 20 });
  const first = largeCall(on);
  await demandRead(on, [first], 1, t.signal);
  const waiting = [largeCall(on, REFUSED), largeCall(on), largeCall(on, REFUSED)];
  assert.equal(await waiting[0]?.ended, codes.aborted);
  waiting[1]?.stream.close(constants.NGHTTP2_CANCEL);
  assert.equal(await waiting[2]?.ended, codes.aborted);
  const last = largeCall(on);
  await demandRead(on, [last], 0, t.signal);
  first.stream.close(constants.NGHTTP2_CANCEL);
  await demandRead(on, [last], 1, t.signal);
});

test("a request that does not come to an end is told so, and its stream is closed", async () => {
  await using on = await ground({ requestMs: 20 });
  assert.equal(await new HalfCall(on).ended, codes.deadlineExceeded);
  assert.equal(await new HalfCall(on, FindMissingBlobs.path, { bytes: 10, kept: 17 }).ended, codes.deadlineExceeded); // Nothing at all.
});

test("who has had an answer and does not end is cut off", async () => {
  await using on = await ground({ leftOpenMs: 20 });
  assert.equal(await new HalfCall(on, REFUSED).ended, codes.aborted);
});

test("a client that cancels is told from one that is lost, and from one whose time is up", { timeout: 60_000 }, async (t) => {
  const rows: readonly (readonly [
    isCancelled: boolean,
    what: string,
    leave: (on: Ground, stream: ClientHttp2Stream) => void,
    timeout?: string,
  ])[] = [
    [true, "cancelled", (_on, stream) => stream.close(constants.NGHTTP2_CANCEL)],
    [false, "cancelled, with a deadline", (_on, stream) => stream.close(constants.NGHTTP2_CANCEL), "60S"],
    [false, "ended for another reason", (_on, stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    [false, "the connection is ended", ({ session }) => session.destroy()],
    [false, "the connection is ended, and why is told", ({ session }) => session.destroy(undefined, constants.NGHTTP2_CANCEL)],
    [false, "the connection breaks", ({ socket }) => socket.destroy()],
    [false, "the connection breaks hard", ({ socket }) => socket.resetAndDestroy()],
  ];
  for (const [isCancelled, what, leave, timeout] of rows) {
    await using on = await ground({});
    on.session.on("error", () => undefined);
    const headers = { ":method": "POST", ":path": WaitExecution.path, "content-type": "application/grpc", te: "trailers" };
    const stream = on.session.request({ ...headers, ...(timeout !== undefined && { "grpc-timeout": timeout }) });
    stream.on("error", () => undefined);
    stream.end(frameOf(WaitExecution.path, 10));
    while (on.waits.length === 0) await settled(on);
    leave(on, stream);
    const reason = await on.waits[0];
    assert.ok(reason instanceof RemoteFailure, what);
    assert.equal(reason instanceof ClientCancelled, isCancelled, what);
    t.signal.throwIfAborted();
  }
});
