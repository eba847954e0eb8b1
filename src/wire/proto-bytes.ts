/**
 * The bytes of protobuf messages, read and written in place: for messages that name a thousand paths, of which a general codec makes an object
 * each and goes through their letters one by one.
 *
 * Knows: the wire format of protobuf. Does not know: messages.
 */
import { invalid } from "./message-fields.ts";

/** Kinds of fields, as they stand in the last three bits of a tag. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

const REPLACED = "\ufffd";
const MOST_VARINT_BYTES = 10;
/** A varint of 32 bits. */
const MOST_LENGTH_BYTES = 5;
/** The length of a text of digits is one byte, and that of a message four at most. */
const MOST_HEX_BYTES = 0x7f;
const MOST_MESSAGE_BYTES = 0x0fff_ffff;

/** Reads a message, or a message within it. All of it throws {CairnError} frame-invalid for what is none. */
export class ProtoReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number = 0, end: number = bytes.length) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** The next field: its number and, in the last three bits, its kind. */
  tag(): number {
    const tag = this.number();
    if (tag < 8 || tag > 0xffff_ffff) throw invalid("tag");
    return tag;
  }

  /** A varint; one that no double holds comes out near enough to be out of every bound. */
  number(): number {
    let value = 0;
    for (let scale = 1, count = 0; count < MOST_VARINT_BYTES; scale *= 128, count++) {
      if (this.#at >= this.#end) break;
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw invalid("varint");
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  /** A view. */
  bytes(): Buffer {
    const length = this.number();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(): string {
    const length = this.number();
    const at = this.#take(length);
    const text = this.#bytes.toString("utf8", at, at + length);
    // Only text with a replacement character can have been something else.
    if (text.includes(REPLACED) && !Buffer.from(text).equals(this.#bytes.subarray(at, at + length))) throw invalid("text");
    return text;
  }

  /** So many bytes, as hexadecimal digits. */
  hex(length: number): string {
    if (this.number() !== length) throw invalid("length");
    const at = this.#take(length);
    return this.#bytes.toString("hex", at, at + length);
  }

  message(): ProtoReader {
    const length = this.number();
    const at = this.#take(length);
    return new ProtoReader(this.#bytes, at, at + length);
  }

  /** Passes over a field that is not known. */
  skip(tag: number): void {
    switch (tag & 7) {
      case VARINT:
        this.number();
        return;
      case FIXED64:
        this.#take(8);
        return;
      case LENGTH_DELIMITED:
        this.#take(this.number());
        return;
      case FIXED32:
        this.#take(4);
        return;
      default:
        throw invalid("field");
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw invalid("short");
    this.#at = at + length;
    return at;
  }
}

/**
 * Writes fields one after the other; whoever writes leaves out what has the value that a field has unsaid. What cannot be written is
 * {CairnError} frame-invalid.
 */
export class ProtoWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
  }

  number(field: number, value: number): this {
    this.#room(2 * MOST_VARINT_BYTES);
    this.#tag(field, VARINT);
    this.#varint(value);
    return this;
  }

  double(field: number, value: number): this {
    this.#room(MOST_LENGTH_BYTES + 8);
    this.#tag(field, FIXED64);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#room(2 * MOST_LENGTH_BYTES + value.length);
    this.#tag(field, LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  hex(field: number, value: string): this {
    if (value.length > 2 * MOST_HEX_BYTES) throw invalid("length");
    this.#room(2 * MOST_LENGTH_BYTES + value.length);
    this.#tag(field, LENGTH_DELIMITED);
    const before = this.#at++; // Digests are short.
    this.#at += this.#bytes.write(value, this.#at, "hex");
    this.#bytes[before] = this.#at - before - 1;
    return this;
  }

  text(field: number, value: string): this {
    this.#room(2 * MOST_LENGTH_BYTES + 3 * value.length);
    this.#tag(field, LENGTH_DELIMITED);
    const before = this.#at;
    this.#varint(value.length); // As many bytes as letters, mostly.
    const length = this.#bytes.write(value, this.#at, "utf8");
    if (length === value.length) this.#at += length;
    else {
      this.#at = before;
      this.#varint(length);
      this.#at += this.#bytes.write(value, this.#at, "utf8");
    }
    return this;
  }

  /** A message within this one. */
  message(field: number, write: (writer: this) => void): this {
    this.#room(2 * MOST_LENGTH_BYTES);
    this.#tag(field, LENGTH_DELIMITED);
    const before = this.#at++;
    write(this);
    const length = this.#at - before - 1;
    if (length > MOST_MESSAGE_BYTES) throw invalid("too large");
    const more = length < 0x80 ? 0 : length < 0x4000 ? 1 : length < 0x20_0000 ? 2 : 3;
    this.#room(more);
    if (more > 0) this.#bytes.copyWithin(before + 1 + more, before + 1, this.#at);
    this.#at = before;
    this.#varint(length);
    this.#at += length;
    return this;
  }

  /** What was written, in memory of its own. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #tag(field: number, kind: number): void {
    this.#varint(field * 8 + kind);
  }

  #varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw invalid("number");
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  #room(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
