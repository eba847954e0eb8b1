/**
 * Routing table of the overlay: of each distance some members that answered or asked, none of whom is there because others said so.
 *
 * One bucket for each number of first bits in common with this node's id. Those that have been there longest stay, for they will stay
 * longest (Kademlia, section 2.4); but a full bucket takes somebody of a domain that is rarer in it for somebody of the one that is most
 * frequent, so that nobody fills buckets with machines of one domain. Who does not answer goes when somebody else can take the place.
 * Knows: contacts. Does not know: how they are asked.
 */
import type { Key } from "../base/index.ts";
import { commonBits, type OverlayId, type Placed, spread } from "./overlay-ids.ts";

/** A member, and where it says that it can be reached. */
export interface Contact<Address> extends Placed {
  readonly key: Key;
  readonly addresses: readonly Address[];
}

export interface TableOptions {
  /** Contacts of one bucket. */
  readonly bucket: number;
  /** Those who wait for a place in it. */
  readonly spares: number;
}

interface Bucket<Address> {
  /** In the order in which they came. */
  readonly contacts: Map<Key, Contact<Address>>;
  /** The one that was heard of last is the last. */
  readonly spares: Map<Key, Contact<Address>>;
}

export class RoutingTable<Address> {
  readonly #self: OverlayId;
  readonly #options: TableOptions;
  readonly #buckets = new Map<number, Bucket<Address>>();
  /** Contacts that did not answer the last time. */
  readonly #silent = new Set<Key>();

  constructor(self: OverlayId, options: TableOptions) {
    this.#self = self;
    this.#options = options;
  }

  get size(): number {
    return [...this.#buckets.values()].reduce((sum, { contacts }) => sum + contacts.size, 0);
  }

  /** A member has asked or answered. */
  heard(contact: Contact<Address>): void {
    const bucket = this.#bucketOf(contact.id);
    this.#silent.delete(contact.key);
    bucket.spares.delete(contact.key);
    if (bucket.contacts.has(contact.key) || bucket.contacts.size < this.#options.bucket) {
      bucket.contacts.set(contact.key, contact);
      return;
    }
    const goes = this.#leastUseful(bucket, contact);
    if (goes !== undefined) {
      bucket.contacts.delete(goes);
      this.#silent.delete(goes);
      bucket.contacts.set(contact.key, contact);
      return;
    }
    bucket.spares.set(contact.key, contact);
    const [eldest] = bucket.spares.keys();
    if (bucket.spares.size > this.#options.spares && eldest !== undefined) bucket.spares.delete(eldest);
  }

  /** A member did not answer. It stays while nobody can take its place: perhaps it is this node that is cut off. */
  failed(key: Key): void {
    for (const { contacts, spares } of this.#buckets.values()) {
      spares.delete(key);
      if (!contacts.has(key)) continue;
      this.#silent.add(key);
      const youngest = [...spares.values()].at(-1);
      if (youngest === undefined) return;
      contacts.delete(key);
      this.#silent.delete(key);
      spares.delete(youngest.key);
      contacts.set(youngest.key, youngest);
      return;
    }
  }

  /** Keeps only these. */
  retain(keeps: (key: Key) => boolean): void {
    for (const { contacts, spares } of this.#buckets.values())
      for (const map of [contacts, spares]) for (const key of map.keys()) if (!keeps(key)) map.delete(key);
    for (const key of this.#silent) if (!keeps(key)) this.#silent.delete(key);
  }

  /**
   * Contacts in the order in which they are responsible for a target; those that did not answer only where there are no others.
   *
   * @param keeps the others are left out
   */
  nearest(target: OverlayId, most: number, keeps: (contact: Contact<Address>) => boolean = () => true): Contact<Address>[] {
    const all = [...this.#buckets.values()].flatMap(({ contacts }) => [...contacts.values()].filter(keeps));
    const answering = all.filter(({ key }) => !this.#silent.has(key));
    return spread(target, answering.length > 0 ? answering : all).slice(0, most);
  }

  get(id: OverlayId, key: Key): Contact<Address> | undefined {
    const bucket = this.#buckets.get(commonBits(this.#self, id));
    return bucket?.contacts.get(key) ?? bucket?.spares.get(key);
  }

  /** First bits that the nearest contact has in common with this node. */
  depth(): number {
    return Math.max(0, ...[...this.#buckets].filter(([, { contacts }]) => contacts.size > 0).map(([bits]) => bits));
  }

  #bucketOf(id: OverlayId): Bucket<Address> {
    const bits = commonBits(this.#self, id);
    const known = this.#buckets.get(bits) ?? { contacts: new Map(), spares: new Map() };
    this.#buckets.set(bits, known);
    return known;
  }

  /** Who goes for somebody new, if anybody does: one that is silent, or the youngest of the most frequent domain, if the new one's is rarer. */
  #leastUseful({ contacts }: Bucket<Address>, { domain }: Contact<Address>): Key | undefined {
    const silent = [...contacts.keys()].find((key) => this.#silent.has(key));
    if (silent !== undefined) return silent;
    const byDomain = Map.groupBy(contacts.values(), (contact) => contact.domain);
    const [fullest] = [...byDomain.values()].toSorted((a, b) => b.length - a.length);
    if (fullest === undefined || (byDomain.get(domain)?.length ?? 0) + 1 >= fullest.length) return undefined;
    return fullest.at(-1)?.key;
  }
}
