/**
 * The handshake, docs/protocol/handshake.md: one hello, one answer, a few KB, a few seconds.
 *
 * libp2p has proved by then which key is at the other end. Left to settle is whether that key belongs to this network.
 * Knows: what a hello must hold. Does not know: connections of members; see network.ts.
 */
import type { Connection } from "@libp2p/interface";
import { CairnError, type Key, limits } from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { Hello, HelloAnswer, NetworkCodec } from "../wire/index.ts";
import { type Frames, openFrames } from "./frames.ts";

export const HANDSHAKE = "/cairn/handshake/1";

/** Why a hello is refused; the text travels. */
export type RefusalReason = "malformed" | "other-network" | "stranger" | "revoked" | "left" | "full" | (string & {});

export interface HandshakeParts {
  readonly roster: Roster;
  readonly codec: NetworkCodec;
}

/**
 * Says hello on a connection that this node made.
 *
 * @throws when the other side does not answer properly in time
 */
export async function sayHello(connection: Connection, codec: NetworkCodec, hello: Hello): Promise<HelloAnswer> {
  const frames = await openFrames(connection, HANDSHAKE, limits.helloBytes, limits.helloDeadlineMs);
  try {
    await frames.write(codec.encodeHello(hello), limits.helloDeadlineMs);
    const answer = await frames.read(limits.helloDeadlineMs);
    if (answer === undefined) throw new CairnError("frame-invalid", { what: "answer", why: "closed" });
    return codec.decodeHelloAnswer(answer);
  } finally {
    frames.abort("done");
  }
}

/**
 * Reads one hello and answers it.
 *
 * @param welcomed called before a welcome is sent: what the other side does next may arrive before this returns
 */
export async function answerHello(parts: HandshakeParts, frames: Frames, key: Key, welcomed: () => void): Promise<HelloAnswer> {
  const bytes = await frames.read(limits.helloDeadlineMs);
  const answer = bytes === undefined ? refused("malformed") : judge(parts, bytes, key);
  if (answer.kind === "welcome") welcomed();
  await frames.write(parts.codec.encodeHelloAnswer(answer), limits.helloDeadlineMs);
  await frames.close(limits.helloDeadlineMs);
  return answer;
}

function judge({ roster, codec }: HandshakeParts, bytes: Uint8Array, key: Key): HelloAnswer {
  let hello: Hello;
  try {
    hello = codec.decodeHello(bytes);
  } catch (error) {
    if (error instanceof CairnError) return refused("malformed");
    throw error;
  }
  if (hello.network !== roster.network) return refused("other-network");
  if (hello.kind === "join") {
    // Only for itself: the key that libp2p has proved is the one that is let in.
    if (hello.request.identity.peerKey !== key) return refused("stranger");
    const redeemed = roster.redeem(hello.request);
    return redeemed.kind === "admitted" ? { kind: "welcome" } : refused(redeemed.reason);
  }
  const standing = roster.standing(key);
  if (standing === "active" || (standing === "unknown" && roster.convince(key, hello.proof))) return { kind: "welcome" };
  return refused(standing === "unknown" ? "stranger" : standing);
}

function refused(reason: RefusalReason): HelloAnswer {
  return { kind: "refused", reason };
}
