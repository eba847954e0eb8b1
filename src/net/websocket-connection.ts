/**
 * A WebSocket as libp2p wants it: its messages are pieces of one stream of bytes.
 *
 * Knows: how WebSockets end. Does not know: who is at the other end, or how the WebSocket came about.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AbortOptions } from "@libp2p/interface";
import type { SendResult } from "@libp2p/utils";
import { createWebSocketStream, type MessageLimits, WebSocket } from "ws";
import { limits } from "../base/index.ts";
import { DuplexConnection, type DuplexConnectionOptions } from "./duplex-connection.ts";

/** The same at both ends. */
export const messageLimits: MessageLimits = {
  maxPayload: limits.webSocketMessageBytes,
  perMessageDeflate: false,
  closeTimeout: limits.linkFlushMs,
};

/**
 * Asks for a WebSocket.
 *
 * @param connected makes the socket that it is to run over
 * @throws what the socket says, or what the other side answers instead; and when the signal is aborted before
 */
export async function openWebSocket(url: string, connected: () => Socket, signal: AbortSignal): Promise<WebSocket> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const webSocket = new WebSocket(url, { ...messageLimits, generateMask: noMask, createConnection: connected });
  const giveUp = (): void => webSocket.terminate();
  signal.addEventListener("abort", giveUp);
  webSocket.once("open", resolve);
  webSocket.on("error", reject); // Not once: a second one would have nobody to hear it.
  await promise.finally(() => signal.removeEventListener("abort", giveUp));
  return webSocket;
}

/**
 * A mask keeps a web page from choosing what proxies see on the wire (RFC 6455, section 10.3). All that goes over these WebSockets is
 * encrypted already, and masking it byte by byte costs more than the encryption.
 */
function noMask(mask: Buffer): void {
  mask.fill(0);
}

export class WebSocketConnection extends DuplexConnection {
  readonly #duplex: Duplex;
  readonly #webSocket: WebSocket;

  constructor(webSocket: WebSocket, options: Omit<DuplexConnectionOptions, "maxMessageSize">) {
    const duplex = createWebSocketStream(webSocket, { writableHighWaterMark: limits.webSocketMessageBytes });
    super(duplex, { ...options, maxMessageSize: limits.webSocketMessageBytes });
    this.#duplex = duplex;
    this.#webSocket = webSocket;
    // Who breaks the protocol would be given time to agree to the end.
    webSocket.on("error", (error) => this.abort(error));
  }

  /** One message for all of it: pieces can be as small as a length. */
  override sendData(data: Parameters<DuplexConnection["sendData"]>[0]): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.#duplex.write(data.subarray()) };
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    if (this.#duplex.destroyed) return;
    this.#duplex.end();
    await once(this.#duplex, "close", options?.signal === undefined ? {} : { signal: options.signal });
  }

  override sendReset(): void {
    // The closing handshake asks the other side; this does not.
    this.#webSocket.terminate();
  }
}
