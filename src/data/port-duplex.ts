/**
 * A stream whose other end is in another thread: bytes over a message port, with a window, so that neither side runs ahead of the other.
 *
 * Knows: message ports. Does not know: what is at the other end; on the main thread it is a stream of libp2p.
 */
import { Duplex } from "node:stream";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { limits } from "../base/index.ts";
import type { CountedDuplex } from "./carriers.ts";

type PortMessage =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** So many bytes were read: as many more may be sent. */
  | { readonly kind: "read"; readonly count: number }
  | { readonly kind: "end" }
  | { readonly kind: "broken"; readonly why: string };

type Callback = (error?: Error | null) => void;

export class PortDuplex extends Duplex implements CountedDuplex {
  readonly #port: MessagePort;
  /** Sent, and not read yet. */
  #sentBytes = 0;
  #waiting: Callback | undefined;
  readonly #arrived: Uint8Array[] = [];
  #wanted = false;
  #endArrived = false;
  #bytesRead = 0;
  #bytesWritten = 0;

  constructor(port: MessagePort) {
    super({ allowHalfOpen: true });
    this.#port = port;
    port.on("message", (message: PortMessage) => this.#take(message));
    port.once("close", () => {
      // What has arrived before a proper end can still be read.
      if (!this.#endArrived || !this.writableFinished) this.destroy();
    });
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    const bytes = new Uint8Array(chunk); // A copy: buffers share their memory with others, and memory is given away here.
    this.#bytesWritten += bytes.length;
    this.#sentBytes += bytes.length;
    this.#post({ kind: "bytes", bytes }, [bytes.buffer]);
    if (this.#sentBytes < limits.dataThreadBytes) return callback();
    this.#waiting = callback;
  }

  override _final(callback: Callback): void {
    this.#post({ kind: "end" });
    callback();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    if (error !== null || !this.readableEnded || !this.writableFinished) this.#post({ kind: "broken", why: error?.message ?? "" });
    this.#port.close();
    callback(error);
  }

  #post(message: PortMessage, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #take(message: PortMessage): void {
    switch (message.kind) {
      case "bytes":
        this.#arrived.push(message.bytes);
        return this.#deliver();
      case "read": {
        this.#sentBytes -= message.count;
        const waiting = this.#waiting;
        if (waiting === undefined || this.#sentBytes >= limits.dataThreadBytes) return;
        this.#waiting = undefined;
        return waiting();
      }
      case "end":
        this.#endArrived = true;
        return this.#deliver();
      case "broken":
        this.destroy(message.why === "" ? undefined : new Error(message.why));
    }
  }

  #deliver(): void {
    while (this.#wanted && this.#arrived.length > 0) {
      const bytes = this.#arrived.shift();
      if (bytes === undefined) break;
      this.#bytesRead += bytes.length;
      this.#wanted = this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      this.#post({ kind: "read", count: bytes.length });
    }
    if (this.#endArrived && this.#arrived.length === 0 && this.#wanted) {
      this.#wanted = false;
      this.push(null);
    }
  }
}

/** Joins a stream of this thread with another thread's, which makes a {@link PortDuplex} of the port that is returned. */
export function bridge(bytes: Duplex): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const here = new PortDuplex(port1);
  // Not pipeline(), which takes the end of one half for the end of the stream.
  bytes.pipe(here).pipe(bytes);
  for (const [one, other] of [
    [bytes, here],
    [here, bytes],
  ] as const)
    one
      .on("error", (error: Error) => other.destroy(error))
      .once("close", () => {
        if (!one.readableEnded || !one.writableFinished) other.destroy();
      });
  return port2;
}
