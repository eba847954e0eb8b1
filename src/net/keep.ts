/**
 * Asking members to keep copies, and being asked: docs/protocol/replication.md.
 *
 * Knows: one short stream an offer. Does not know: what is worth a copy, or who keeps it.
 */
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { KeepItem, KeepVerdict, NetworkCodec } from "../wire/index.ts";
import { framesOf } from "./frames.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";

const KEEP = "/cairn/keep/1";
/** An offer that has just ended may still be closing. */
const STREAMS_PER_MEMBER = 2;
const { frameBytes, offerMs } = limits.replication;

export interface KeepNetwork {
  serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void>;
  readonly open: OpenStream;
}

export interface KeepParts {
  readonly network: KeepNetwork;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Keeps what a member offers, as far as this node wants it. @returns one verdict an item; never rejects */
  readonly take: (from: Key, items: readonly KeepItem[]) => Promise<readonly KeepVerdict[]>;
}

export class Keep {
  readonly #parts: KeepParts;

  static async start(parts: KeepParts): Promise<Keep> {
    const keep = new Keep(parts);
    await parts.network.serve(KEEP, STREAMS_PER_MEMBER, (stream) => void keep.#serve(stream));
    return keep;
  }

  private constructor(parts: KeepParts) {
    this.#parts = parts;
  }

  /**
   * Asks a member to keep copies of what this node has; it fetches them itself.
   *
   * @returns one verdict an item, when all is done
   * @throws {CairnError} peer-absent, frame-invalid; and whatever breaks the stream
   */
  async offer(to: Key, items: readonly KeepItem[]): Promise<KeepVerdict[]> {
    const { network, codec } = this.#parts;
    const { stream } = await network.open(to, KEEP, limits.helloDeadlineMs);
    const frames = framesOf(stream, frameBytes);
    try {
      await frames.write(codec.encodeKeepOffer(items), limits.helloDeadlineMs);
      // The member has so long, and the answer is on its way meanwhile.
      const answer = await frames.read(offerMs + limits.helloDeadlineMs);
      const verdicts = answer === undefined ? [] : codec.decodeKeepAnswer(answer);
      if (verdicts.length !== items.length) throw new CairnError("frame-invalid", { what: "verdicts" });
      await frames.close(limits.helloDeadlineMs);
      return verdicts;
    } catch (error) {
      frames.abort("no answer");
      throw error;
    }
  }

  async #serve({ key, stream }: MemberStream): Promise<void> {
    const { codec, take, log } = this.#parts;
    const frames = framesOf(stream, frameBytes);
    try {
      const offer = await frames.read(limits.helloDeadlineMs);
      if (offer === undefined) return frames.abort("nothing offered");
      const verdicts = await take(key, codec.decodeKeepOffer(offer));
      await frames.write(codec.encodeKeepAnswer(verdicts), limits.helloDeadlineMs);
      await frames.close(limits.helloDeadlineMs);
    } catch (error) {
      log.event("info", "copies.offer-broken", { peer: key, why: reasonOf(error) });
      frames.abort("broken");
    }
  }
}
