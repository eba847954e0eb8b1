/**
 * Reading what a client sends, in the pieces that a protocol speaks of. What is long is read as it comes and is never whole in memory.
 *
 * Knows: bytes. Does not know: protocols.
 */
import { CairnError } from "../base/index.ts";

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Whether something has come, or will; false at the end. */
  async waits(): Promise<boolean> {
    return this.#rest.length > 0 || (await this.#more());
  }

  /** The next bytes, which are few. @throws {CairnError} frame-invalid: it ends before */
  async take(count: number): Promise<Buffer> {
    while (this.#rest.length < count) await this.#demand();
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }

  /** The next bytes, as they come. @throws {CairnError} frame-invalid: it ends before */
  async *stream(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) await this.#demand();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** What stands before the next sign, which must come within so many bytes; the sign is left. @throws {CairnError} frame-invalid */
  async until(sign: number, most: number): Promise<Buffer> {
    let end = this.#rest.indexOf(sign);
    while (end < 0) {
      if (this.#rest.length > most) throw new CairnError("frame-invalid", { what: "line" });
      await this.#demand();
      end = this.#rest.indexOf(sign);
    }
    return this.take(end);
  }

  async #demand(): Promise<void> {
    if (!(await this.#more())) throw new CairnError("frame-invalid", { what: "end" });
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    const chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    return true;
  }
}
