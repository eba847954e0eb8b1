/**
 * The Remote Execution API of a daemon as benchmarks use it: a client with one connection, whose blobs come from memory and go nowhere.
 *
 * It is Node's HTTP/2 and the framing of gRPC by hand, so that what is measured is the daemon: `@grpc/grpc-js` copies each message twice, which the
 * client of nginx, beside which this stands, does not. On the wire it is the same conversation.
 */

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { loadRemoteCodec } from "../src/wire/index.ts";

const { Read, Write } = (await loadRemoteCodec()).byteStream;
/** What clients send in one message; they are taken up to 4 MiB. */
const CHUNK_BYTES = 1_048_576;
/** What grpc-java, which is Bazel's, lets a server send ahead. */
const WINDOW_BYTES = 1_048_576;
/** A message of gRPC begins with whether it is compressed, and its length. */
const HEAD_BYTES = 5;
/** The field that bytes are in, last of a message: its tag, and so many bytes follow. */
const DATA_TAG = (10 << 3) | 2;

export class GrpcStore implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #ready: Promise<unknown>;

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: WINDOW_BYTES } });
    this.#ready = once(this.#session, "remoteSettings");
    this.#session.once("connect", () => this.#session.setLocalWindowSize(WINDOW_BYTES));
  }

  /** What is known of a blob before it is brought: a build tool has it from its build. */
  digestOf(bytes: Buffer): string {
    const hash = createHash("sha256");
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) hash.update(bytes.subarray(at, at + CHUNK_BYTES)); // It takes less than 2 GiB at once.
    return hash.digest("hex");
  }

  /** @returns by which name it can be read */
  async put(bytes: Buffer, digest: string): Promise<string> {
    const resourceName = `uploads/${randomUUID()}/blobs/${digest}/${bytes.length}`;
    const call = await this.#call(Write.path);
    const answered = gathered(call);
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const end = Math.min(at + CHUNK_BYTES, bytes.length);
      const message = Write.requestSerialize({ resourceName, writeOffset: BigInt(at), finishWrite: end === bytes.length });
      call.write(headOf(message, end - at));
      if (!call.write(bytes.subarray(at, end))) await Promise.race([once(call, "drain"), answered]);
    }
    call.end();
    const { committedSize } = Write.responseDeserialize((await answered).subarray(HEAD_BYTES));
    if (Number(committedSize) !== bytes.length) throw new Error("not all of it is there");
    return `blobs/${digest}/${bytes.length}`;
  }

  /** @returns how many bytes came */
  async get(resourceName: string): Promise<number> {
    const call = await this.#call(Read.path);
    call.end(framed(Read.requestSerialize({ resourceName })));
    return await counted(call);
  }

  async #call(path: string): Promise<ClientHttp2Stream> {
    await this.#ready;
    return this.#session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

function framed(message: Uint8Array, more = 0): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length + more, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

/** What stands before the bytes that a message ends with, which follow as they lie in memory. */
export function headOf(message: Uint8Array, dataBytes: number): Buffer {
  const length: number[] = [];
  for (let rest = dataBytes; rest > 0 || length.length === 0; rest >>>= 7) length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return framed(Buffer.concat([message, Buffer.from([DATA_TAG, ...length])]), dataBytes);
}

/** All that is answered. @throws where the call does not end well */
async function gathered(call: ClientHttp2Stream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  call.on("data", (piece: Buffer) => pieces.push(piece));
  await endedWell(call);
  return Buffer.concat(pieces);
}

/** How many bytes of a blob were answered. @throws where the call does not end well */
async function counted(call: ClientHttp2Stream): Promise<number> {
  let [bytes, left] = [0, 0];
  let head = Buffer.alloc(0);
  call.on("data", (piece: Buffer) => {
    for (let at = 0; at < piece.length; ) {
      const taken = left > 0 ? Math.min(left, piece.length - at) : Math.min(HEAD_BYTES - head.length, piece.length - at);
      if (left > 0) left -= taken;
      else head = Buffer.concat([head, piece.subarray(at, at + taken)]);
      at += taken;
      if (head.length < HEAD_BYTES) continue;
      left = head.readUInt32BE(1);
      bytes += dataIn(left);
      head = Buffer.alloc(0);
    }
  });
  await endedWell(call);
  if (left > 0 || head.length > 0) throw new Error("the last message is not whole");
  return bytes;
}

/** Of a message that is nothing but a tag, a length, and so many bytes. */
function dataIn(messageBytes: number): number {
  for (let rest = messageBytes - 2, most = 0x80; ; rest--, most *= 0x80) if (rest < most) return Math.max(0, rest);
}

async function endedWell(call: ClientHttp2Stream): Promise<void> {
  let status = "";
  const look = (from: object): void => {
    if ("grpc-status" in from) status = String(from["grpc-status"]);
  };
  call.on("response", look).on("trailers", look);
  await once(call, "end");
  if (status !== "0") throw new Error(`the call ended with ${status}`);
}
