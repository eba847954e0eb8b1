/**
 * A short stream with one question and its answer, then it ends: how it is asked, and how it is answered.
 *
 * Knows: frames and deadlines. Does not know: what is asked.
 */
import { CairnError, type Key, type Log, reasonOf } from "../base/index.ts";
import { framesOf } from "./frames.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";

export interface QuestionOptions {
  readonly frameBytes: number;
  /** How long opening, one frame on its way, and the end may take each. */
  readonly stepMs: number;
}

export interface Asked<Answer> extends QuestionOptions {
  readonly protocol: string;
  readonly question: Uint8Array;
  /** How long the answer may take; `stepMs` unless told. */
  readonly waitMs?: number;
  /** @throws {CairnError} frame-invalid */
  readonly read: (answer: Uint8Array) => Answer;
}

/** @throws {CairnError} peer-absent, frame-invalid; and whatever breaks the stream */
export async function askOnce<Answer>(
  network: Pick<StreamNetwork, "open">,
  member: Key,
  { protocol, frameBytes, stepMs, waitMs = stepMs, question, read }: Asked<Answer>,
): Promise<Answer> {
  const { stream } = await network.open(member, protocol, stepMs);
  const frames = framesOf(stream, frameBytes);
  try {
    await frames.write(question, stepMs);
    const answer = await frames.read(waitMs);
    if (answer === undefined) throw new CairnError("frame-invalid", { what: "no answer" });
    const told = read(answer);
    await frames.close(stepMs);
    return told;
  } catch (error) {
    frames.abort("no answer");
    throw error;
  }
}

export interface Answering extends QuestionOptions {
  readonly answer: (from: Key, question: Uint8Array) => Promise<Uint8Array> | Uint8Array;
  readonly log: Log;
  /** The event's name when a stream breaks. */
  readonly broken: string;
}

/** Never rejects. */
export async function answerOnce({ key, stream }: MemberStream, options: Answering): Promise<void> {
  const { frameBytes, stepMs, answer, log, broken } = options;
  const frames = framesOf(stream, frameBytes);
  try {
    const asked = await frames.read(stepMs);
    if (asked === undefined) return frames.abort("nothing asked");
    await frames.write(await answer(key, asked), stepMs);
    await frames.close(stepMs);
  } catch (error) {
    log.event("info", broken, { peer: key, why: reasonOf(error) });
    frames.abort("broken");
  }
}
