/**
 * A TCP socket as libp2p wants it, for sockets that libp2p's own TCP transport has not made.
 *
 * Knows: sockets. Does not know: who is at the other end.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { AbortOptions, Logger, MessageStreamDirection } from "@libp2p/interface";
import { AbstractMultiaddrConnection, type SendResult } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";

type Bytes = Parameters<AbstractMultiaddrConnection["sendData"]>[0];

export class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: Socket;

  constructor(socket: Socket, options: { remoteAddr: Multiaddr; direction: MessageStreamDirection; log: Logger }) {
    super(options);
    this.#socket = socket;
    socket.on("data", (bytes) => this.onData(bytes));
    socket.on("drain", () => this.safeDispatchEvent("drain"));
    socket.on("error", (error) => this.abort(error));
    socket.once("end", () => this.onTransportClosed());
    socket.once("close", () => this.onTransportClosed());
  }

  override sendData(data: Bytes): SendResult {
    let sentBytes = 0;
    for (const bytes of data) {
      sentBytes += bytes.byteLength;
      if (!this.#socket.write(bytes)) return { sentBytes, canSendMore: false };
    }
    return { sentBytes, canSendMore: true };
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    if (this.#socket.destroyed) return;
    this.#socket.destroySoon();
    await once(this.#socket, "close", options?.signal === undefined ? {} : { signal: options.signal });
  }

  override sendReset(): void {
    // Half of the way to a graceful end there is no way back to a reset.
    if (this.#socket.writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  override sendPause(): void {
    this.#socket.pause();
  }

  override sendResume(): void {
    this.#socket.resume();
  }
}
