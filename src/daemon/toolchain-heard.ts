/**
 * What members have said of their toolchains: each is asked once in a while, and several jobs at once ask together.
 *
 * Knows: how long an answer is good for. Does not know: what is made of it.
 */
import { type Digest, type Key, limits, type ToolchainsAccept } from "../base/index.ts";
import type { ToolchainOffer } from "../contracts/index.ts";
import type { ToolchainQuestion } from "../wire/index.ts";
import type { TreeNetwork } from "./tree-fetch.ts";

/** Other members, as far as toolchains need them. */
export interface ToolchainNetwork {
  readonly trees: TreeNetwork;
  readonly ask: (member: Key, question: ToolchainQuestion) => Promise<ToolchainOffer | undefined>;
  readonly isOfOwnDomain: (member: Key) => boolean;
  /** Whose toolchains are taken: what this machine says, or the network where that is stricter now. */
  readonly accepts: (own: ToolchainsAccept) => ToolchainsAccept;
  /** Those that the network's policy has approved. */
  readonly approved: () => readonly Digest[];
}

/** Which toolchain is meant. */
type Wish = Pick<ToolchainQuestion, "digest" | "root">;

interface Heard {
  readonly offer: Promise<ToolchainOffer | undefined>;
  readonly atMs: number;
}

const { offerMs, offers: mostHeard } = limits.toolchains;

export class HeardOffers {
  readonly #network: () => Pick<ToolchainNetwork, "ask"> | undefined;
  readonly #now: () => number;
  /** By member, digest and root; oldest first. */
  readonly #heard = new Map<string, Heard>();

  constructor(parts: { readonly network: () => Pick<ToolchainNetwork, "ask"> | undefined; readonly now: () => number }) {
    this.#network = parts.network;
    this.#now = parts.now;
  }

  /** @returns undefined where the member says nothing; who has said nothing is asked again the next time */
  of(wanted: Wish, member: Key): Promise<ToolchainOffer | undefined> {
    const name = nameOf(wanted, member);
    const atMs = this.#now();
    const heard = this.#heard.get(name);
    if (heard !== undefined && atMs - heard.atMs < offerMs) return heard.offer;
    const offer = this.#network()?.ask(member, { ...wanted, pack: false }) ?? Promise.resolve(undefined);
    this.#heard.delete(name);
    this.#heard.set(name, { offer, atMs });
    void offer.then((said) => said ?? this.#heard.delete(name));
    for (const eldest of this.#heard.keys()) {
      if (this.#heard.size <= mostHeard) break;
      this.#heard.delete(eldest);
    }
    return offer;
  }

  /** What was said is not so any more. */
  forget(wanted: Wish, member: Key): void {
    this.#heard.delete(nameOf(wanted, member));
  }
}

function nameOf({ digest, root = "" }: Wish, member: Key): string {
  return `${member} ${digest} ${root}`;
}
