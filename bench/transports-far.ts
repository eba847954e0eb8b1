/**
 * The far side of the benchmark of transports, in a process of its own: a node as links have it, on both. It sends its addresses to its
 * parent, and what it has cost whenever it is asked.
 */
import type { Stream } from "@libp2p/interface";
import { limits } from "../src/base/index.ts";
import { makeLibp2p, type Node } from "../src/net/libp2p.ts";
import { chooseQuic } from "../src/net/quic-choice.ts";

/** Protocols: takes everything and says when it has; answers each request. */
export const SINK = "/bench/sink/1";
export const ECHO = "/bench/echo/1";
const LISTEN: readonly string[] = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];

export interface Cost {
  /** CPU since the process began. */
  readonly cpuMs: number;
  readonly heapBytes: number;
}

/** @param collect whether what nothing refers to is left out of the heap */
export function costNow(collect: boolean): Cost {
  if (collect) globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, heapBytes: process.memoryUsage().heapUsed };
}

/** @throws when QUIC cannot be loaded */
export async function transportsNode(seed: number, listen: readonly string[]): Promise<Node> {
  const quic = await chooseQuic([LISTEN]);
  if (quic.trouble !== undefined) throw new Error(quic.trouble);
  const parts = { refuses: () => false, isFamiliar: () => false };
  const node = await makeLibp2p(parts, { seed: Buffer.alloc(32, seed), listen, quic: quic.make });
  await node.start();
  return node;
}

function sink(stream: Stream): void {
  stream.addEventListener("message", () => undefined);
  stream.addEventListener("remoteCloseWrite", () => {
    stream.send(Buffer.from([1]));
    void stream.close();
  });
}

function echo(stream: Stream): void {
  stream.addEventListener("message", ({ data }) => void stream.send(data));
  stream.addEventListener("remoteCloseWrite", () => void stream.close());
}

if (import.meta.main) {
  const node = await transportsNode(2, LISTEN);
  const most = { maxInboundStreams: limits.streamsPerPeer };
  await node.handle(SINK, sink, most);
  await node.handle(ECHO, echo, most);
  process.once("disconnect", () => process.exit());
  process.on("message", (collect: boolean) => process.send?.(costNow(collect)));
  const at = node.services.ways.listening();
  process.send?.(at.map((address) => `${address}/p2p/${node.peerId.toString()}`));
}
