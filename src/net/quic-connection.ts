/**
 * A connection of QUIC as libp2p wants it, and its streams: QUIC has both in one.
 *
 * Knows: how such connections begin and end. Does not know: who listens or dials.
 */
import { setTimeout as pause } from "node:timers/promises";
import {
  type AbortOptions,
  type Logger,
  type MessageStreamDirection,
  type PeerId,
  StreamMessageEvent,
  type StreamMuxerFactory,
} from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { AbstractMultiaddrConnection, AbstractStreamMuxer, type SendResult } from "@libp2p/utils";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { asError, CairnError, limits } from "../base/index.ts";
import type { NativeConnection, NativeStream } from "./quic-native.ts";
import { QuicStream } from "./quic-stream.ts";

export interface QuicConnectionOptions {
  readonly remoteAddr: Multiaddr;
  readonly direction: MessageStreamDirection;
  readonly log: Logger;
}

const { lingerMs } = limits.quic;

export class QuicConnection extends AbstractMultiaddrConnection {
  /** Resolves when the other side is told, and nothing more goes out. */
  readonly over: Promise<void>;
  readonly #native: NativeConnection;
  readonly #streams = new Set<QuicStream>();

  constructor(native: NativeConnection, options: QuicConnectionOptions) {
    super(options);
    this.#native = native;
    this.over = native.closed().catch(() => undefined);
    void this.over.then(() => this.#ended());
  }

  /** The streams of this connection, for libp2p. */
  get muxerFactory(): StreamMuxerFactory {
    return { protocol: "/quic", createStreamMuxer: () => new QuicMuxer(this, this.#native) };
  }

  /** Makes what libp2p wants of one of its streams. */
  stream(native: NativeStream, direction: MessageStreamDirection): QuicStream {
    // Whoever watches the connection wants to know that it lives; see arrivals.ts.
    const arrived = (bytes: Uint8Array): void => void this.safeDispatchEvent("message", new StreamMessageEvent(bytes));
    const stream = new QuicStream({ native, direction, log: this.log.newScope("stream"), arrived });
    this.#streams.add(stream);
    void stream.ended.then(() => this.#streams.delete(stream));
    return stream;
  }

  /** There are only streams. */
  override sendData(): SendResult {
    throw new TypeError("a connection of QUIC sends nothing by itself");
  }

  /** Its end would overtake what streams were given: that has a little time to arrive. */
  override async sendClose({ signal }: AbortOptions = {}): Promise<void> {
    const given = pause(lingerMs + 3 * this.#native.rtt(), undefined, signal === undefined ? {} : { signal });
    await Promise.race([this.over, given.catch(() => undefined)]);
    this.#native.abort();
  }

  override sendReset(): void {
    this.#native.abort();
  }

  override sendPause(): void {
    // Each stream does so by itself.
  }

  override sendResume(): void {
    // As above.
  }

  /** What had arrived before the end is still read, unless nobody takes it. */
  async #ended(): Promise<void> {
    const taken = [...this.#streams].filter((stream) => !stream.isPaused).map(({ ended }) => ended);
    await Promise.race([Promise.all(taken), pause(lingerMs)]);
    this.onTransportClosed();
  }
}

class QuicMuxer extends AbstractStreamMuxer<QuicStream> {
  readonly #connection: QuicConnection;
  readonly #native: NativeConnection;

  constructor(connection: QuicConnection, native: NativeConnection) {
    super(connection, { protocol: "/quic", name: "muxer" });
    this.#connection = connection;
    this.#native = native;
    void this.#accept();
  }

  override async onCreateStream({ signal }: { readonly signal?: AbortSignal }): Promise<QuicStream> {
    const opened = this.#native.outboundStream(); // Waits while the other side allows no more.
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(asError(signal?.reason));
    signal?.addEventListener("abort", abort);
    try {
      return this.#connection.stream(await Promise.race([opened, aborted.promise]), "outbound");
    } catch (error) {
      opened.then(
        (late) => late.resetWrite(),
        () => undefined,
      );
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Streams are told of otherwise. */
  override onData(): void {}

  async #accept(): Promise<void> {
    try {
      for (;;) this.onRemoteStream(this.#connection.stream(await this.#native.inboundStream(), "inbound"));
    } catch {
      // The connection has ended.
    }
  }
}

/** Who is at the other end, as its certificate proves. @throws {CairnError} peer-absent when that is not told */
export function provenPeer(native: NativeConnection): PeerId {
  const peer = multiaddr(native.remoteMultiaddr())
    .getComponents()
    .findLast(({ name }) => name === "p2p")?.value;
  if (peer === undefined) throw new CairnError("peer-absent", { why: "its certificate says nothing of it" });
  return peerIdFromString(peer);
}

/** What libp2p needs to know of a connection that is encrypted and has streams already. */
export function upgradeOptions(
  connection: QuicConnection,
  remotePeer: PeerId,
): { skipEncryption: true; skipProtection: true; remotePeer: PeerId; muxerFactory: StreamMuxerFactory } {
  return { skipEncryption: true, skipProtection: true, remotePeer, muxerFactory: connection.muxerFactory };
}
