/**
 * The data plane: streams of bytes between members, for whatever is too large or too busy for the links.
 */
import type { Duplex } from "node:stream";
import type { Key } from "../base/index.ts";

/** How the bytes travel: over a TLS connection of their own, or within the libp2p connection of the two members. */
export type DataPath = "tls" | "libp2p";

/**
 * Bytes in order, both ways, between this node and a member, as over a TCP connection.
 *
 * `bytes` is Node's: `write` and `pause` push back on the other side, `end` ends this half only, `destroy` ends both at once and what was
 * not sent is lost. An end may also mean that the other side is gone; who must tell the two apart says in its bytes when it is done.
 */
export interface DataStream {
  readonly key: Key;
  readonly path: DataPath;
  /** Of the other side, for people. */
  readonly address: string;
  readonly bytes: Duplex;
  /** Counted where they enter and leave this node, what travels with them included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface DataRequest {
  readonly key: Key;
  /** What is wanted of the member; it serves it, or refuses. */
  readonly service: string;
  /** For the service. */
  readonly argument: string;
}

/**
 * What a service says to a request: whoever refuses says why, in a word that travels. `begin` is always called, perhaps with a stream that
 * was destroyed meanwhile.
 */
export type DataVerdict =
  | { readonly kind: "ready"; readonly begin: (stream: DataStream) => void }
  | { readonly kind: "refused"; readonly reason: string };

export interface DataPlane {
  /**
   * @param signal ends the attempt; once it has succeeded, `bytes.destroy` ends the stream
   * @param only the one way that is good enough
   * @throws {CairnError} peer-absent (not a member, not connected, nothing leads there), data-refused (with the member's reason)
   */
  open(request: DataRequest, signal: AbortSignal, only?: DataPath): Promise<DataStream>;
  /** @param judge is asked for each request of a member; the signal aborts when nobody waits for the answer any more, or for too long */
  serve(service: string, judge: (request: DataRequest, signal: AbortSignal) => Promise<DataVerdict>): void;
}
