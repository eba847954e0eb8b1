/**
 * Where this node takes connections that speak WebSocket.
 *
 * A stranger gets as little as over TCP: the doorman comes first, then there are so many sockets at once that have not yet asked for a WebSocket, each
 * with the deadline of a hello; any other request is answered once, and web pages, whose browsers name their origin, are sent away.
 * Knows: HTTP's upgrade. Does not know: what is said over a WebSocket.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { type AddressInfo, type BlockList, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ComponentLogger, type Listener, type ListenerEvents, TypedEventEmitter, type Upgrader } from "@libp2p/interface";
import { getThinWaistAddresses, ipPortToMultiaddr } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import { type WebSocket, WebSocketServer } from "ws";
import { asError, limits } from "../base/index.ts";
import type { Newcomers } from "./newcomers.ts";
import { messageLimits, WebSocketConnection } from "./websocket-connection.ts";

export interface WebSocketListenerParts {
  readonly upgrader: Upgrader;
  readonly logger: ComponentLogger;
  /** Asked before a socket is made of a connection. */
  readonly doorman: BlockList;
  /** Sockets have a place among them until they have asked for a WebSocket, and what has become of them has one of its own. */
  readonly newcomers: Newcomers;
}

interface Unasked {
  readonly timer: NodeJS.Timeout;
  readonly place: Disposable;
}

export class WebSocketListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #parts: WebSocketListenerParts;
  readonly #server: Server;
  readonly #http = createHttpServer({ maxHeaderSize: limits.webSocketHeaderBytes });
  readonly #webSockets = new WebSocketServer({ ...messageLimits, noServer: true, clientTracking: false });
  readonly #ending = new AbortController();
  readonly #sockets = new Set<Socket>();
  /** Sockets that have not asked for a WebSocket yet. */
  readonly #unasked = new Map<Duplex, Unasked>();
  #address: Multiaddr | undefined;

  constructor(parts: WebSocketListenerParts) {
    super();
    this.#parts = parts;
    this.#server = createServer({ blockList: parts.doorman, noDelay: true, keepAlive: true }, (socket) => this.#came(socket));
    this.#server.on("listening", () => this.safeDispatchEvent("listening"));
    this.#server.on("error", (error) => this.safeDispatchEvent("error", { detail: error }));
    this.#server.on("close", () => this.safeDispatchEvent("close"));
    this.#http.on("request", refuse);
    this.#http.on("clientError", (_error, socket) => socket.destroy());
    this.#http.on("upgrade", (request, socket, head) => this.#asked(request, socket, head));
  }

  /** @throws when it cannot be listened there */
  async listen(address: Multiaddr): Promise<void> {
    this.#address = address;
    const [host, port] = address.getComponents();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    // Both families of one port are two listeners.
    this.#server.listen({ host: host?.value, port: Number(port?.value), ipv6Only: host?.name === "ip6", backlog: 64 }, resolve);
    await promise.finally(() => this.#server.off("error", reject));
  }

  getAddrs(): Multiaddr[] {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? [] : getThinWaistAddresses(this.#address, bound.port).map((address) => address.encapsulate("/ws"));
  }

  /** There is nothing to add. */
  updateAnnounceAddrs(): void {}

  /** Ends all that came through here. */
  async close(): Promise<void> {
    this.#ending.abort();
    const closed = Promise.withResolvers<void>();
    this.#server.close(() => closed.resolve());
    for (const socket of this.#sockets) socket.destroy();
    await closed.promise;
  }

  #came(socket: Socket): void {
    const place = this.#parts.newcomers.admit(plain(socket.remoteAddress ?? ""));
    if (place === undefined) return void socket.destroy();
    this.#sockets.add(socket);
    this.#unasked.set(socket, { place, timer: setTimeout(() => socket.destroy(), limits.helloDeadlineMs) });
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#hasAsked(socket);
    });
    this.#http.emit("connection", socket);
  }

  #hasAsked(socket: Duplex): void {
    const unasked = this.#unasked.get(socket);
    clearTimeout(unasked?.timer);
    unasked?.place[Symbol.dispose]();
    this.#unasked.delete(socket);
  }

  #asked(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const { remoteAddress, remotePort } = request.socket;
    if (remoteAddress === undefined || remotePort === undefined) return; // It has gone.
    if (request.headers.origin !== undefined) return void socket.end(`HTTP/1.1 403 ${STATUS_CODES[403]}\r\nConnection: close\r\n\r\n`);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#hasAsked(socket);
      this.#begin(webSocket, ipPortToMultiaddr(plain(remoteAddress), remotePort).encapsulate("/ws"));
    });
  }

  /** From here on it is a connection like any other: libp2p has its deadlines, and then the gate. */
  #begin(webSocket: WebSocket, remoteAddr: Multiaddr): void {
    const { upgrader, logger } = this.#parts;
    const log = logger.forComponent("cairn:websocket");
    const connection = new WebSocketConnection(webSocket, { remoteAddr, direction: "inbound", log });
    upgrader.upgradeInbound(connection, { signal: this.#ending.signal }).catch((error: unknown) => connection.abort(asError(error)));
  }
}

/** A multiaddr, and whoever counts by address, knows no zone. */
function plain(address: string): string {
  return address.replace(/%.*$/, "");
}

/** Whatever is not asking for a WebSocket. */
function refuse(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { connection: "close", upgrade: "websocket" }).end();
}
