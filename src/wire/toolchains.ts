/**
 * Toolchains that travel as bytes and back: schema/toolchains.proto.
 *
 * Knows: messages and their bounds. Does not know: what is in a pack, or who asks.
 */
import { type Digest, limits } from "../base/index.ts";
import type { ToolchainOffer, ToolchainSummary } from "../contracts/index.ts";
import { ToolchainAnswerSchema, ToolchainPackSchema, ToolchainQuestionSchema } from "./generated/toolchains_pb.ts";
import { bytesOf, decode, decodeAny, encode, hexOf, invalid, list } from "./message-fields.ts";

const { frameBytes, packBytes, entries, pathBytes, textBytes, bytes: mostBytes } = limits.toolchains;

/** What the file `toolchain` of a pack says. */
export interface ToolchainPack extends ToolchainSummary {
  readonly files: readonly string[];
  readonly absent: readonly string[];
  readonly beside: readonly string[];
}

export interface ToolchainQuestion {
  readonly digest: Digest;
  /** Whether its pack is to be fetched. */
  readonly pack: boolean;
  /** Which of several with that digest; unset: the only one. */
  readonly root?: Digest | undefined;
}

export function encodeToolchainPack({ files, absent, beside, ...about }: ToolchainPack): Uint8Array {
  const { family, version, target, platform, compiler } = about;
  const paths = { files: [...files], absent: [...absent], beside: [...beside] };
  return encode(ToolchainPackSchema, { family, version, target, platform, compiler, ...paths });
}

/** @throws {CairnError} frame-invalid */
export function decodeToolchainPack(bytes: Uint8Array): ToolchainPack {
  const message = decode(ToolchainPackSchema, bytes, packBytes);
  const paths = (some: readonly string[]): string[] => list(some, entries).map(absolute);
  return { ...summary(message), files: paths(message.files), absent: paths(message.absent), beside: paths(message.beside) };
}

export function encodeToolchainQuestion({ digest, pack, root = "" }: ToolchainQuestion): Uint8Array {
  return encode(ToolchainQuestionSchema, { digest: bytesOf(digest), pack, root: bytesOf(root) });
}

/** @throws {CairnError} frame-invalid */
export function decodeToolchainQuestion(bytes: Uint8Array): ToolchainQuestion {
  const { digest, pack, root } = decodeAny(ToolchainQuestionSchema, bytes, frameBytes);
  return { digest: hexOf(digest, 32), pack, ...(root.length > 0 && { root: hexOf(root, 32) }) };
}

/** @param offer undefined: there is none */
export function encodeToolchainAnswer(offer: ToolchainOffer | undefined): Uint8Array {
  if (offer === undefined) return encode(ToolchainAnswerSchema, {});
  const { root, bytes, family, version, target, platform, compiler } = offer;
  return encode(ToolchainAnswerSchema, { root: bytesOf(root), bytes: BigInt(bytes), family, version, target, platform, compiler });
}

/** @throws {CairnError} frame-invalid */
export function decodeToolchainAnswer(bytes: Uint8Array): ToolchainOffer | undefined {
  const message = decodeAny(ToolchainAnswerSchema, bytes, frameBytes);
  if (message.root.length === 0) return undefined;
  if (message.bytes > BigInt(mostBytes)) throw invalid("bytes");
  return { root: hexOf(message.root, 32), bytes: Number(message.bytes), ...summary(message) };
}

function summary({ family, version, target, platform, compiler }: Record<keyof ToolchainSummary, string>): ToolchainSummary {
  if (family !== "gcc" && family !== "clang") throw invalid("family");
  return { family, version: word(version), target: word(target), platform: word(platform), compiler: absolute(compiler) };
}

/** People see it. */
function word(text: string): string {
  if (text.length > textBytes || !/^[\x21-\x7e]+$/.test(text)) throw invalid("word");
  return text;
}

/** Absolute, with nothing in it that a terminal would obey. */
function absolute(path: string): string {
  if (!path.startsWith("/") || /\p{Cc}/u.test(path) || Buffer.byteLength(path) > pathBytes) throw invalid("path");
  return path;
}
