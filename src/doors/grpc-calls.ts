/**
 * Calls of gRPC as functions: a request, what to answer it with, and a signal that the client has gone.
 *
 * Knows: the library, deadlines, backpressure. Does not know: methods.
 */
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerReadableStream,
  type ServerWritableStream,
  status as statuses,
} from "@grpc/grpc-js";
import { type Log, reasonOf } from "../base/index.ts";
import type { Arrival } from "./grpc-arrivals.ts";
import { TokenCheck } from "./listening.ts";
import { ClientCancelled, codes, failureOf, RemoteFailure } from "./remote-failure.ts";

export interface GrpcCallsParts {
  readonly log: Log;
  /** Ends all calls. */
  readonly stop: AbortSignal;
  /** Called where somebody asks for what there cannot be. */
  readonly refused: (why: string) => void;
  readonly requests: {
    arrivalOf(metadata: Metadata): Arrival | undefined;
    isCancelled(metadata: Metadata): boolean;
  };
}

export interface GrpcCallsOptions {
  /** Calls at once. */
  readonly calls: number;
  /** A call on which nothing moves for so long, although it may, is given up. */
  readonly idleMs: number;
}

interface AnyCall {
  on(event: "cancelled", listener: () => void): unknown;
  getPath(): string;
  getDeadline(): Date | number;
  readonly metadata: Metadata;
}

type End<T> = { readonly kind: "answered"; readonly answer: T } | { readonly kind: "failed"; readonly failure: RemoteFailure };

const REFUSALS: ReadonlySet<number> = new Set([codes.invalidArgument, codes.outOfRange, codes.resourceExhausted]);
/** Messages of one call that have not been sent, or not been looked at; one may have 4 MiB. */
const MOST_WAITING = 2;

export class GrpcCalls {
  readonly #parts: GrpcCallsParts;
  readonly #options: GrpcCallsOptions;
  #running = 0;

