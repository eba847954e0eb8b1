/**
 * Reading what a Redis client sends: arrays of bulk strings (RESP2).
 *
 * Knows: the framing. Does not know: what commands mean.
 * Libraries for it put whole strings together in memory first (docs/decisions/0040-doors-over-http.md).
 */
import { CairnError } from "../base/index.ts";
import { ByteReader } from "./byte-reader.ts";

const CR = 13;
/** The longest line: a kind and a number. */
const LINE_BYTES = 32;

export class RedisReader {
  readonly #bytes: ByteReader;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#bytes = new ByteReader(source);
  }

  /** Whether something has come, or will; false at the end. */
  waits(): Promise<boolean> {
    return this.#bytes.waits();
  }

  /** How many strings the next command has. @throws {CairnError} frame-invalid */
  count(): Promise<number> {
    return this.#number("*");
  }

  /** How many bytes the next string has. @throws {CairnError} frame-invalid */
  length(): Promise<number> {
    return this.#number("$");
  }

  /** The next string. @throws {CairnError} frame-invalid: it is longer than `most`, or ends too early */
  async text(most: number): Promise<string> {
    const length = await this.length();
    if (length > most) throw invalid("length");
    const text = (await this.#bytes.take(length)).toString("latin1");
    await this.#end();
    return text;
  }

  /** The bytes of a string whose length was read, as they come. @throws {CairnError} frame-invalid: it ends too early */
  async *bytes(length: number): AsyncGenerator<Uint8Array> {
    yield* this.#bytes.stream(length);
    await this.#end();
  }

  async #number(kind: string): Promise<number> {
    const line = (await this.#bytes.until(CR, LINE_BYTES)).toString("latin1");
    await this.#end();
    // HTTP that a web page sends here begins with a method.
    if (line[0] !== kind || !/^\d{1,15}$/.test(line.slice(1))) throw invalid("line");
    return Number(line.slice(1));
  }

  async #end(): Promise<void> {
    if ((await this.#bytes.take(2)).toString("latin1") !== "\r\n") throw invalid("line end");
  }
}

function invalid(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
