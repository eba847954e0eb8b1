/**
 * The Remote Execution API of a daemon as benchmarks use it: a client with one connection, whose blobs come from memory and go nowhere.
 */

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { loadRemoteCodec } from "../src/wire/index.ts";

const codec = await loadRemoteCodec();
/** What clients send in one message; they are taken up to 4 MiB. */
const CHUNK_BYTES = 1_048_576;
/** What grpc-java, which is Bazel's, lets a server send ahead. */
const WINDOW_BYTES = 1_048_576;

export class GrpcStore implements Disposable {
  readonly #client: grpc.Client;

  constructor(port: number) {
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1, // Or all clients of one process would share a connection.
      "grpc.max_receive_message_length": -1,
      "grpc-node.flow_control_window": WINDOW_BYTES,
    });
  }

  /** What is known of a blob before it is brought: a build tool has it from its build. */
  digestOf(bytes: Buffer): string {
    return createHash("sha256").update(bytes).digest("hex");
  }

  /** @returns by which name it can be read */
  async put(bytes: Buffer, digest: string): Promise<string> {
    const resourceName = `uploads/${randomUUID()}/blobs/${digest}/${bytes.length}`;
    const { path, requestSerialize, responseDeserialize } = codec.byteStream.Write;
    const answered = Promise.withResolvers<number>();
    const call = this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error, response) => {
      if (response === undefined) answered.reject(error ?? new Error("no answer"));
      else answered.resolve(Number(response.committedSize));
    });
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const end = Math.min(at + CHUNK_BYTES, bytes.length);
      const chunk = { resourceName, writeOffset: BigInt(at), finishWrite: end === bytes.length, data: bytes.subarray(at, end) };
      if (!call.write(chunk)) await once(call, "drain");
    }
    call.end();
    if ((await answered.promise) !== bytes.length) throw new Error("not all of it is there");
    return `blobs/${digest}/${bytes.length}`;
  }

  /** @returns how many bytes came */
  async get(resourceName: string): Promise<number> {
    const { path, requestSerialize, responseDeserialize } = codec.byteStream.Read;
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { resourceName });
    let bytes = 0;
    for await (const { data } of call as AsyncIterable<{ readonly data: Uint8Array }>) bytes += data.length;
    return bytes;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
