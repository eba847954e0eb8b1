/**
 * What arrives of a call of gRPC, message by message: large ones have a share of what all calls together may take up in memory, and until it is
 * given the call is not read from. So memory is bounded, and whoever has to wait is slower and gets through.
 *
 * A share is of the whole message and asked for at its head: whoever has begun can end, and nobody waits for one who waits.
 * Knows: how messages follow each other in a stream. Does not know: calls, or what messages say.
 */
import type { Readable } from "node:stream";
import type { Turns } from "../base/index.ts";

export interface ArrivalOptions {
  /** Messages up to here come without a share. */
  readonly smallBytes: number;
  /** Nobody has a share for longer ones. */
  readonly messageBytes: number;
}

interface Message {
  /** Small ones have none. */
  share: Disposable | undefined;
}

/** Whether it is compressed, and how long it is. */
const HEAD_BYTES = 5;

export class Arrival {
  readonly #stream: Readable;
  readonly #shares: Turns;
  readonly #options: ArrivalOptions;
  readonly #over = new AbortController();
  /** Called when it begins to wait, and when it goes on. */
  readonly #held: (isHeld: boolean) => void;
  /** Called at the head of a message that is too long. */
  readonly #tooLong: () => void;
  #goesOn: (() => void) | undefined;
  /** Those that have begun and are needed still, the oldest first. */
  readonly #messages: Message[] = [];
  readonly #head: Buffer = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #left = 0;
  #isHeld = false;
  /** Whether the library has asked for the next message, and has not got it. */
  #isWanted = false;

  constructor(
    parts: {
      readonly stream: Readable;
      readonly shares: Turns;
      readonly held: (isHeld: boolean) => void;
      readonly tooLong: () => void;
    },
    options: ArrivalOptions,
  ) {
    this.#stream = parts.stream;
    this.#shares = parts.shares;
    this.#held = parts.held;
    this.#tooLong = parts.tooLong;
    this.#options = options;
  }

  /** Whether it waits for others to be done. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Whether nothing that comes of it is of use any more. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** @param then called each time when it need not wait any more */
  onGoesOn(then: () => void): void {
    this.#goesOn = then;
  }

  /** The next bytes, which the library has. */
  came(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#over.signal.aborted; ) {
      const taken = Math.min(bytes.length - at, this.#left > 0 ? this.#left : HEAD_BYTES - this.#headBytes);
      if (this.#left > 0) this.#left -= taken;
      else this.#headBytes += bytes.copy(this.#head, this.#headBytes, at, at + taken);
      at += taken;
      if (this.#headBytes === HEAD_BYTES) this.#begin();
      else if (this.#left === 0 && this.#headBytes === 0) this.#isWanted = false;
    }
  }

  /** The library asks for the next message: `ask` makes it read on. */
  wants(ask: () => void): void {
    this.#isWanted = true;
    ask();
    if (this.#isHeld) this.#stream.pause();
  }

  /** The library has given a message to whoever answers. */
  given(): void {
    this.#isWanted = false;
  }

  /** The oldest message is not needed any more. */
  taken(): void {
    this.#messages.shift()?.share?.[Symbol.dispose]();
  }

  /** Nothing of it is kept from now on. */
  end(): void {
    this.answered();
    for (const { share } of this.#messages.splice(0)) share?.[Symbol.dispose]();
  }

  /** What comes from now on is read and dropped. */
  answered(): void {
    this.#over.abort();
    if (this.#isHeld) this.#stream.resume();
    this.#isHeld = false;
  }

  #begin(): void {
    this.#headBytes = 0;
    this.#left = this.#head.readUInt32BE(1);
    if (this.#left === 0) this.#isWanted = false;
    const { smallBytes, messageBytes } = this.#options;
    const message: Message = { share: undefined };
    this.#messages.push(message);
    if (this.#left > messageBytes) this.#tooLong();
    else if (this.#left > smallBytes) void this.#hold(message, this.#left);
  }

  async #hold(message: Message, bytes: number): Promise<void> {
    this.#isHeld = true;
    this.#stream.pause();
    this.#held(true);
    const share = await this.#shares.take(bytes, this.#over.signal).catch(() => undefined);
    if (this.#over.signal.aborted) return share?.[Symbol.dispose]();
    message.share = share;
    this.#isHeld = false;
    this.#held(false);
    this.#goesOn?.();
    if (this.#isWanted) this.#stream.resume();
  }
}
