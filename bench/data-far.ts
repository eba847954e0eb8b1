/**
 * The far side of the data plane's benchmark, in a process of its own: every contender's server. It sends its ports to its parent.
 */
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { silentLog } from "../src/base/index.ts";
import { addressOf, dataStream, Plane, TlsServer, tlsIdentity } from "../src/data/index.ts";
import { loadNetworkCodec } from "../src/wire/index.ts";
import { ECHO, type Encrypter, libp2pNode, SINK } from "./data-libp2p.ts";

/** What the parent needs to connect. */
export interface FarPorts {
  readonly raw: number;
  readonly plane: number;
  readonly libp2p: Readonly<Record<Encrypter, string>>;
}

export const FAR_SEED = 2;

const identity = tlsIdentity(Buffer.alloc(32, FAR_SEED));

/** Takes everything, then says so with one byte. */
function sink(bytes: Duplex): void {
  bytes.on("data", () => undefined).once("end", () => bytes.end(Buffer.from([1])));
}

async function raw(): Promise<number> {
  const server = tls.createServer({ ...identity, minVersion: "TLSv1.3", allowHalfOpen: true }, sink);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function plane(): Promise<number> {
  const parts = { codec: await loadNetworkCodec(), log: silentLog, now: () => performance.now(), isMember: () => true };
  const one = new Plane({ ...parts, carriers: [] });
  one.serve("sink", () => Promise.resolve({ kind: "ready", begin: ({ bytes }) => sink(bytes) }));
  one.serve("echo", () => Promise.resolve({ kind: "ready", begin: ({ bytes }) => void bytes.pipe(bytes) }));
  const accept = (key: string, socket: tls.TLSSocket): void => one.admit(dataStream(key, "tls", addressOf(socket), socket));
  return new TlsServer({ ...parts, accept }, identity).listen("127.0.0.1", [0]);
}

async function libp2p(encrypter: Encrypter): Promise<string> {
  const node = await libp2pNode(encrypter, FAR_SEED, true);
  await node.handle(SINK, (stream) => {
    stream.addEventListener("message", () => undefined);
    stream.addEventListener("remoteCloseWrite", () => {
      stream.send(Buffer.from([1]));
      void stream.close();
    });
  });
  await node.handle(ECHO, (stream) => {
    stream.addEventListener("message", ({ data }) => void stream.send(data));
    stream.addEventListener("remoteCloseWrite", () => void stream.close());
  });
  return String(node.getMultiaddrs()[0]);
}

process.once("disconnect", () => process.exit());
process.send?.({
  raw: await raw(),
  plane: await plane(),
  libp2p: { TLS: await libp2p("TLS"), Noise: await libp2p("Noise") },
} satisfies FarPorts);
