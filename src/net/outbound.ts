/**
 * Outbound: from an address to a link with a member.
 *
 * Knows: dialling, and what this node says of itself. Does not know: when to dial, or what becomes of a link.
 */
import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import {
  asError,
  CairnError,
  type Host,
  type InvitationLine,
  type JoinRequest,
  type Key,
  type Log,
  limits,
  reasonOf,
} from "../base/index.ts";
import type { Roster } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { abortConnection } from "./abort-connection.ts";
import { type AddressBook, INVITATION } from "./addresses.ts";
import { race } from "./dial-race.ts";
import { type Frames, openFrames } from "./frames.ts";
import type { Gate } from "./gate.ts";
import { sayHello } from "./handshake.ts";
import type { Inviters } from "./inviters.ts";
import type { Node } from "./libp2p.ts";
import { MEMBER } from "./link.ts";
import type { MemberStream } from "./member-stream.ts";
import { peerIdOf } from "./peer-id.ts";

export interface OutboundParts {
  readonly libp2p: Node;
  readonly gate: Gate;
  readonly book: AddressBook;
  readonly roster: Roster;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Makes a link of a stream to a member. */
  readonly adopt: (key: Key, connection: Connection, frames: Frames) => void;
}

export type JoinOutcome = { readonly kind: "welcome" } | { readonly kind: "refused"; readonly reason: string };

export class Outbound {
  readonly #greetings = new WeakMap<Connection, Promise<void>>();
  /** Dials under way that are to become links, the latest to each member. */
  readonly #dials = new Map<Key, { readonly addresses: readonly string[]; readonly linked: Promise<void> }>();
  readonly #parts: OutboundParts;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  /**
   * Redeems an invitation at the first of its hosts that answers, where it says or where they were heard since. A refusal ends the search:
   * it is about the invitation, not the host.
   *
   * @throws {CairnError} peer-unreachable when none answers
   */
  async join(line: InvitationLine, request: JoinRequest, inviters: Inviters, signal: AbortSignal): Promise<JoinOutcome> {
    let trouble = "the invitation names no host";
    for (const hosts of [() => line.hosts, () => inviters.heard(limits.joinListenMs, signal)])
      for (const host of await hosts()) {
        signal.throwIfAborted();
        try {
          return await this.#joinAt(host, line, request);
        } catch (error) {
          trouble = reasonOf(error);
          this.#parts.log.event("warn", "join.host-failed", { peer: host.peerKey, addresses: host.addresses.join(" "), why: trouble });
        }
      }
    throw new CairnError("peer-unreachable", { hosts: line.hosts.length, why: trouble });
  }

  /** Links this node with a member. @throws when it cannot be reached at any of these addresses, or does not want this node */
  dial(host: Host): Promise<void> {
    const { peerKey, addresses } = host;
    const underWay = this.#dials.get(peerKey);
    // Another one at the same addresses would only be in its way, and of one peer so many connections are taken and no more.
    if (underWay !== undefined && addresses.every((one) => underWay.addresses.includes(one))) return underWay.linked;
    const linked = this.#connect(host).then((connection) => this.greet(connection, peerKey));
    const dial = { addresses, linked };
    this.#dials.set(peerKey, dial);
    const over = (): void => void (this.#dials.get(peerKey) === dial && this.#dials.delete(peerKey));
    linked.then(over, over);
    return linked;
  }

  /**
   * A stream to a member on a connection of its own, for a question or two, which never becomes a link. The caller ends it.
   *
   * @throws as dial; and when the member does not serve the protocol, or not in time
   */
  async visit(host: Host, open: (connection: Connection) => Promise<MemberStream>): Promise<MemberStream> {
    const connection = await this.#connect(host);
    return orNothing(
      connection,
      this.#prove(connection, host.peerKey).then(() => open(connection)),
    );
  }

  /** Makes a link of a connection to a member, however it came about. @throws when the member does not want this node */
  greet(connection: Connection, key: Key): Promise<void> {
    // Two attempts to dial may have led to one connection, and two hellos on it would be in each other's way.
    const said = this.#greetings.get(connection) ?? orNothing(connection, this.#greet(connection, key));
    this.#greetings.set(connection, said);
    return said;
  }

  /** @throws when the host does not answer */
  async #joinAt(host: Host, { network }: InvitationLine, request: JoinRequest): Promise<JoinOutcome> {
    const connection = await this.#connect(host);
    return orNothing(connection, this.#joinOver(connection, host, { network, request }));
  }

  async #joinOver(connection: Connection, host: Host, asked: { network: string; request: JoinRequest }): Promise<JoinOutcome> {
    const { gate, book, codec } = this.#parts;
    const answer = await sayHello(connection, codec, { kind: "join", ...asked });
    if (answer.kind === "refused") {
      gate.refuse(connection, answer.reason);
      return answer;
    }
    book.learn(host.peerKey, host.addresses, INVITATION);
    await this.#openLink(connection, host.peerKey);
    return answer;
  }

  async #greet(connection: Connection, key: Key): Promise<void> {
    const { gate } = this.#parts;
    if (gate.provenBy(connection) !== undefined) return; // The other side was quicker, and opens the link.
    await this.#prove(connection, key);
    await this.#openLink(connection, key);
  }

  /** Shows that this node is a member. @throws when the other side does not see it so */
  async #prove(connection: Connection, key: Key): Promise<void> {
    const { gate, roster, codec } = this.#parts;
    const answer = await sayHello(connection, codec, { kind: "member", network: roster.network, proof: roster.proof() });
    if (answer.kind === "refused") {
      gate.refuse(connection, answer.reason);
      throw new CairnError("peer-absent", { why: `refuses this machine: ${answer.reason}` });
    }
    gate.prove(connection, key);
  }

  /** A new connection, to the first address that answers. What is there already may be for something else, or left over. */
  #connect(host: Host): Promise<Connection> {
    const { libp2p } = this.#parts;
    const peer = peerIdOf(host.peerKey);
    const parts = {
      attempt: (address: string, signal: AbortSignal): Promise<Connection> =>
        libp2p.services.dialler.dial(multiaddr(`${address}/p2p/${peer.toString()}`), signal),
      discard: (late: Connection): void => abortConnection(late, new Error("another address was quicker")),
    };
    return race(parts, host.addresses, limits.dialStaggerMs, AbortSignal.timeout(limits.dialDeadlineMs));
  }

  async #openLink(connection: Connection, key: Key): Promise<void> {
    this.#parts.gate.prove(connection, key);
    this.#parts.book.answered(key, connection.remoteAddr.toString().replace(/\/p2p\/[^/]*$/, ""));
    this.#parts.adopt(key, connection, await openFrames(connection, MEMBER, limits.memberFrameBytes, limits.helloDeadlineMs));
  }
}

/** What comes of a connection; nobody keeps one of which nothing came. */
async function orNothing<T>(connection: Connection, outcome: Promise<T>): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    abortConnection(connection, asError(error));
    throw error;
  }
}
