/**
 * The end of a connection, at once and whatever state it is in.
 *
 * libp2p says goodbye through the muxer first. Where the transport takes nothing any more, because the other side or this one has closed it a moment
 * before, that throws, and the transport is not let go of; who ends connections by a timer would end the daemon with them.
 * Knows: that the second attempt finds the muxer closed. Does not know: why it ends.
 */
import type { Connection } from "@libp2p/interface";

/** Never throws. */
export function abortConnection(connection: Pick<Connection, "abort">, why: Error): void {
  for (let attempt = 0; attempt < 2; attempt++)
    try {
      return connection.abort(why);
    } catch {
      // Once more, without a goodbye.
    }
}
