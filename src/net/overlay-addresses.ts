/**
 * Signed addresses: where members say that they can be reached, in their own words, which travel from one member to the next.
 *
 * A member says it apart for each range that works from the same places, so that each word can go where it works and nowhere else.
 * Knows: signatures, age, places. Does not know: who asks for what.
 */
import { type Digest, type Key, limits } from "../base/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { isUsable } from "./addresses.ts";
import { speaksQuic } from "./ports.ts";
import { groupedByReach, type Place, toldTo, travels } from "./scopes.ts";

/** What a member has said of its addresses. */
export interface SignedAddresses {
  /** As it travels. */
  readonly bytes: Uint8Array;
  readonly addresses: readonly string[];
  readonly issuedAtMs: number;
}

export interface SignedAddressesParts {
  readonly network: Digest;
  readonly self: Key;
  readonly codec: NetworkCodec;
  /** Where this node listens: multiaddrs. */
  readonly listening: () => readonly string[];
  readonly isMember: (key: Key) => boolean;
  readonly sign: (body: Uint8Array) => Uint8Array;
  readonly isSigned: (key: Key, body: Uint8Array, signature: Uint8Array) => boolean;
  /** ms since 1970 */
  readonly wallClock: () => number;
}

const { recordMs, recordsPerMember, renewMs } = limits.overlay;

export class AddressWords {
  readonly #parts: SignedAddressesParts;
  #own: readonly SignedAddresses[] = [];
  #ownText = "";

  constructor(parts: SignedAddressesParts) {
    this.#parts = parts;
  }

  /** What this node says of itself; signed anew when its addresses have changed, and now and then. */
  own(): readonly SignedAddresses[] {
    const { listening, wallClock } = this.#parts;
    // Members that know nothing of QUIC take only what they understand all of.
    const [quic, others] = [true, false].map((wanted) => listening().filter((address) => speaksQuic(address) === wanted));
    const groups = [others, quic].flatMap((some) => groupedByReach(some ?? [])).slice(0, recordsPerMember);
    const text = groups.join(" ");
    const ageMs = wallClock() - (this.#own[0]?.issuedAtMs ?? 0);
    // Negative after somebody has set the clock back.
    if (text === this.#ownText && ageMs >= 0 && ageMs < renewMs) return this.#own;
    this.#ownText = text;
    this.#own = groups.map((addresses) => this.#signed(addresses));
    return this.#own;
  }

  /** Of what a member has said, what can be told to somebody at that place. */
  tellable(all: readonly SignedAddresses[], place: Place, itself: boolean): SignedAddresses[] {
    return all.filter(
      ({ addresses, issuedAtMs }) => this.#isTimely(issuedAtMs) && toldTo(place, addresses, itself).length === addresses.length,
    );
  }

  /**
   * What is true and timely of what somebody at that place tells, by member, in its order. The rest is left out.
   *
   * @throws {CairnError} frame-invalid when something is none at all
   */
  read(all: readonly Uint8Array[], place: Place): { readonly key: Key; readonly addresses: readonly SignedAddresses[] }[] {
    const words = all.flatMap((bytes) => this.#read(bytes, place));
    return [...Map.groupBy(words, ({ key }) => key)].map(([key, of]) => ({ key, addresses: of.slice(0, recordsPerMember) }));
  }

  #signed(addresses: readonly string[]): SignedAddresses {
    const { network, self, codec, sign, wallClock } = this.#parts;
    const issuedAtMs = wallClock();
    const host = { peerKey: self, addresses: addresses.slice(0, limits.addressesPerHost) };
    const body = codec.encodeMemberAddresses({ network, host, issuedAtMs });
    return { bytes: codec.encodeSignedAddresses({ body, signature: sign(body) }), addresses: host.addresses, issuedAtMs };
  }

  #read(bytes: Uint8Array, place: Place): (SignedAddresses & { readonly key: Key })[] {
    const { network, self, codec, isMember, isSigned } = this.#parts;
    const { body, signature, said } = codec.decodeSignedAddresses(bytes);
    const { peerKey: key, addresses } = said.host;
    const fits = addresses.length > 0 && addresses.every((address) => isUsable(address) && travels(address, place));
    if (said.network !== network || key === self || !isMember(key) || !fits || !this.#isTimely(said.issuedAtMs)) return [];
    return isSigned(key, body, signature) ? [{ key, bytes, addresses, issuedAtMs: said.issuedAtMs }] : [];
  }

  #isTimely(issuedAtMs: number): boolean {
    const ageMs = this.#parts.wallClock() - issuedAtMs;
    return ageMs < recordMs + limits.clockErrorMs && ageMs > -limits.clockErrorMs;
  }
}
