/**
 * Takes TLS connections: whoever connects proves a member's key within a deadline, or is gone.
 *
 * Knows: sockets, how many of them have proved nothing, how often each address tried. Does not know: what a member may ask for.
 */
import net, { type AddressInfo } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { Attempts, CairnError, type Key, type Log, limits, Refusals, systemCode } from "../base/index.ts";
import { certifiedKey, type TlsIdentity } from "./certificate.ts";
import { socketOptions, tlsOptions } from "./tls-options.ts";

export interface TlsServerParts {
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  readonly isMember: (key: Key) => boolean;
  /** Is given every connection of a member. */
  readonly accept: (key: Key, socket: TLSSocket) => void;
}

export class TlsServer implements AsyncDisposable {
  readonly #parts: TlsServerParts;
  readonly #refusals: Refusals;
  readonly #attempts: Attempts;
  /** By the other side's address and port. */
  readonly #unproven = new Map<string, net.Socket>();
  readonly #tls: tls.Server;
  readonly #listener: net.Server;

  constructor(parts: TlsServerParts, identity: TlsIdentity) {
    this.#parts = parts;
    this.#refusals = new Refusals(parts, "data.refused");
    this.#attempts = new Attempts(parts, { perPlace: limits.unprovenPerAddress, perMinute: limits.unprovenPerMinute });
    this.#tls = tls.createServer({ ...tlsOptions(identity), requestCert: true, handshakeTimeout: limits.helloDeadlineMs });
    this.#tls.on("secureConnection", (socket) => this.#secured(socket));
    this.#tls.on("tlsClientError", (error, socket) => {
      this.#unproven.delete(nameOf(socket));
      this.#refusals.add(systemCode(error) ?? error.message, socket.remoteAddress ?? "");
      socket.destroy();
    });
    // A listener of its own: TLS costs nothing before a connection has passed it.
    this.#listener = net.createServer(socketOptions, (socket) => this.#connected(socket));
    this.#listener.maxConnections = limits.dataStreams + limits.dataUnproven;
  }

  /**
   * Listens on the first of these ports that is free.
   *
   * @param host an IP address; "" for every address of this machine
   * @returns the port
   * @throws {CairnError} address-unavailable
   */
  async listen(host: string, ports: readonly number[]): Promise<number> {
    let failure: unknown;
    for (const port of ports) {
      try {
        return await listenOn(this.#listener, host, port);
      } catch (error) {
        failure = error;
      }
    }
    throw new CairnError("address-unavailable", { address: host, why: systemCode(failure) ?? String(failure) }, failure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#unproven.values()) socket.destroy();
    if (this.#listener.listening) await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  #connected(socket: net.Socket): void {
    const address = socket.remoteAddress ?? "";
    const tooMany = this.#attempts.tooMany(address);
    if (tooMany || this.#unproven.size >= limits.dataUnproven) {
      this.#refusals.add(tooMany ? "too-many-attempts" : "too-many-unproven", address);
      socket.destroy();
      return;
    }
    const name = nameOf(socket);
    this.#unproven.set(name, socket);
    socket.once("close", () => this.#unproven.delete(name));
    this.#tls.emit("connection", socket);
  }

  #secured(socket: TLSSocket): void {
    this.#unproven.delete(nameOf(socket));
    const key = certifiedKey(socket.getPeerX509Certificate());
    const address = socket.remoteAddress ?? "";
    if (key === undefined || !this.#parts.isMember(key)) {
      this.#refusals.add("stranger", address);
      socket.destroy();
      return;
    }
    this.#attempts.takeBack(address);
    socket.on("error", () => undefined); // "close" tells, too.
    this.#parts.accept(key, socket);
  }
}

function nameOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function listenOn(server: net.Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: host === "" ? undefined : host }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
