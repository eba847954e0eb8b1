/**
 * Asking a member what a toolchain of its consists of, and being asked: docs/protocol/toolchains.md, "Asking".
 *
 * Knows: one short stream a question. Does not know: compilers, or how a toolchain is packed and fetched.
 */
import { type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { ToolchainOffer } from "../contracts/index.ts";
import type { NetworkCodec, ToolchainQuestion } from "../wire/index.ts";
import type { MemberStream, StreamNetwork } from "./member-stream.ts";
import { answerOnce, askOnce } from "./one-question.ts";

const TOOLCHAINS = "/cairn/toolchains/1";
const STREAMS_PER_MEMBER = 4;
const { frameBytes, answerMs, packMs } = limits.toolchains;
const OPTIONS = { frameBytes, stepMs: answerMs } as const;

export interface ToolchainOffersParts {
  readonly network: StreamNetwork;
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
    const wanted = { question: codec.encodeToolchainQuestion(question), waitMs: question.pack ? packMs : answerMs };
    try {
      return await askOnce(network, member, { ...OPTIONS, ...wanted, protocol: TOOLCHAINS, read: codec.decodeToolchainAnswer });
    } catch (error) {
      log.event("info", "toolchains.not-told", { peer: member, digest: question.digest, why: reasonOf(error) });
      return undefined;
    }
  }

  #serve(stream: MemberStream): Promise<void> {
    const { codec, mayWork, offer, log } = this.#parts;
    const answer = async (from: Key, asked: Uint8Array): Promise<Uint8Array> => {
      const question = codec.decodeToolchainQuestion(asked);
      const signal = AbortSignal.timeout(question.pack ? packMs : answerMs);
      return codec.encodeToolchainAnswer(mayWork(from) ? await offer(question, signal) : undefined);
    };
    return answerOnce(stream, { ...OPTIONS, answer, log, broken: "toolchains.broken" });
  }
}
