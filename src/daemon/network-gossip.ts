/**
 * Gossip and presence of a network that runs: built from its parts, and told who comes and goes.
 *
 * Knows: where a node's numbering of its messages begins. Does not know: what is told.
 */
import { type Log, reasonOf } from "../base/index.ts";
import { LinkGossip, type Network } from "../net/index.ts";
import { isSigned, type KeyPair, type Members } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { PresenceBoard, type Work } from "./presence.ts";

/** Messages that a node may number in a second without reaching the numbers of the next. */
const PER_SECOND = 2 ** 20;
/** Where a start leaves off when the clock was set back: further on than any messages of one life go, in seconds' worth of numbers. */
const LIFE = 1_024;
const STARTED = "gossip-started";

export interface NetworkGossipParts {
  readonly network: Network;
  readonly members: Members;
  readonly codec: NetworkCodec;
  readonly keys: KeyPair;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
  readonly work: () => Work;
  readonly log: Log;
}

export class NetworkGossip implements Disposable {
  readonly gossip: LinkGossip;
  readonly presence: PresenceBoard;

  constructor({ network, members, codec, keys, kept, work, log }: NetworkGossipParts) {
    // Later messages have greater numbers, through restarts, whatever the clock does.
    const started = Math.max(Math.floor(Date.now() / 1_000), Number(kept.setting(STARTED) ?? 0) + LIFE);
    kept.set(STARTED, String(started));
    const { send, end } = network.carryGossip((from, frame) => this.gossip.received(from, frame));
    this.gossip = new LinkGossip(
      {
        roster: members,
        codec,
        send,
        end: (peer, why) => {
          log.event("warn", "gossip.refused", { peer, why });
          end(peer, why);
        },
        sign: (body) => keys.sign("cairn gossip 1", body),
        isSigned: (author, body, signature) => isSigned(author, "cairn gossip 1", body, signature),
        failed: (author, topic, error) => log.event("warn", "gossip.failed", { author, topic, why: reasonOf(error) }),
        now: () => performance.now(),
        random: Math.random,
      },
      { sequence: started * PER_SECOND },
    );
    this.presence = new PresenceBoard({
      gossip: this.gossip,
      codec,
      self: members.self,
      members: () => members.others().length + 1,
      work,
      now: () => performance.now(),
    });
    network.onPeers(({ kind, key }) => {
      this.gossip[kind](key);
      this.presence[kind](key);
    });
    members.onChange(() => this.presence.regroup());
  }

  /** Says goodbye and nothing more. */
  [Symbol.dispose](): void {
    this.presence.goodbye();
    this.gossip.flush();
    this.gossip[Symbol.dispose]();
  }
}
