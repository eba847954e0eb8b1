/**
 * Asking members to keep copies, and being asked: docs/protocol/replication.md.
 *
 * Knows: one short stream an offer. Does not know: what is worth a copy, or who keeps it.
 */
import { CairnError, type Key, type Log, limits } from "../base/index.ts";
import type { KeepItem, KeepTree, KeepVerdict, NetworkCodec } from "../wire/index.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";
import { answerOnce, askOnce } from "./one-question.ts";

/** An offer that has just ended may still be closing. */
const STREAMS_PER_MEMBER = 2;
const { frameBytes, offerMs } = limits.replication;
const OPTIONS = { frameBytes, stepMs: limits.helloDeadlineMs } as const;
const { answerMs } = limits.treeCopies;

/** What is offered, and how it travels. */
export interface KeepDialect<Item> {
  readonly protocol: string;
  /** How long an answer may take. */
  readonly answerMs: number;
  encode(items: readonly Item[]): Uint8Array;
  /** @throws {CairnError} frame-invalid */
  decode(bytes: Uint8Array): readonly Item[];
}

export interface KeepParts<Item> {
  readonly network: StreamNetwork;
  readonly codec: Pick<NetworkCodec, "encodeKeepAnswer" | "decodeKeepAnswer">;
  readonly log: Log;
  readonly dialect: KeepDialect<Item>;
  /** Keeps what a member offers, as far as this node wants it. @returns one verdict an item; never rejects */
  readonly take: (from: Key, items: readonly Item[]) => Promise<readonly KeepVerdict[]>;
}

/** Signed results. */
export function resultOffers({ encodeKeepOffer, decodeKeepOffer }: NetworkCodec): KeepDialect<KeepItem> {
  return { protocol: "/cairn/keep/1", answerMs: offerMs, encode: encodeKeepOffer, decode: decodeKeepOffer };
}

/** Files and directories that are pinned; results, over streams that members do not know who would take their actions for files. */
export function pinOffers({ encodeKeepTrees, decodeKeepTrees }: NetworkCodec, what: "trees" | "results"): KeepDialect<KeepTree> {
  return { protocol: `/cairn/keep-${what}/1`, answerMs, encode: encodeKeepTrees, decode: decodeKeepTrees };
}

export class Keep<Item> {
  readonly #parts: KeepParts<Item>;

  static async start<Item>(parts: KeepParts<Item>): Promise<Keep<Item>> {
    const keep = new Keep(parts);
    await parts.network.serve(parts.dialect.protocol, STREAMS_PER_MEMBER, (stream) => void keep.#serve(stream));
    return keep;
  }

  private constructor(parts: KeepParts<Item>) {
    this.#parts = parts;
  }

  /**
   * Asks a member to keep copies of what this node has; it fetches them itself.
   *
   * @returns one verdict an item, when all is done
   * @throws {CairnError} peer-absent, frame-invalid; and whatever breaks the stream
   */
  async offer(to: Key, items: readonly Item[]): Promise<KeepVerdict[]> {
    const { network, codec, dialect } = this.#parts;
    const read = (answer: Uint8Array): KeepVerdict[] => {
      const verdicts = codec.decodeKeepAnswer(answer);
      if (verdicts.length !== items.length) throw new CairnError("frame-invalid", { what: "verdicts" });
      return verdicts;
    };
    // The member has so long, and the answer is on its way meanwhile.
    const waitMs = dialect.answerMs + limits.helloDeadlineMs;
    return askOnce(network, to, { ...OPTIONS, protocol: dialect.protocol, question: dialect.encode(items), waitMs, read });
  }

  #serve(stream: MemberStream): Promise<void> {
    const { codec, dialect, take, log } = this.#parts;
    return answerOnce(stream, {
      ...OPTIONS,
      answer: async (from, offer) => codec.encodeKeepAnswer(await take(from, dialect.decode(offer))),
      log,
      broken: "copies.offer-broken",
    });
  }
}
