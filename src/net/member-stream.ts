/**
 * A stream between two members, as those that serve and open protocols see it.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { Key } from "../base/index.ts";

/** A stream between this node and a member. */
export interface MemberStream {
  readonly key: Key;
  readonly stream: Stream;
  readonly connection: Connection;
}

/** Opens a stream to a member that is connected; see Network.open. @param deadline ms, or what is aborted when it is given up */
export type OpenStream = (key: Key, protocol: string, deadline: number | AbortSignal) => Promise<MemberStream>;

/** What a protocol with streams of its own needs of the network. */
export interface StreamNetwork {
  serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void>;
  readonly open: OpenStream;
}
