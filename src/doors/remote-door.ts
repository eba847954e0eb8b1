/**
 * The door for build tools that speak the Remote Execution API over gRPC: docs/protocol/remote-execution.md.
 *
 * Guarantees: whoever is not admitted learns nothing and leaves nothing; each connection and each call has limits and deadlines.
 * Knows: connections, tokens, methods. Does not know: where blobs and results lie.
 */
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createSecureServer } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { type Digest, type Log, limits } from "../base/index.ts";
import type { ActionRunner, DoorEntries } from "../contracts/index.ts";
import type { RemoteCodec, RemoteDirectory } from "../wire/index.ts";
import type { DoorBook } from "./door-book.ts";
import { GrpcCalls, tokenDemanded } from "./grpc-calls.ts";
import { GrpcRequests } from "./grpc-requests.ts";
import { countTlsRefusals, listening, type OpenAt, portOf, tlsOptions } from "./listening.ts";
import { RemoteActions } from "./remote-actions.ts";
import { RemoteBlobs, type RemoteStore } from "./remote-blobs.ts";
import { RemoteFailure } from "./remote-failure.ts";
import { RemoteOperations } from "./remote-operations.ts";
import { RemoteResults } from "./remote-results.ts";
import { RemoteStreams } from "./remote-streams.ts";
import { RemoteUploads } from "./remote-uploads.ts";

export interface RemoteDoorParts {
  readonly store: RemoteStore;
  readonly entries: DoorEntries;
  readonly codec: RemoteCodec;
  readonly book: Pick<DoorBook, "note" | "refused">;
  readonly execution: RemoteExecutor | undefined;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

/** Where actions run; without it this is a cache and nothing else. */
export interface RemoteExecutor {
  readonly runner: ActionRunner;
  /** Where it takes inputs of actions with a place to work in. */
  readonly root: string;
  /** What is installed on this machine, which actions may read: the same on machines that are installed alike. Undefined: nobody needs it, or can tell. */
  readonly installed?: () => Promise<Digest | undefined>;
}

const DOOR = "bazel";
/** What are files and no results is counted apart: the one is no hit of the other. */
const BLOBS = "bazel-blobs";
const { connections, callsPerConnection, messageBytes, batchBytes, treePageBytes, helloMs, keepAliveMs, connectionIdleMs } =
  limits.remoteExecution;

export class RemoteDoor implements AsyncDisposable {
  readonly #parts: RemoteDoorParts;
  readonly #stop = new AbortController();
  readonly #blobs: RemoteBlobs;
  readonly #results: RemoteResults;
  readonly #uploads: RemoteUploads;
  readonly #streams: RemoteStreams;
  readonly #operations: RemoteOperations | undefined;
  readonly #server: grpc.Server;
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();

