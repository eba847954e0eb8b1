/**
 * Asking members whether they have blobs, and being asked: docs/protocol/trees.md.
 *
 * Knows: one short stream a question, and whom to ask first. Does not know: what the blobs are for.
 */
import { CairnError, type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";
import { answerOnce, askOnce } from "./one-question.ts";

const HOLDERS = "/cairn/holders/1";
const STREAMS_PER_MEMBER = 4;
const { frameBytes, answerMs, askedAtOnce, asked, holders: enough } = limits.trees;
const OPTIONS = { frameBytes, stepMs: answerMs } as const;

export interface HoldersParts {
  readonly network: StreamNetwork;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Members that are connected, the nearest first. */
  readonly nearest: () => readonly Key[];
  /** Bytes of a blob; undefined when it is not here. */
  readonly sizeOf: (digest: Digest) => number | undefined;
}

/** A member that says it has a blob of so many bytes. */
export interface Holder {
  readonly key: Key;
  readonly size: number;
}

export class Holders {
  readonly #parts: HoldersParts;

  static async start(parts: HoldersParts): Promise<Holders> {
    const holders = new Holders(parts);
    await parts.network.serve(HOLDERS, STREAMS_PER_MEMBER, (stream) => void holders.#serve(stream));
    return holders;
  }

  private constructor(parts: HoldersParts) {
    this.#parts = parts;
  }

  /**
   * Asks the nearest members first, and others while some blob has too few who have it.
   *
   * @param blobs at most limits.trees.blobsAtOnce
   * @param first who is asked before all others
   * @returns of each blob those that have it, the nearest first; who does not answer has nothing
   */
  async of(blobs: readonly Digest[], signal: AbortSignal, first: readonly Key[] = []): Promise<ReadonlyMap<Digest, readonly Holder[]>> {
    const found = new Map<Digest, Holder[]>(blobs.map((blob) => [blob, []]));
    const members = [...new Set([...first, ...this.#parts.nearest()])].slice(0, asked);
    for (let at = 0; at < members.length; at += askedAtOnce) {
      signal.throwIfAborted();
      const group = members.slice(at, at + askedAtOnce);
      const answers = await Promise.all(group.map((key) => this.#ask(key, blobs)));
      for (const [which, sizes] of answers.entries())
        for (const [i, size] of sizes.entries()) {
          const [key, blob] = [group[which], blobs[i]];
          if (size !== undefined && key !== undefined && blob !== undefined) found.get(blob)?.push({ key, size });
        }
      if ([...found.values()].every((some) => some.length >= enough)) break;
    }
    return found;
  }

  async #ask(key: Key, blobs: readonly Digest[]): Promise<readonly (number | undefined)[]> {
    const { network, codec, log } = this.#parts;
    const read = (answer: Uint8Array): readonly (number | undefined)[] => {
      const sizes = codec.decodeHoldersAnswer(answer);
      if (sizes.length !== blobs.length) throw new CairnError("frame-invalid", { what: "sizes" });
      return sizes;
    };
    try {
      return await askOnce(network, key, { ...OPTIONS, protocol: HOLDERS, question: codec.encodeHoldersQuestion(blobs), read });
    } catch (error) {
      log.event("info", "holders.not-told", { peer: key, why: reasonOf(error) });
      return [];
    }
  }

  #serve(stream: MemberStream): Promise<void> {
    const { codec, sizeOf, log } = this.#parts;
    return answerOnce(stream, {
      ...OPTIONS,
      answer: (_, question) => codec.encodeHoldersAnswer(codec.decodeHoldersQuestion(question).map(sizeOf)),
      log,
      broken: "holders.broken",
    });
  }
}
