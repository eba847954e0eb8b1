/**
 * Asking members whether they have blobs, and being asked: docs/protocol/trees.md.
 *
 * Knows: one short stream a question, and whom to ask first. Does not know: what the blobs are for.
 */
import { CairnError, type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { framesOf } from "./frames.ts";
import type { KeepNetwork } from "./keep.ts";
import type { MemberStream } from "./member-stream.ts";

const HOLDERS = "/cairn/holders/1";
const STREAMS_PER_MEMBER = 4;
const { frameBytes, answerMs, askedAtOnce, asked, holders: enough } = limits.trees;

export interface HoldersParts {
  readonly network: KeepNetwork;
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
    try {
      const { stream } = await network.open(key, HOLDERS, answerMs);
      const frames = framesOf(stream, frameBytes);
      try {
        await frames.write(codec.encodeHoldersQuestion(blobs), answerMs);
        const answer = await frames.read(answerMs);
        const sizes = answer === undefined ? [] : codec.decodeHoldersAnswer(answer);
        if (sizes.length !== blobs.length) throw new CairnError("frame-invalid", { what: "sizes" });
        await frames.close(answerMs);
        return sizes;
      } catch (error) {
        frames.abort("no answer");
        throw error;
      }
    } catch (error) {
      log.event("info", "holders.not-told", { peer: key, why: reasonOf(error) });
      return [];
    }
  }

  async #serve({ key, stream }: MemberStream): Promise<void> {
    const { codec, sizeOf, log } = this.#parts;
    const frames = framesOf(stream, frameBytes);
    try {
      const question = await frames.read(answerMs);
      if (question === undefined) return frames.abort("nothing asked");
      await frames.write(codec.encodeHoldersAnswer(codec.decodeHoldersQuestion(question).map(sizeOf)), answerMs);
      await frames.close(answerMs);
    } catch (error) {
      log.event("info", "holders.broken", { peer: key, why: reasonOf(error) });
      frames.abort("broken");
    }
  }
}
