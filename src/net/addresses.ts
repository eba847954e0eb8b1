/**
 * Where members are: what they say of themselves, what others say of them, and what was saved.
 *
 * Knows: which addresses make sense for whom. Does not know: whether anybody answers there.
 */
import { multiaddr } from "@multiformats/multiaddr";
import { type Host, type Key, limits } from "../base/index.ts";
import type { SavedPeers } from "../contracts/index.ts";

export interface AddressBookParts {
  readonly saved: SavedPeers;
  readonly self: Key;
  readonly isMember: (key: Key) => boolean;
}

/** Addresses of members: as an invitation named them, as they told, and as they were saved in an earlier run. */
export class AddressBook {
  readonly #parts: AddressBookParts;
  readonly #hosts: Map<Key, Host>;
  /** Of keys that may turn out to be members': their address can arrive before the news that they are. */
  readonly #hearsay = new Map<Key, Host>();

  constructor(parts: AddressBookParts) {
    this.#parts = parts;
    this.#hosts = new Map(parts.saved.load().map((host) => [host.peerKey, host]));
  }

  /** Undefined when no address is known. */
  host(key: Key): Host | undefined {
    return this.#hosts.get(key);
  }

  hosts(): Host[] {
    return [...this.#hosts.values()].slice(0, limits.peers);
  }

  /** @returns whether that is news about a member */
  learn(key: Key, addresses: readonly string[]): boolean {
    const usable = addresses.filter(isUsable).slice(0, limits.addressesPerHost);
    if (key === this.#parts.self || usable.length === 0) return false;
    const host = { peerKey: key, addresses: usable };
    if (!this.#parts.isMember(key)) {
      if (this.#hearsay.size < limits.peers) this.#hearsay.set(key, host);
      return false;
    }
    if (this.#hosts.get(key)?.addresses.join() === usable.join()) return false;
    this.#hosts.set(key, host);
    this.#parts.saved.save(host);
    return true;
  }

  learnIfUnknown(key: Key, addresses: readonly string[]): boolean {
    return !this.#hosts.has(key) && this.learn(key, addresses);
  }

  /** Some have become members, and some no longer are. */
  review(): void {
    const { saved, isMember } = this.#parts;
    for (const { peerKey, addresses } of this.#hearsay.values()) {
      if (!isMember(peerKey)) continue;
      this.#hearsay.delete(peerKey);
      this.learnIfUnknown(peerKey, addresses);
    }
    for (const key of this.#hosts.keys()) {
      if (isMember(key)) continue;
      this.#hosts.delete(key);
      saved.forget(key);
    }
  }
}

/** What this node can dial: an IP address or a name, and a TCP port. */
export function isUsable(address: string): boolean {
  try {
    const [host, port, ...rest] = multiaddr(address).getComponents();
    return (
      host !== undefined && /^(ip4|ip6|dns|dns4|dns6)$/.test(host.name) && port?.name === "tcp" && port.value !== "0" && rest.length === 0
    );
  } catch {
    return false;
  }
}

/** What is worth telling others of the addresses that this node listens on: loopback and link-local ones only where there are no others. */
export function announced(listening: readonly string[]): string[] {
  const usable = listening.filter(isUsable);
  const wide = usable.filter((address) => !/^\/ip4\/(127|169\.254)\.|^\/ip6\/(::1|fe80:)/.test(address));
  return (wide.length > 0 ? wide : usable).slice(0, limits.addressesPerHost);
}
