/**
 * The sockets of a door that speaks for itself: so many at once, none of them silent for long, all ended with the door.
 *
 * Knows: sockets. Does not know: what is said on them.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createSecureServer } from "node:tls";
import { limits } from "../base/index.ts";
import { countTlsRefusals, type DoorTls, tlsOptions } from "./listening.ts";

export interface CallersParts {
  /** Answers one caller until it goes; never rejects. @param gone aborted when it has gone */
  readonly serve: (socket: Socket, gone: AbortSignal) => Promise<void>;
  readonly refused: (why: string) => void;
}

export interface CallersOptions {
  /** Without a byte either way. */
  readonly idleMs: number;
  /** Undefined: what is said can be read on its way, or does not leave this machine. */
  readonly tls: DoorTls | undefined;
}

export class Callers implements AsyncDisposable {
  readonly server: Server;
  readonly #sockets = new Set<Socket>();

  constructor({ serve, refused }: CallersParts, { idleMs, tls }: CallersOptions) {
    const begin = (socket: Socket): void => {
      const gone = new AbortController();
      socket.setTimeout(idleMs, () => socket.destroy());
      socket.on("error", () => undefined); // "close" follows.
      socket.once("close", () => gone.abort());
      void serve(socket, gone.signal);
    };
    this.server = tls === undefined ? createServer(begin) : createSecureServer(tlsOptions(tls), begin);
    this.server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    countTlsRefusals(this.server, refused);
    this.server.maxConnections = limits.doors.connections;
    this.server.on("drop", () => refused("too many connections"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
