/**
 * What this machine is connected to, and when that changes or the machine has slept.
 *
 * Node tells nobody of changes, so they are looked for. Knows: the system's interfaces, two readings of a clock. Does not know: what follows.
 */
import { networkInterfaces } from "node:os";
import { limits } from "../base/index.ts";

export interface InterfaceAddress {
  /** The interface's name. */
  readonly name: string;
  /** An IP address without a zone. */
  readonly address: string;
  readonly family: "ip4" | "ip6";
  /** Bits of the subnet. */
  readonly prefix: number;
  /** Only this machine can use it. */
  readonly internal: boolean;
}

/** Addresses of interfaces that are up and have a carrier. */
export function readInterfaces(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map(({ address, family, cidr, internal }) => ({
      name,
      address: address.replace(/%.*$/, ""),
      family: family === "IPv4" ? ("ip4" as const) : ("ip6" as const),
      prefix: Number(cidr?.split("/")[1] ?? (family === "IPv4" ? 32 : 128)),
      internal,
    })),
  );
}

export type Disturbance =
  | { readonly kind: "interfaces"; readonly gone: readonly string[]; readonly come: readonly string[] }
  | { readonly kind: "slept"; readonly forMs: number };

export interface WatchParts {
  readonly read: () => readonly InterfaceAddress[];
  /** ms, time of day: other clocks may stand still while the machine sleeps. */
  readonly wallClock: () => number;
  readonly disturbed: (what: Disturbance) => void;
}

/** Looks once a second, which takes some tens of microseconds. */
export class InterfaceWatch implements Disposable {
  readonly #parts: WatchParts;
  #timer: NodeJS.Timeout | undefined;
  #last: readonly InterfaceAddress[];
  #lookedAt: number;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#last = parts.read();
    this.#lookedAt = parts.wallClock();
  }

  begin(): void {
    this.#timer = setInterval(() => this.look(), limits.interfaceLookMs);
    this.#timer.unref();
  }

  get current(): readonly InterfaceAddress[] {
    return this.#last;
  }

  look(): void {
    const { read, wallClock, disturbed } = this.#parts;
    const now = wallClock();
    const forMs = now - this.#lookedAt - limits.interfaceLookMs;
    const before = this.#last;
    this.#lookedAt = now;
    this.#last = read();
    // A clock that was set forward looks the same; then a few pings were in vain.
    if (forMs > limits.sleptMs) disturbed({ kind: "slept", forMs });
    const [was, is] = [before.map(described), this.#last.map(described)];
    const [gone, come] = [was.filter((one) => !is.includes(one)), is.filter((one) => !was.includes(one))];
    if (gone.length > 0 || come.length > 0) disturbed({ kind: "interfaces", gone, come });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function described({ name, address, prefix }: InterfaceAddress): string {
  return `${name} ${address}/${prefix}`;
}
