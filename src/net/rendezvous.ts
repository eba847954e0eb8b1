/**
 * Rendezvous: one TCP connection with somebody whose address is known, from and at one local port, whoever's packets get through first.
 *
 * The port listens and connects at the same time. What goes out makes the router let answers in; what comes in meets either the attempt
 * to connect, and TCP makes one connection of the two (RFC 9293, section 3.5), or the listener, and nothing is ever refused: a refusal
 * would make routers forget, or distrust what follows.
 * Knows: sockets and one port. Does not know: how addresses were exchanged, or what the connection is for.
 */
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { setTimeout as pause, setImmediate } from "node:timers/promises";

export interface RendezvousOptions {
  /** In use by other connections of this process, if at all. */
  readonly localPort: number;
  readonly family: 4 | 6;
}

/** Between two attempts to connect, with as much again by chance. */
const AGAIN_MS = 100;
/** What has arrived at the listener is accepted before it stops listening, or the system would reset it. */
const ACCEPT_FIRST_MS = 20;
/** Sockets that are taken; the port is open to everybody for a moment. */
const SOCKETS_MOST = 4;

export class Rendezvous implements Disposable {
  readonly #options: RendezvousOptions;
  readonly #take: (socket: Socket) => Promise<void>;
  #server: Server | undefined;
  #connecting: Socket | undefined;
  #taken = 0;
  /** Of them, those of which nobody knows yet whether they are any good. */
  #tried = 0;
  #ended = false;

  /** @param take is given each socket that is connected; it must see who is at the other end, is done when it knows, and never throws */
  constructor(take: (socket: Socket) => Promise<void>, options: RendezvousOptions) {
    this.#take = take;
    this.#options = options;
  }

  /** From now on this side can be met. Where the system does not let the port be listened on, it can only go out to meet. */
  async listen(): Promise<void> {
    const { localPort: port, family } = this.#options;
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#met(socket));
    this.#server = server;
    const done = new Promise<void>((resolve) => server.once("listening", resolve).once("error", () => resolve()));
    server.listen(family === 4 ? { port, host: "0.0.0.0" } : { port, host: "::", ipv6Only: true });
    await done;
  }

  /** Goes out to meet, again and again until disposed of. */
  async connect(host: string, port: number): Promise<void> {
    while (!this.#ended) {
      if (this.#server !== undefined || this.#tried > 0) await pause(ACCEPT_FIRST_MS);
      if (this.#tried > 0 || this.#ended) continue;
      // A port that somebody listens on cannot be connected from. The other way round it can.
      this.#server?.close();
      const socket = dial({ host, port, localPort: this.#options.localPort, noDelay: true, keepAlive: true });
      this.#connecting = socket;
      const done = new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
        socket.once("close", () => resolve(false));
      });
      await setImmediate(); // Now the attempt has left.
      if (!this.#ended) await this.listen();
      if (await done) this.#met(socket);
      else await pause(AGAIN_MS + AGAIN_MS * Math.random());
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#server?.close();
    if (this.#connecting?.connecting === true) this.#connecting.destroy();
  }

  #met(socket: Socket): void {
    this.#taken += 1;
    socket.on("error", () => undefined); // Told by its closing.
    if (this.#ended || this.#taken > SOCKETS_MOST) return void socket.destroy();
    this.#tried += 1;
    void this.#take(socket).finally(() => {
      this.#tried -= 1;
    });
  }
}
