/**
 * Pulse: whether a way to a member still lives, by pings and by whatever else arrives on it.
 *
 * A way that carries much answers pings late, since they wait behind the rest; so a late answer says nothing while bytes arrive.
 * Knows: pings and their round trips, when something last arrived. Does not know: how a ping is sent, or what follows from a doubt.
 */
import { CairnError, limits } from "../base/index.ts";

export interface PulseParts {
  /** ms, monotonic */
  readonly now: () => number;
  readonly send: (nonce: number) => void;
  /** A ping has not been answered in time, and nothing else has come since. Once, until something arrives. */
  readonly doubt: () => void;
  /** Too many such pings, one after the other. */
  readonly dead: () => void;
}

export class Pulse implements Disposable {
  readonly #parts: PulseParts;
  readonly #waiting = new Map<number, { readonly sentAt: number; readonly answered: (rttMs: number) => void }>();
  readonly #every: NodeJS.Timeout;
  #doubting: NodeJS.Timeout | undefined;
  /** Pings in a row after which nothing came in time. */
  #doubts = 0;
  #nonce = 0;
  #arrivedAt = Number.NEGATIVE_INFINITY;
  #rttMs: number | undefined;
  #usualRttMs: number | undefined;
  #isOver = false;

  /** Begins with the first ping that is asked for; then there is one every now and then. */
  constructor(parts: PulseParts) {
    this.#parts = parts;
    this.#every = setInterval(() => this.ping(), limits.pingEveryMs);
    this.#every.unref();
  }

  /** The last round trip; undefined before the first. ms */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** The same, smoothed as TCP does it (RFC 6298, section 2.3): what is lost on the way counts as time. */
  get usualRttMs(): number | undefined {
    return this.#usualRttMs;
  }

  ping(answered: (rttMs: number) => void = () => undefined): void {
    if (this.#isOver) return;
    const sentAt = this.#parts.now();
    this.#nonce = (this.#nonce + 1) % 0x1_0000_0000;
    this.#waiting.set(this.#nonce, { sentAt, answered });
    for (const eldest of this.#waiting.keys()) {
      if (this.#waiting.size <= limits.pingsWaiting) break;
      this.#waiting.delete(eldest);
    }
    // Whoever pings often must not put off the doubt.
    this.#doubting ??= setTimeout(() => this.#look(sentAt), limits.linkDoubtMs).unref();
    this.#parts.send(this.#nonce);
  }

  /** The answer to a ping. Unasked for it means nothing. */
  pong(nonce: number): void {
    const ping = this.#waiting.get(nonce);
    if (ping === undefined) return;
    this.#waiting.delete(nonce);
    const rttMs = this.#parts.now() - ping.sentAt;
    this.#rttMs = rttMs;
    this.#usualRttMs = this.#usualRttMs === undefined ? rttMs : this.#usualRttMs + (rttMs - this.#usualRttMs) / 8;
    ping.answered(rttMs);
  }

  /** Something has come from the other side, whatever it is. */
  arrived(): void {
    this.#arrivedAt = this.#parts.now();
    this.#doubts = 0;
  }

  /**
   * Resolves when the other side answers a ping of now. It has longer as long as something arrives, for then the answer may be queueing;
   * but not for ever: who is not heard any more may still be talking.
   *
   * @throws {CairnError} peer-silent
   */
  async proven(): Promise<void> {
    const answer = Promise.withResolvers<unknown>();
    const askedAt = this.#parts.now();
    let lookedAt = askedAt;
    const timer = setInterval(() => {
      const waitedMs = this.#parts.now() - askedAt;
      const isDelivering = this.#arrivedAt > lookedAt;
      lookedAt = this.#parts.now();
      if (!isDelivering || waitedMs >= limits.linkProbeMostMs) answer.reject(new CairnError("peer-silent", { waitedMs }));
    }, limits.linkProbeMs);
    timer.unref();
    this.ping(answer.resolve);
    try {
      await answer.promise;
    } finally {
      clearInterval(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearInterval(this.#every);
    clearTimeout(this.#doubting);
  }

  #look(sentAt: number): void {
    this.#doubting = undefined;
    if (this.#arrivedAt >= sentAt) return;
    this.#doubts += 1;
    if (this.#doubts > limits.linkDoubts) return this.#parts.dead();
    if (this.#doubts === 1) this.#parts.doubt();
    this.ping();
  }
}
