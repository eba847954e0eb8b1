/**
 * Little-endian readers and writers that never run past their bytes. What the bytes mean is their callers' business.
 */
import { CairnError } from "../base/index.ts";

/** Reads what a peer sent; anything short or oversized throws `frame-invalid`. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  /** A view of the next bytes, not a copy. */
  bytes(length: number): Buffer {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** u32 length and that many bytes. */
  block(): Buffer {
    return this.bytes(this.u32());
  }

  /** u32 length and UTF-8 text; `exact` is false when the bytes are not valid UTF-8 (a path in another encoding). */
  text(): { text: string; exact: boolean } {
    const block = this.block();
    const text = block.toString("utf8");
    // Only text with a replacement character can have lost something.
    return { text, exact: !text.includes("�") || Buffer.from(text, "utf8").equals(block) };
  }

  end(): void {
    if (this.#at !== this.#bytes.length)
      throw new CairnError("frame-invalid", { why: "trailing bytes", count: this.#bytes.length - this.#at });
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at)
      throw new CairnError("frame-invalid", { why: "too short", wanted: length, have: this.#bytes.length - at });
    this.#at = at + length;
    return at;
  }
}

const KEPT_BYTES_MAX = 262_144;
const LENGTH_TO_COME = "\0\0";

/** Grows as it is written to. */
export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(expectedBytes = 4096) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
  }

  get length(): number {
    return this.#at;
  }

  /** Forgets what was written, and keeps the memory unless it is a lot. */
  restart(): this {
    this.#at = 0;
    if (this.#bytes.length > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafe(KEPT_BYTES_MAX);
    return this;
  }

  u8(value: number): this {
    if ((value & 0xff) !== value) throw new RangeError(`${value} is no byte`);
    const at = this.#grow(1); // First: growing replaces the buffer.
    this.#bytes[at] = value; // A tenth of what writeUInt8 takes, and keys are made of a thousand of these.
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2); // First: growing replaces the buffer.
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4); // First: growing replaces the buffer.
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#grow(8); // First: growing replaces the buffer.
    this.#bytes.writeBigUInt64LE(value, at);
    return this;
  }

  bytes(content: Uint8Array): this {
    const at = this.#grow(content.length);
    this.#bytes.set(content, at);
    return this;
  }

  /** Text as UTF-8 without a length. Returns how many bytes it took. */
  utf8(text: string): number {
    const at = this.#grow(text.length * 3);
    const length = this.#bytes.write(text, at, "utf8");
    this.#at = at + length;
    return length;
  }

  /** u16 length and UTF-8 text. @throws {CairnError} limit-exceeded above 65,535 bytes */
  text16(text: string): this {
    const lengthAt = this.#grow(2);
    const length = this.utf8(text);
    if (length > 0xffff) throw new CairnError("limit-exceeded", { what: "text", bytes: length });
    this.#bytes.writeUInt16LE(length, lengthAt);
    return this;
  }

  /** Each as {@link text16} writes it. Most texts are ASCII, and hundreds written at once take a tenth of what they take one by one. */
  texts16(texts: readonly string[]): this {
    const joined = texts.join(LENGTH_TO_COME);
    if (texts.length === 0) return this;
    const start = this.#grow(2);
    if (this.utf8(joined) !== joined.length) {
      this.#at = start;
      for (const text of texts) this.text16(text);
      return this;
    }
    let at = start;
    for (const { length } of texts) {
      if (length > 0xffff) throw new CairnError("limit-exceeded", { what: "text", bytes: length });
      this.#bytes[at] = length & 0xff;
      this.#bytes[at + 1] = length >> 8;
      at += 2 + length;
    }
    return this;
  }

  /** u32 length and UTF-8 text. */
  text32(text: string): this {
    const lengthAt = this.#grow(4);
    const length = this.utf8(text);
    this.#bytes.writeUInt32LE(length, lengthAt);
    return this;
  }

  /** u32 length and the bytes. */
  block(content: Uint8Array): this {
    return this.u32(content.length).bytes(content);
  }

  /** Overwrites a u16 that was written before. */
  patchU16(at: number, value: number): void {
    if (value > 0xffff) throw new CairnError("limit-exceeded", { what: "text", bytes: value });
    this.#bytes.writeUInt16LE(value, at);
  }

  /** Overwrites a u32 that was written before. */
  patchU32(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }

  /** What was written; a view that later writes may change. */
  view(from = 0): Buffer {
    return this.#bytes.subarray(from, this.#at);
  }

  #grow(length: number): number {
    const at = this.#at;
    const needed = at + length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#at = needed;
    return at;
  }
}
