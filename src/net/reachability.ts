/**
 * Reachability: at which of its addresses this node is reached by members, by their trying.
 *
 * Addresses of its own are thought to work until members have tried in vain. Those at which a router shows this node count only once somebody
 * has come through there: somebody may have told the router to let them in.
 * Knows: what was tried by whom, and when to have it tried again. Does not know: how that is done, or who is told of addresses.
 */
import { type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Probed } from "./dial-back.ts";
import { addressAt, portOf, speaksQuic } from "./ports.ts";
import { ipOf, scopeOf } from "./scopes.ts";

/** A linked member, as seen from here. */
export interface Prober {
  readonly key: Key;
  /** Of this node's own addresses, those that mean something where the member is. */
  readonly addresses: readonly string[];
  /** On a network of this machine, or reached by a private address: what it finds says nothing about the world outside. */
  readonly near: boolean;
}

export interface ReachabilityParts {
  readonly ask: (key: Key, addresses: readonly string[], dataPort: number) => Promise<Probed>;
  /** Members with a direct link. */
  readonly probers: () => readonly Prober[];
  /** Multiaddrs at which members outside have seen connections of this node come from. */
  readonly seen: () => readonly string[];
  /** Multiaddrs at which a router says that it lets members in. */
  readonly mapped: () => readonly string[];
  /** Multiaddrs at which this node listens. */
  readonly listening: () => readonly string[];
  /** Something else is to be announced than before. */
  readonly changed: () => void;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface ReachedAt {
  readonly address: string;
  /** Members that came through, and that did not. */
  readonly by: number;
  readonly inVain: number;
}

export interface ReachFacts {
  readonly addresses: readonly ReachedAt[];
  /** The data plane's port; 0 when it does not listen. */
  readonly dataPort: number;
  /** Whether members come through to it; undefined when none has tried. */
  readonly data: boolean | undefined;
}

/** Who came through in one round, and who tried in vain. */
interface Outcome {
  readonly by: Set<Key>;
  readonly inVain: Set<Key>;
}

/** What the last round found, and how many rounds in a row found nobody who comes through. */
interface Tried extends Outcome {
  readonly roundsInVain: number;
}

export class Reachability implements Disposable {
  readonly #parts: ReachabilityParts;
  readonly #tried = new Map<string, Tried>();
  #data: Tried | undefined;
  #dataPort = 0;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is to go off, on a clock of its own. */
  #dueInMs = Number.POSITIVE_INFINITY;
  #ended = false;

