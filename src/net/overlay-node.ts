/**
 * A node of the overlay: answers whom it knows near a target, and finds members and those responsible for a target by asking others.
 *
 * Knows: its routing table, lookups under way. Does not know: streams, signatures, the time of day; the simulation runs this code.
 */
import { type Key, limits } from "../base/index.ts";
import { type OverlayId } from "./overlay-ids.ts";
import { Lookup } from "./overlay-lookup.ts";
import { type Contact, RoutingTable } from "./overlay-table.ts";
import type { Prefix } from "./share-prefixes.ts";

/** A member as others tell of it. */
export interface Told<Address> {
  readonly key: Key;
  readonly addresses: readonly Address[];
}

/** What a member is asked. */
export interface Question {
  /** Whom does it know near it? Undefined where nobody is looked for. */
  readonly target: OverlayId | undefined;
  /** Who has results of these? */
  readonly wanted: readonly Prefix[];
  /** This node has results of these. */
  readonly provided: readonly Prefix[];
}

export interface Answer<Address> {
  readonly known: readonly Told<Address>[];
  readonly providers: readonly Provider[];
}

export interface Provider {
  readonly key: Key;
  readonly manifests: readonly Prefix[];
}

export interface OverlayNodeParts<Address> {
  readonly self: Key;
  readonly idOf: (key: Key) => OverlayId;
  readonly domainOf: (key: Key) => string;
  readonly isMember: (key: Key) => boolean;
  /** Asks a member; `done` is told undefined when it does not answer. */
  readonly ask: (contact: Contact<Address>, question: Question, done: (answer: Answer<Address> | undefined) => void) => void;
  readonly after: (delayMs: number, what: () => void) => void;
  /** In [0, 1). */
  readonly random: () => number;
}

/** What a lookup came to. */
export interface Found<Address> {
  /** Those who answered and are responsible for the target, in their order. */
  readonly responsible: readonly Contact<Address>[];
  readonly questions: number;
  /** What any of those who were asked has told. */
  readonly providers: readonly Provider[];
}

/** Where a member is, or undefined; and what it took. */
export interface FoundMember<Address> {
  readonly member: Contact<Address> | undefined;
  readonly questions: number;
  /** Questions one after the other; 0 when nobody had to be asked. */
  readonly hops: number;
}

const { answerMost, buckets, lookup: lookupLimits, lateMs } = limits.overlay;

export class OverlayNode<Address> {
  readonly table: RoutingTable<Address>;
  readonly #parts: OverlayNodeParts<Address>;
  readonly #id: OverlayId;

  constructor(parts: OverlayNodeParts<Address>) {
    this.#parts = parts;
    this.#id = parts.idOf(parts.self);
    this.table = new RoutingTable(this.#id, buckets);
  }

  /** A member has asked or answered. @param told with no addresses when it has said nothing new of them */
  heard(told: Told<Address>): void {
    const contact = this.#contactOf(told);
    if (contact === undefined) return;
    const known = contact.addresses.length > 0 ? undefined : this.table.get(contact.id, contact.key);
    this.table.heard(known ?? contact);
  }

  /** Whom a member is told that asks for a target. @param isTellable whether a contact is of any use to it */
  answer(from: Key, target: OverlayId | undefined, isTellable: (told: Told<Address>) => boolean): Told<Address>[] {
    if (target === undefined) return [];
    return this.table.nearest(target, answerMost, (contact) => contact.key !== from && isTellable(contact));
  }

  /** Finds those responsible for a target. @param wanted what each one asked is asked about as well */
  find(target: OverlayId, wanted: readonly Prefix[], done: (found: Found<Address>) => void): void {
    const providers: Provider[] = [];
    const tells = (answer: Answer<Address>): boolean => {
      providers.push(...this.#members(answer.providers));
      return false;
    };
    this.#run({ target, wanted, provided: [] }, tells, (lookup) =>
      done({ responsible: lookup.found(), questions: lookup.questions, providers }),
    );
  }

  /** Asks each of these, without looking for others. @param done is told those who answered, and what they have told */
  askAll(contacts: readonly Contact<Address>[], question: Question, done: (found: Found<Address>) => void): void {
    const responsible: Contact<Address>[] = [];
    const providers: Provider[] = [];
    let waiting = contacts.length;
    for (const contact of contacts)
      this.#parts.ask(contact, question, (answer) => {
        waiting -= 1;
        if (answer === undefined) this.table.failed(contact.key);
        else responsible.push(contact);
        providers.push(...this.#members(answer?.providers ?? []));
        if (waiting === 0) done({ responsible, questions: contacts.length, providers });
      });
    if (contacts.length === 0) done({ responsible, questions: 0, providers });
  }

