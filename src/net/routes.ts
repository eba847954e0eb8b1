/**
 * The way that a connection takes: direct, or through members that relay.
 */
import type { Connection } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Key } from "../base/index.ts";
import { peerIdOf } from "./peer-id.ts";

export interface Route {
  /** Members in between; 0 is direct. */
  readonly relays: number;
  /** The first of them, as seen from here. */
  readonly via: Key | undefined;
}

const DIRECT: Route = { relays: 0, via: undefined };

/** What is known of the ways of connections; one of which nothing is known is direct. */
export class Routes {
  readonly #known = new WeakMap<Multiaddr, Route>();

  /** An address of a member behind `route.via`, for one connection, which does not exist yet: its first words may come with it. */
  address(member: Key, route: Route & { readonly via: Key }): Multiaddr {
    const address = multiaddr(`/p2p/${peerIdOf(route.via).toString()}/p2p-circuit/p2p/${peerIdOf(member).toString()}`);
    this.#known.set(address, route);
    return address;
  }

  of(connection: Connection): Route {
    return this.#known.get(connection.remoteAddr) ?? DIRECT;
  }
}
