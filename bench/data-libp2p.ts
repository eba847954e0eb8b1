/**
 * Nodes of libp2p as contenders: its own TLS, and its Noise, over TCP and yamux with the windows that Cairn uses.
 */
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Libp2p } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";

export type Encrypter = "TLS" | "Noise";

/** Protocols of the far side: takes everything and says when it has; answers each request. */
export const SINK = "/bench/sink/1";
export const ECHO = "/bench/echo/1";

const KIB = 1_024;

/** @param listen whether it takes connections, on loopback */
export async function libp2pNode(encrypter: Encrypter, seed: number, listen: boolean): Promise<Libp2p> {
  return createLibp2p({
    privateKey: await generateKeyPairFromSeed("Ed25519", Buffer.alloc(32, seed)),
    addresses: { listen: listen ? ["/ip4/127.0.0.1/tcp/0"] : [] },
    transports: [tcp()],
    connectionEncrypters: [encrypter === "TLS" ? tls() : noise()],
    streamMuxers: [
      yamux({ streamOptions: { initialStreamWindowSize: 256 * KIB, maxStreamWindowSize: 1_024 * KIB, maxReadBufferLength: 2_048 * KIB } }),
    ],
    connectionMonitor: { enabled: false },
  });
}
