/**
 * Paths: how members are reached, and how a way that works becomes a better one.
 *
 * Directly where that is possible; through members that relay where not, and then by punching a hole, again and again ever more rarely.
 * Knows: what to try in which order and when. Does not know: how each is done.
 */
import { setTimeout as pause } from "node:timers/promises";
import { CairnError, type Host, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Circuits, Found } from "./circuits.ts";
import type { Link } from "./link.ts";
import type { Outbound } from "./outbound.ts";
import type { Puncher } from "./punch.ts";
import { RelayLookups } from "./relay-lookups.ts";

/** From a relayed link, or the attempt before, until the next attempt at something better; the last one again and again. */
const BETTER_AFTER_MS = [0, 2_000, 10_000, 30_000, 60_000, 300_000] as const;
/** Another relay is worth a change when it is this much quicker. */
const QUICKER = 0.75;
const QUICKER_MS = 5;

export interface PathsParts {
  readonly self: Key;
  readonly outbound: Outbound;
  readonly circuits: Circuits;
  readonly puncher: Puncher;
  readonly host: (key: Key) => Host | undefined;
  readonly linkWith: (key: Key) => Link | undefined;
  /** Members that are not linked and should be. */
  readonly missing: () => readonly Key[];
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export class Paths implements Disposable {
  readonly #parts: PathsParts;
  /** Members with a relayed link, and when the next attempt is. */
  readonly #timers = new Map<Key, NodeJS.Timeout>();
  /** When a member's own addresses may be dialled again beside its relayed link: whoever tells new ones all the time gains nothing. */
  readonly #besideAgain = new Map<Key, number>();
  /** Attempts under way to reach members through others. */
  readonly #relaying = new Map<Key, Promise<void>>();
  readonly #lookups: RelayLookups;
  #isEnding = false;

  constructor(parts: PathsParts) {
    this.#parts = parts;
    this.#lookups = new RelayLookups(parts);
  }

  /**
   * Links this node with a member: directly, or through a relay when that takes too long or fails.
   *
   * @throws when it failed or takes long, and nobody relays
   */
  async reach(key: Key): Promise<void> {
    const { host, outbound } = this.#parts;
    const known = host(key);
    if (known === undefined) return this.#relayed(key);
    const direct = outbound.dial(known);
    const linked = direct.then(
      () => "linked",
      () => "failed",
    );
    const outcome = await Promise.race([linked, pause(limits.relayAfterMs, "late", { ref: false })]);
    if (outcome === "linked") return;
    try {
      // When a direct link still comes about it takes the relayed one's place.
      const late = linked.then((how) => (how === "linked" ? undefined : new Promise<never>(() => undefined)));
      await Promise.race([this.#relayed(key), late]);
    } catch (error) {
      if (outcome === "failed") await direct; // Its reason says more.
      throw error;
    }
  }

  /** There is a link with a member, or another one than before. */
  linked(link: Link): void {
    this.forget(link.key);
    this.#lookups.forget(link.key);
    void this.#askNewcomer();
    if (link.facts.relays > 0) this.#betterLater(link, 0);
    else void this.#parts.puncher.learn(link);
  }

  /** A link has gone silent: whether it lives shows, but another way is looked for meanwhile. */
  async doubt(link: Link): Promise<void> {
    const { circuits, outbound, log } = this.#parts;
    const { key, facts } = link;
    try {
      const found = await circuits.find(key);
      // One more circuit through the relay that is there would be as busy, and what is under way would be cut off when the link moves.
      const isOther = found !== undefined && found.relay !== facts.via;
      log.event("info", "path.doubtful", { peer: key, relays: facts.relays, otherWay: isOther });
      if (isOther) await outbound.greet(await circuits.connect(key, found), key); // Links decides which stays.
    } catch (error) {
      log.event("debug", "path.failed", { peer: key, why: reasonOf(error) });
    }
  }

  /** A member may be found again, though nobody relayed to it the last time. */
  expect(key: Key): void {
    this.#lookups.forget(key);
  }

  /** This machine has moved or slept. */
  disturbed(): void {
    this.#lookups.forgetAll();
  }

  /** Something new is known of where a member is: a relayed link may have become needless, whichever side dialled it. */
  heard(key: Key): void {
    const link = this.#parts.linkWith(key);
    if (link !== undefined && link.facts.relays > 0) void this.#dialBeside(key);
  }

  forget(key: Key): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.#besideAgain.delete(key);
  }

  [Symbol.dispose](): void {
    this.#isEnding = true;
    for (const key of this.#timers.keys()) this.forget(key);
  }

  /** One attempt at a time: each that comes through is one more connection, and of one peer so many are taken and no more. */
  #relayed(key: Key): Promise<void> {
    const underWay = this.#relaying.get(key) ?? this.#relay(key).finally(() => this.#relaying.delete(key));
    this.#relaying.set(key, underWay);
    return underWay;
  }

  async #relay(key: Key): Promise<void> {
    const { circuits, outbound, now } = this.#parts;
    const begunAt = now();
    const askableMs = this.#lookups.askableMs(key);
    try {
      const found = await circuits.find(key, askableMs);
      if (found === undefined) throw new CairnError("peer-unreachable", { why: "no member relays to it" });
      if (this.#parts.linkWith(key) === undefined) await outbound.greet(await circuits.connect(key, found), key);
    } catch (error) {
      if (askableMs === Number.POSITIVE_INFINITY) this.#lookups.missed(key, begunAt);
      throw error;
    }
  }

  /** There is a new link: it may lead to those whom nobody relayed to, one after the other. */
  async #askNewcomer(): Promise<void> {
    const { missing, linkWith, log } = this.#parts;
    for (const key of missing()) {
      if (this.#isEnding || linkWith(key) !== undefined || !this.#lookups.has(key)) continue;
      await this.#relayed(key).catch((error: unknown) => log.event("debug", "path.failed", { peer: key, why: reasonOf(error) }));
    }
  }

  #betterLater(link: Link, attempt: number): void {
    const afterMs = BETTER_AFTER_MS[Math.min(attempt, BETTER_AFTER_MS.length - 1)] ?? 0;
    const timer = setTimeout(
      () => {
        this.#better(link, attempt)
          .catch((error: unknown) => this.#parts.log.event("debug", "path.failed", { peer: link.key, why: reasonOf(error) }))
          .finally(() => {
            if (this.#timers.get(link.key) === timer) this.#betterLater(link, attempt + 1);
          });
      },
      afterMs * (0.75 + 0.5 * this.#parts.random()),
    );
    timer.unref();
    this.#timers.set(link.key, timer);
  }

  async #better(link: Link, attempt: number): Promise<void> {
    const { self, puncher, linkWith, log } = this.#parts;
    const { key } = link;
    // Of two sides one is enough: who dialled punches, and the lesser key may change relays; see Links.
    if (link.facts.direction === "outbound") {
      const why = await puncher.punch(link);
      log.event("info", "path.punched", { peer: key, attempt, direct: why === undefined, ...(why !== undefined && { why }) });
      if (why === undefined) return;
    }
    if (attempt === 0) return;
    await this.#dialBeside(key); // Each side knows addresses of the other: only one of them may be reachable.
    if (self < key && linkWith(key) === link) await this.#changeRelay(link);
  }

  /** Tries a member's own addresses while there is a link by a worse way. */
  async #dialBeside(key: Key): Promise<void> {
    const known = this.#parts.host(key);
    if (this.#isEnding || known === undefined || known.addresses.length === 0) return;
    if (performance.now() < (this.#besideAgain.get(key) ?? 0)) return;
    this.#besideAgain.set(key, Number.POSITIVE_INFINITY); // One attempt at a time.
    await this.#parts.outbound.dial(known).catch(() => undefined);
    if (this.#besideAgain.has(key)) this.#besideAgain.set(key, performance.now() + limits.redialSpacingMs);
  }

  async #changeRelay(link: Link): Promise<void> {
    const { circuits, outbound, log } = this.#parts;
    const found = await circuits.find(link.key);
    if (found === undefined || !isQuicker(found, link)) return;
    const { relay, rttMs } = found;
    log.event("info", "path.relay-changed", { peer: link.key, to: relay, rttMs, beforeMs: link.facts.usualRttMs ?? null });
    await outbound.greet(await circuits.connect(link.key, found), link.key);
  }
}

function isQuicker({ relay, rttMs }: Found, { facts }: Link): boolean {
  return relay !== facts.via && facts.usualRttMs !== undefined && rttMs < QUICKER * facts.usualRttMs - QUICKER_MS;
}
