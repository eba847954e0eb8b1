/**
 * Where members are: what they say of themselves, what others say of them, what was saved, and what discovery found.
 *
 * Knows: which addresses make sense, where each is known from, in which order to dial. Does not know: whether anybody answers there.
 */
import { multiaddr } from "@multiformats/multiaddr";
import { type Host, type Key, limits } from "../base/index.ts";
import type { SavedPeers } from "../contracts/index.ts";
import { dialOrder } from "./dial-order.ts";
import type { InterfaceAddress } from "./interfaces.ts";

export interface AddressBookParts {
  readonly saved: SavedPeers;
  readonly self: Key;
  readonly isMember: (key: Key) => boolean;
  /** Addresses of this machine. */
  readonly own: () => readonly InterfaceAddress[];
}

/** What a member says of itself. */
const ITSELF = "itself";
/** What other members say. */
export const MEMBER_SAYS = "member";
export const INVITATION = "invitation";

/** The one source that hears from members themselves. */
const HEARD = "mdns";

/** Told by members or kept from when they were: what is worth telling others. */
const TOLD: readonly string[] = [ITSELF, "saved", MEMBER_SAYS, INVITATION];

interface Known {
  /** Source → addresses. */
  readonly bySource: Map<string, readonly string[]>;
  /** Where the member answered last. */
  good: string | undefined;
}

export class AddressBook {
  readonly #parts: AddressBookParts;
  readonly #known = new Map<Key, Known>();
  /** Of keys that may turn out to be members': their address can arrive before the news that they are. */
  readonly #hearsay = new Map<Key, Host>();

  constructor(parts: AddressBookParts) {
    this.#parts = parts;
  }

  /** All that is known, in the order in which it should be dialled; undefined when no address is. */
  host(key: Key): Host | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    const { bySource, good } = known;
    const heard = bySource.get(HEARD)?.[0];
    const addresses = dialOrder({ addresses: [...bySource.values()].flat(), heard, good }, this.#parts.own());
    return addresses.length === 0 ? undefined : { peerKey: key, addresses };
  }

  /** What members have told of each other. */
  hosts(): Host[] {
    const told = [...this.#known].flatMap(([peerKey, { bySource }]) => {
      const addresses = TOLD.map((source) => bySource.get(source)).find((one) => one !== undefined);
      return addresses === undefined ? [] : [{ peerKey, addresses }];
    });
    return told.slice(0, limits.peers);
  }

  /** Whether anything is known of where a member is. */
  knows(key: Key): boolean {
    return this.#known.has(key);
  }

  /** Where a member's addresses are known from, the most reliable first. */
  sources(key: Key): string[] {
    return [...(this.#known.get(key)?.bySource.keys() ?? [])].toSorted((a, b) => rank(a) - rank(b));
  }

  /**
   * Takes what a member says of itself instead of what it said before.
   *
   * @returns whether that is news about a member
   */
  learn(key: Key, addresses: readonly string[], source: string = ITSELF): boolean {
    const usable = addresses.filter(isUsable).slice(0, limits.addressesPerHost);
    if (key === this.#parts.self || usable.length === 0) return false;
    const host = { peerKey: key, addresses: usable };
    if (!this.#parts.isMember(key)) {
      if (this.#hearsay.size < limits.peers) this.#hearsay.set(key, host);
      return false;
    }
    if (!this.#put(key, source, usable)) return false;
    this.#parts.saved.save(host);
    return true;
  }

  /** What others say of a member counts only where it has said nothing itself. */
  learnIfUnknown(key: Key, addresses: readonly string[]): boolean {
    const bySource = this.#known.get(key)?.bySource;
    return !TOLD.some((source) => bySource?.has(source)) && this.learn(key, addresses, MEMBER_SAYS);
  }

  /** The member can be dialled nowhere, as it says itself: what was told before counts no more. */
  withdraw(key: Key): void {
    const bySource = this.#known.get(key)?.bySource;
    if (bySource === undefined) return;
    for (const source of TOLD) bySource.delete(source);
    this.#parts.saved.forget(key);
  }

  /** Adds what discovery found. It is neither saved nor passed on, for it proves nothing. @returns whether that is news about a member */
  hint(source: string, { peerKey, addresses }: Host): boolean {
    if (peerKey === this.#parts.self || !this.#parts.isMember(peerKey)) return false;
    const before = this.#known.get(peerKey)?.bySource.get(source) ?? [];
    return this.#put(peerKey, source, [...new Set([...addresses, ...before])].slice(0, limits.addressesPerHost));
  }

  /** The member has proved that it is there. */
  answered(key: Key, address: string): void {
    const known = this.#known.get(key);
    if (known !== undefined) known.good = address;
  }

  /** Some have become members, and some no longer are. */
  review(): void {
    const { saved, isMember } = this.#parts;
    for (const { peerKey, addresses } of this.#hearsay.values()) {
      if (!isMember(peerKey)) continue;
      this.#hearsay.delete(peerKey);
      this.learnIfUnknown(peerKey, addresses);
    }
    for (const key of this.#known.keys()) {
      if (isMember(key)) continue;
      this.#known.delete(key);
      saved.forget(key);
    }
  }

  /** @returns whether anything is different */
  #put(key: Key, source: string, addresses: readonly string[]): boolean {
    const known = this.#known.get(key) ?? { bySource: new Map<string, readonly string[]>(), good: undefined };
    const before = known.bySource.get(source)?.toSorted().join();
    this.#known.set(key, known);
    known.bySource.set(source, addresses);
    // What the member says now is what was saved of it.
    if (source === ITSELF) for (const older of TOLD.slice(1)) known.bySource.delete(older);
    return before !== addresses.toSorted().join();
  }
}

function rank(source: string): number {
  return TOLD.includes(source) ? TOLD.indexOf(source) : TOLD.length;
}

/**
 * What this node may be told, and what it or others can dial: an IP address or a name, and a TCP port, at which WebSocket may be spoken, or a UDP
 * port for QUIC, which not every node speaks.
 */
export function isUsable(address: string): boolean {
  try {
    const [host, port, ...rest] = multiaddr(address).getComponents();
    const speaks = [port, ...rest].map((part) => part?.name).join("/");
    const isKnown = /^(tcp|tcp\/ws|udp\/quic-v1)$/.test(speaks);
    return isKnown && host !== undefined && /^(ip4|ip6|dns|dns4|dns6)$/.test(host.name) && port?.value !== "0";
  } catch {
    return false;
  }
}
