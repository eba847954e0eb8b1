/**
 * Words between members about who computes what, on one stream for each two: docs/protocol/placement.md.
 *
 * A word may be lost, with its stream or with whoever should hear it: who waits for an answer does not wait for long.
 * Knows: streams, frames, how much a member may say. Does not know: what the words mean.
 */
import { type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { PlacementFrame } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { type Frames, framesOf } from "./frames.ts";
import { Allowance } from "./gossip-authors.ts";
import type { KeepNetwork } from "./keep.ts";
import type { MemberStream } from "./member-stream.ts";

const PLACEMENT = "/cairn/placement/1";
/** Both may open one at the same time, and one that has ended may still be closing. */
const STREAMS_PER_MEMBER = 3;
const { frameBytes, framesAtOnce, framesPerSecond, framesWaiting, idleMs, openMs } = limits.placement;

export interface PlacementTalkParts {
  readonly network: KeepNetwork;
  readonly codec: NetworkCodec;
  readonly log: Log;
  readonly hear: (from: Key, frame: PlacementFrame) => void;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Line {
  /** Undefined while it is being opened. */
  frames: Frames | undefined;
  readonly waiting: Uint8Array[];
  isWriting: boolean;
}

export class PlacementTalk implements Disposable {
  readonly #parts: PlacementTalkParts;
  readonly #lines = new Map<Key, Line>();

  static async start(parts: PlacementTalkParts): Promise<PlacementTalk> {
    const talk = new PlacementTalk(parts);
    await parts.network.serve(PLACEMENT, STREAMS_PER_MEMBER, (stream) => talk.#accept(stream));
    return talk;
  }

  private constructor(parts: PlacementTalkParts) {
    this.#parts = parts;
  }

  /** Says something to a member, if it can be reached. */
  send(to: Key, frame: PlacementFrame): void {
    const line = this.#lines.get(to) ?? this.#open(to);
    if (line.waiting.length >= framesWaiting) return; // It does not read.
    line.waiting.push(this.#parts.codec.encodePlacementFrame(frame));
    void this.#write(to, line);
  }

  [Symbol.dispose](): void {
    for (const [key, line] of this.#lines) this.#end(key, line, "this node stops");
  }

  #open(to: Key): Line {
    const line: Line = { frames: undefined, waiting: [], isWriting: false };
    this.#lines.set(to, line);
    this.#parts.network.open(to, PLACEMENT, openMs).then(
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
    const frames = framesOf(stream, frameBytes);
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
    const { codec, hear, now } = this.#parts;
    const allowance = new Allowance(framesPerSecond, framesAtOnce, now());
    try {
      for (;;) {
        const bytes = await frames.read(idleMs);
        if (bytes === undefined) break;
        if (!allowance.take(1, now())) throw new Error("too much said");
        hear(from, codec.decodePlacementFrame(bytes));
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
    this.#parts.log.event("debug", "placement.stream-ended", { peer: key, why });
  }
}
