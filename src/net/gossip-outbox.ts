/**
 * What is to be said to each peer in the next moment, gathered into few frames.
 *
 * Knows: frames and how much goes into one. Does not know: why it is said.
 */
import { type Key, limits } from "../base/index.ts";
import type { GossipFrame } from "../wire/index.ts";
import type { GossipItem, GossipMessage } from "./gossip-item.ts";

const { givenBytes, idsAtOnce, lingerMs, messagesPerFrame } = limits.gossip;

/** A signed message as it travels. */
export interface SignedMessage extends GossipMessage {
  readonly bytes: Uint8Array;
}

interface Waiting {
  topics: readonly string[] | undefined;
  readonly messages: Map<string, Uint8Array>;
  /** To whom else all of the node's own messages among them go; undefined while there is none. */
  given: readonly Key[] | undefined;
  readonly graft: Set<string>;
  readonly prune: Set<string>;
  readonly have: Set<string>;
  readonly want: Set<string>;
}

export class GossipOutbox implements Disposable {
  readonly #send: (peer: Key, frame: GossipFrame) => void;
  readonly #waiting = new Map<Key, Waiting>();
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (peer: Key, frame: GossipFrame) => void) {
    this.#send = send;
  }

  add(peer: Key, item: GossipItem<SignedMessage>): void {
    const waiting = this.#waitingFor(peer);
    switch (item.kind) {
      case "topics":
        waiting.topics = item.topics;
        break;
      case "message":
        waiting.messages.set(item.message.id, item.message.bytes);
        if (item.given.length > 0) waiting.given = waiting.given?.filter((key) => item.given.includes(key)) ?? item.given;
        break;
      case "graft":
        waiting.prune.delete(item.topic);
        waiting.graft.add(item.topic);
        break;
      case "prune":
        waiting.graft.delete(item.topic);
        waiting.prune.add(item.topic);
        break;
      case "have":
      case "want":
        for (const id of item.ids) waiting[item.kind].add(id);
        break;
    }
    this.#timer ??= setTimeout(() => this.flush(), lingerMs);
  }

  /** The peer has just sent that message itself. */
  spare(peer: Key, id: string): void {
    this.#waiting.get(peer)?.messages.delete(id);
  }

  lost(peer: Key): void {
    this.#waiting.delete(peer);
  }

  /** Says it now. */
  flush(): void {
    this[Symbol.dispose]();
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const [peer, waiting] of all) for (const frame of framesFor(waiting)) this.#send(peer, frame);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #waitingFor(peer: Key): Waiting {
    let waiting = this.#waiting.get(peer);
    if (waiting === undefined) {
      waiting = {
        topics: undefined,
        messages: new Map(),
        given: undefined,
        graft: new Set(),
        prune: new Set(),
        have: new Set(),
        want: new Set(),
      };
      this.#waiting.set(peer, waiting);
    }
    return waiting;
  }
}

/** How a frame names a peer to which its messages go, too: the beginning of its key. */
export function givenName(peer: Key): string {
  return peer.slice(0, 2 * givenBytes);
}

function* framesFor(waiting: Waiting): Generator<GossipFrame> {
  const messages = [...waiting.messages.values()];
  const [have, want] = [[...waiting.have], [...waiting.want]];
  const { topics } = waiting;
  const [graft, prune] = [[...waiting.graft], [...waiting.prune]];
  const parts = Math.max(1, Math.ceil(messages.length / messagesPerFrame), Math.ceil(Math.max(have.length, want.length) / idsAtOnce));
  const nothing = messages.length + have.length + want.length + graft.length + prune.length === 0 && topics === undefined;
  if (nothing) return;
  for (let part = 0; part < parts; part++)
    yield {
      topics: part === 0 ? topics : undefined,
      graft: part === 0 ? graft : [],
      prune: part === 0 ? prune : [],
      messages: messages.slice(part * messagesPerFrame, (part + 1) * messagesPerFrame),
      given: (waiting.given ?? []).map(givenName),
      have: have.slice(part * idsAtOnce, (part + 1) * idsAtOnce),
      want: want.slice(part * idsAtOnce, (part + 1) * idsAtOnce),
    };
}
