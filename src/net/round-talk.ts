/**
 * Rounds as members talk in them, one stream for each that is asked: docs/protocol/rounds.md.
 *
 * Knows: which frame follows which, and deadlines. Does not know: what a commitment promises, what counts, or who is to be asked.
 */
import { Attempts, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Commitment, Opening, RoundFrame, RoundQuestion } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { type Frames, framesOf } from "./frames.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";

const ROUND = "/cairn/round/1";
const { frameBytes, stepMs, commitMs, withheldMs, askedBy, questions } = limits.trust.round;

type Declined = Extract<RoundFrame, { kind: "declined" }>;

/** Who asks, for one member. */
export interface RoundAsker {
  /** @returns whether it counts: nothing more is asked of whose does not */
  committed(commitment: Commitment): boolean;
  /** Aborts when nothing that is promised counts any more. */
  readonly closed: AbortSignal;
  /** Resolves when what was promised may be told. */
  readonly revealing: Promise<void>;
}

/** Who takes part in a round. */
export interface RoundPart extends Disposable {
  /** Undefined where it could not be executed. */
  readonly found: Promise<{ readonly commitment: Commitment; readonly opening: Opening } | undefined>;
  /** It is to be told. Resolves when it may be: when no other round about that action is still closed. */
  revealed(): Promise<void>;
}

export interface RoundTalkParts {
  readonly network: StreamNetwork;
  readonly codec: Pick<NetworkCodec, "encodeRoundFrame" | "decodeRoundFrame">;
  readonly log: Log;
  /** What this node says to a question; what is no part declines. */
  readonly takePart: (from: Key, question: RoundQuestion) => RoundPart | Declined;
  /** ms, monotonic */
  readonly now: () => number;
}

/** What came of asking a member. */
export type RoundAnswer = Declined | ({ readonly kind: "opening" } & Opening) | { readonly kind: "out"; readonly why: string };

export class RoundTalk {
  readonly #parts: RoundTalkParts;
  readonly #asked: Attempts;

  static async start(parts: RoundTalkParts): Promise<RoundTalk> {
    const talk = new RoundTalk(parts);
    await parts.network.serve(ROUND, askedBy, (stream) => void talk.#serve(stream));
    return talk;
  }

  private constructor(parts: RoundTalkParts) {
    this.#parts = parts;
    this.#asked = new Attempts(parts, questions);
  }

  /** Asks a member to take part, and waits to the end. Never rejects: whoever breaks off is out. */
  async ask(member: Key, question: RoundQuestion, asker: RoundAsker): Promise<RoundAnswer> {
    let frames: Frames | undefined;
    let isPromised = false;
    const late = (): void => {
      if (!isPromised) frames?.abort("it is closed");
    };
    asker.closed.addEventListener("abort", late);
    try {
      const { stream } = await this.#parts.network.open(member, ROUND, stepMs);
      frames = framesOf(stream, frameBytes);
      if (asker.closed.aborted) return out(frames, "it is closed");
      await this.#write(frames, { kind: "ask", ...question });
      const first = await this.#read(frames, commitMs);
      if (first?.kind === "declined") return await said(frames, first);
      if (first?.kind !== "commitment" || !asker.committed(first)) return out(frames, "no commitment that counts");
      isPromised = true;
      await asker.revealing;
      await this.#write(frames, { kind: "reveal" });
      const told = await this.#read(frames, withheldMs);
      if (told?.kind !== "opening") return out(frames, "no opening");
      return await said(frames, told);
    } catch (error) {
      return out(frames, reasonOf(error));
    } finally {
      asker.closed.removeEventListener("abort", late);
    }
  }

  async #serve({ key, stream }: MemberStream): Promise<void> {
    const frames = framesOf(stream, frameBytes);
    if (this.#asked.tooMany(key)) return frames.abort("too many questions");
    try {
      const question = await this.#read(frames, stepMs);
      if (question?.kind !== "ask") return frames.abort("nothing asked");
      const part = this.#parts.takePart(key, question);
      if ("kind" in part) await this.#write(frames, part);
      else await this.#takePart(frames, part);
      await frames.close(stepMs);
    } catch (error) {
      this.#parts.log.event("info", "round.broken", { peer: key, why: reasonOf(error) });
      frames.abort("broken");
    }
  }

  /** What was found is published at the end, whatever ends it. */
  async #takePart(frames: Frames, part: RoundPart): Promise<void> {
    using _ = part;
    // It is over when the stream is, also while this node executes.
    const asked = this.#read(frames, withheldMs);
    const found = await Promise.race([part.found, asked.then(() => undefined)]);
    if (found === undefined) return;
    await this.#write(frames, { kind: "commitment", ...found.commitment });
    if ((await asked)?.kind !== "reveal") return;
    await part.revealed();
    await this.#write(frames, { kind: "opening", ...found.opening });
  }

  #write(frames: Frames, frame: RoundFrame): Promise<void> {
    return frames.write(this.#parts.codec.encodeRoundFrame(frame), stepMs);
  }

  /** Undefined where the other side has closed. */
  async #read(frames: Frames, deadlineMs: number): Promise<RoundFrame | undefined> {
    const bytes = await frames.read(deadlineMs);
    return bytes && this.#parts.codec.decodeRoundFrame(bytes);
  }
}

/** All that matters has been said: how the stream ends changes nothing. */
async function said<Answer extends RoundAnswer>(frames: Frames, answer: Answer): Promise<Answer> {
  await frames.close(stepMs).catch(() => undefined);
  return answer;
}

function out(frames: Frames | undefined, why: string): RoundAnswer {
  frames?.abort(why);
  return { kind: "out", why };
}
