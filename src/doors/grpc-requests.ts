/**
 * Requests of gRPC from their first byte on: how many there are at once, how long they take to come, and what has come of those that are not whole.
 *
 * The library tells of a request when all of it has come, and keeps what has come of a message until its stream is closed, whatever was answered.
 * Knows: the library's streams. Does not know: methods, or what a call is answered with.
 */
import { constants, type Http2Session, type ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerListener,
  status as statuses,
} from "@grpc/grpc-js";

export interface GrpcRequestsOptions {
  /** Calls at once. */
  readonly calls: number;
  /** What may have come of requests, or of messages of a stream, that are not whole, over all calls. */
  readonly unfinishedBytes: number;
  /** From the first byte of a request to its last, where it is one message. */
  readonly requestMs: number;
  /** From an answer until a client that has not ended its request is cut off. */
  readonly leftOpenMs: number;
  /** What clients may send of a call, and on a connection, before they hear that it was taken. */
  readonly windowBytes: number;
}

/** What has come of a message that nobody has been given yet. */
interface Unfinished {
  readonly drop: () => void;
  bytes: number;
}

export class GrpcRequests {
  /** The first is the one of which nothing has come for the longest. */
  readonly #unfinished = new Set<Unfinished>();
  readonly #refused: (why: string) => void;
  readonly #options: GrpcRequestsOptions;
  readonly #widened = new WeakSet<Http2Session>();
  #calls = 0;
  #bytes = 0;

  /** Must be the first of all interceptors. */
  readonly interceptor: ServerInterceptor = ({ requestStream }, call) =>
    new ServerInterceptingCall(call, { start: (next) => next(this.#listener(call, requestStream)) });

  /** @param parts `refused` is called where somebody sends more, or more slowly, than is taken */
  constructor(parts: { readonly refused: (why: string) => void }, options: GrpcRequestsOptions) {
    this.#refused = parts.refused;
    this.#options = options;
  }

  #listener(call: ServerInterceptingCallInterface, isStream: boolean): ServerListener {
    const stream = streamOf(call);
    const { calls: mostCalls, requestMs, leftOpenMs } = this.#options;
    const end = (code: statuses, details: string): void => {
      this.#refused(details);
      call.sendStatus({ code, details, metadata: null });
      stream.close(constants.NGHTTP2_NO_ERROR);
    };
    const unfinished = { bytes: 0, drop: () => end(statuses.UNAVAILABLE, "too much has come of requests that are not whole") };
    let timer: NodeJS.Timeout | undefined;
    let [isCounted, isOver] = [false, false];
    return {
      onReceiveMetadata: (metadata, proceed) => {
        if (this.#calls >= mostCalls) return end(statuses.UNAVAILABLE, `${mostCalls} calls at once, and no more`);
        this.#calls++;
        isCounted = true;
        this.#widen(stream.session);
        stream.on("data", (data: Buffer) => void (!isOver && this.#came(unfinished, data.length)));
        stream.once("close", () => {
          clearTimeout(timer);
          this.#settle(unfinished);
        });
        if (!isStream)
          timer = setTimeout(() => end(statuses.DEADLINE_EXCEEDED, `a request has ${requestMs} ms to come`), requestMs).unref();
        proceed(metadata);
      },
      onReceiveMessage: (message, proceed) => {
        if (isStream) this.#settle(unfinished); // Otherwise the library keeps it until the request has ended.
        proceed(message);
      },
      onReceiveHalfClose: (proceed) => {
        clearTimeout(timer);
        this.#settle(unfinished);
        proceed();
      },
      // It has its answer, or the client has gone.
      onCancel: () => {
        isOver = true;
        if (isCounted) this.#calls--;
        clearTimeout(timer);
        if (!stream.closed) timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), leftOpenMs).unref();
      },
    };
  }

  /** The library leaves windows at 64 KiB, which make a client stop and wait for each few of its frames. */
  #widen(session: Http2Session | undefined): void {
    if (session === undefined || session.destroyed || this.#widened.has(session)) return;
    this.#widened.add(session);
    session.setLocalWindowSize(this.#options.windowBytes);
    session.settings({ initialWindowSize: this.#options.windowBytes });
  }

  #came(unfinished: Unfinished, bytes: number): void {
    unfinished.bytes += bytes;
    this.#bytes += bytes;
    this.#unfinished.delete(unfinished);
    this.#unfinished.add(unfinished);
    const [stillest] = this.#unfinished;
    if (this.#bytes <= this.#options.unfinishedBytes || stillest === undefined) return;
    this.#settle(stillest);
    stillest.drop();
  }

  /** Somebody has been given it, or nobody keeps it any more. */
  #settle(unfinished: Unfinished): void {
    this.#unfinished.delete(unfinished);
    this.#bytes -= unfinished.bytes;
    unfinished.bytes = 0;
  }
}

/** The library shows it nobody; what it keeps of a request is let go only with it. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  const { stream } = call as { readonly stream?: unknown };
  if (!(stream instanceof Duplex)) throw new TypeError("a call of gRPC has no stream");
  return stream as ServerHttp2Stream;
}
