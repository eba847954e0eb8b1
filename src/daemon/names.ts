/**
 * Names of digests: published by members, kept by those that a name belongs to, and resolved by asking them.
 *
 * Knows: what is kept, and whom to ask. Does not know: which of several records stands (trust), or how members talk (net).
 */
import {
  CairnError,
  digestOf,
  isDigest,
  isName,
  type Key,
  type Log,
  limits,
  type NameRecord,
  reasonOf,
  type SignedName,
} from "../base/index.ts";
import type { NamesParts } from "../net/index.ts";
import { type Candidate, Names, nearest } from "../net/index.ts";
import {
  claimedSaid,
  type Fence,
  Fences,
  isClaimed,
  isOwners,
  isSigned,
  type KeyPair,
  keepNames,
  type Members,
  nameHolder,
  nameSaid,
  type State,
} from "../trust/index.ts";
import { loadTreeCodec, type NamesFrame, type NetworkCodec } from "../wire/index.ts";
import { memberCalled } from "./network-views.ts";

const PURPOSE = "cairn name 1";
const SETTING = "names";
/** The greatest token of each claimed name that was ever seen here. */
const FENCES = "names-fences";
const { copies, mostKept, perAuthor, repeatMs, recordsPerFrame } = limits.names;

export interface NameServiceParts {
  readonly members: Members;
  readonly network: NamesParts["network"];
  readonly codec: NetworkCodec;
  readonly keys: KeyPair;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
  /** Members that are there, this node among them. */
  readonly present: () => readonly Candidate[];
  readonly log: Log;
}

/** What a name stands for, or why nobody can say. */
/** `unclear`: another question would have an answer. */
export type FoundName =
  | { readonly kind: "found"; readonly record: NameRecord }
  | { readonly kind: "none" | "unclear"; readonly why: string };

export class NameService implements Disposable {
  readonly #parts: NameServiceParts;
  /** By author and name, those with a token apart. */
  readonly #kept = new Map<string, SignedName[]>();
  readonly #fences: Fences;
  #names: Names | undefined;
  #timer: NodeJS.Timeout | undefined;

