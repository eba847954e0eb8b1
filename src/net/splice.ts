/**
 * Two streams become one: what arrives on either goes out on the other, as fast as that one takes it and as its pace allows.
 *
 * Knows: back-pressure, half-closed streams, idleness. Does not know: whose streams they are.
 */
import type { Stream } from "@libp2p/interface";
import { asError } from "../base/index.ts";
import { onDrained } from "./drained.ts";

export interface SpliceOptions {
  /** Told of bytes before they go on. @returns ms to wait before more is read */
  readonly pace: (bytes: number) => number;
  /** Without any bytes for so long both streams end. */
  readonly idleMs: number;
}

/** Resolves when both streams have ended. */
export async function splice(one: Stream, other: Stream, { pace, idleMs }: SpliceOptions): Promise<void> {
  const idle = setTimeout(() => {
    for (const stream of [one, other]) stream.abort(new Error("idle"));
  }, idleMs);
  const paced = (bytes: number): number => {
    idle.refresh();
    return pace(bytes);
  };
  await Promise.all([forward(one, other, paced), forward(other, one, paced)]);
  clearTimeout(idle);
}

function forward(from: Stream, to: Stream, pace: (bytes: number) => number): Promise<void> {
  let waiting: NodeJS.Timeout | undefined;
  const resume = (): void => {
    if (waiting === undefined && !to.writableNeedsDrain && from.readStatus === "paused") from.resume();
  };
  from.addEventListener("message", ({ data }) => {
    const waitMs = pace(data.byteLength);
    if (to.writeStatus !== "writable") return from.abort(new Error("the other side is gone"));
    const isFull = !to.send(data);
    if (waitMs > 0) {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        waiting = undefined;
        resume();
      }, waitMs);
    }
    if ((isFull || waitMs > 0) && from.readStatus === "readable") from.pause();
  });
  onDrained(to, resume);
  // All has been read that the other side ever wrote.
  from.addEventListener("end", () => {
    to.close().catch((error: unknown) => to.abort(asError(error)));
  });
  return new Promise((resolve) => {
    from.addEventListener("close", ({ error }) => {
      clearTimeout(waiting);
      if (error !== undefined) to.abort(error);
      resolve();
    });
  });
}
