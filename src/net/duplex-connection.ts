/**
 * What carries bytes both ways, as libp2p wants it: what sockets and WebSockets have in common.
 *
 * Knows: Node's streams, and back-pressure in both directions. Does not know: how one ends, or who is at the other end.
 */
import type { Duplex } from "node:stream";
import type { Logger, MessageStreamDirection } from "@libp2p/interface";
import { AbstractMultiaddrConnection, type SendResult } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";

type Bytes = Parameters<AbstractMultiaddrConnection["sendData"]>[0];

export interface DuplexConnectionOptions {
  readonly remoteAddr: Multiaddr;
  readonly direction: MessageStreamDirection;
  readonly log: Logger;
  /** Bytes that are sent at once. */
  readonly maxMessageSize?: number;
}

export abstract class DuplexConnection extends AbstractMultiaddrConnection {
  readonly #duplex: Duplex;

  constructor(duplex: Duplex, options: DuplexConnectionOptions) {
    super(options);
    this.#duplex = duplex;
    duplex.on("data", (bytes: Buffer) => this.onData(bytes));
    duplex.on("drain", () => this.safeDispatchEvent("drain"));
    duplex.on("error", (error) => this.abort(error));
    duplex.once("end", () => this.onTransportClosed());
    duplex.once("close", () => this.onTransportClosed());
  }

  override sendData(data: Bytes): SendResult {
    let sentBytes = 0;
    for (const bytes of data) {
      sentBytes += bytes.byteLength;
      if (!this.#duplex.write(bytes)) return { sentBytes, canSendMore: false };
    }
    return { sentBytes, canSendMore: true };
  }

  override sendPause(): void {
    this.#duplex.pause();
  }

  override sendResume(): void {
    this.#duplex.resume();
  }
}
