/**
 * All that finds ways to members, put together: relaying for others, circuits through others, punching, and the choice among them.
 *
 * Knows: which part needs which, and the protocols that members serve each other for it. Does not know: what each part does.
 */
import { type Log, limits } from "../base/index.ts";
import { Circuits } from "./circuits.ts";
import type { Link } from "./link.ts";
import { Paths, type PathsParts } from "./paths.ts";
import { PUNCH, Puncher, type PunchParts, WHOAMI } from "./punch.ts";
import { CIRCUIT, RELAY, Relay, type RelayOptions } from "./relay.ts";
import type { Routes } from "./routes.ts";
import type { Serve } from "./serving.ts";
import { Shares } from "./shares.ts";

export interface WayFinderParts extends Omit<PathsParts, "circuits" | "puncher">, Omit<PunchParts, "greet" | "listening"> {
  readonly links: () => readonly Link[];
  readonly routes: Routes;
  readonly log: Log;
}

export class WayFinder {
  readonly paths: Paths;
  readonly #relay: Relay;
  readonly #circuits: Circuits;
  readonly #puncher: Puncher;

  constructor(parts: WayFinderParts, options: RelayOptions) {
    const { outbound, ways } = parts;
    const shares = new Shares(parts, { bytesPerSecond: limits.relayBytesPerSecond });
    this.#relay = new Relay({ ...parts, shares }, options);
    this.#circuits = new Circuits({ ...parts, shares });
    this.#puncher = new Puncher({
      ...parts,
      greet: (connection, key) => outbound.greet(connection, key),
      listening: () => ways.listening(),
    });
    this.paths = new Paths({ ...parts, circuits: this.#circuits, puncher: this.#puncher });
  }

  /** See {@link Puncher.seen}. */
  seen(): string[] {
    return this.#puncher.seen();
  }

  /** Lets members ask this node for its part in finding ways. */
  async serve(serve: Serve): Promise<void> {
    await serve(RELAY, limits.circuitsPerMember, (asked) => void this.#relay.serve(asked));
    await serve(CIRCUIT, limits.circuitsPerMember, (called) => void this.#circuits.answer(called));
    await serve(WHOAMI, 2, (asked) => void this.#puncher.tell(asked));
    await serve(PUNCH, 2, (asked) => void this.#puncher.answer(asked));
  }
}
