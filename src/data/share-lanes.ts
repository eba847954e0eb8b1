/**
 * Lanes of the exchange: TLS connections whose frames belong to the thread that shares.
 *
 * Knows: the service's name, and that nothing but TLS is worth it. Does not know: what a frame means.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Key } from "../base/index.ts";
import type { DataPlane, DataStream } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { BlobHasher } from "./blob-hasher.ts";
import { carryFrames } from "./frame-port.ts";

export interface LaneParts {
  readonly plane: DataPlane;
  readonly codec: NetworkCodec;
}

const SHARE = "share";

/** @returns the end of the lane that the other thread takes. @throws as {@link DataPlane.open} */
export async function openShareLane({ plane, codec }: LaneParts, key: Key, signal: AbortSignal): Promise<MessagePort> {
  return portOf(await plane.open({ key, service: SHARE, argument: "" }, signal, "tls"), codec);
}

/** @param opened is given the end of each lane that a member has opened */
export function serveShareLanes({ plane, codec }: LaneParts, opened: (key: Key, port: MessagePort) => void): void {
  plane.serve(SHARE, ({ key }) => Promise.resolve({ kind: "ready", begin: (stream) => opened(key, portOf(stream, codec)) }));
}

function portOf(stream: DataStream, codec: NetworkCodec): MessagePort {
  const { port1, port2 } = new MessageChannel();
  carryFrames(stream, port1, new BlobHasher(codec));
  return port2;
}
