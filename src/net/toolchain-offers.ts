/**
 * Asking a member what a toolchain of its consists of, and being asked: docs/protocol/toolchains.md, "Asking".
 *
 * Knows: one short stream a question. Does not know: compilers, or how a toolchain is packed and fetched.
 */
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { ToolchainOffer } from "../contracts/index.ts";
import type { NetworkCodec, ToolchainQuestion } from "../wire/index.ts";
import { framesOf } from "./frames.ts";
import type { KeepNetwork } from "./keep.ts";
import type { MemberStream } from "./member-stream.ts";

const TOOLCHAINS = "/cairn/toolchains/1";
const STREAMS_PER_MEMBER = 4;
const { frameBytes, answerMs, packMs } = limits.toolchains;

export interface ToolchainOffersParts {
  readonly network: KeepNetwork;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Whether this node's units may go to a member: others need not know its compilers. */
  readonly mayWork: (member: Key) => boolean;
  /** What this node says; with `pack` when it is in the store. Undefined: nothing. */
  readonly offer: (question: ToolchainQuestion, signal: AbortSignal) => Promise<ToolchainOffer | undefined>;
}

export class ToolchainOffers {
  readonly #parts: ToolchainOffersParts;

  static async start(parts: ToolchainOffersParts): Promise<ToolchainOffers> {
    const offers = new ToolchainOffers(parts);
    await parts.network.serve(TOOLCHAINS, STREAMS_PER_MEMBER, (stream) => void offers.#serve(stream));
    return offers;
  }

  private constructor(parts: ToolchainOffersParts) {
    this.#parts = parts;
  }

  /** @returns undefined where the member has no such toolchain, or does not answer */
  async ask(member: Key, question: ToolchainQuestion): Promise<ToolchainOffer | undefined> {
    const { network, codec, log } = this.#parts;
    const waitMs = question.pack ? packMs : answerMs;
    try {
      const { stream } = await network.open(member, TOOLCHAINS, answerMs);
      const frames = framesOf(stream, frameBytes);
      try {
        await frames.write(codec.encodeToolchainQuestion(question), answerMs);
        const answer = await frames.read(waitMs);
        if (answer === undefined) throw new CairnError("frame-invalid", { what: "no answer" });
        const offer = codec.decodeToolchainAnswer(answer);
        await frames.close(answerMs);
        return offer;
      } catch (error) {
        frames.abort("no answer");
        throw error;
      }
    } catch (error) {
      log.event("info", "toolchains.not-told", { peer: member, digest: question.digest, why: reasonOf(error) });
      return undefined;
    }
  }

  async #serve({ key, stream }: MemberStream): Promise<void> {
    const { codec, mayWork, offer, log } = this.#parts;
    const frames = framesOf(stream, frameBytes);
    try {
      const asked = await frames.read(answerMs);
      if (asked === undefined) return frames.abort("nothing asked");
      const question = codec.decodeToolchainQuestion(asked);
      const signal = AbortSignal.timeout(question.pack ? packMs : answerMs);
      const answer = mayWork(key) ? await offer(question, signal) : undefined;
      await frames.write(codec.encodeToolchainAnswer(answer), answerMs);
      await frames.close(answerMs);
    } catch (error) {
      log.event("info", "toolchains.broken", { peer: key, why: reasonOf(error) });
      frames.abort("broken");
    }
  }
}
