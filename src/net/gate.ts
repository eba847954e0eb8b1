/**
 * The gate: until a connection has proved to be a member's, it may say one hello and nothing else, and not for long.
 *
 * Knows: which connections have proved it, how many have not, and how often each address tried.
 * Does not know: what a proof is; see handshake.ts.
 */
import type { Connection, MultiaddrConnection } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { type Key, type Log, limits } from "../base/index.ts";

const MINUTE_MS = 60_000;
/** Addresses whose attempts are counted; the eldest is forgotten for a new one. */
const ADDRESSES = 4_096;
/** Not an address: all of them together. */
const EVERYWHERE = "*";
/** Refusals are logged at most this often, with the number of those that were not: strangers must not fill the log. */
const LOG_EVERY_MS = 1_000;

export interface GateParts {
  readonly log: Log;
  /** ms; need not be the time of day */
  readonly now: () => number;
}

export class Gate implements Disposable {
  readonly #parts: GateParts;
  readonly #unproven = new Map<Connection, NodeJS.Timeout>();
  readonly #proven = new Map<Connection, Key>();
  /** IP address → when the minute began, and attempts in it that have not led to a member. */
  readonly #attempts = new Map<string, { since: number; count: number }>();
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /**
   * Asked before a connection costs any cryptography. Attempts that turned out to be a member's do not count, so that colleagues behind
   * one address are not in each other's way.
   */
  denies(incoming: MultiaddrConnection): boolean {
    const ip = ipOf(incoming.remoteAddr);
    const [here, everywhere] = [this.#attempt(ip, 1), this.#attempt(EVERYWHERE, 1)];
    const unproven = [...this.#unproven.keys()].filter(({ direction }) => direction === "inbound").length;
    const tooMany = here > limits.unprovenPerAddress || everywhere > limits.unprovenPerMinute;
    const why = tooMany ? "too-many-attempts" : unproven >= limits.unprovenConnections ? "too-many-unproven" : undefined;
    if (why !== undefined) this.#refused(why, ip);
    return why !== undefined;
  }

  /** From now on the connection has so much time to prove that it is a member's. */
  opened(connection: Connection): void {
    const timer = setTimeout(() => this.refuse(connection, "too-late"), limits.helloDeadlineMs);
    timer.unref();
    this.#unproven.set(connection, timer);
  }

  prove(connection: Connection, key: Key): void {
    clearTimeout(this.#unproven.get(connection));
    this.#unproven.delete(connection);
    this.#proven.set(connection, key);
    if (connection.direction === "inbound") for (const place of [ipOf(connection.remoteAddr), EVERYWHERE]) this.#attempt(place, -1);
  }

  /** The member at the other end; undefined while that is not proved. */
  provenBy(connection: Connection): Key | undefined {
    return this.#proven.get(connection);
  }

  /** Ends a connection that broke the rules, at once. */
  refuse(connection: Connection, why: string): void {
    this.#refused(why, ipOf(connection.remoteAddr));
    connection.abort(new Error(why));
  }

  /** The same once the other side has had the time to read why. */
  refuseSoon(connection: Connection, why: string): void {
    this.#refused(why, ipOf(connection.remoteAddr));
    connection.close({ signal: AbortSignal.timeout(limits.linkFlushMs) }).catch(() => connection.abort(new Error(why)));
  }

  /** Ends every connection whose member is no longer one. */
  expel(isGone: (key: Key) => boolean): void {
    for (const [connection, key] of this.#proven) if (isGone(key)) this.refuseSoon(connection, "no longer a member");
  }

  closed(connection: Connection): void {
    clearTimeout(this.#unproven.get(connection));
    this.#unproven.delete(connection);
    this.#proven.delete(connection);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#unproven.values()) clearTimeout(timer);
    this.#unproven.clear();
  }

  /** Counts an attempt from a place, or takes it back. @returns how many there were in this minute */
  #attempt(place: string, change: 1 | -1): number {
    const now = this.#parts.now();
    const known = this.#attempts.get(place);
    const attempt = known !== undefined && now - known.since < MINUTE_MS ? known : { since: now, count: 0 };
    attempt.count = Math.max(0, attempt.count + change);
    this.#attempts.delete(place);
    this.#attempts.set(place, attempt);
    for (const eldest of this.#attempts.keys()) {
      if (this.#attempts.size <= ADDRESSES) break;
      this.#attempts.delete(eldest);
    }
    return attempt.count;
  }

  #refused(why: string, address: string): void {
    const now = this.#parts.now();
    if (now - this.#loggedAt < LOG_EVERY_MS) {
      this.#unlogged += 1;
      return;
    }
    this.#parts.log.event("warn", "gate.refused", { why, address, unlogged: this.#unlogged });
    this.#loggedAt = now;
    this.#unlogged = 0;
  }
}

/** The part of a multiaddr that tells machines apart. */
function ipOf(address: Multiaddr): string {
  return address.getComponents().find(({ name }) => name === "ip4" || name === "ip6")?.value ?? "";
}
