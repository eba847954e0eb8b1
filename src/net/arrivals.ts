/**
 * Arrivals: tells of everything that comes in on a connection, whatever stream it belongs to.
 *
 * A connection of libp2p does not say so itself; what it was made of does. Both have the same timeline, by which one is found from the other.
 * Knows: libp2p's upgrader. Does not know: what arrives.
 */
import type { Connection, MultiaddrConnection, Upgrader } from "@libp2p/interface";

export class Arrivals {
  readonly #sockets = new WeakMap<object, MultiaddrConnection>();

  /** Connections that the upgrader makes from now on can be watched. */
  constructor(upgrader: Upgrader) {
    const inbound = upgrader.upgradeInbound.bind(upgrader);
    const outbound = upgrader.upgradeOutbound.bind(upgrader);
    upgrader.upgradeInbound = (socket, options) => inbound(this.#remember(socket), options);
    upgrader.upgradeOutbound = (socket, options) => outbound(this.#remember(socket), options);
  }

  /** @param connection is complete: what is only being made would lose the bytes that nobody waits for yet */
  watch(connection: Connection, arrived: () => void): void {
    this.#sockets.get(connection.timeline)?.addEventListener("message", arrived);
  }

  #remember(socket: MultiaddrConnection): MultiaddrConnection {
    this.#sockets.set(socket.timeline, socket);
    return socket;
  }
}