  /** @throws {CairnError} address-unavailable */
  static async open(parts: RemoteDoorParts, at: OpenAt): Promise<RemoteDoor> {
    const door = new RemoteDoor(parts, at);
    await listening(door.#listener, DOOR, at, parts.log);
    return door;
  }

  private constructor(parts: RemoteDoorParts, { token, tls }: OpenAt) {
    const { store, codec, log } = parts;
    this.#parts = parts;
    this.#blobs = new RemoteBlobs(parts);
    this.#results = new RemoteResults({ ...parts, blobs: this.#blobs });
    this.#uploads = new RemoteUploads(parts);
    this.#streams = new RemoteStreams({ store, codec, blobs: this.#blobs, uploads: this.#uploads });
    this.#operations = parts.execution === undefined ? undefined : this.#executing(parts.execution);
    const refused = (why: string): void => parts.book.refused(DOOR, why);
    const requests = new GrpcRequests({ refused }, limits.remoteExecution);
    this.#server = new grpc.Server({
      "grpc.max_receive_message_length": messageBytes,
      "grpc.max_concurrent_streams": callsPerConnection,
      "grpc.max_connection_idle_ms": connectionIdleMs,
      "grpc.keepalive_time_ms": keepAliveMs,
      interceptors: [requests.interceptor, ...(token === undefined ? [] : [tokenDemanded(token, () => refused("no token, or another"))])],
    });
    this.#serve(new GrpcCalls({ log, stop: this.#stop.signal, refused, requests }, limits.remoteExecution));
    // The library would not bound connections, nor tell with whom no TLS came about.
    const injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    const begin = (socket: Socket): void => {
      socket.on("error", () => undefined); // It closes next.
      injector.injectConnection(socket);
    };
    const options = { noDelay: true, keepAlive: true };
    this.#listener =
      tls === undefined
        ? createServer(options, begin)
        : createSecureServer({ ...options, ...tlsOptions(tls), ALPNProtocols: ["h2"] }, begin);
    this.#listener.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      const silent = setTimeout(() => void (socket.bytesRead === 0 && socket.destroy()), helloMs).unref();
      socket.once("close", () => {
        clearTimeout(silent);
        this.#sockets.delete(socket);
      });
    });
    countTlsRefusals(this.#listener, refused);
    this.#listener.maxConnections = connections;
    this.#listener.on("drop", () => refused("too many connections"));
  }

  get port(): number {
    return portOf(this.#listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new RemoteFailure("unavailable", "the daemon ends"));
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    await this.#operations?.[Symbol.asyncDispose]();
    await this.#uploads[Symbol.asyncDispose]();
    this.#server.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#parts.log.event("info", "door.closed", { door: DOOR });
  }

  #serve(calls: GrpcCalls): void {
    const { codec } = this.#parts;
    this.#server.addService(codec.capabilities, { GetCapabilities: calls.unary(async () => this.#capabilities()) });
    this.#serveResults(calls);
    this.#serveBlobs(calls);
    this.#serveStreams(calls);
    if (this.#operations !== undefined) this.#serveExecution(calls, this.#operations);
  }

  #executing({ runner, root, installed }: RemoteExecutor): RemoteOperations {
    const { store, codec, log, now } = this.#parts;
    const actions = new RemoteActions({ blobs: this.#blobs, store, codec }, { root });
    return new RemoteOperations({ runner, actions, results: this.#results, codec, ...(installed && { installed }), log, now });
  }

  #serveExecution(calls: GrpcCalls, operations: RemoteOperations): void {
    const { codec } = this.#parts;
    type Execute = ReturnType<(typeof codec.execution.Execute)["requestDeserialize"]>;
    type Wait = ReturnType<(typeof codec.execution.WaitExecution)["requestDeserialize"]>;
    type Send = (operation: ReturnType<RemoteCodec["operationOf"]>) => Promise<void>;
    this.#server.addService(codec.execution, {
      Execute: calls.answers(false, async ({ instanceName, actionDigest, skipCacheLookup }: Execute, send: Send, signal) => {
        const action = this.#blobs.name(actionDigest);
        await operations.execute({ instance: instanceName, action, skipCache: skipCacheLookup }, send, signal);
      }),
      WaitExecution: calls.answers(false, ({ name }: Wait, send: Send, signal) => operations.wait(name, send, signal)),
    });
  }

  #capabilities(): ReturnType<RemoteCodec["capabilitiesOf"]> {
    return this.#parts.codec.capabilitiesOf({ batchBytes, executes: this.#operations !== undefined });
  }

  #serveResults(calls: GrpcCalls): void {
    const { codec, book } = this.#parts;
    type Get = ReturnType<(typeof codec.actionCache.GetActionResult)["requestDeserialize"]>;
    type Update = ReturnType<(typeof codec.actionCache.UpdateActionResult)["requestDeserialize"]>;
    this.#server.addService(codec.actionCache, {
      GetActionResult: calls.unary(async (asked: Get, signal) => {
        const action = this.#blobs.name(asked.actionDigest);
        const inline = { stdout: asked.inlineStdout, stderr: asked.inlineStderr };
        const found = await this.#results.find(asked.instanceName, action, inline, signal);
        book.note(DOOR, found === undefined ? "miss" : "hit", action.digest, 0, found?.from);
        if (found === undefined) throw new RemoteFailure("notFound", "no result of this action is here with all that it names");
        return found.result;
      }),
      UpdateActionResult: calls.unary(async ({ instanceName, actionDigest, actionResult }: Update) => {
        if (actionResult === undefined) throw new RemoteFailure("invalidArgument", "there is no result");
        const action = this.#blobs.name(actionDigest);
        await this.#results.keep(instanceName, action, actionResult);
        book.note(DOOR, "put", action.digest);
        return actionResult;
      }),
    });
  }

  #serveBlobs(calls: GrpcCalls): void {
    const { codec } = this.#parts;
    const methods = codec.contents;
    type Find = ReturnType<(typeof methods.FindMissingBlobs)["requestDeserialize"]>;
    type Update = ReturnType<(typeof methods.BatchUpdateBlobs)["requestDeserialize"]>;
    type Read = ReturnType<(typeof methods.BatchReadBlobs)["requestDeserialize"]>;
    type Tree = ReturnType<(typeof methods.GetTree)["requestDeserialize"]>;
    this.#server.addService(methods, {
      FindMissingBlobs: calls.unary(async ({ blobDigests }: Find, signal) => ({
        missingBlobDigests: await this.#blobs.missing(blobDigests, signal),
      })),
      BatchUpdateBlobs: calls.unary(async ({ requests }: Update, signal) => ({
        responses: await this.#blobs.update(requests, signal),
      })),
      BatchReadBlobs: calls.unary(async ({ digests }: Read, signal) => ({ responses: await this.#blobs.read(digests, signal) })),
      GetTree: calls.answers(true, ({ rootDigest, pageSize, pageToken }: Tree, send, signal) =>
        this.#tree(rootDigest, { size: pageSize, token: pageToken }, send, signal),
      ),
    });
  }

  /** Pages follow each other in one answer; a token says how many directories were in those before. */
  async #tree(
    root: Parameters<RemoteBlobs["name"]>[0],
    asked: { readonly size: number; readonly token: string },
    send: (page: { directories: RemoteDirectory[]; nextPageToken: string }) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    if (!/^[0-9]{0,9}$/.test(asked.token)) throw new RemoteFailure("invalidArgument", "this is no token of a page");
    const skipped = Number(asked.token);
    let page: RemoteDirectory[] = [];
    let [at, pageBytes] = [0, 0];
    for await (const { directory, bytes } of this.#blobs.tree(this.#blobs.name(root), signal)) {
      if (at++ < skipped) continue;
      if (page.length > 0 && (pageBytes + bytes > treePageBytes || page.length === asked.size)) {
        await send({ directories: page, nextPageToken: `${at - 1}` });
        [page, pageBytes] = [[], 0];
      }
      page.push(directory);
      pageBytes += bytes;
    }
    await send({ directories: page, nextPageToken: "" });
  }

  #serveStreams(calls: GrpcCalls): void {
    const { codec, book } = this.#parts;
    const methods = codec.byteStream;
    type Read = ReturnType<(typeof methods.Read)["requestDeserialize"]>;
    type Write = ReturnType<(typeof methods.Write)["requestDeserialize"]>;
    type Query = ReturnType<(typeof methods.QueryWriteStatus)["requestDeserialize"]>;
    this.#server.addService(methods, {
      Read: calls.answers(true, async (asked: Read, send: (chunk: { data: Uint8Array; roomBytes: number }) => Promise<void>, signal) => {
        const reading = await this.#streams.read(asked, signal);
        let bytes = 0;
        for await (const data of reading.bytes) {
          await send({ data, roomBytes: reading.roomBytes });
          bytes += data.length;
        }
        book.note(BLOBS, "hit", asked.resourceName, bytes);
      }),
      Write: calls.gathered(async (chunks: AsyncIterable<Write>) => {
        const { committed, kept, name } = await this.#streams.write(chunks);
        if (kept > 0) book.note(BLOBS, "put", name, kept);
        return { committedSize: BigInt(committed) };
      }),
      QueryWriteStatus: calls.unary(async ({ resourceName }: Query) => {
        const { committed, complete } = this.#streams.status(resourceName);
        return { committedSize: BigInt(committed), complete };
      }),
    });
  }
}
