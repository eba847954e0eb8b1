/**
 * What members tell each other about logs by gossip: what they have cosigned, and forks that somebody has found.
 *
 * Knows: what is worth telling, and that a fork shows itself. Does not know: what is kept of a log, or what follows for whose it is.
 */
import { Attempts, type Digest, digestOf, Generations, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Gossip, SignedCheckpoint } from "../contracts/index.ts";
import { type Fork, type Head, isFork, isHead } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";

export interface LogWatchParts {
  readonly gossip: Gossip;
  readonly codec: Pick<NetworkCodec, "encodeLogHeads" | "decodeLogHeads" | "encodeLogFork" | "decodeLogFork">;
  /** The trust domain of an active member, by its peer key and by its attestation key. */
  readonly domainOf: (member: Key) => string | undefined;
  readonly domainOfLog: (log: Key) => string | undefined;
  /** A checkpoint that another member has cosigned. @returns a fork, where that makes one */
  readonly hear: (head: Head, teller: string) => Fork | undefined;
  /** Whose log it is is to be convicted. @returns whether that is news */
  readonly forked: (fork: Fork) => boolean;
  readonly isConvicted: (log: Key) => boolean;
  /** ms, monotonic */
  readonly now: () => number;
  readonly log: Log;
}

const HEADS = "checkpoints";
const FORKS = "forks";
const { askMs, headsPerMessage, looked, lookAgainMs, looks } = limits.transparency;

export class LogWatch implements Disposable {
  readonly #parts: LogWatchParts;
  readonly #subscriptions: readonly Disposable[];
  /** By log, what this node has cosigned last and not told yet or long ago; the latest at the end. */
  readonly #cosigned = new Map<Key, Head>();
  /** What was looked at: members repeat themselves. */
  readonly #looked = new Generations<string, true>(looked);
  /** Forks that were told, by what was said. */
  readonly #told = new Generations<Digest, true>(looked);
  readonly #looks: Attempts;
  /** By author, the last that it has told and that was too much; it may not tell it again. */
  readonly #unlooked = new Map<Key, readonly SignedCheckpoint[]>();
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(parts: LogWatchParts) {
    this.#parts = parts;
    this.#looks = new Attempts({ now: parts.now }, looks);
    const { gossip, codec } = parts;
    this.#subscriptions = [
      gossip.subscribe(HEADS, { lasting: true }, (author, content) => this.#heard(author, codec.decodeLogHeads(content))),
      gossip.subscribe(FORKS, { lasting: true }, (_, content) => this.#shown(content)),
    ];
  }

  /** This node has cosigned a checkpoint: others will hear of it. */
  cosigned(head: Head): void {
    this.#cosigned.delete(head.log);
    this.#cosigned.set(head.log, head);
    const [eldest] = this.#cosigned.keys();
    if (this.#cosigned.size > headsPerMessage && eldest !== undefined) this.#cosigned.delete(eldest);
    this.#timer ??= setTimeout(() => this.#tell(), askMs / 4).unref();
  }

  /** This node has found a fork: whose log it is is convicted, and everybody else can do the same. */
  found(fork: Fork): void {
    if (!this.#parts.forked(fork)) return;
    this.#parts.gossip.publish(FORKS, this.#parts.codec.encodeLogFork(fork));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    for (const one of this.#subscriptions) one[Symbol.dispose]();
  }

  #tell(): void {
    this.#timer = undefined;
    this.#parts.gossip.publish(HEADS, this.#parts.codec.encodeLogHeads([...this.#cosigned.values()].toReversed()));
  }

  #heard(author: Key, heads: readonly SignedCheckpoint[]): void {
    const { domainOf, domainOfLog, hear, log } = this.#parts;
    const teller = domainOf(author);
    this.#unlooked.delete(author);
    if (teller === undefined) return;
    for (const head of heads) {
      const name = `${teller} ${head.log} ${head.size} ${head.root} ${Buffer.from(head.signature).toString("base64")}`;
      if (domainOfLog(head.log) === undefined || this.#looked.has(name)) continue;
      if (!isHead(head)) return log.event("warn", "log.forged", { peer: author, log: head.log });
      if (this.#looks.tooMany(author, teller)) return this.#lookLater(author, heads);
      try {
        const fork = hear(head, teller);
        if (fork !== undefined) this.found(fork);
        this.#looked.set(name, true);
      } catch (error) {
        log.event("warn", "log.not-compared", { log: head.log, why: reasonOf(error) });
      }
    }
  }

  #lookLater(author: Key, heads: readonly SignedCheckpoint[]): void {
    this.#unlooked.set(author, heads);
    const again = (): void => {
      this.#again = undefined;
      const unlooked = new Map(this.#unlooked);
      for (const [one, told] of unlooked) this.#heard(one, told);
    };
    this.#again ??= setTimeout(again, lookAgainMs).unref();
  }

  /** Who told it does not matter: it shows itself. */
  #shown(content: Uint8Array): void {
    const { codec, domainOfLog, isConvicted, forked } = this.#parts;
    const name = digestOf(content);
    if (this.#told.has(name)) return;
    const fork = codec.decodeLogFork(content);
    const { log } = fork.newer;
    // Somebody convicted could show forks of its own without end; one of a member that is not known yet is looked at when it is told again.
    if (domainOfLog(log) === undefined || isConvicted(log)) return;
    if (isFork(fork)) forked(fork);
    this.#told.set(name, true);
  }
}
