/**
 * The libp2p node: TCP or WebSocket, Noise, yamux; QUIC where that is asked for; and nothing that speaks before the gate has opened.
 *
 * Every setting that is not libp2p's default is here, with the reason. Measured facts behind them: docs/decisions/0008-libp2p.md.
 */
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { ComponentLogger, Libp2p, PrivateKey, Transport } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { type TCPSocketOptions, tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { ed25519FromSeed, limits } from "../base/index.ts";
import { Dialler, withZones } from "./dialler.ts";
import { Doorman } from "./doorman.ts";
import { Newcomers } from "./newcomers.ts";
import type { QuicTransport } from "./quic.ts";
import type { MakeQuic } from "./quic-choice.ts";
import { dialFromKnownPorts, Ways } from "./ways.ts";
import { listenerFor, webSockets } from "./websocket.ts";

export interface Libp2pParts {
  /** Whether a connection from an IP address is refused before anything is made of it. */
  readonly refuses: (ip: string, isClaimed: boolean) => boolean;
  /** Whether members have come from there; of all others there are only so many at once that say nothing. */
  readonly isFamiliar: (ip: string) => boolean;
}

export interface Libp2pOptions {
  /** The peer key's 32 secret bytes. */
  readonly seed: Uint8Array;
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[];
  /** What speaks QUIC, if this node is to. */
  readonly quic?: MakeQuic | undefined;
}

export type Node = Libp2p<{ ways: Ways; dialler: Dialler; newcomers: Newcomers }>;

const KIB = 1_024;
/** From familiar addresses, and from all others. */
const UNPROVEN: number = 2 * limits.unprovenConnections;

/** A node that does nothing until it is started; that fails when an address cannot be listened on. */
export async function makeLibp2p({ refuses, isFamiliar }: Libp2pParts, options: Libp2pOptions): Promise<Node> {
  const doorman = new Doorman((ip) => refuses(ip, false));
  const listening: TCPSocketOptions & { readonly blockList: Doorman } = { blockList: doorman }; // Node's own option for servers.
  const newcomers = new Newcomers(isFamiliar);
  const listener = await listenerFor(options.listen);
  const privateKey = privateKeyOf(options.seed);
  let quic: QuicTransport | undefined;
  const makeQuic = (make: MakeQuic, logger: ComponentLogger): Transport => {
    quic = make({ privateKey, logger, refuses, isFamiliar });
    return quic;
  };
  const node: Node = await createLibp2p({
    start: false, // First the gate must stand.
    privateKey,
    addresses: { listen: [...options.listen] },
    transports: [
      (components) => withZones(dialFromKnownPorts(tcp({ backlog: 64, listenOpts: listening })(components))),
      ({ logger }) => dialFromKnownPorts(webSockets({ logger, doorman, newcomers, listener })),
      ...[options.quic ?? []].flat().map(
        (make) =>
          ({ logger }: { readonly logger: ComponentLogger }) =>
            makeQuic(make, logger),
      ),
    ],
    services: {
      ways: ({ upgrader, transportManager, logger }) => new Ways({ upgrader, logger, addresses: () => transportManager.getAddrs() }),
      dialler: ({ transportManager }) => new Dialler(transportManager),
      newcomers: ({ upgrader }) => {
        newcomers.watch(upgrader);
        return newcomers;
      },
    },
    // TLS would be faster, but its certificates are dated: it fails between clocks that are an hour wrong each.
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        // Links ping by themselves, and see more: whether the other side still handles frames.
        enableKeepAlive: false,
        maxInboundStreams: limits.streamsPerPeer,
        maxOutboundStreams: limits.streamsPerPeer,
        streamOptions: {
          // A stream that is not read must be able to hold a whole window, or libp2p resets it.
          initialStreamWindowSize: 256 * KIB,
          maxStreamWindowSize: 1_024 * KIB,
          maxReadBufferLength: 2_048 * KIB,
          maxWriteBufferLength: limits.memberQueueBytes,
        },
      }),
    ],
    connectionManager: {
      maxConnections: limits.peers + UNPROVEN,
      // The default of 5 a second refuses colleagues behind one address; the gate counts strangers by itself.
      inboundConnectionThreshold: limits.peers,
      maxIncomingPendingConnections: 2 * limits.newcomers, // Each kind has its share: newcomers.ts.
      inboundUpgradeTimeout: limits.helloDeadlineMs,
      inboundStreamProtocolNegotiationTimeout: limits.helloDeadlineMs,
      outboundStreamProtocolNegotiationTimeout: limits.helloDeadlineMs,
      dialTimeout: limits.dialDeadlineMs,
      addressDialTimeout: limits.dialDeadlineMs,
      maxPeerAddrsToDial: limits.addressesPerHost,
      reconnectRetries: 0, // redial.ts does that.
    },
    connectionMonitor: { enabled: false }, // It would open a stream to whoever connects.
    nodeInfo: { name: "cairn", userAgent: "cairn" },
  });
  node.addEventListener("stop", () => quic?.close());
  return node;
}

/** libp2p would find the public half in JavaScript, and take 30 ms for it when a process has just started. */
function privateKeyOf(seed: Uint8Array): PrivateKey {
  return privateKeyFromRaw(Buffer.concat([seed, ed25519FromSeed(seed).publicBytes]));
}
