/**
 * A TCP socket as libp2p wants it, for sockets that libp2p's own TCP transport has not made.
 *
 * Knows: how sockets end. Does not know: who is at the other end.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { AbortOptions } from "@libp2p/interface";
import { DuplexConnection, type DuplexConnectionOptions } from "./duplex-connection.ts";

export class SocketConnection extends DuplexConnection {
  readonly #socket: Socket;

  constructor(socket: Socket, options: DuplexConnectionOptions) {
    super(socket, options);
    this.#socket = socket;
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
}
