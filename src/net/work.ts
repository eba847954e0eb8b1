/**
 * Work: members that compile and run for this node, and this node for them, docs/protocol/work.md.
 *
 * Knows: one channel for each member that is asked, and one for each that asks. Does not know: which member is asked, what is done
 * for whom, what a result is worth.
 */
import { CairnError, type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { CompileAction, GeneralAction, Row, WorkDesk, WorkerOutcome, Workers } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import type { PeerChange } from "./network.ts";
import { Offences } from "./offences.ts";
import { channelOf } from "./share-channel.ts";
import { WorkAnswerer } from "./work-answerer.ts";
import { type Asked, type Contents, SILENT_LOOKS, WorkAsker } from "./work-asker.ts";

export const WORK = "/cairn/work/1";

/** What it needs of the network. */
export interface WorkNetwork {
  serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void>;
  readonly open: OpenStream;
  onPeers(listener: (change: PeerChange) => void): void;
  connected(key: Key): boolean;
  /** The last round trip to a member; undefined when there was none. */
  rttMs(key: Key): number | undefined;
}

export interface WorkParts {
  readonly network: WorkNetwork;
  readonly desk: WorkDesk;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** The last one may still be on its way out when the next comes. */
const STREAMS_PER_MEMBER = 2;

export class Work implements Workers, Disposable {
  readonly #parts: WorkParts;
  readonly #asking = new Map<Key, Promise<WorkAsker>>();
  /** Of these, those that have been reached. */
  readonly #askers = new Map<Key, WorkAsker>();
  readonly #answering = new Set<WorkAnswerer>();
  readonly #assembling = { bytes: 0 };
  readonly #unsent = { bytes: 0 };
  /** Of members that did not keep to the rules, whichever side they were on. */
  readonly #offences: Offences;
  #isOver = false;

  static async start(parts: WorkParts): Promise<Work> {
    const work = new Work(parts);
    await parts.network.serve(WORK, STREAMS_PER_MEMBER, (stream) => work.#accept(stream));
    parts.network.onPeers(({ kind, key }) => {
      if (kind === "lost") work.#lost(key);
    });
    return work;
  }

  private constructor(parts: WorkParts) {
    this.#parts = parts;
    this.#offences = new Offences(parts, { pauseMs: limits.shareReopenMs });
  }

  compile(member: Key, action: CompileAction, content: Contents, signal: AbortSignal, row?: Row): Promise<WorkerOutcome> {
    return this.#ask(member, { kind: "compile", action }, content, signal, row);
  }

  act(member: Key, action: GeneralAction, content: Contents, signal: AbortSignal): Promise<WorkerOutcome> {
    return this.#ask(member, { kind: "general", action }, content, signal);
  }

  /** Of some contents, what has to be sent to a member: all that it has not had on this channel. @param contents each with its bytes */
  lackedBytes(member: Key, contents: ReadonlyMap<Digest, number>): number | undefined {
    return this.#askers.get(member)?.lackedBytes(contents);
  }

  /** How fast the link with a member takes contents; undefined: not known. */
  bytesPerMs(member: Key): number | undefined {
    return this.#askers.get(member)?.bytesPerMs;
  }

  async #ask(member: Key, asked: Asked, content: Contents, signal: AbortSignal, row?: Row): Promise<WorkerOutcome> {
    signal.throwIfAborted();
    let asker: WorkAsker;
    try {
      asker = await this.#askerOf(member);
    } catch (error) {
      signal.throwIfAborted();
      return { kind: "lost", why: reasonOf(error) };
    }
    return asker.ask(asked, content, signal, row);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const answerer of this.#answering) answerer.end("this node stops");
    for (const asking of this.#asking.values()) void asking.then((asker) => asker.end("this node stops"), ignored);
  }

  /** @throws when the member is not linked, does not serve the protocol, or has broken the rules */
  #askerOf(key: Key): Promise<WorkAsker> {
    const before = this.#asking.get(key);
    if (before !== undefined) return before;
    const asking = this.#reach(key);
    this.#asking.set(key, asking);
    asking.catch(() => this.#asking.get(key) === asking && this.#asking.delete(key));
    return asking;
  }

  async #reach(key: Key): Promise<WorkAsker> {
    const { codec, log, now } = this.#parts;
    if (this.#isOver) throw new CairnError("peer-absent", { why: "this node stops" });
    if (this.#offences.pauseMs(key) > 0) throw new CairnError("peer-absent", { why: "has broken the rules" });
    const channel = channelOf(await this.#open(key));
    const openedAt = now();
    const ended = (why: string, isOffence: boolean): void => {
      this.#asking.delete(key);
      this.#askers.delete(key);
      this.#ended(asker, { key, why, isOffence, direction: "outbound", openedAt });
    };
    const asker: WorkAsker = new WorkAsker({ codec, compress: () => this.#isLong(key), now, ended }, channel);
    if (asker.isOpen) this.#askers.set(key, asker);
    log.event("info", "work.opened", { peer: key, direction: "outbound" });
    if (this.#isOver) asker.end("this node stops");
    return asker;
  }

  /** Gives up like an asker: by looks, for its own standstill is none of the member's. */
  async #open(key: Key): Promise<MemberStream> {
    const silence = new AbortController();
    let looks = 0;
    const looking = setInterval(() => {
      if (++looks > SILENT_LOOKS) silence.abort(new DOMException("says nothing", "TimeoutError"));
    }, limits.work.aliveMs).unref();
    try {
      return await this.#parts.network.open(key, WORK, silence.signal);
    } finally {
      clearInterval(looking);
    }
  }

  #accept(stream: MemberStream): void {
    const { codec, desk, now, log } = this.#parts;
    const { key } = stream;
    const why = this.#isOver ? "this node stops" : this.#offences.pauseMs(key) > 0 ? "too soon" : undefined;
    if (why !== undefined) {
      log.event("info", "work.not-opened", { peer: key, why });
      return stream.stream.abort(new Error(why));
    }
    for (const answerer of this.#answering) if (answerer.key === key) answerer.end("replaced");
    const openedAt = now();
    const ended = (because: string, isOffence: boolean): void => {
      this.#answering.delete(answerer);
      this.#ended(answerer, { key, why: because, isOffence, direction: "inbound", openedAt });
    };
    const failed = (error: unknown): void => log.event("error", "work.failed", { peer: key, error: String(error) });
    const counted = { assembling: this.#assembling, unsent: this.#unsent };
    const parts = { codec, desk, now, ...counted, compress: () => this.#isLong(key), failed, ended };
    const answerer: WorkAnswerer = new WorkAnswerer(parts, channelOf(stream));
    this.#answering.add(answerer);
    log.event("info", "work.opened", { peer: key, direction: "inbound" });
  }

  #lost(key: Key): void {
    for (const answerer of this.#answering) if (answerer.key === key) answerer.end("no link");
    void this.#asking.get(key)?.then((asker) => asker.end("no link"), ignored);
  }

  #ended(
    { counts }: Pick<WorkAsker, "counts">,
    { key, why, isOffence, direction, openedAt }: { key: Key; why: string; isOffence: boolean; direction: string; openedAt: number },
  ): void {
    const { bytesIn, bytesOut } = counts;
    const facts = { peer: key, why, direction, afterMs: Math.round(this.#parts.now() - openedAt), bytesIn, bytesOut };
    this.#parts.log.event(isOffence ? "warn" : "info", isOffence ? "work.cut-off" : "work.closed", facts);
    if (isOffence) this.#offences.offended(key);
  }

  /** Whether bytes to a member take longer on their way than compressing them does. */
  #isLong(key: Key): boolean {
    return (this.#parts.network.rttMs(key) ?? Number.POSITIVE_INFINITY) > limits.work.shortRttMs;
  }
}

const ignored = (): void => undefined;
