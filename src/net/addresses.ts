/**
 * Where members are: what they say of themselves, what others say of them, and what was saved.
 *
 * Knows: which addresses make sense for whom. Does not know: whether anybody answers there.
 */
import { multiaddr } from "@multiformats/multiaddr";
import { type Host, type Key, limits } from "../base/index.ts";
import type { SavedPeers } from "../contracts/index.ts";

/** Addresses of the invitation that somebody pasted, and of members as they were last seen, from one run to the next. */
export class AddressBook {
  readonly #saved: SavedPeers;
  readonly #self: Key;
  readonly #hosts: Map<Key, Host>;

  constructor(saved: SavedPeers, self: Key) {
    this.#saved = saved;
    this.#self = self;
    this.#hosts = new Map(saved.load().map((host) => [host.peerKey, host]));
  }

  /** Undefined when no address is known. */
  host(key: Key): Host | undefined {
    return this.#hosts.get(key);
  }

  hosts(): Host[] {
    return [...this.#hosts.values()].slice(0, limits.peers);
  }

  /** @returns whether that is news */
  learn(key: Key, addresses: readonly string[]): boolean {
    const usable = addresses.filter(isUsable).slice(0, limits.addressesPerHost);
    if (key === this.#self || usable.length === 0) return false;
    if (this.#hosts.get(key)?.addresses.join() === usable.join()) return false;
    const host = { peerKey: key, addresses: usable };
    this.#hosts.set(key, host);
    this.#saved.save(host);
    return true;
  }

  learnIfUnknown(key: Key, addresses: readonly string[]): boolean {
    return !this.#hosts.has(key) && this.learn(key, addresses);
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
