/**
 * Asking a member to witness this node's log, and being asked: docs/protocol/log.md, "Witnesses".
 *
 * Knows: one short stream a question. Does not know: what a checkpoint is worth.
 */
import { type Key, type Log, limits } from "../base/index.ts";
import type { LogAnswer, LogQuestion } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";
import { answerOnce, askOnce } from "./one-question.ts";

const LOG = "/cairn/log/1";
/** A question that has just been answered may still be closing. */
const STREAMS_PER_MEMBER = 2;
const OPTIONS = { frameBytes: limits.transparency.frameBytes, stepMs: limits.transparency.answerMs } as const;

export interface LogTalkParts {
  readonly network: StreamNetwork;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** What this node says about a member's log. */
  readonly answer: (from: Key, question: LogQuestion) => Promise<LogAnswer>;
}

export class LogTalk {
  readonly #parts: LogTalkParts;

  static async start(parts: LogTalkParts): Promise<LogTalk> {
    const talk = new LogTalk(parts);
    await parts.network.serve(LOG, STREAMS_PER_MEMBER, (stream) => void talk.#serve(stream));
    return talk;
  }

  private constructor(parts: LogTalkParts) {
    this.#parts = parts;
  }

  /** @throws {CairnError} peer-absent, frame-invalid; and whatever breaks the stream */
  async ask(member: Key, question: LogQuestion): Promise<LogAnswer> {
    const { network, codec } = this.#parts;
    return askOnce(network, member, {
      ...OPTIONS,
      protocol: LOG,
      question: codec.encodeLogQuestion(question),
      read: codec.decodeLogAnswer,
    });
  }

  #serve(stream: MemberStream): Promise<void> {
    const { codec, answer, log } = this.#parts;
    return answerOnce(stream, {
      ...OPTIONS,
      answer: async (from, asked) => codec.encodeLogAnswer(await answer(from, codec.decodeLogQuestion(asked))),
      log,
      broken: "log.broken",
    });
  }
}
