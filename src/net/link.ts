/**
 * A link: the one long-lived stream between two members of a network. Statements, addresses and pings go over it.
 *
 * Knows: frames in order, a bounded queue, deadlines. Does not know: other links, how the connection came about, or when a way is dead.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Connection } from "@libp2p/interface";
import { CairnError, type Host, type Key, limits, reasonOf } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { GossipFrame, MemberFrame, NetworkCodec } from "../wire/index.ts";
import { abortConnection } from "./abort-connection.ts";
import { type Frames } from "./frames.ts";
import { Pulse } from "./pulse.ts";
import type { Route } from "./routes.ts";
import { streamsEnded } from "./streams-ended.ts";

export const MEMBER = "/cairn/member/1";
/** Of a frame, for all but the statements in it. */
const OVERHEAD_BYTES = 64;

export interface LinkParts {
  readonly roster: Roster;
  readonly codec: NetworkCodec;
  /** ms, monotonic */
  readonly now: () => number;
  /** A ping has not been answered in time, and nothing else has come since on the connection. */
  readonly doubt: (link: Link) => void;
  /** Tells of everything that arrives on a connection, of this link or of other streams. */
  readonly watch: (connection: Connection, arrived: () => void) => void;
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

/** Why a link has ended that the other side has let go of. */
export const CLOSED_BY_PEER = "closed by peer";

export class Link {
  readonly key: Key;
  readonly connection: Connection;
  readonly #parts: LinkParts;
  readonly #frames: Frames;
  readonly #openedAt: number;
  readonly #queue: Uint8Array[] = [];
  readonly #pulse: Pulse;
  readonly #route: Route;
  readonly #ended: PromiseWithResolvers<string> = Promise.withResolvers<string>();
  readonly #heard: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #over = new AbortController();
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #closing = false;
  #muted = false;
  /** Another link has taken its place; streams of other protocols still go over the connection. */
  #isReplaced = false;
  /** It only reads what the other side has sent. */
  #retired = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(parts: LinkParts, key: Key, connection: Connection, frames: Frames, route: Route) {
    this.#parts = parts;
    this.#route = route;
    this.key = key;
    this.connection = connection;
    this.#frames = frames;
    this.#openedAt = parts.now();
    this.#pulse = new Pulse({
      now: parts.now,
      send: (nonce) => this.send({ kind: "ping", nonce, summary: parts.roster.summary() }),
      doubt: () => this.#isReplaced || parts.doubt(this),
      dead: () => this.end("silent"),
    });
    parts.watch(connection, () => this.#pulse.arrived());
    this.#read().then(
      () => this.#finish(),
      (error: unknown) => this.end(reasonOf(error)),
    );
    this.send({ kind: "have", have: parts.roster.have() });
    this.#pulse.ping();
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
      rttMs: this.#pulse.rttMs,
      usualRttMs: this.#pulse.usualRttMs,
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
    this.#pulse.ping(answered.resolve);
    const timer = setTimeout(() => answered.reject(new CairnError("peer-silent", { waitedMs: deadlineMs })), deadlineMs);
    try {
      return await Promise.race([answered.promise, this.#absent()]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the other side has shown that it hears and is heard; see {@link Pulse.proven}. @throws when not, or the link ends */
  async proven(): Promise<void> {
    await Promise.race([this.#pulse.proven(), this.#absent()]);
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
   * Another link has taken its place. As long as streams of other protocols are open the connection is kept, and pinged as before; then
   * what the other side has sent is read, and the connection ends.
   */
  async retire(): Promise<void> {
    if (this.#isReplaced) return;
    this.#isReplaced = true;
    const given = AbortSignal.any([this.#over.signal, AbortSignal.timeout(limits.retireMs)]);
    await streamsEnded(this.connection, this.#frames.stream, given).catch(() => undefined); // Or its time is up.
    if (!this.#closing) await this.#leave();
  }

  /** Ends link and connection at once; of a link that only reads, the link. */
  end(why: string): void {
    this.#closing = true;
    this.#over.abort();
    this.#pulse[Symbol.dispose]();
    this.#ended.resolve(why);
    if (this.#retired) return;
    this.#frames.abort(why);
    abortConnection(this.connection, new Error(why));
  }

  async #leave(): Promise<void> {
    this.#closing = true;
    this.#retired = true;
    this.#pulse[Symbol.dispose]();
    const deadline = AbortSignal.timeout(limits.leaveMs);
    const options = { signal: deadline, ref: false };
    try {
      await this.#writing;
      await this.#frames.close(limits.memberWriteDeadlineMs);
      await Promise.race([this.ended, pause(limits.leaveMs, undefined, options)]); // All was read that was sent.
      await streamsEnded(this.connection, undefined, deadline);
      await this.connection.close({ signal: AbortSignal.timeout(limits.linkFlushMs) });
    } catch {
      // Whatever it was, it had its time.
    }
    this.#retired = false;
    this.end("replaced");
  }

  #absent(): Promise<never> {
    return this.ended.then((why) => Promise.reject(new CairnError("peer-absent", { why })));
  }

  /** The other side sends nothing more. It may have moved to another link already, and still read what it is sent. */
  #finish(): void {
    this.#ended.resolve(CLOSED_BY_PEER);
    if (!this.#closing) void this.#leave();
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
      const bytes = await this.#frames.read(limits.linkMuteMs);
      // What arrived before the other side closed still counts; what a member says that was let go of does not.
      if (bytes === undefined || this.#muted) return;
      this.#bytesIn += bytes.length;
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
      case "pong":
        return this.#pulse.pong(frame.nonce);
      case "addresses":
        return this.#parts.heard(this, frame.hosts);
      case "gossip":
        return this.#parts.gossip(this.key, frame.gossip);
    }
  }
}
