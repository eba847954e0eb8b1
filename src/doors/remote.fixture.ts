/**
 * A door for the Remote Execution API over a store of its own, and a client that says whatever it likes.
 *
 * @see remote-door.test.ts
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { type Digest, digestOf, type Log } from "../base/index.ts";
import { DiskStore, openDatabase, SqliteDoorEntries } from "../store/index.ts";
import { loadRemoteCodec, type RemoteCodec } from "../wire/index.ts";
import { RemoteDoor, type RemoteExecutor } from "./remote-door.ts";

const log: Log = { event: () => undefined };

export const codec: RemoteCodec = await loadRemoteCodec();

export interface Ground extends AsyncDisposable {
  readonly door: RemoteDoor;
  readonly store: DiskStore;
  readonly entries: SqliteDoorEntries;
  /** What the door has told, as `event door`. */
  readonly told: string[];
}

/** @param execution makes what actions run in of the store */
export async function ground(
  token?: string,
  execution?: (on: { readonly store: DiskStore; readonly directory: string }) => RemoteExecutor,
): Promise<Ground> {
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "cairn-remote-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const database = stack.use(openDatabase({ log, now: Date.now }, { file: join(directory, "index") }));
  const store = stack.use(
    DiskStore.open({ log, now: Date.now, database }, { directory: join(directory, "blobs"), capacityBytes: 2 ** 32, rawBytes: 2 ** 32 }),
  );
  const entries = new SqliteDoorEntries({ database, blobs: store });
  const told: string[] = [];
  const book = {
    note: (door: string, event: string): void => void told.push(`${event} ${door}`),
    refused: (door: string): void => void told.push(`refused ${door}`),
  };
  const parts = { store, entries, codec, book, execution: execution?.({ store, directory }), log, now: Date.now };
  const door = stack.use(await RemoteDoor.open(parts, { host: "127.0.0.1", port: 0, token, tls: undefined }));
  const built = stack.move();
  return { door, store, entries, told, [Symbol.asyncDispose]: () => built.disposeAsync() };
}

export function named(bytes: Uint8Array): { hash: Digest; sizeBytes: bigint } {
  return { hash: digestOf(bytes), sizeBytes: BigInt(bytes.length) };
}

export function uploadName(bytes: Uint8Array, kind = "blobs", uuid: string = randomUUID()): string {
  return `uploads/${uuid}/${kind}/${digestOf(bytes)}/${bytes.length}`;
}

/** Something that a client says in one message of a write; `bytes` are sent as they are where they are no message at all. */
export interface Chunk {
  readonly resourceName?: string;
  readonly writeOffset?: bigint;
  readonly finishWrite?: boolean;
  readonly data?: Uint8Array;
}

interface Method<RequestInit, Response> {
  readonly path: string;
  readonly requestSerialize: (request: RequestInit) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** A client with one connection. */
export class Client implements Disposable {
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();

  constructor(port: number, authorization?: string) {
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      "grpc.max_send_message_length": -1,
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
    if (authorization !== undefined) this.#metadata.set("authorization", authorization);
  }

  ask<RequestInit, Response>(method: Method<RequestInit, Response>, request: RequestInit): Promise<Response> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata, (error, response) => {
        if (response === undefined) reject(error ?? new Error("no response"));
        else resolve(response);
      });
    });
  }

  /** @param signal cancels it */
  async *answers<RequestInit, Response>(method: Method<RequestInit, Response>, request: RequestInit): AsyncGenerator<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.#metadata);
    try {
      for await (const response of call) yield response as Response;
    } finally {
      call.cancel();
    }
  }

  async read(resourceName: string, readOffset = 0n, readLimit = 0n): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const { data } of this.answers(codec.byteStream.Read, { resourceName, readOffset, readLimit })) pieces.push(data);
    return Buffer.concat(pieces);
  }

  /** @param end what happens after the last: `finish` the call, or `break` it */
  write(chunks: Iterable<Chunk>, end: "finish" | "break" = "finish"): Promise<bigint> {
    const { path, requestSerialize, responseDeserialize } = codec.byteStream.Write;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata, (error, response) => {
        if (response === undefined) reject(error ?? new Error("no response"));
        else resolve(response.committedSize);
      });
      const say = async (): Promise<void> => {
        for (const chunk of chunks) await new Promise<void>((resolve) => void call.write(chunk, () => resolve()));
        if (end === "finish") call.end();
        else call.cancel();
      };
      void say();
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** What a whole blob is written by. */
export function* chunksOf(resourceName: string, bytes: Uint8Array, from = 0, to: number = bytes.length): Generator<Chunk> {
  const pieceBytes = 65_536;
  for (let at = from; at < to || at === from; at += pieceBytes) {
    const end = Math.min(at + pieceBytes, to);
    yield { resourceName, writeOffset: BigInt(at), finishWrite: end === bytes.length, data: bytes.subarray(at, end) };
  }
}
