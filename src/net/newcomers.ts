/**
 * Newcomers: connections that are not made yet, so many at once from addresses from which members have come and so many from all others.
 *
 * Who connects and says nothing holds a place until its time is up; strangers who do that keep no member out.
 * Knows: how many there are. Does not know: what they are to say, or for how long they may be silent.
 */
import type { Upgrader } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { limits } from "../base/index.ts";

export class Newcomers {
  readonly #isFamiliar: (ip: string) => boolean;
  readonly #waiting = { familiar: 0, strange: 0 };

  /** @param isFamiliar whether members have come from an IP address */
  constructor(isFamiliar: (ip: string) => boolean) {
    this.#isFamiliar = isFamiliar;
  }

  /** @returns undefined where there are too many of its kind; otherwise it is disposed of when the newcomer has come in, or gone */
  admit(ip: string): Disposable | undefined {
    const kind = this.#isFamiliar(ip) ? "familiar" : "strange";
    if (this.#waiting[kind] >= limits.newcomers) return undefined;
    this.#waiting[kind]++;
    let isIn = true;
    return {
      [Symbol.dispose]: () => {
        if (isIn) this.#waiting[kind]--;
        isIn = false;
      },
    };
  }

  /** What connects from now on is a newcomer until libp2p has made a connection of it. */
  watch(upgrader: Upgrader): void {
    const inbound = upgrader.upgradeInbound.bind(upgrader);
    upgrader.upgradeInbound = async (socket, options) => {
      using place = this.admit(ipOf(socket.remoteAddr));
      if (place === undefined) throw new Error("too many connections are being made");
      await inbound(socket, options);
    };
  }
}

/** The part of a multiaddr that tells machines apart. */
export function ipOf(address: Multiaddr): string {
  return address.getComponents().find(({ name }) => name === "ip4" || name === "ip6")?.value ?? "";
}
