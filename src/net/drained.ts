/**
 * When a stream of libp2p takes more again.
 *
 * A stream says `drain` whenever its connection drains, also while the other side does not read it: then nothing has gone out, and whoever writes more
 * each time fills its buffer until libp2p aborts it. Some moments later it knows better.
 */
import type { Stream } from "@libp2p/interface";

/** Calls `drained` each time that the stream has become ready for more. */
export function onDrained(stream: Stream, drained: () => void): void {
  stream.addEventListener("drain", () => setImmediate(() => stream.writableNeedsDrain || drained()));
}
