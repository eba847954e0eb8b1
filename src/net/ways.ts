/**
 * Ways: connections of libp2p that come about otherwise than by a plain dial: in a stream of a relay, or from a certain port.
 *
 * Every TCP connection that this node makes leaves from a port that it chose. Members see that port as the router outside shows it, and
 * where routers map a port to the same one whoever is talked to, another member can be met there: see punch.ts. A port that was chosen
 * can be used again beside a connection that has it, one that the system chose cannot.
 * Knows: libp2p's upgrader and its TCP transport. Does not know: members.
 */
import type { Socket } from "node:net";
import type { ComponentLogger, Connection, MultiaddrConnection, Transport, Upgrader } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { asError, systemCode } from "../base/index.ts";
import { Arrivals } from "./arrivals.ts";
import { SocketConnection } from "./socket-connection.ts";

/** Ports that IANA leaves to whoever connects. */
const FIRST_PORT = 49_152;
const PORTS = 65_536 - FIRST_PORT;

type DialOptions = Parameters<Transport["dial"]>[1];

/** Where connections left from. */
const ports = new WeakMap<Connection, number>();

/** Lets a TCP transport choose its ports. */
export function dialFromKnownPorts(transport: Transport): Transport {
  const dial = transport.dial.bind(transport);
  transport.dial = async (address: Multiaddr, options: DialOptions) => {
    const localPort = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      const chosen: DialOptions & { localPort: number } = { ...options, localPort }; // Node's own option for sockets.
      const connection = await dial(address, chosen);
      ports.set(connection, localPort);
      return connection;
    } catch (error) {
      if (!isPortTrouble(error)) throw error;
      return dial(address, options); // Somebody else has the port: then as the system likes.
    }
  };
  return transport;
}

export class Ways {
  readonly #upgrader: Upgrader;
  readonly #addresses: () => Multiaddr[];
  readonly #logger: ComponentLogger;
  readonly #arrivals: Arrivals;

  constructor({ upgrader, addresses, logger }: { upgrader: Upgrader; addresses: () => Multiaddr[]; logger: ComponentLogger }) {
    this.#upgrader = upgrader;
    this.#addresses = addresses;
    this.#logger = logger;
    this.#arrivals = new Arrivals(upgrader);
  }

  /** See {@link Arrivals.watch}. */
  watch(connection: Connection, arrived: () => void): void {
    this.#arrivals.watch(connection, arrived);
  }

  /** Where this node listens. libp2p itself leaves out public addresses until a service of its own has confirmed them. */
  listening(): string[] {
    return this.#addresses().map(String);
  }

  /**
   * Makes a connection of something like a socket, which must name the peer that is expected in its address.
   *
   * @param initiator whether this side begins; the other side is told the opposite
   */
  upgrade(socket: MultiaddrConnection, initiator: boolean, signal: AbortSignal): Promise<Connection> {
    return this.#upgrader.upgradeOutbound(socket, { signal, initiator });
  }

  /**
   * Makes a connection to a member of a TCP socket that is connected, whoever connected it.
   *
   * @param remoteAddr must name the peer that is expected
   * @throws when somebody else is at the other end
   */
  async upgradeSocket(socket: Socket, remoteAddr: Multiaddr, initiator: boolean, signal: AbortSignal): Promise<Connection> {
    const log = this.#logger.forComponent("cairn:socket");
    const connection = new SocketConnection(socket, { remoteAddr, direction: initiator ? "outbound" : "inbound", log });
    try {
      return await this.upgrade(connection, initiator, signal);
    } catch (error) {
      connection.abort(asError(error));
      throw error;
    }
  }

  /** Undefined where it is not known. */
  localPort(connection: Connection): number | undefined {
    return ports.get(connection);
  }
}

/** Whether somebody has the port that a connection was to leave from. */
function isPortTrouble(error: unknown): boolean {
  return /^(EADDRINUSE|EADDRNOTAVAIL|EACCES)$/.test(systemCode(error) ?? "");
}
