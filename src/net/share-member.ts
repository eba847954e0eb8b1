/**
 * Sharing with one member: what each says that it has, and questions and answers both ways, over the channel of their link and over lanes
 * beside it, which are quicker.
 *
 * Knows: which channel takes a question, and when a member is to be let go of. Does not know: other members, or what a lane is made of.
 */
import { CairnError, type Digest, Generations, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { FrameChannel, FrameLanes, SharedResult, Shelf } from "../contracts/index.ts";
import type { NetworkCodec, Question, SetCarrier, SummaryFrame } from "../wire/index.ts";
import type { SetSync } from "./set-sync.ts";
import type { SetTalk } from "./set-talk.ts";
import type { Announcer, Teller } from "./share-announcer.ts";
import type { AnswerBudgets } from "./share-answerer.ts";
import type { Asking } from "./share-asker.ts";
import { Dialogue, type ShareCounts } from "./share-dialogue.ts";
import type { Source } from "./share-fetch.ts";
import { ResultsDesk } from "./share-results.ts";

export interface MemberParts {
  readonly shelf: Shelf;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  readonly announcer: Announcer;
  readonly budgets: AnswerBudgets;
  /** The member has given so many bytes of what was asked for. */
  readonly earned: (bytes: number) => void;
  readonly lanes: Pick<FrameLanes, "open">;
  readonly sync: SetSync;
  /** The member tells what it can serve. @throws {CairnError} frame-invalid */
  readonly heard: (frame: SummaryFrame) => void;
  /** Whether the member says that it has results of a request. */
  readonly claims: (manifest: Digest) => boolean;
  /** It had what it says that it has, or had it not. */
  readonly held: () => void;
  readonly vain: () => void;
  /** @param offence whether the member has not kept to the rules */
  readonly ended: (member: ShareMember, why: string, offence: boolean) => void;
}

/** Frames of a summary that may come in a burst, and in a second. */
const SUMMARY_BURST = 32;
const SUMMARIES_PER_SECOND = 8;
/** Lanes that a member may have opened: the last one may still be on its way out when the next comes. */
const LANES_IN = 2;
const NOTHING = (): undefined => undefined;

export class ShareMember implements Source {
  readonly counts: ShareCounts = {
    questionsOut: 0,
    questionsIn: 0,
    results: 0,
    blobs: 0,
    missed: 0,
    late: 0,
    bytesIn: 0,
    bytesOut: 0,
    firstAnswerMs: undefined,
  };
  readonly results: ResultsDesk;
  readonly #parts: MemberParts;
  readonly #link: Dialogue;
  readonly #teller: Teller;
  readonly #talk: SetTalk;
  /** The lane that this node has opened, on which it asks; those on which it is asked. */
  #lane: Dialogue | undefined;
  readonly #lanesIn = new Set<Dialogue>();
  /** Blobs of its results, which it should have. */
  readonly #offered = new Generations<Digest, true>(limits.shareOffered);
  /** No lane is opened before that. */
  #laneAt = 0;
  /** Attempts that came to nothing, and lanes that broke, one after the other. */
  #laneFailures = 0;
  #laneTimer: NodeJS.Timeout | undefined;
  /** What had come when there was no lane last: {@link ShareCounts.bytesIn}. */
  #bytesBefore = 0;
  #isOver = false;
  #isOffence = false;
  #summaries = SUMMARY_BURST;
  #summaryAt: number;

  constructor(parts: MemberParts, channel: FrameChannel) {
    this.#parts = parts;
    this.#summaryAt = parts.now();
    this.#link = this.#dialogue(channel, {
      heard: (frame) => this.#heard(frame),
      spare: () => this.#summary() ?? this.#aboutSet(),
      ended: (why) => this.#ended(why),
    });
    this.#teller = parts.announcer.teller(() => this.#link.ready());
    const ready = (): void => this.#link.ready();
    this.#talk = parts.sync.opened(this.key, { ready, offend: (why) => this.#offend(why) });
    this.results = new ResultsDesk({
      ask: (asking) => this.ask(asking),
      gave: (manifest, shared, isAll) => this.#gave(manifest, shared, isAll),
      finished: (blob, bytes) => this.finished(blob, bytes),
      lied: (what) => this.lied(what),
    });
    this.#link.ready();
  }

  get key(): Key {
    return this.#link.key;
  }

  get isOpen(): boolean {
    return !this.#isOver && this.#link.isOpen;
  }

  /** What has passed about the set of attestations. */
  get attestations(): SetTalk["counts"] {
    return this.#talk.counts;
  }

  get ageMs(): number {
    return this.#link.ageMs;
  }

  ask(asking: Asking): () => void {
    if (this.#lane?.isOpen === true) return this.#lane.ask(asking);
    // The first lane starts a thread on either side, which costs more than little asked over the link.
    if (this.counts.bytesIn - this.#bytesBefore + bytesWanted(asking.question) >= limits.shareLaneFromBytes) void this.#openLane();
    return this.#link.ask(asking);
  }

  /** The member has opened a lane, on which it asks. */
  answerOn(channel: FrameChannel): void {
    if (this.#isOver || this.#lanesIn.size >= LANES_IN) return channel.end("too many");
    const lane: Dialogue = this.#laneOver(channel, () => this.#lanesIn.delete(lane));
    this.#lanesIn.add(lane);
  }

  finished(blob: Digest, bytes: number): void {
    this.counts.blobs++;
    this.#parts.earned(bytes);
    if (this.#offered.has(blob)) this.#parts.held();
  }

  missed(blob: Digest): void {
    this.counts.missed++;
    if (this.#offered.has(blob)) this.#parts.vain();
  }

  lied(what: string): void {
    this.#offend(`frame-invalid: ${what}`);
  }

  end(why: string): void {
    this.#link.end(why);
  }

  #dialogue(
    channel: FrameChannel,
    how: { heard: (frame: SummaryFrame | SetCarrier) => void; spare: () => Uint8Array | undefined; ended: (why: string) => void },
  ): Dialogue {
    const { shelf, codec, now, budgets } = this.#parts;
    return new Dialogue({ shelf, codec, now, budgets, counts: this.counts, offended: (why) => this.#offend(why), ...how }, channel);
  }

  /** Nothing but questions and answers goes over a lane. */
  #laneOver(channel: FrameChannel, ended: (why: string) => void): Dialogue {
    const heard = ({ kind }: SummaryFrame | SetCarrier): never => {
      throw new CairnError("frame-invalid", { what: kind });
    };
    return this.#dialogue(channel, { heard, spare: NOTHING, ended });
  }

  /** What is asked meanwhile goes over the link. */
  async #openLane(): Promise<void> {
    const { lanes, log, now } = this.#parts;
    if (this.#isOver || now() < this.#laneAt) return;
    this.#laneAt = Number.POSITIVE_INFINITY;
    try {
      const channel = await lanes.open(this.key);
      if (this.#isOver) return channel.end("no link");
      this.#lane = this.#laneOver(channel, (why) => this.#laneEnded(why));
      this.#laneTimer = setInterval(() => this.#closeIdleLane(), limits.shareLaneIdleMs / 2).unref();
      log.event("info", "share.lane-opened", { peer: this.key });
    } catch (error) {
      this.#laneFailed();
      log.event("debug", "share.lane-not-opened", { peer: this.key, why: reasonOf(error) });
    }
  }

  #closeIdleLane(): void {
    if (this.#lane !== undefined && this.#lane.idleMs > limits.shareLaneIdleMs) this.#lane.end("idle");
  }

  #laneEnded(why: string): void {
    clearInterval(this.#laneTimer);
    this.#lane = undefined;
    this.#bytesBefore = this.counts.bytesIn;
    if (why === "idle") [this.#laneAt, this.#laneFailures] = [0, 0];
    else this.#laneFailed();
    this.#parts.log.event("info", "share.lane-ended", { peer: this.key, why });
  }

  #laneFailed(): void {
    this.#laneAt = this.#parts.now() + Math.min(limits.shareLaneRetryMostMs, limits.shareLaneRetryFirstMs * 2 ** this.#laneFailures++);
  }

  #gave(manifest: Digest, shared: readonly SharedResult[], isAll: boolean): void {
    this.counts.results += shared.length;
    for (const { result } of shared) for (const { digest } of result.outputs) this.#offered.set(digest, true);
    if (shared.length > 0) return this.#parts.held();
    this.counts.missed++;
    if (isAll && this.#parts.claims(manifest)) this.#parts.vain();
  }

  #heard(frame: SummaryFrame | SetCarrier): void {
    if (frame.kind === "set") return this.#talk.heard(this.#parts.codec.decodeSetFrame(frame.bytes));
    this.#countSummary();
    this.#parts.heard(frame);
  }

  #countSummary(): void {
    const now = this.#parts.now();
    this.#summaries = Math.min(SUMMARY_BURST, this.#summaries + ((now - this.#summaryAt) / 1_000) * SUMMARIES_PER_SECOND) - 1;
    this.#summaryAt = now;
    if (this.#summaries < 0) throw new CairnError("frame-invalid", { what: "summaries" });
  }

  #offend(why: string): void {
    this.#isOffence = true;
    this.#link.end(why);
  }

  #ended(why: string): void {
    this.#isOver = true;
    this.#teller[Symbol.dispose]();
    this.#parts.sync.closed(this.key, this.#talk);
    this.#parts.ended(this, why, this.#isOffence);
    for (const lane of [this.#lane, ...this.#lanesIn]) lane?.end(why);
  }

  #aboutSet(): Uint8Array | undefined {
    const frame = this.#talk.next();
    const { codec } = this.#parts;
    return frame === undefined ? undefined : codec.encodeSetCarrier(codec.encodeSetFrame(frame));
  }

  #summary(): Uint8Array | undefined {
    const frame = this.#teller.next();
    return frame === undefined ? undefined : this.#parts.codec.encodeSummary(frame);
  }
}

/** Of blobs; how large results will be nobody knows. */
function bytesWanted(question: Question): number {
  return question.kind === "want-blobs" ? question.blobs.reduce((sum, { size, from }) => sum + size - from, 0) : 0;
}