  /**
   * Finds where a member is, from what it has said itself.
   *
   * @param isNews whether addresses are worth to end the lookup: the member may have moved since it gave some of them
   */
  findMember(key: Key, isNews: (addresses: readonly Address[]) => boolean, done: (found: FoundMember<Address>) => void): void {
    const id = this.#parts.idOf(key);
    const known = this.table.get(id, key);
    if (known !== undefined && isNews(known.addresses)) return done({ member: known, questions: 0, hops: 0 });
    let found: Omit<FoundMember<Address>, "questions"> = { member: undefined, hops: 0 };
    const tells = (_: Answer<Address>, told: readonly Contact<Address>[], hops: number): boolean => {
      const member = told.find((one) => one.key === key && isNews(one.addresses));
      if (member !== undefined) found = { member, hops };
      return member !== undefined;
    };
    return this.#run({ target: id, wanted: [], provided: [] }, tells, ({ questions }) => done({ ...found, questions }));
  }

  /** Looks for its own neighbours, which makes it known to them, then for contacts at each distance: Kademlia, section 2.3. */
  join(done: (neighbours: number) => void): void {
    this.find(this.#id, [], ({ responsible }) => this.#refresh(0, () => done(responsible.length)));
  }

  #refresh(bits: number, done: () => void): void {
    if (bits > this.table.depth()) return done();
    return this.find(this.#idSharing(bits), [], () => this.#refresh(bits + 1, done));
  }

  /** Some id that has exactly so many first bits in common with this node's. */
  #idSharing(bits: number): OverlayId {
    const random = Uint8Array.from(this.#id, () => Math.floor(this.#parts.random() * 256));
    const at = bits >> 3;
    const kept = (0xff00 >> (bits & 7)) & 0xff;
    const flipped = 0x80 >> (bits & 7);
    for (let before = 0; before < at; before++) random[before] = this.#id[before] ?? 0;
    const own = this.#id[at] ?? 0;
    random[at] = (own & kept) | (~own & flipped) | ((random[at] ?? 0) & ~(kept | flipped) & 0xff);
    return random;
  }

  /** @param tells whether what somebody has told, of contacts too, after so many hops, ends the lookup */
  #run(
    question: Question & { readonly target: OverlayId },
    tells: (answer: Answer<Address>, told: readonly Contact<Address>[], hops: number) => boolean,
    done: (lookup: Lookup<Address>) => void,
  ): void {
    const lookup = new Lookup(question.target, this.table.nearest(question.target, answerMost), lookupLimits);
    let isOver = false;
    const step = (): void => {
      if (isOver) return;
      for (const contact of lookup.next()) ask(contact);
      if (isOver || !lookup.isOver) return;
      isOver = true;
      done(lookup);
    };
    const ask = (contact: Contact<Address>): void => {
      this.#parts.after(lateMs, () => {
        lookup.late(contact.key);
        step();
      });
      this.#parts.ask(contact, question, (answer) => {
        if (answer === undefined) {
          lookup.failed(contact.key);
          this.table.failed(contact.key);
          return step();
        }
        const contacts = answer.known.slice(0, answerMost).flatMap((one) => this.#contactOf(one) ?? []);
        if (!lookup.answered(contact.key, contacts)) return undefined;
        // What it has said of itself with its answer counts more than what had led to it.
        this.table.heard(this.table.get(contact.id, contact.key) ?? contact);
        if (isOver || !tells(answer, contacts, lookup.hops(contact.key) ?? 0)) return step();
        isOver = true;
        return done(lookup);
      });
    };
    step();
  }

  #members(providers: readonly Provider[]): Provider[] {
    return providers.filter(({ key }) => key !== this.#parts.self && this.#parts.isMember(key));
  }

  /** Undefined for this node itself and for whoever is no member: only members are in the overlay, whatever anybody says. */
  #contactOf({ key, addresses }: Told<Address>): Contact<Address> | undefined {
    const { self, isMember, idOf, domainOf } = this.#parts;
    return key === self || !isMember(key) ? undefined : { key, addresses, id: idOf(key), domain: domainOf(key) };
  }
}
