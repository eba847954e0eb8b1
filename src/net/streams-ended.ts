/**
 * When a connection is not used any more.
 *
 * Knows: streams end with an event, and leave their connection's list with it. Does not know: what they are for.
 */
import { once } from "node:events";
import type { Connection, Stream } from "@libp2p/interface";

/**
 * Resolves when the connection has no streams but the one that is left out; those that are opened meanwhile are waited for as well.
 *
 * @throws an AbortError when the signal aborts
 */
export async function streamsEnded(
  connection: Pick<Connection, "streams">,
  leftOut: Stream | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const open = connection.streams.filter((stream) => stream !== leftOut);
    if (open.length === 0) return;
    await Promise.all(open.map((stream) => once(stream, "close", { signal })));
  }
}
