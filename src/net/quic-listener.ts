/**
 * Where this node takes connections that speak QUIC: behind the doorman, as many handshakes at once as it lets through.
 *
 * Knows: from the end of a handshake to a connection of libp2p. Does not know: what is said on it.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type ComponentLogger, type Listener, type ListenerEvents, TypedEventEmitter, type Upgrader } from "@libp2p/interface";
import { getThinWaistAddresses } from "@libp2p/utils";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { asError, limits } from "../base/index.ts";
import { addressAt, portOf } from "./ports.ts";
import { provenPeer, QuicConnection, upgradeOptions } from "./quic-connection.ts";
import { type Origin, QuicDoorman, type QuicDoormanParts } from "./quic-doorman.ts";
import type { NativeConnection, NativeQuic, NativeServer } from "./quic-native.ts";

export interface QuicListenerParts extends QuicDoormanParts {
  readonly native: NativeQuic;
  readonly config: object;
  readonly upgrader: Upgrader;
  readonly logger: ComponentLogger;
  /** Whether a connection is refused, from an address from which packets have come and to which they have gone. */
  readonly refusesMade: (ip: string) => boolean;
}

/** As many as have places: nobody waits for others' handshakes. */
const AT_ONCE = 2 * limits.newcomers;

export class QuicListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #parts: QuicListenerParts;
  readonly #ending = new AbortController();
  readonly #connections = new Set<QuicConnection>();
  #server: NativeServer | undefined;
  #doorman: QuicDoorman | undefined;
  #address: Multiaddr | undefined;
  #port = 0;

  constructor(parts: QuicListenerParts) {
    super();
    this.#parts = parts;
  }

  /** @throws when it cannot be listened there */
  async listen(address: Multiaddr): Promise<void> {
    const { native, config, ...parts } = this.#parts;
    const [host] = address.getComponents();
    this.#server = new native.Server(config, "127.0.0.1", 0);
    this.#doorman = new QuicDoorman(parts, { family: host?.name === "ip6" ? 6 : 4, innerPort: this.#server.port() });
    try {
      this.#port = await this.#doorman.listen(host?.value ?? "", portOf(address.toString())?.port ?? 0);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#address = address;
    for (let one = 0; one < AT_ONCE; one++) void this.#accept(this.#server);
    this.safeDispatchEvent("listening");
  }

  getAddrs(): Multiaddr[] {
    if (this.#address === undefined) return [];
    return getThinWaistAddresses(this.#address, this.#port).map((address) => address.encapsulate("/quic-v1"));
  }

  /** There is nothing to add. */
  updateAnnounceAddrs(): void {}

  /** Ends all that came through here. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#address = undefined;
    for (const connection of this.#connections) connection.abort(new Error("this node stops"));
    // What has ended is told to the other sides through the doorman's socket. They need not hear it.
    await Promise.race([this.#server?.abort(), pause(limits.quic.lingerMs)]);
    this.#doorman?.close();
    this.safeDispatchEvent("close");
  }

  /** One handshake after the other. */
  async #accept(server: NativeServer): Promise<void> {
    while (!this.#ending.signal.aborted) {
      try {
        this.#came(await server.inboundConnection());
      } catch (error) {
        // Somebody has not come through; or nobody will any more.
        if (asError(error).message === "server closed") return;
      }
    }
  }

  #came(native: NativeConnection): void {
    const { refusesMade } = this.#parts;
    const from = native.remoteMultiaddr();
    // Ports are each address's own, and all of 127.0.0.0/8 gets to where QUIC is spoken.
    const origin = from.startsWith("/ip4/127.0.0.1/") ? this.#doorman?.made(portOf(from)?.port ?? 0) : undefined;
    if (origin === undefined || this.#ending.signal.aborted || refusesMade(origin.ip)) {
      origin?.[Symbol.dispose]();
      return native.abort();
    }
    this.#begin(native, origin);
  }

  /** From here on it is a connection like any other: libp2p has its deadlines, and then the gate. */
  #begin(native: NativeConnection, origin: Origin): void {
    const { upgrader, logger } = this.#parts;
    const remoteAddr = multiaddr(addressAt(origin.ip, { port: origin.port, speaks: "quic" }));
    const connection = new QuicConnection(native, { remoteAddr, direction: "inbound", log: logger.forComponent("cairn:quic") });
    this.#connections.add(connection);
    void connection.over.then(() => {
      this.#connections.delete(connection);
      // Its last packet, that it has ended, may be on its way to the doorman.
      setTimeout(() => origin[Symbol.dispose](), limits.quic.lingerMs).unref();
    });
    this.#upgrade(connection, native, upgrader).catch((error: unknown) => connection.abort(asError(error)));
  }

  async #upgrade(connection: QuicConnection, native: NativeConnection, upgrader: Upgrader): Promise<void> {
    await upgrader.upgradeInbound(connection, { ...upgradeOptions(connection, provenPeer(native)), signal: this.#ending.signal });
  }
}