  constructor(parts: GrpcCallsParts, options: GrpcCallsOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  unary<Request, Response>(answer: (request: Request, signal: AbortSignal) => Promise<Response>): handleUnaryCall<Request, Response> {
    return (call, respond) => {
      void this.#run(call, (signal) => answer(call.request, signal)).then((end) => {
        if (end.kind === "answered") respond(null, end.answer);
        else respond(statusOf(end.failure));
      });
    };
  }

  /** Many answers to one question. @param isSteady whether it is given up when nothing is sent for a while */
  answers<Request, Response>(
    isSteady: boolean,
    answer: (request: Request, send: (response: Response) => Promise<void>, signal: AbortSignal) => Promise<void>,
  ): handleServerStreamingCall<Request, Response> {
    return (call) => {
      void this.#run(call, async (signal) => {
        using idle = new Idle(isSteady ? this.#options.idleMs : undefined);
        const both = AbortSignal.any([signal, idle.signal]);
        const sender = new Sender(call, both);
        const send = async (response: Response): Promise<void> => {
          await sender.send(response);
          idle.moved();
        };
        await answer(call.request, send, both);
        await sender.flush();
      }).then((end) => {
        if (end.kind === "answered") call.end();
        else call.emit("error", statusOf(end.failure));
      });
    };
  }

  /** One answer to many messages. */
  gathered<Request, Response>(
    answer: (requests: AsyncIterable<Request>, signal: AbortSignal) => Promise<Response>,
  ): handleClientStreamingCall<Request, Response> {
    return (call, respond) => {
      void this.#run(call, async (signal) => {
        const arrival = this.#parts.requests.arrivalOf(call.metadata);
        using idle = new Idle(this.#options.idleMs, () => arrival?.isHeld === true);
        arrival?.onGoesOn(() => idle.moved());
        return await answer(received(call, { idle, arrival }, AbortSignal.any([signal, idle.signal])), signal);
      }).then((end) => {
        if (end.kind === "answered") respond(null, end.answer);
        else respond(statusOf(end.failure));
      });
    };
  }

  /** Who gave a deadline may ask again when it has passed, which is a cancelled call as well. */
  #isCancelled(call: AnyCall): boolean {
    return Number(call.getDeadline()) === Number.POSITIVE_INFINITY && this.#parts.requests.isCancelled(call.metadata);
  }

  async #run<T>(call: AnyCall, work: (signal: AbortSignal) => Promise<T>): Promise<End<T>> {
    const { calls: mostCalls } = this.#options;
    const gone = new AbortController();
    call.on("cancelled", () =>
      gone.abort(this.#isCancelled(call) ? new ClientCancelled() : new RemoteFailure("cancelled", "the client has gone")),
    );
    const signal = AbortSignal.any([gone.signal, this.#parts.stop]);
    this.#running++;
    try {
      // Those whose clients have gone end a little later, and are worked on until then.
      if (this.#running > mostCalls) throw new RemoteFailure("unavailable", `${mostCalls} calls at once, and no more`);
      return { kind: "answered", answer: await work(signal) };
    } catch (error) {
      const failure = this.#parts.stop.aborted ? new RemoteFailure("unavailable", "the daemon ends") : failureOf(error);
      if (failure.code === codes.internal)
        this.#parts.log.event("warn", "door.failed", { door: "bazel", method: call.getPath(), why: reasonOf(error) });
      if (REFUSALS.has(failure.code)) this.#parts.refused(`${call.getPath()}: ${failure.message}`);
      return { kind: "failed", failure };
    } finally {
      this.#running--;
    }
  }
}

/** Where clients look for what tells more than a code. */
const STATUS = "grpc-status-details-bin";

function statusOf({ code, message, status }: RemoteFailure): { code: number; details: string; metadata?: Metadata } {
  if (status === undefined) return { code, details: message };
  const metadata = new Metadata();
  metadata.set(STATUS, Buffer.from(status));
  return { code, details: message, metadata };
}

/** Ends what has not moved for a while. */
class Idle implements Disposable {
  readonly #stop = new AbortController();
  readonly #ms: number | undefined;
  readonly #isHeld: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  /** @param isHeld whether it cannot move, which is nobody's fault */
  constructor(ms: number | undefined, isHeld: () => boolean = () => false) {
    this.#ms = ms;
    this.#isHeld = isHeld;
    this.moved();
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** It did, or it may from now on. */
  moved(): void {
    clearTimeout(this.#timer);
    if (this.#ms !== undefined && !this.#isOver) this.#timer = setTimeout(() => this.#look(), this.#ms).unref();
  }

  #look(): void {
    if (this.#isHeld()) this.moved();
    else this.#stop.abort(new RemoteFailure("deadlineExceeded", `nothing moved for ${this.#ms} ms`));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

/** Sends what there is to send, a little ahead of what the client has taken. */
class Sender<Response> {
  readonly #call: ServerWritableStream<unknown, Response>;
  readonly #signal: AbortSignal;
  readonly #sending: Promise<void>[] = [];

  constructor(call: ServerWritableStream<unknown, Response>, signal: AbortSignal) {
    this.#call = call;
    this.#signal = signal;
  }

  async send(response: Response): Promise<void> {
    this.#signal.throwIfAborted();
    const sending = new Promise<void>((resolve) => void this.#call.write(response, () => resolve()));
    this.#sending.push(sending);
    while (this.#sending.length >= MOST_WAITING) await this.#oldest();
  }

  async flush(): Promise<void> {
    while (this.#sending.length > 0) await this.#oldest();
  }

  async #oldest(): Promise<void> {
    await orAborted(this.#sending.shift() ?? Promise.resolve(), this.#signal);
  }
}

/**
 * The messages of a call. The library reads sixteen ahead, whatever their size; here it reads the next but one when the last has been looked at.
 */
async function* received<Request>(
  call: ServerReadableStream<Request, unknown>,
  { idle, arrival }: { readonly idle: Idle; readonly arrival: Arrival | undefined },
  signal: AbortSignal,
): AsyncGenerator<Request> {
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name of what a stream reads by.
  const read = call._read.bind(call);
  let owed: (() => void) | undefined;
  // oxlint-disable-next-line no-underscore-dangle -- the same
  call._read = (size) => {
    if (call.readableLength < MOST_WAITING) read(size);
    else owed = () => read(size);
  };
  const messages: AsyncIterator<Request> = call[Symbol.asyncIterator]();
  for (;;) {
    const next = await orAborted(messages.next(), signal);
    if (next.done === true) return;
    yield next.value;
    arrival?.taken();
    idle.moved();
    owed?.();
    owed = undefined;
  }
}

/** @throws the signal's reason as soon as it is aborted */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Lets in who has the token, before anything that he says is looked at. */
export function tokenDemanded(token: string, refused: () => void): ServerInterceptor {
  const check = new TokenCheck(`Bearer ${token}`);
  return (_method, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const [given = ""] = metadata.get("authorization");
            if (check.admits(String(given))) return proceed(metadata);
            refused();
            call.sendStatus({ code: statuses.UNAUTHENTICATED, details: "a token is asked for", metadata: null });
          },
        }),
    });
}