  static async start(parts: NameServiceParts): Promise<NameService> {
    const service = new NameService(parts);
    service.#names = await Names.start({ ...parts, take: (from, frame) => service.#asked(from, frame) });
    parts.members.onChange(() => service.#look());
    service.#timer = setInterval(() => void service.#repeat(), repeatMs).unref();
    return service;
  }

  private constructor(parts: NameServiceParts) {
    this.#parts = parts;
    this.#fences = new Fences(readFences(parts.kept.setting(FENCES)));
    this.#look();
    for (const text of parts.kept.setting(SETTING)?.split(" ") ?? []) this.#recall(text);
  }

  /** What epochs say about names is remembered, whatever they say later. */
  #look(): void {
    const { members, kept } = this.#parts;
    if (members.state !== undefined && this.#fences.look(members.state)) kept.set(FENCES, writeFences(this.#fences));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** @throws {CairnError} network-refused when this node is no active member, limit-exceeded */
  async publish({
    name,
    root,
    codec: kind,
    expiresMs,
  }: Pick<NameRecord, "name" | "root" | "codec"> & { expiresMs: number }): Promise<object> {
    const { members, keys, codec } = this.#parts;
    if (members.standing(members.self) !== "active") throw new CairnError("network-refused", { why: "not-a-member" });
    await this.#ask(name); // Others may know a greater sequence than this node, whose state may be a restored one.
    const token = this.#tokenFor(name);
    const before = this.#of(members.self, name, token !== undefined);
    if (before.some(({ record }) => (record.token?.number ?? 0) > (token?.number ?? 0)))
      throw new CairnError("network-refused", { why: "token-spent" });
    if (before.length === 0 && this.#count(members.self) >= perAuthor) throw new CairnError("limit-exceeded", { what: "names" });
    const sequence = 1 + before.reduce((most, { record }) => Math.max(most, record.sequence), 0);
    const issuedAtMs = Date.now();
    const record: NameRecord = {
      network: members.network,
      author: members.self,
      name,
      sequence,
      root,
      codec: kind,
      ...(token && { token }),
      issuedAtMs,
      expiresAtMs: issuedAtMs + expiresMs,
    };
    const signed = { record, signature: keys.sign(PURPOSE, codec.encodeNameRecord(record)) };
    this.#put(signed);
    this.#save();
    const told = await this.#tell(name, { name: "", records: [signed] });
    const cid = await cidOf(record);
    const expiresAt = new Date(record.expiresAtMs).toISOString();
    return { name, root, ...cid, sequence, token: token?.number ?? null, expiresAt, copies: told.length + 1 };
  }

  /** The greatest number of a token of that name that was ever seen here. */
  seenToken(name: string): number {
    return this.#fences.seen(name);
  }

  /** With which token this node publishes; undefined where the name is each author's own. @throws {CairnError} network-refused */
  #tokenFor(name: string): NameRecord["token"] {
    const { state, self } = this.#parts.members;
    if (state === undefined || !isClaimed(state, name)) return undefined;
    const token = state.claims.get(name)?.token;
    if (nameHolder(state, name) !== self || token === undefined) throw new CairnError("network-refused", { why: "not-the-owner" });
    if (!this.#fences.lets(name, token, self)) throw new CairnError("network-refused", { why: "token-spent" });
    return token;
  }

  /**
   * @param text a name, or MEMBER:NAME
   * @throws {CairnError} not-found when nobody says what it is, or somebody says two things at once; usage when several do; member-unknown
   */
  async resolve(text: string): Promise<object> {
    const found = await this.find(text);
    if (found.kind !== "found") throw new CairnError(found.kind === "none" ? "not-found" : "usage", { why: found.why });
    const { name, root, sequence, author, expiresAtMs, token } = found.record;
    const cid = await cidOf(found.record);
    const who = { author: this.#called(author), key: author, token: token?.number ?? null, epoch: token?.epoch ?? null };
    return { name, root, ...cid, sequence, ...who, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** See {@link resolve}. @throws {CairnError} member-unknown */
  async find(text: string): Promise<FoundName> {
    const [name = "", member] = text.split(":").toReversed();
    if (!isName(name)) return { kind: "unclear", why: `${text} cannot be a name` };
    const author = member === undefined ? undefined : memberCalled(this.#parts.members.state, member).key;
    await this.#ask(name);
    const { state } = this.#parts.members; // As it is by now.
    if (state !== undefined && isClaimed(state, name)) return this.#claimed(state, name, author);
    const said = [...this.#kept.values()]
      .filter(([first]) => first?.record.name === name && first.record.token === undefined)
      .filter(([first]) => author === undefined || first?.record.author === author)
      .filter(([first]) => first !== undefined && this.#isActive(first.record.author))
      .map((records) => nameSaid(records, Date.now()));
    const fork = said.find((one) => one.kind === "forked");
    if (fork !== undefined) return none(`${this.#called(fork.author)} has signed two records of ${name} with number ${fork.sequence}`);
    const [record, ...others] = said.flatMap((one) => (one.kind === "root" ? [one.record] : []));
    if (record === undefined) return none(said.length > 0 ? `${text} has expired` : `nobody says what ${text} is`);
    const authors = [record, ...others].map((one) => `${this.#called(one.author)}:${name}`);
    if (others.length > 0) return { kind: "unclear", why: `several members say what ${name} is: ${authors.join(", ")}` };
    return { kind: "found", record };
  }

  /** A claimed name is its owner's, whoever is asked about. */
  #claimed(state: State, name: string, author: Key | undefined): FoundName {
    const owner = nameHolder(state, name);
    if (owner !== undefined && author !== undefined && author !== owner)
      return none(`${name} is ${this.#called(owner)}'s alone: cairn name claims`);
    const said = claimedSaid(state, this.#fences, name, this.#named(name), Date.now());
    switch (said.kind) {
      case "root":
        return { kind: "found", record: said.record };
      case "forked":
        return none(`${this.#called(said.author)} has signed two records of ${name} with number ${said.sequence}`);
      case "expired":
        return none(`${name} has expired`);
      case "nothing":
        return none(`${name} is ${this.#called(owner ?? "")}'s, who has not said what it is`);
      case "vacant":
        return none(`${name} was ${this.#called(said.owner)}'s, who is no member any more: cairn name claim ${name}`);
      case "fenced":
        return none(
          `${name} had token ${said.seen} in epochs that were replaced since: on ${this.#called(said.owner)}: cairn name claim ${name} --above ${said.seen}`,
        );
    }
  }

  /** A member gives records, or asks. */
  #asked(from: Key, { name, records }: NamesFrame): readonly SignedName[] {
    this.#take(from, records);
    if (name === "") return [];
    const { state } = this.#parts.members;
    const isFirst = ({ record }: SignedName): boolean => state !== undefined && isOwners(state, record);
    // However many others publish something under a claimed name, its owner's word is told.
    return this.#named(name)
      .toSorted((a, b) => Number(isFirst(b)) - Number(isFirst(a)))
      .slice(0, recordsPerFrame);
  }

  /** Asks those that keep a name. Who does not answer knows nothing. */
  async #ask(name: string): Promise<void> {
    for (const { key, records } of await this.#tell(name, { name, records: [] })) this.#take(key, records);
  }

  async #tell(name: string, frame: NamesFrame): Promise<{ key: Key; records: readonly SignedName[] }[]> {
    const answers = this.#keepers(name).map(async (key) => {
      try {
        return [{ key, records: (await this.#names?.tell(key, frame)) ?? [] }];
      } catch (error) {
        this.#parts.log.event("info", "names.not-told", { peer: key, why: reasonOf(error) });
        return [];
      }
    });
    return (await Promise.all(answers)).flat();
  }

  /** Other members that a name belongs to. */
  #keepers(name: string): Key[] {
    const ofIts = nearest(digestOf(name), this.#parts.present(), copies);
    return ofIts.map(({ key }) => key).filter((key) => key !== this.#parts.members.self);
  }

  /** Tells those that keep them now what this node keeps: members come and go. */
  async #repeat(): Promise<void> {
    const byKeeper = new Map<Key, SignedName[]>();
    for (const records of this.#kept.values())
      for (const keeper of this.#keepers(records[0]?.record.name ?? ""))
        byKeeper.set(keeper, [...(byKeeper.get(keeper) ?? []), ...records]);
    for (const [keeper, records] of byKeeper)
      for (let at = 0; at < records.length; at += recordsPerFrame)
        await this.#names?.tell(keeper, { name: "", records: records.slice(at, at + recordsPerFrame) }).catch(() => undefined);
  }

  #take(from: Key, records: readonly SignedName[]): void {
    const news = records.filter((one) => this.#holds(one) && this.#put(one));
    if (news.length === 0) return;
    this.#parts.log.event("info", "names.kept", { peer: from, records: news.length });
    this.#save();
  }

  /** Whether an active member of this network has signed it, for no longer than it may. */
  #holds({ record, signature }: SignedName): boolean {
    const { members, codec } = this.#parts;
    const isOurs = record.network === members.network && this.#isActive(record.author);
    const isLasting =
      record.expiresAtMs - record.issuedAtMs <= limits.names.lifeMs && record.issuedAtMs <= Date.now() + limits.clockErrorMs;
    return isOurs && isLasting && isSigned(record.author, PURPOSE, codec.encodeNameRecord(record), signature);
  }

  /** @returns whether it is news */
  #put(signed: SignedName): boolean {
    const { author, name, token } = signed.record;
    const { state } = this.#parts.members;
    const id = slotOf(author, name, token !== undefined);
    const before = this.#kept.get(id) ?? [];
    const isFull = this.#kept.size >= mostKept || this.#count(author) >= perAuthor;
    // What a claimed name stands for finds room whatever others have published.
    if (before.length === 0 && isFull && !(state !== undefined && isOwners(state, signed.record))) return false;
    const after = keepNames([...before, signed]);
    this.#kept.set(id, after);
    const isOther = ({ record }: SignedName, old: SignedName | undefined): boolean =>
      record.sequence !== old?.record.sequence || record.token?.epoch !== old.record.token?.epoch;
    const isNews = after.length !== before.length || after.some((one, i) => isOther(one, before[i]));
    if (isNews && after.length > 1) this.#parts.log.event("warn", "names.forked", { author, name, sequence: signed.record.sequence });
    return isNews;
  }

  /** What is damaged is left out: others keep it, too. */
  #recall(text: string): void {
    try {
      this.#put(this.#parts.codec.decodeSignedName(Buffer.from(text, "base64")));
    } catch (error) {
      this.#parts.log.event("warn", "names.damaged", { why: reasonOf(error) });
    }
  }

  #save(): void {
    const { codec, kept } = this.#parts;
    const all = [...this.#kept.values()].flat().map((one) => Buffer.from(codec.encodeSignedName(one)).toString("base64"));
    kept.set(SETTING, all.join(" "));
  }

  #of(author: Key, name: string, isClaimed: boolean): readonly SignedName[] {
    return this.#kept.get(slotOf(author, name, isClaimed)) ?? [];
  }

  #named(name: string): SignedName[] {
    return [...this.#kept.values()].filter(([first]) => first?.record.name === name).flat();
  }

  #count(author: Key): number {
    return [...this.#kept.values()].filter(([first]) => first?.record.author === author).length;
  }

  #isActive(author: Key): boolean {
    const { members } = this.#parts;
    return author === members.self || members.standing(author) === "active";
  }

  #called(author: Key): string {
    return this.#parts.members.state?.members.get(author)?.name ?? author;
  }
}

function slotOf(author: Key, name: string, isClaimed: boolean): string {
  return `${author} ${name}${isClaimed ? " claimed" : ""}`;
}

/** A line a name; what is damaged is left out, as the next look at the epochs tells it again. */
function readFences(text: string | undefined): (readonly [string, Fence])[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const [name = "", number = "", epoch = "", owner = ""] = line.split(" ");
    return isName(name) && /^\d{1,10}$/.test(number) && isDigest(epoch) ? [[name, { number: Number(number), epoch, owner }] as const] : [];
  });
}

function writeFences({ all }: Fences): string {
  return all.map(([name, { number, epoch, owner }]) => `${name} ${number} ${epoch} ${owner}`).join("\n");
}

/** An action, or what the author did not tell, has none. */
async function cidOf({ root, codec }: NameRecord): Promise<{ readonly cid?: string }> {
  return codec === "" ? {} : { cid: (await loadTreeCodec()).formatCid({ digest: root, codec }) };
}

function none(why: string): FoundName {
  return { kind: "none", why };
}
