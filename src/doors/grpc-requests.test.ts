/** Requests that do not come to an end, as somebody sends them who writes HTTP/2 himself. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { GrpcRequests, type GrpcRequestsOptions } from "./grpc-requests.ts";
import { codec } from "./remote.fixture.ts";
import { codes } from "./remote-failure.ts";

const roomy: GrpcRequestsOptions = {
  calls: 1_000,
  unfinishedBytes: 2 ** 30,
  requestMs: 2 ** 30,
  leftOpenMs: 2 ** 30,
  windowBytes: 262_144,
};

interface Ground extends AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly refusals: string[];
}

/** A server that knows how to say what is missing, and writes of which it takes nothing. */
async function ground(options: Partial<GrpcRequestsOptions>): Promise<Ground> {
  const refusals: string[] = [];
  const requests = new GrpcRequests({ refused: (why) => void refusals.push(why) }, { ...roomy, ...options });
  const server = new grpc.Server({ interceptors: [requests.interceptor] });
  const nothing: grpc.handleUnaryCall<unknown, unknown> = (_call, respond) => respond(null, { missingBlobDigests: [] });
  const refusal: grpc.handleClientStreamingCall<unknown, unknown> = (_call, respond) =>
    respond({ code: grpc.status.ABORTED, details: "no" });
  server.addService(codec.contents, { FindMissingBlobs: nothing });
  server.addService(codec.byteStream, { Write: refusal });
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const listener = createServer((socket) => injector.injectConnection(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const session = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  await once(session, "remoteSettings");
  return {
    session,
    refusals,

    [Symbol.asyncDispose]: async () => {
      session.destroy();
      server.forceShutdown();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

/** What a message of 1,000 bytes begins with that names an instance, and nothing else. */
const NAME = Buffer.from([0x0a, 0xe5, 0x07]);

/** A call with that much of a message of 1,000 bytes, whose request does not end. */
class HalfCall {
  readonly stream: ClientHttp2Stream;
  /** The status, and that the stream is closed. */
  readonly ended: Promise<number>;

  constructor({ session }: Ground, bytes: number, path = codec.contents.FindMissingBlobs.path) {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    this.stream = session.request(headers, { endStream: false });
    const frame = Buffer.alloc(5 + 1_000);
    frame.writeUInt32BE(1_000, 1);
    NAME.copy(frame, 5);
    this.stream.write(frame.subarray(0, 5 + bytes));
    let status = Number.NaN;
    const look = (from: { readonly [name: string]: unknown }): void => {
      if (from["grpc-status"] !== undefined) status = Number(from["grpc-status"]);
    };
    this.stream.on("response", look).on("trailers", look);
    this.stream.on("error", () => undefined); // It closes next.
    this.stream.resume();
    this.ended = new Promise((resolve) => this.stream.once("close", () => resolve(status)));
  }
}

/** Waits until all that was sent has been read. */
function settled({ session }: Ground): Promise<void> {
  return new Promise((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
}

/** An ordinary call: one whole message, in which there is nothing. */
async function ask({ session }: Ground): Promise<number> {
  const stream = session.request({
    ":method": "POST",
    ":path": codec.contents.FindMissingBlobs.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const ended = new Promise<number>((resolve) => {
    const look = (from: { readonly [name: string]: unknown }): void => {
      if (from["grpc-status"] !== undefined) resolve(Number(from["grpc-status"]));
    };
    stream.on("response", look).on("trailers", look);
  });
  stream.on("error", () => undefined);
  stream.resume();
  stream.end(Buffer.alloc(5));
  return ended;
}

test("calls are counted before their messages are whole", async () => {
  await using on = await ground({ calls: 3 });
  const halves = Array.from({ length: 3 }, () => new HalfCall(on, 10));
  await settled(on);
  assert.equal(await new HalfCall(on, 10).ended, codes.unavailable);
  assert.equal(on.refusals.length, 1);
  halves[0]?.stream.close(constants.NGHTTP2_CANCEL);
  await halves[0]?.ended;
  await settled(on);
  assert.equal(await ask(on), codes.ok);
});

test("beyond what may have come of requests in all, the one that stands still goes, not the one that comes", async () => {
  await using on = await ground({ unfinishedBytes: 5_000 });
  const halves: HalfCall[] = [];
  for (let i = 0; i < 6; i++) {
    halves.push(new HalfCall(on, 900));
    await settled(on);
  }
  assert.equal(await halves[0]?.ended, codes.unavailable);
  halves[1]?.stream.write(Buffer.alloc(50));
  await settled(on);
  halves.push(new HalfCall(on, 900));
  assert.equal(await halves[2]?.ended, codes.unavailable);
  assert.equal(halves[1]?.stream.closed, false);
  assert.equal(await ask(on), codes.ok);
  assert.equal(on.refusals.length, 2);
});

test("a message that is whole takes room until its request has ended", async () => {
  await using on = await ground({ unfinishedBytes: 5_000 });
  const wholes: HalfCall[] = [];
  for (let i = 0; i < 5; i++) {
    wholes.push(new HalfCall(on, 1_000));
    await settled(on);
  }
  assert.equal(await wholes[0]?.ended, codes.unavailable);
  wholes[1]?.stream.end();
  assert.equal(await wholes[1]?.ended, codes.ok);
});

test("what came whole, or went, takes no room", async () => {
  await using on = await ground({ unfinishedBytes: 5_000 });
  for (let i = 0; i < 20; i++) {
    assert.equal(await ask(on), codes.ok);
    const half = new HalfCall(on, 900);
    await settled(on);
    half.stream.close(constants.NGHTTP2_CANCEL);
    await half.ended;
    await settled(on);
  }
  assert.deepEqual(on.refusals, []);
});

test("a request that does not come to an end is told so, and its stream is closed", async () => {
  await using on = await ground({ requestMs: 20 });
  assert.equal(await new HalfCall(on, 900).ended, codes.deadlineExceeded);
  assert.equal(await new HalfCall(on, 0).ended, codes.deadlineExceeded);
});

test("who has had an answer and does not end is cut off", async () => {
  await using on = await ground({ leftOpenMs: 20 });
  assert.equal(await new HalfCall(on, 900, codec.byteStream.Write.path).ended, codes.aborted);
});
