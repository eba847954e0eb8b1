/**
 * Bodies on their way into the store, piece by piece: pieces of all bodies together take up no more than so much memory, and who would need more is
 * not read from until others' pieces have been taken.
 *
 * A piece counts until the next is asked for: it waits for the disk alone, never for another client.
 * Knows: bytes. Does not know: protocols.
 */
import { limits, Turns } from "../base/index.ts";

export class PassingBodies {
  readonly #turns = new Turns({ jobs: Number.POSITIVE_INFINITY, bytes: limits.doors.passingBytes });

  /** The same body. It may be read once, and is to be disposed of when nobody reads it any more. */
  pass(body: AsyncIterable<Uint8Array>, signal: AbortSignal): PassingBody {
    return new PassingBody(body, this.#turns, signal);
  }
}

export class PassingBody implements AsyncIterable<Uint8Array>, Disposable {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #turns: Turns;
  readonly #signal: AbortSignal;
  readonly #over = new AbortController();
  #turn: Disposable | undefined;

  constructor(body: AsyncIterable<Uint8Array>, turns: Turns, signal: AbortSignal) {
    this.#body = body;
    this.#turns = turns;
    this.#signal = AbortSignal.any([signal, this.#over.signal]);
  }

  /** @throws what the body throws; the signal's reason */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#body) {
      const turn = await this.#turns.take(Math.min(piece.byteLength, limits.doors.passingBytes), this.#signal);
      if (this.#signal.aborted) turn[Symbol.dispose]();
      this.#signal.throwIfAborted();
      this.#turn = turn;
      yield piece;
      this.#release();
    }
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    this.#release();
  }

  #release(): void {
    this.#turn?.[Symbol.dispose]();
    this.#turn = undefined;
  }
}
