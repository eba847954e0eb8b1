/**
 * The gate: until a connection has proved to be a member's, it may say one hello and nothing else, and not for long.
 *
 * Knows: which connections have proved it, how many have not, how often each address tried, and where members came from.
 * Does not know: what a proof is; see handshake.ts.
 */
import type { Connection } from "@libp2p/interface";
import { Attempts, type Key, type Log, limits, Refusals } from "../base/index.ts";
import { abortConnection } from "./abort-connection.ts";
import { ipOf } from "./newcomers.ts";

export interface GateParts {
  readonly log: Log;
  /** ms; need not be the time of day */
  readonly now: () => number;
}

interface Unproven {
  readonly timer: NodeJS.Timeout;
  /** Where it comes from; undefined for a connection that this node made. */
  readonly from: string | undefined;
}

export class Gate implements Disposable {
  readonly #unproven = new Map<Connection, Unproven>();
  readonly #proven = new Map<Connection, Key>();
  /** IP addresses from which members have come, the latest last. */
  readonly #familiar = new Set<string>();
  /** Attempts that have not led to a member, from those addresses and from all others: strangers elsewhere keep no member out. */
  readonly #attempts: { readonly familiar: Attempts; readonly strange: Attempts };
  /** The same where the address is only what a packet says. */
  readonly #claimed: { readonly familiar: Attempts; readonly strange: Attempts };
  readonly #refusals: Refusals;

  constructor(parts: GateParts) {
    this.#refusals = new Refusals(parts, "gate.refused");
    const most = { perPlace: limits.unprovenPerAddress, perMinute: limits.unprovenPerMinute };
    this.#attempts = { familiar: new Attempts(parts, most), strange: new Attempts(parts, most) };
    this.#claimed = { familiar: new Attempts(parts, most), strange: new Attempts(parts, most) };
  }

  /**
   * Asked before a connection costs anything. Attempts that turned out to be a member's do not count, so that colleagues behind
   * one address are not in each other's way.
   *
   * @param isClaimed whether the address is only what a packet says: who writes others' addresses on packets keeps nobody out who has a connection
   */
  denies(ip: string, isClaimed: boolean): boolean {
    const why = this.#attemptsOf(ip, isClaimed).tooMany(ip)
      ? "too-many-attempts"
      : this.#unprovenLike(ip) >= limits.unprovenConnections
        ? "too-many-unproven"
        : undefined;
    if (why !== undefined) this.#refusals.add(why, ip);
    return why !== undefined;
  }

  /** Whether members have come from there. */
  isFamiliar(ip: string): boolean {
    return this.#familiar.has(ip);
  }

  /** From now on the connection has so much time to prove that it is a member's. */
  opened(connection: Connection): void {
    const timer = setTimeout(() => this.refuse(connection, "too-late"), limits.helloDeadlineMs);
    timer.unref();
    this.#unproven.set(connection, { timer, from: connection.direction === "inbound" ? ipOf(connection.remoteAddr) : undefined });
  }

  prove(connection: Connection, key: Key): void {
    const from = this.#unproven.get(connection)?.from;
    this.#settle(connection);
    this.#proven.set(connection, key);
    if (from !== undefined) this.#welcome(from);
  }

  /** The member at the other end; undefined while that is not proved. */
  provenBy(connection: Connection): Key | undefined {
    return this.#proven.get(connection);
  }

  /** Ends a connection that broke the rules, at once. */
  refuse(connection: Connection, why: string): void {
    this.#refusals.add(why, ipOf(connection.remoteAddr));
    abortConnection(connection, new Error(why));
  }

  /** The same once the other side has had the time to read why. */
  refuseSoon(connection: Connection, why: string): void {
    this.#refusals.add(why, ipOf(connection.remoteAddr));
    connection.close({ signal: AbortSignal.timeout(limits.linkFlushMs) }).catch(() => abortConnection(connection, new Error(why)));
  }

  /** Ends every connection whose member is no longer one. */
  expel(isGone: (key: Key, connection: Connection) => boolean): void {
    for (const [connection, key] of this.#proven) if (isGone(key, connection)) this.refuseSoon(connection, "no longer a member");
  }

  closed(connection: Connection): void {
    this.#settle(connection);
    this.#proven.delete(connection);
  }

  [Symbol.dispose](): void {
    for (const connection of this.#unproven.keys()) this.#settle(connection);
  }

  #attemptsOf(ip: string, isClaimed: boolean): Attempts {
    const attempts = isClaimed ? this.#claimed : this.#attempts;
    return this.#familiar.has(ip) ? attempts.familiar : attempts.strange;
  }

  /** Connections that have proved nothing, from familiar addresses if this is one, else from all others. */
  #unprovenLike(ip: string): number {
    const isFamiliar = this.#familiar.has(ip);
    return [...this.#unproven.values()].filter(({ from }) => from !== undefined && this.#familiar.has(from) === isFamiliar).length;
  }

  #welcome(ip: string): void {
    for (const isClaimed of [false, true]) this.#attemptsOf(ip, isClaimed).takeBack(ip);
    this.#familiar.delete(ip);
    this.#familiar.add(ip);
    for (const eldest of this.#familiar) {
      if (this.#familiar.size <= limits.familiarAddresses) break;
      this.#familiar.delete(eldest);
    }
  }

  #settle(connection: Connection): void {
    clearTimeout(this.#unproven.get(connection)?.timer);
    this.#unproven.delete(connection);
  }
}
