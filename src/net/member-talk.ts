/**
 * Words between members, on one stream for each two and purpose: who computes what (docs/protocol/placement.md), what domains agree on
 * (docs/protocol/agreement.md).
 *
 * A word may be lost, with its stream or with whoever should hear it: who waits for an answer does not wait for long.
 * Knows: streams, frames, how much a member may say. Does not know: what the words mean.
 */
import { type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { type Frames, framesOf } from "./frames.ts";
import { Allowance } from "./gossip-authors.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";

/** Both may open one at the same time, and one that has ended may still be closing. */
const STREAMS_PER_MEMBER = 3;

export interface MemberTalkParts<Frame> {
  readonly network: StreamNetwork;
  readonly log: Log;
  readonly encode: (frame: Frame) => Uint8Array;
  /** Throws where a member has sent no such frame. */
  readonly decode: (bytes: Uint8Array) => Frame;
  readonly hear: (from: Key, frame: Frame) => void;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface MemberTalkOptions {
  readonly protocol: string;
  readonly frameBytes: number;
  /** Frames of one member: in a second on average, and at once. */
  readonly framesPerSecond: number;
  readonly framesAtOnce: number;
  /** Frames that wait until a member takes them. */
  readonly framesWaiting: number;
  /** A stream on which nothing is said ends; one is opened, or closed, in so long. */
  readonly idleMs: number;
  readonly openMs: number;
}

interface Line {
  /** Undefined while it is being opened. */
  frames: Frames | undefined;
  readonly waiting: Uint8Array[];
  isWriting: boolean;
}

export class MemberTalk<Frame> implements Disposable {
  readonly #parts: MemberTalkParts<Frame>;
  readonly #options: MemberTalkOptions;
  readonly #lines = new Map<Key, Line>();

  static async start<Frame>(parts: MemberTalkParts<Frame>, options: MemberTalkOptions): Promise<MemberTalk<Frame>> {
    const talk = new MemberTalk(parts, options);
    await parts.network.serve(options.protocol, STREAMS_PER_MEMBER, (stream) => talk.#accept(stream));
    return talk;
  }

  private constructor(parts: MemberTalkParts<Frame>, options: MemberTalkOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Says something to a member, if it can be reached. */
  send(to: Key, frame: Frame): void {
    const line = this.#lines.get(to) ?? this.#open(to);
    if (line.waiting.length >= this.#options.framesWaiting) return; // It does not read.
    line.waiting.push(this.#parts.encode(frame));
    void this.#write(to, line);
  }

  [Symbol.dispose](): void {
    for (const [key, line] of this.#lines) this.#end(key, line, "this node stops");
  }

  #open(to: Key): Line {
    const line: Line = { frames: undefined, waiting: [], isWriting: false };
    this.#lines.set(to, line);
    const { protocol, frameBytes, openMs } = this.#options;
    this.#parts.network.open(to, protocol, openMs).then(
      ({ stream }) => {
        const frames = framesOf(stream, frameBytes);
        if (this.#lines.get(to) === line) line.frames = frames;
        void this.#read(to, line, frames);
        void this.#write(to, line);
      },
      (error: unknown) => this.#end(to, line, reasonOf(error)),
    );
    return line;
  }

  #accept({ key, stream }: MemberStream): void {
    const frames = framesOf(stream, this.#options.frameBytes);
    const before = this.#lines.get(key);
    const line: Line = before ?? { frames, waiting: [], isWriting: false };
    // Both speak on either: the newer one is known to work.
    line.frames = frames;
    this.#lines.set(key, line);
    void this.#read(key, line, frames);
    void this.#write(key, line);
  }

  async #write(to: Key, line: Line): Promise<void> {
    if (line.isWriting) return;
    line.isWriting = true;
    try {
      while (line.frames !== undefined) {
        const bytes = line.waiting.shift();
        if (bytes === undefined) break;
        await line.frames.write(bytes, limits.memberWriteDeadlineMs);
      }
    } catch (error) {
      this.#end(to, line, reasonOf(error));
    } finally {
      line.isWriting = false;
    }
  }

  async #read(from: Key, line: Line, frames: Frames): Promise<void> {
    const { decode, hear, now } = this.#parts;
    const { framesPerSecond, framesAtOnce, idleMs, openMs } = this.#options;
    const allowance = new Allowance(framesPerSecond, framesAtOnce, now());
    try {
      for (;;) {
        const bytes = await frames.read(idleMs);
        if (bytes === undefined) break;
        if (!allowance.take(1, now())) throw new Error("too much said");
        hear(from, decode(bytes));
      }
      await frames.close(openMs);
      this.#end(from, line, "closed", frames);
    } catch (error) {
      frames.abort(reasonOf(error));
      this.#end(from, line, reasonOf(error), frames);
    }
  }

  /** @param only the stream that ended, when another may have taken its place */
  #end(key: Key, line: Line, why: string, only?: Frames): void {
    if (this.#lines.get(key) !== line || (only !== undefined && line.frames !== only)) return;
    this.#lines.delete(key);
    line.frames?.abort(why);
    this.#parts.log.event("debug", "talk.stream-ended", { peer: key, protocol: this.#options.protocol, why });
  }
}
