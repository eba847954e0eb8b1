/**
 * Giving names to the members that keep them, and asking them: docs/protocol/names.md.
 *
 * Knows: one short stream a question. Does not know: which records stand, or who keeps them.
 */
import { type Key, type Log, limits, type SignedName } from "../base/index.ts";
import type { NamesFrame, NetworkCodec } from "../wire/index.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";
import { answerOnce, askOnce } from "./one-question.ts";

const NAMES = "/cairn/names/1";
const STREAMS_PER_MEMBER = 4;
const OPTIONS = { frameBytes: limits.names.frameBytes, stepMs: limits.names.answerMs } as const;

export interface NamesParts {
  readonly network: StreamNetwork;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Keeps records that hold. @returns all that are kept of a name that is asked for */
  readonly take: (from: Key, frame: NamesFrame) => readonly SignedName[];
}

export class Names {
  readonly #parts: NamesParts;

  static async start(parts: NamesParts): Promise<Names> {
    const names = new Names(parts);
    await parts.network.serve(NAMES, STREAMS_PER_MEMBER, (stream) => void names.#serve(stream));
    return names;
  }

  private constructor(parts: NamesParts) {
    this.#parts = parts;
  }

  /**
   * Gives a member records to keep, and asks what it keeps of a name.
   *
   * @throws {CairnError} peer-absent, frame-invalid; and whatever breaks the stream
   */
  async tell(to: Key, frame: NamesFrame): Promise<readonly SignedName[]> {
    const { network, codec } = this.#parts;
    const read = (answer: Uint8Array): readonly SignedName[] => codec.decodeNamesFrame(answer).records;
    return askOnce(network, to, { ...OPTIONS, protocol: NAMES, question: codec.encodeNamesFrame(frame), read });
  }

  #serve(stream: MemberStream): Promise<void> {
    const { codec, take, log } = this.#parts;
    return answerOnce(stream, {
      ...OPTIONS,
      answer: (from, asked) => codec.encodeNamesFrame({ name: "", records: take(from, codec.decodeNamesFrame(asked)) }),
      log,
      broken: "names.broken",
    });
  }
}
