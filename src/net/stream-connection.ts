/**
 * A connection that runs in a stream of another one: what libp2p upgrades into a connection between two members that a relay joins.
 *
 * Knows: how a stream becomes what a socket is to libp2p. Does not know: where the stream leads.
 */
import type { AbortOptions, Stream } from "@libp2p/interface";
import { AbstractMultiaddrConnection, type SendResult } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import { asError } from "../base/index.ts";
import { onDrained } from "./drained.ts";

type Bytes = Parameters<AbstractMultiaddrConnection["sendData"]>[0];

export class StreamConnection extends AbstractMultiaddrConnection {
  readonly #stream: Stream;
  readonly #moved: (bytes: number) => void;

  /** @param moved hears of bytes that went either way */
  constructor(stream: Stream, remoteAddr: Multiaddr, moved: (bytes: number) => void) {
    super({ remoteAddr, direction: stream.direction, log: stream.log.newScope("connection") });
    this.#stream = stream;
    this.#moved = moved;
    stream.addEventListener("close", ({ error }) => this.onTransportClosed(error));
    // Not `remoteCloseWrite`, which comes before what is still buffered has been read.
    stream.addEventListener("end", () => {
      this.onRemoteCloseWrite();
      this.close().catch((error: unknown) => this.abort(asError(error)));
    });
    stream.addEventListener("message", ({ data }) => {
      moved(data.byteLength);
      this.onData(data);
    });
    onDrained(stream, () => this.safeDispatchEvent("drain"));
  }

  override sendData(data: Bytes): SendResult {
    const sentBytes = data.byteLength; // Sending empties the list.
    this.#moved(sentBytes);
    return { sentBytes, canSendMore: this.#stream.send(data) };
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    await this.#stream.close(options);
  }

  override sendReset(error: Error): void {
    this.#stream.abort(error);
  }

  override sendPause(): void {
    this.#stream.pause();
  }

  override sendResume(): void {
    this.#stream.resume();
  }
}
