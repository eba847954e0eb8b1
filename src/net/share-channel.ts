/**
 * The channel that every link has: frames over one stream of libp2p.
 *
 * Knows: such a stream, and when it takes no more. Does not know: what a frame means.
 */
import type { StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { CairnError, reasonOf } from "../base/index.ts";
import type { FrameChannel, FrameListener } from "../contracts/index.ts";
import { ShareSplitter } from "../wire/index.ts";
import { onDrained } from "./drained.ts";
import type { MemberStream } from "./member-stream.ts";

/** @see docs/decisions/0008-libp2p.md for why neither `for await` nor `onDrain` is used */
export function channelOf({ key, stream, connection }: MemberStream): FrameChannel {
  const splitter = new ShareSplitter();
  let listener: FrameListener | undefined;
  let hasEnded = false;
  const ended = (why: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    listener?.ended(why);
  };
  const end = (why: string): void => {
    stream.abort(new Error(why));
    ended(why);
  };
  return {
    key,
    get isOpen() {
      return !hasEnded && stream.status === "open" && connection.status === "open";
    },
    send(frame) {
      if (hasEnded) return false;
      try {
        return stream.send(frame);
      } catch (error) {
        queueMicrotask(() => end(reasonOf(error)));
        return false;
      }
    },
    listen(told) {
      listener = told;
      stream.addEventListener("message", ({ data }: StreamMessageEvent) => {
        try {
          const whole = (frame: Uint8Array): void => void (hasEnded || told.frame(frame));
          if (data instanceof Uint8Array) splitter.push(data, whole);
          else for (const chunk of data) splitter.push(chunk, whole);
        } catch (error) {
          if (!(error instanceof CairnError)) throw error;
          told.broken(`${error.code}: ${error.facts.what}`);
        }
      });
      onDrained(stream, () => hasEnded || told.drained());
      stream.addEventListener("remoteCloseWrite", () => end("closed by peer"));
      stream.addEventListener("close", ({ error }: StreamCloseEvent) => ended(error === undefined ? "closed" : reasonOf(error)));
    },
    end,
  };
}
