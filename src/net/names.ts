/**
 * Giving names to the members that keep them, and asking them: docs/protocol/names.md.
 *
 * Knows: one short stream a question. Does not know: which records stand, or who keeps them.
 */
import { CairnError, type Key, type Log, limits, reasonOf, type SignedName } from "../base/index.ts";
import type { NamesFrame, NetworkCodec } from "../wire/index.ts";
import { framesOf } from "./frames.ts";
import type { KeepNetwork } from "./keep.ts";
import type { MemberStream } from "./member-stream.ts";

const NAMES = "/cairn/names/1";
const STREAMS_PER_MEMBER = 4;
const { frameBytes, answerMs } = limits.names;

export interface NamesParts {
  readonly network: KeepNetwork;
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
    const { stream } = await network.open(to, NAMES, answerMs);
    const frames = framesOf(stream, frameBytes);
    try {
      await frames.write(codec.encodeNamesFrame(frame), answerMs);
      const answer = await frames.read(answerMs);
      if (answer === undefined) throw new CairnError("frame-invalid", { what: "no answer" });
      const { records } = codec.decodeNamesFrame(answer);
      await frames.close(answerMs);
      return records;
    } catch (error) {
      frames.abort("no answer");
      throw error;
    }
  }

  async #serve({ key, stream }: MemberStream): Promise<void> {
    const { codec, take, log } = this.#parts;
    const frames = framesOf(stream, frameBytes);
    try {
      const asked = await frames.read(answerMs);
      if (asked === undefined) return frames.abort("nothing asked");
      const records = take(key, codec.decodeNamesFrame(asked));
      await frames.write(codec.encodeNamesFrame({ name: "", records }), answerMs);
      await frames.close(answerMs);
    } catch (error) {
      log.event("info", "names.broken", { peer: key, why: reasonOf(error) });
      frames.abort("broken");
    }
  }
}
