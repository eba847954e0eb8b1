/**
 * Requests of gRPC from their first byte on: how many there are at once, how long they take to come, and what has come of them.
 *
 * The library tells of a request when all of it has come, and keeps what has come of a message until its stream is closed, whatever was answered.
 * Knows: the library's streams. Does not know: methods, or what a call is answered with.
 */
import { constants, type Http2Session, type ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerListener,
  status as statuses,
} from "@grpc/grpc-js";
import { Turns } from "../base/index.ts";
import { Arrival } from "./grpc-arrivals.ts";

export interface GrpcRequestsOptions {
  /** Calls at once. */
  readonly calls: number;
  /** What messages may take up that are not whole, or that somebody was given, over all calls; who needs more waits. Small ones do not count. */
  readonly arrivingBytes: number;
  readonly smallBytes: number;
  /** Longer messages are refused; so are longer ones than small ones that ask for a stream of answers: it may go on for hours, and with it a share. */
  readonly messageBytes: number;
  /** From the first byte of a request to its last, where it is one message. */
  readonly requestMs: number;
  /** From an answer until a client that has not ended its request is cut off. */
  readonly leftOpenMs: number;
  /** What clients may send of a call, and on a connection, before they hear that it was taken. */
  readonly windowBytes: number;
}

export class GrpcRequests {
  readonly #shares: Turns;
  /** By what the library hands on to whoever answers. */
  readonly #arrivals = new WeakMap<Metadata, Arrival>();
  readonly #streams = new WeakMap<Metadata, Pick<Request, "stream" | "session">>();
  readonly #refused: (why: string) => void;
  readonly #options: GrpcRequestsOptions;
  readonly #widened = new WeakSet<Http2Session>();
  #calls = 0;

  /** Must be the first of all interceptors. */
  readonly interceptor: ServerInterceptor = ({ requestStream, responseStream }, call) => {
    const stream = streamOf(call);
    const { session } = stream; // A stream that is closed does not know it any more.
    const timer = new Timer();
    const { requestMs } = this.#options;
    const messageBytes = responseStream ? this.#options.smallBytes : this.#options.messageBytes;
    const late = (): void => this.#end({ call, stream }, statuses.DEADLINE_EXCEEDED, `a request has ${requestMs} ms to come`);
    const tooLong = (): void =>
      this.#end({ call, stream }, statuses.RESOURCE_EXHAUSTED, `such a message has ${messageBytes} bytes at most`);
    const run = (): void => void (!requestStream && timer.set(requestMs, late));
    // Who waits for others is not late.
    const held = (isHeld: boolean): void => (isHeld ? timer.clear() : run());
    const arrival = new Arrival({ stream, shares: this.#shares, held, tooLong }, { ...this.#options, messageBytes });
    return new ReadingCall(call, arrival, this.#listener({ call, stream, session, arrival, timer, run }));
  };

  /** @param parts `refused` is called where somebody sends more, or more slowly, than is taken */
  constructor(parts: { readonly refused: (why: string) => void }, options: GrpcRequestsOptions) {
    this.#refused = parts.refused;
    this.#options = options;
    this.#shares = new Turns({ jobs: Number.POSITIVE_INFINITY, bytes: options.arrivingBytes });
  }

  /** What comes of a call, by what it was begun with. */
  arrivalOf(metadata: Metadata): Arrival | undefined {
    return this.#arrivals.get(metadata);
  }

  /**
   * Whether the client has cancelled a call whose stream is closed. A connection that ends closes its streams in the same way, and is closed itself
   * before they tell.
   */
  isCancelled(metadata: Metadata): boolean {
    const { stream, session } = this.#streams.get(metadata) ?? {};
    return stream?.rstCode === constants.NGHTTP2_CANCEL && session !== undefined && !session.closed && !session.destroyed;
  }

  #end({ call, stream }: Pick<Request, "call" | "stream">, code: statuses, details: string, metadata: Metadata | null = null): void {
    this.#refused(details);
    call.sendStatus({ code, details, metadata });
    stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #listener({ call, stream, session, arrival, timer, run }: Request): ServerListener {
    const { calls: mostCalls, leftOpenMs } = this.#options;
    let isCounted = false;
    return {
      onReceiveMetadata: (metadata, proceed) => {
        if (this.#calls >= mostCalls) return this.#end({ call, stream }, statuses.UNAVAILABLE, `${mostCalls} calls at once, and no more`);
        const encoding = encodingOf(call);
        // The library unpacks a message as soon as it has it, whatever room there is.
        if (encoding !== PLAIN) return this.#end({ call, stream }, statuses.UNIMPLEMENTED, `no grpc-encoding ${encoding} here`, PLAIN_ONLY);
        this.#calls++;
        isCounted = true;
        this.#widen(session);
        this.#arrivals.set(metadata, arrival);
        this.#streams.set(metadata, { stream, session });
        stream.on("data", (data: Buffer) => arrival.came(data));
        stream.once("close", () => {
          timer.clear();
          arrival.end();
        });
        run();
        proceed(metadata);
      },
      onReceiveMessage: (message, proceed) => {
        arrival.given();
        if (arrival.isOver) return;
        proceed(message);
      },
      onReceiveHalfClose: (proceed) => {
        timer.clear();
        proceed();
      },
      // It has its answer, or the client has gone.
      onCancel: () => {
        arrival.answered();
        if (isCounted) this.#calls--;
        timer.clear();
        if (!stream.closed) timer.set(leftOpenMs, () => stream.close(constants.NGHTTP2_NO_ERROR));
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
}

const PLAIN = "identity";
const PLAIN_ONLY = new Metadata();
PLAIN_ONLY.set("grpc-accept-encoding", PLAIN);

/** One call: what it is answered by, where it comes from, and until when. */
interface Request {
  readonly call: ServerInterceptingCallInterface;
  readonly stream: ServerHttp2Stream;
  readonly session: Http2Session | undefined;
  readonly arrival: Arrival;
  readonly timer: Timer;
  /** Begins, or begins again, the time that the request has. */
  readonly run: () => void;
}

/** A call that is read from when there is room for what comes. */
class ReadingCall extends ServerInterceptingCall {
  readonly #arrival: Arrival;

  constructor(call: ServerInterceptingCallInterface, arrival: Arrival, listener: ServerListener) {
    super(call, { start: (next) => next(listener) });
    this.#arrival = arrival;
  }

  override startRead(): void {
    this.#arrival.wants(() => super.startRead());
  }
}

/** At most one thing that happens later, and keeps no process alive. */
class Timer {
  #timer: NodeJS.Timeout | undefined;

  set(ms: number, then: () => void): void {
    this.clear();
    this.#timer = setTimeout(then, ms).unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** The library shows it nobody; what it keeps of a request is let go only with it. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  const { stream } = call as { readonly stream?: unknown };
  if (!(stream instanceof Duplex)) throw new TypeError("a call of gRPC has no stream");
  return stream as ServerHttp2Stream;
}

/** By what messages may be compressed. The library takes it from what it shows. */
function encodingOf(call: ServerInterceptingCallInterface): string {
  const { incomingEncoding } = call as { readonly incomingEncoding?: unknown };
  if (typeof incomingEncoding !== "string") throw new TypeError("a call of gRPC has no encoding");
  return incomingEncoding;
}
