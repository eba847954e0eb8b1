/**
 * The gate: until a connection has proved to be a member's, it may say one hello and nothing else, and not for long.
 *
 * Knows: which connections have proved it, how many have not, and how often each address tried.
 * Does not know: what a proof is; see handshake.ts.
 */
import type { Connection, MultiaddrConnection } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { Attempts, type Key, type Log, limits, Refusals } from "../base/index.ts";

export interface GateParts {
  readonly log: Log;
  /** ms; need not be the time of day */
  readonly now: () => number;
}

export class Gate implements Disposable {
  readonly #unproven = new Map<Connection, NodeJS.Timeout>();
  readonly #proven = new Map<Connection, Key>();
  /** Of IP addresses, that have not led to a member. */
  readonly #attempts: Attempts;
  readonly #refusals: Refusals;

  constructor(parts: GateParts) {
    this.#refusals = new Refusals(parts, "gate.refused");
    this.#attempts = new Attempts(parts, { perPlace: limits.unprovenPerAddress, perMinute: limits.unprovenPerMinute });
  }

  /**
   * Asked before a connection costs any cryptography. Attempts that turned out to be a member's do not count, so that colleagues behind
   * one address are not in each other's way.
   */
  denies(incoming: MultiaddrConnection): boolean {
    const ip = ipOf(incoming.remoteAddr);
    const tooMany = this.#attempts.tooMany(ip);
    const unproven = [...this.#unproven.keys()].filter(({ direction }) => direction === "inbound").length;
    const why = tooMany ? "too-many-attempts" : unproven >= limits.unprovenConnections ? "too-many-unproven" : undefined;
    if (why !== undefined) this.#refusals.add(why, ip);
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
    if (connection.direction === "inbound") this.#attempts.takeBack(ipOf(connection.remoteAddr));
  }

  /** The member at the other end; undefined while that is not proved. */
  provenBy(connection: Connection): Key | undefined {
    return this.#proven.get(connection);
  }

  /** Ends a connection that broke the rules, at once. */
  refuse(connection: Connection, why: string): void {
    this.#refusals.add(why, ipOf(connection.remoteAddr));
    connection.abort(new Error(why));
  }

  /** The same once the other side has had the time to read why. */
  refuseSoon(connection: Connection, why: string): void {
    this.#refusals.add(why, ipOf(connection.remoteAddr));
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
}

/** The part of a multiaddr that tells machines apart. */
function ipOf(address: Multiaddr): string {
  return address.getComponents().find(({ name }) => name === "ip4" || name === "ip6")?.value ?? "";
}
