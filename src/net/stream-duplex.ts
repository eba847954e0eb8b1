/**
 * A stream of libp2p as one of Node's, with backpressure both ways.
 *
 * Knows: what is odd about libp2p's streams. Does not know: what they carry.
 */
import { Duplex } from "node:stream";
import type { Stream, StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { asError, limits } from "../base/index.ts";
import { onDrained } from "./drained.ts";

type Callback = (error?: Error | null) => void;

export class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  #drained: Callback | undefined;
  #bytesRead = 0;
  #bytesWritten = 0;

  constructor(stream: Stream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    stream.addEventListener("message", (event) => this.#take(event));
    onDrained(stream, () => this.#goOn());
    stream.addEventListener("end", () => this.#ended());
    stream.addEventListener("close", (event) => this.#closed(event));
    if (stream.readableEnded) this.#ended();
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  override _read(): void {
    if (this.#stream.readStatus === "paused") this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    try {
      this.#bytesWritten += chunk.length;
      if (this.#stream.send(chunk) || !this.#stream.writableNeedsDrain) return callback();
      this.#drained = callback; // libp2p's own onDrain() waits only once.
    } catch (error) {
      callback(asError(error));
    }
  }

  override _final(callback: Callback): void {
    void this.#end(callback);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    if (error !== null || !this.readableEnded || !this.writableFinished) this.#stream.abort(error ?? new Error("ended"));
    this.#goOn();
    callback(error);
  }

  /** What was written may wait for a reader as long as a tunnel may be idle. */
  async #end(callback: Callback): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(limits.tunnelIdleMs) });
    } catch (error) {
      return callback(asError(error));
    }
    callback();
  }

  #take({ data }: StreamMessageEvent): void {
    this.#bytesRead += data.byteLength;
    const more = this.push(Buffer.from(data.subarray()));
    if (!more && this.#stream.readStatus === "readable") this.#stream.pause();
  }

  #goOn(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  #ended(): void {
    const { status } = this.#stream;
    if (status !== "aborted" && status !== "reset") this.push(null);
  }

  #closed({ error }: StreamCloseEvent): void {
    this.#goOn();
    // Whoever still wants to write cannot; what has arrived can still be read.
    if (error !== undefined || !this.writableFinished) this.destroy(error ?? new Error("connection closed"));
  }
}
