/**
 * Sources that know without asking anybody: what an earlier run has saved, and what the configuration says.
 */
import type { Host, Key, StaticPeer } from "../base/index.ts";
import type { Discovery, SavedPeers } from "../contracts/index.ts";

/** Where members were when this node last spoke with them, or with somebody who knew. */
export class SavedDiscovery implements Discovery {
  readonly source = "saved";
  readonly #parts: { readonly saved: SavedPeers; readonly members: () => readonly Key[] };
  #found: ((hint: Host) => void) | undefined;
  /** Those who are not known to be members yet. */
  #rest: readonly Host[] = [];

  constructor(parts: { readonly saved: SavedPeers; readonly members: () => readonly Key[] }) {
    this.#parts = parts;
  }

  start(found: (hint: Host) => void): void {
    this.#found = found;
    this.#rest = this.#parts.saved.load();
    this.refresh();
  }

  refresh(): void {
    if (this.#rest.length === 0) return;
    const members = new Set(this.#parts.members());
    const { known = [], unknown = [] } = Object.groupBy(this.#rest, ({ peerKey }) => (members.has(peerKey) ? "known" : "unknown"));
    this.#rest = unknown;
    for (const host of known) this.#found?.(host);
  }

  [Symbol.dispose](): void {
    this.#found = undefined;
  }
}

export class StaticDiscovery implements Discovery {
  readonly source = "static";
  readonly #parts: { readonly keyOf: (member: string) => Key | undefined };
  readonly #peers: readonly StaticPeer[];
  #found: ((hint: Host) => void) | undefined;

  /** @param parts `keyOf` is asked again at each refresh: who is not known yet may be later; this node itself is nobody */
  constructor(parts: { readonly keyOf: (member: string) => Key | undefined }, options: { readonly peers: readonly StaticPeer[] }) {
    this.#parts = parts;
    this.#peers = options.peers;
  }

  start(found: (hint: Host) => void): void {
    this.#found = found;
    this.refresh();
  }

  refresh(): void {
    const byKey = Map.groupBy(this.#peers, ({ member }) => this.#parts.keyOf(member));
    for (const [peerKey, peers] of byKey)
      if (peerKey !== undefined) this.#found?.({ peerKey, addresses: peers.map(({ address }) => address) });
  }

  [Symbol.dispose](): void {
    this.#found = undefined;
  }
}
