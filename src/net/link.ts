/**
 * A link: the one long-lived stream between two members of a network. Statements, addresses and pings go over it.
 *
 * Knows: frames in order, a bounded queue, deadlines. Does not know: other links, or how the connection came about.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Connection } from "@libp2p/interface";
import { CairnError, type Host, type Key, limits, reasonOf } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { GossipFrame, MemberFrame, NetworkCodec } from "../wire/index.ts";
import { type Frames } from "./frames.ts";
import type { Route } from "./routes.ts";

export const MEMBER = "/cairn/member/1";
/** How often a link that has retired looks whether its connection is still used. */
const RETIRE_LOOK_MS = 100;
/** Of a frame, for all but the statements in it. */
const OVERHEAD_BYTES = 64;

export interface LinkParts {
  readonly roster: Roster;
  readonly codec: NetworkCodec;
  /** ms, monotonic */
  readonly now: () => number;
  /** A ping has not been answered in time, and nothing else has come since. */
  readonly doubt: (link: Link) => void;
  /** Where members are, as the one at the other end tells. */
  readonly heard: (from: Link, hosts: readonly Host[]) => void;
  /** @throws when it makes no sense: then the link ends */
  readonly gossip: (from: Key, frame: GossipFrame) => void;
}

export interface LinkFacts {
  readonly key: Key;
  readonly address: string;
  readonly direction: "inbound" | "outbound";
  /** Members in between; 0 is direct. */
  readonly relays: number;
  /** The first of them, as seen from here. */
  readonly via: Key | undefined;
  /** ms since the link began */
  readonly ageMs: number;
  /** The last round trip; undefined before the first. */
  readonly rttMs: number | undefined;
  /** The same, smoothed as TCP does it (RFC 6298, section 2.3): what is lost on the way counts as time. */
  readonly usualRttMs: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class Link {
  readonly key: Key;
  readonly connection: Connection;
  readonly #parts: LinkParts;
  readonly #frames: Frames;
  readonly #openedAt: number;
  readonly #queue: Uint8Array[] = [];
  readonly #pings = new Map<number, { readonly sentAt: number; readonly answered: (rttMs: number) => void }>();
  readonly #route: Route;
  readonly #ended: PromiseWithResolvers<string> = Promise.withResolvers<string>();
  readonly #heard: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;
  #doubting: NodeJS.Timeout | undefined;
  /** Pings in a row that were not answered in time. */
  #doubts = 0;
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #closing = false;
  #muted = false;
  #retired = false;
  #nonce = 0;
  #rttMs: number | undefined;
  #usualRttMs: number | undefined;
  #heardAt: number;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(parts: LinkParts, key: Key, connection: Connection, frames: Frames, route: Route) {
    this.#parts = parts;
    this.#route = route;
    this.key = key;
    this.connection = connection;
    this.#frames = frames;
    this.#openedAt = parts.now();
    this.#heardAt = this.#openedAt;
    this.#timer = setInterval(() => this.#ping(() => undefined), limits.pingEveryMs);
    this.#timer.unref();
    this.#read().then(
      () => this.#finish(),
      (error: unknown) => this.end(reasonOf(error)),
    );
    this.send({ kind: "have", have: parts.roster.have() });
    this.#ping(() => undefined);
  }

  /** Resolves with the reason when the link is no more. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Resolves when the first frame has arrived: the other side has the link, too. */
  get heard(): Promise<void> {
    return this.#heard.promise;
  }

  get facts(): LinkFacts {
    const { direction, remoteAddr } = this.connection;
    return {
      key: this.key,
      address: remoteAddr.toString().replace(/\/p2p\/[^/]*$/, ""),
      direction,
      ...this.#route,
      ageMs: this.#parts.now() - this.#openedAt,
      rttMs: this.#rttMs,
      usualRttMs: this.#usualRttMs,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
    };
  }

  /** Queues a frame. A peer that does not read ends its link. */
  send(frame: MemberFrame): void {
    if (this.#closing) return;
    const bytes = this.#parts.codec.encodeMemberFrame(frame);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > limits.memberQueueBytes) return this.end("does not read");
    this.#queue.push(bytes);
    this.#writing ??= this.#write()
      .catch((error: unknown) => this.end(reasonOf(error)))
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /** Signed statements, in as many frames as they need. */
  sendStatements(statements: readonly Uint8Array[]): void {
    let frame: Uint8Array[] = [];
    let room = limits.memberFrameBytes - OVERHEAD_BYTES;
    for (const statement of statements) {
      if (statement.length + 8 > room) {
        this.send({ kind: "statements", statements: frame });
        frame = [];
        room = limits.memberFrameBytes - OVERHEAD_BYTES;
      }
      frame.push(statement);
      room -= statement.length + 8;
    }
    if (frame.length > 0) this.send({ kind: "statements", statements: frame });
  }

  /** @returns ms of one round trip. @throws when there is no answer in time or the link ends */
  async ping(deadlineMs: number): Promise<number> {
    const answered = Promise.withResolvers<number>();
    this.#ping(answered.resolve);
    const timer = setTimeout(() => answered.reject(new CairnError("peer-silent", { waitedMs: deadlineMs })), deadlineMs);
    const ended = this.ended.then((why) => Promise.reject(new CairnError("peer-absent", { why })));
    try {
      return await Promise.race([answered.promise, ended]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends what is queued, if that goes quickly, and closes the connection so that it arrives. */
  async close(why: string): Promise<void> {
    this.#closing = true;
    this.#muted = true;
    const signal = AbortSignal.timeout(limits.linkFlushMs);
    try {
      await Promise.race([this.#writing, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      await this.connection.close({ signal });
    } catch {
      // Whatever it was, the connection ends now.
    }
    this.end(why);
  }

  /**
   * Another link has taken its place. What is queued is still sent, what the other side has sent is still read, and streams of other
   * protocols may finish; then the connection ends.
   */
  async retire(): Promise<void> {
    this.#closing = true;
    this.#retired = true;
    clearInterval(this.#timer);
    const deadline = AbortSignal.timeout(limits.retireMs);
    const options = { signal: deadline, ref: false };
    try {
      await this.#writing;
      await this.#frames.close(limits.memberWriteDeadlineMs);
      await Promise.race([this.ended, pause(limits.retireMs, undefined, options)]); // All was read that was sent.
      while (this.connection.streams.length > 0) await pause(RETIRE_LOOK_MS, undefined, options);
      await this.connection.close({ signal: AbortSignal.timeout(limits.linkFlushMs) });
    } catch {
      // Whatever it was, it had its time.
    }
    this.#retired = false;
    this.end("replaced");
  }

  /** Ends link and connection at once; of a link that has retired, the link. */
  end(why: string): void {
    this.#closing = true;
    clearInterval(this.#timer);
    this.#ended.resolve(why);
    if (this.#retired) return;
    this.#frames.abort(why);
    this.connection.abort(new Error(why));
  }

  /** The other side sends nothing more. It may have moved to another link already, and still read what it is sent. */
  #finish(): void {
    this.#ended.resolve("closed by peer");
    if (!this.#closing) void this.retire();
  }

  #ping(answered: (rttMs: number) => void): void {
    this.#nonce = (this.#nonce + 1) % 0x1_0000_0000;
    this.#pings.set(this.#nonce, { sentAt: this.#parts.now(), answered });
    for (const eldest of this.#pings.keys()) {
      if (this.#pings.size <= limits.pingsWaiting) break;
      this.#pings.delete(eldest);
    }
    this.send({ kind: "ping", nonce: this.#nonce, summary: this.#parts.roster.summary() });
    clearTimeout(this.#doubting);
    const sentAt = this.#parts.now();
    this.#doubting = setTimeout(() => {
      if (!this.#closing && this.#heardAt < sentAt) this.#doubt();
    }, limits.linkDoubtMs);
    this.#doubting.unref();
  }

  #doubt(): void {
    this.#doubts += 1;
    if (this.#doubts > limits.linkDoubts) return this.end("silent");
    if (this.#doubts === 1) this.#parts.doubt(this);
    this.#ping(() => undefined);
  }

  #measured(rttMs: number): void {
    this.#rttMs = rttMs;
    this.#usualRttMs = this.#usualRttMs === undefined ? rttMs : this.#usualRttMs + (rttMs - this.#usualRttMs) / 8;
  }

  async #write(): Promise<void> {
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      await this.#frames.write(bytes, limits.memberWriteDeadlineMs);
      this.#queuedBytes -= bytes.length;
      this.#bytesOut += bytes.length;
    }
  }

  async #read(): Promise<void> {
    for (;;) {
      const bytes = await this.#frames.read(3 * limits.pingEveryMs);
      // What arrived before the other side closed still counts; what a member says that was let go of does not.
      if (bytes === undefined || this.#muted) return;
      this.#bytesIn += bytes.length;
      this.#heardAt = this.#parts.now();
      this.#doubts = 0;
      this.#heard.resolve();
      this.#handle(this.#parts.codec.decodeMemberFrame(bytes));
    }
  }

  #handle(frame: MemberFrame): void {
    const { roster } = this.#parts;
    switch (frame.kind) {
      case "have":
        return this.sendStatements(roster.missing(frame.have));
      case "statements":
        return roster.take(frame.statements);
      case "ping":
        if (frame.summary !== roster.summary()) this.send({ kind: "have", have: roster.have() });
        return this.send({ kind: "pong", nonce: frame.nonce });
      case "pong": {
        const ping = this.#pings.get(frame.nonce);
        if (ping === undefined) return;
        this.#pings.delete(frame.nonce);
        this.#measured(this.#parts.now() - ping.sentAt);
        return ping.answered(this.#rttMs ?? 0);
      }
      case "addresses":
        return this.#parts.heard(this, frame.hosts);
      case "gossip":
        return this.#parts.gossip(this.key, frame.gossip);
    }
  }
}
