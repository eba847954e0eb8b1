/**
 * libp2p over QUIC. Addresses end with `/quic-v1`.
 *
 * Loaded only by a node whose settings ask for QUIC. Why not libp2p's own transport, and what one gets: docs/decisions/0059-quic-selectable.md.
 * Knows: how one dials. Does not know: members, or what a stranger may cost; see quic-doorman.ts.
 */
import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { type ComponentLogger, type Connection, type PrivateKey, type Transport, transportSymbol, type Upgrader } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { asError, CairnError, limits } from "../base/index.ts";
import { Newcomers } from "./newcomers.ts";
import { portOf, speaksQuic } from "./ports.ts";
import { provenPeer, QuicConnection, upgradeOptions } from "./quic-connection.ts";
import { QuicListener } from "./quic-listener.ts";
import type { NativeClient, NativeConnection, NativeQuic } from "./quic-native.ts";

export interface QuicParts {
  readonly native: NativeQuic;
  readonly privateKey: PrivateKey;
  readonly logger: ComponentLogger;
  /** See Gate.denies. */
  readonly refuses: (ip: string, isClaimed: boolean) => boolean;
  readonly isFamiliar: (ip: string) => boolean;
}

type DialOptions = Parameters<Transport["dial"]>[1];

/** libp2p's transport, and how it ends: nothing more is dialled then. */
export interface QuicTransport extends Transport {
  readonly close: () => void;
}

export function quicTransport(parts: QuicParts): QuicTransport {
  const quic = new Quic(parts);
  const listenFilter = (addresses: Multiaddr[]): Multiaddr[] => addresses.filter((address) => speaksQuic(address.toString()));
  return {
    [transportSymbol]: true,
    [Symbol.toStringTag]: "cairn/quic",
    dial: (address, options) => quic.dial(address, options),
    createListener: ({ upgrader }) => quic.listener(upgrader),
    listenFilter,
    // Packets do not say on which network a link-local address means something.
    dialFilter: (addresses) => listenFilter(addresses).filter((address) => address.getComponents()[0]?.name !== "ip6zone"),
    close: () => quic.close(),
  };
}

class Quic {
  readonly #parts: QuicParts;
  readonly #config: object;
  /** Apart from those over TCP: who they are nobody has proved, not even where, so they keep out nobody but each other. */
  readonly #newcomers: Newcomers;
  /** By family, since the first dial. */
  readonly #clients = new Map<0 | 1, NativeClient>();

  constructor(parts: QuicParts) {
    this.#parts = parts;
    this.#newcomers = new Newcomers(parts.isFamiliar);
    const { idleMs, keepAliveMs, streamBytes, connectionBytes, socketBytes } = limits.quic;
    this.#config = new parts.native.QuinnConfig({
      privateKeyProto: privateKeyToProtobuf(parts.privateKey),
      handshakeTimeout: limits.helloDeadlineMs,
      maxIdleTimeout: idleMs,
      keepAliveInterval: keepAliveMs,
      maxConcurrentStreamLimit: limits.streamsPerPeer,
      maxStreamData: streamBytes,
      maxConnectionData: connectionBytes,
      receiveBufferSize: socketBytes,
      sendBufferSize: socketBytes,
    });
  }

  listener(upgrader: Upgrader): QuicListener {
    const { native, logger, refuses } = this.#parts;
    return new QuicListener({
      native,
      logger,
      upgrader,
      config: this.#config,
      newcomers: this.#newcomers,
      refuses: (ip) => refuses(ip, true),
      refusesMade: (ip) => refuses(ip, false),
    });
  }

  /** @throws when nobody answers in time, or somebody else than the address names */
  async dial(address: Multiaddr, options: DialOptions): Promise<Connection> {
    // Nobody says that nobody listens.
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(limits.helloDeadlineMs)]);
    const native = await this.#connect(address, signal);
    const connection = new QuicConnection(native, {
      remoteAddr: address,
      direction: "outbound",
      log: this.#parts.logger.forComponent("cairn:quic"),
    });
    try {
      const peer = provenPeer(native);
      const expected = address.getComponents().findLast(({ name }) => name === "p2p")?.value;
      if (peer.toString() !== expected) throw new CairnError("peer-absent", { why: "somebody else answers there" });
      return await options.upgrader.upgradeOutbound(connection, { ...options, ...upgradeOptions(connection, peer) });
    } catch (error) {
      connection.abort(asError(error));
      throw error;
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.abort();
    this.#clients.clear();
  }

  async #connect(address: Multiaddr, signal: AbortSignal): Promise<NativeConnection> {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(asError(signal.reason));
    signal.addEventListener("abort", abort);
    const connected = this.#open(address);
    try {
      return await Promise.race([connected, aborted]);
    } catch (error) {
      connected.then(
        (late) => late.abort(),
        () => undefined,
      );
      throw error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #open(address: Multiaddr): Promise<NativeConnection> {
    const { host, family } = await placeOf(address);
    const client = this.#clients.get(family) ?? new this.#parts.native.Client(this.#config, family);
    this.#clients.set(family, client);
    try {
      return await client.outboundConnection(host, portOf(address.toString())?.port ?? 0);
    } catch (error) {
      if (/endpoint/.test(asError(error).message)) this.#clients.delete(family); // It has ended, as when sockets were taken away.
      throw error;
    }
  }
}

/** Where packets go; names are looked up. */
async function placeOf(address: Multiaddr): Promise<{ host: string; family: 0 | 1 }> {
  const [host] = address.getComponents();
  const [name, value] = [host?.name ?? "", host?.value ?? ""];
  const wanted = name.endsWith("4") ? 4 : name.endsWith("6") ? 6 : 0;
  const ip = name.startsWith("dns") ? (await lookup(value, { family: wanted })).address : value;
  return { host: ip, family: isIPv6(ip) ? 1 : 0 };
}
