/**
 * Serving: what others begin. Connections, hellos, and streams of the protocols that members serve each other.
 *
 * Knows: libp2p's handlers and events, and that the gate comes before all of them. Does not know: whom to dial, or what streams carry.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { framesOf } from "./frames.ts";
import type { Gate } from "./gate.ts";
import { answerHello, HANDSHAKE, type HandshakeParts } from "./handshake.ts";
import type { Node } from "./libp2p.ts";
import type { MemberStream } from "./member-stream.ts";
import { keyOf } from "./peer-id.ts";

export interface ServingParts extends HandshakeParts {
  readonly libp2p: Node;
  readonly gate: Gate;
  readonly log: Log;
  /** A connection with a member has ended; a link on it notices by itself, after what had arrived was read. */
  readonly ended: (key: Key) => void;
}

/** See {@link Serving.serve}. */
export type Serve = (protocol: string, most: number, accept: (stream: MemberStream) => void) => Promise<void>;

export class Serving {
  readonly #parts: ServingParts;

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  /** Must be called before libp2p starts: no connection may come about that the gate has not seen. */
  async begin(): Promise<void> {
    const { libp2p } = this.#parts;
    libp2p.addEventListener("connection:open", ({ detail }) => this.#opened(detail));
    libp2p.addEventListener("connection:close", ({ detail }) => this.#closed(detail));
    await libp2p.handle(HANDSHAKE, (stream, connection) => this.#greeted(stream, connection), streamsMost(1));
  }

  /**
   * Lets members open streams of a protocol to this node; anybody else's connection ends when it tries.
   *
   * @param most streams of this protocol that one member may have open
   */
  async serve(protocol: string, most: number, accept: (stream: MemberStream) => void): Promise<void> {
    const { libp2p, gate, log } = this.#parts;
    const handler = (stream: Stream, connection: Connection): void => {
      const key = gate.provenBy(connection);
      if (key === undefined) return gate.refuse(connection, "stream before handshake");
      log.event("debug", "stream.opened", { peer: key, protocol, direction: "inbound" });
      accept({ key, stream, connection });
    };
    await libp2p.handle(protocol, handler, streamsMost(most));
  }

  /** Somebody says hello. */
  async #greeted(stream: Stream, connection: Connection): Promise<void> {
    const { gate, log } = this.#parts;
    const key = keyOf(connection.remotePeer);
    if (key === undefined) return gate.refuse(connection, "other-kind-of-key");
    try {
      const welcomed = (): void => {
        gate.prove(connection, key);
        log.event("debug", "peer.welcomed", { peer: key, address: connection.remoteAddr.toString() });
      };
      const answer = await answerHello(this.#parts, framesOf(stream, limits.helloBytes), key, welcomed);
      if (answer.kind === "refused") gate.refuseSoon(connection, answer.reason);
    } catch (error) {
      gate.refuse(connection, reasonOf(error));
    }
  }

  #opened(connection: Connection): void {
    const { libp2p, gate } = this.#parts;
    this.#tell("connection.opened", connection);
    gate.opened(connection);
    const all = libp2p.getConnections(connection.remotePeer);
    if (all.length < limits.connectionsPerPeer) return;
    // What a member has left over keeps its next link from coming about no longer than until that is tried.
    const leftOver = all.find((one) => one !== connection && one.streams.length === 0 && gate.provenBy(one) !== undefined);
    if (leftOver !== undefined) gate.refuse(leftOver, "unused");
    else gate.refuse(connection, "too-many-connections");
  }

  #closed(connection: Connection): void {
    const { libp2p, gate, ended } = this.#parts;
    this.#tell("connection.closed", connection);
    const key = gate.provenBy(connection);
    gate.closed(connection);
    if (key !== undefined) return ended(key);
    // libp2p remembers everybody who ever spoke; strangers come without end.
    libp2p.peerStore.delete(connection.remotePeer).catch(() => undefined);
  }

  #tell(event: string, { id, remotePeer, remoteAddr, direction }: Connection): void {
    const peer = keyOf(remotePeer) ?? remotePeer.toString();
    this.#parts.log.event("debug", event, { peer, connection: id, address: remoteAddr.toString(), direction });
  }
}

function streamsMost(most: number): { maxInboundStreams: number; maxOutboundStreams: number } {
  return { maxInboundStreams: most, maxOutboundStreams: most };
}