  constructor(parts: ReachabilityParts) {
    this.#parts = parts;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  get facts(): ReachFacts {
    const addresses = [...this.#tried].map(([address, { by, inVain }]) => ({ address, by: by.size, inVain: inVain.size }));
    return { addresses, dataPort: this.#dataPort, data: verdict(this.#data) };
  }

  /** What is worth announcing: where this node listens, unless nobody comes through there, and where members came through besides. */
  announced(): string[] {
    const listening = this.#parts.listening().filter((address) => this.#verdict(address) !== false);
    const proved = [...this.#tried.keys()].filter((address) => this.#verdict(address) === true);
    return [...new Set([...listening, ...proved])];
  }

  /** The data plane listens. */
  listensToo(port: number): void {
    if (port === this.#dataPort) return;
    this.#dataPort = port;
    this.#data = undefined;
    this.soon();
  }

  /** Somebody who could try is there. */
  soon(): void {
    this.#schedule(limits.probeAfterMs);
  }

  /** This machine has moved: nothing of before counts. */
  forget(): void {
    this.#tried.clear();
    this.#data = undefined;
    this.soon();
  }

  #verdict(address: string): boolean | undefined {
    return verdict(this.#tried.get(address));
  }

  /** Whether something was tried in vain, and not often enough to be sure. */
  #isDoubtful(): boolean {
    return [...this.#tried.values(), this.#data].some((one) => one !== undefined && one.roundsInVain > 0 && verdict(one) === undefined);
  }

  #schedule(afterMs: number): void {
    if (this.#ended || afterMs >= this.#dueInMs) return;
    clearTimeout(this.#timer);
    this.#dueInMs = afterMs;
    this.#timer = setTimeout(() => {
      this.#dueInMs = Number.POSITIVE_INFINITY;
      void this.#round().finally(() => {
        const spread = 0.75 + 0.5 * this.#parts.random();
        this.#schedule(spread * (this.#isDoubtful() ? limits.probeAgainMs : limits.probeEveryMs));
      });
    }, afterMs);
    this.#timer.unref();
  }

  /** Asks some members, those outside first. */
  async #round(): Promise<void> {
    const before = this.announced().join(" ");
    const asked = this.#parts
      .probers()
      .map((prober) => ({ prober, rank: (prober.near ? 1 : 0) + this.#parts.random() }))
      .toSorted((a, b) => a.rank - b.rank)
      .slice(0, limits.probers);
    const tried = new Map<string, Outcome>();
    const data = nobody();
    await Promise.all(asked.map(({ prober }) => this.#ask(prober, tried, data)));
    if (this.#ended || tried.size === 0) return;
    for (const [address, outcome] of tried) this.#tried.set(address, after(this.#tried.get(address), outcome));
    if (data.by.size + data.inVain.size > 0) this.#data = after(this.#data, data);
    for (const [address, { by, inVain }] of tried)
      this.#parts.log.event("info", by.size > 0 ? "address.reached" : "address.unreached", { address, by: by.size, inVain: inVain.size });
    if (this.announced().join(" ") !== before) this.#parts.changed();
  }

  async #ask({ key, addresses, near }: Prober, tried: Map<string, Outcome>, data: Outcome): Promise<void> {
    const candidates = near ? addresses : [...addresses, ...this.#shown(addresses)];
    // Many members do not speak QUIC: that they do not come through there says nothing.
    const isWorthIt = (address: string): boolean => scopeOf(address) !== "loopback" && !speaksQuic(address);
    const wanted = [...new Set(candidates)].filter(isWorthIt).slice(0, limits.probedAddresses);
    if (wanted.length === 0) return;
    try {
      const probed = await this.#parts.ask(key, wanted, this.#dataPort);
      for (const address of wanted) {
        const one = tried.get(address) ?? nobody();
        tried.set(address, one);
        (probed.reached.includes(address) ? one.by : one.inVain).add(key);
      }
      if (probed.data !== undefined) (probed.data ? data.by : data.inVain).add(key);
    } catch (error) {
      this.#parts.log.event("debug", "probe.failed", { peer: key, why: reasonOf(error) });
    }
  }

  /** Where routers show this node, with the ports at which it listens. */
  #shown(own: readonly string[]): string[] {
    const { seen, mapped, listening } = this.#parts;
    const mine = [...listening(), ...own].map(ipOf);
    const shown = seen().flatMap((address) => {
      const ip = ipOf(address);
      const family = address.split("/")[1] ?? "";
      const ports = listening()
        .filter((one) => one.startsWith(`/${family}/`) && !speaksQuic(one))
        .flatMap((one) => portOf(one) ?? []);
      return ip === undefined || mine.includes(ip) ? [] : ports.map((port) => addressAt(ip, port));
    });
    return [...mapped(), ...shown];
  }
}

function nobody(): Outcome {
  return { by: new Set(), inVain: new Set() };
}

/** What is known after another round. */
function after(before: Tried | undefined, outcome: Outcome): Tried {
  return { ...outcome, roundsInVain: outcome.by.size > 0 ? 0 : (before?.roundsInVain ?? 0) + 1 };
}

/** Whether members come through; undefined when none has tried, or not often enough to be sure that none does. */
function verdict(tried: Tried | undefined): boolean | undefined {
  if (tried === undefined) return undefined;
  return tried.by.size > 0 ? true : tried.roundsInVain >= limits.probesInVain ? false : undefined;
}
