/**
 * Names of digests: published by members, kept by those that a name belongs to, and resolved by asking them.
 *
 * Knows: what is kept, and whom to ask. Does not know: which of several records stands (trust), or how members talk (net).
 */
import { CairnError, digestOf, isName, type Key, type Log, limits, type NameRecord, reasonOf, type SignedName } from "../base/index.ts";
import type { NamesParts } from "../net/index.ts";
import { type Candidate, Names, nearest } from "../net/index.ts";
import { isSigned, type KeyPair, keepNames, type Members, nameSaid } from "../trust/index.ts";
import { loadTreeCodec, type NamesFrame, type NetworkCodec } from "../wire/index.ts";
import { memberCalled } from "./network-views.ts";

const PURPOSE = "cairn name 1";
const SETTING = "names";
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
  /** By author and name. */
  readonly #kept = new Map<string, SignedName[]>();
  #names: Names | undefined;
  #timer: NodeJS.Timeout | undefined;

  static async start(parts: NameServiceParts): Promise<NameService> {
    const service = new NameService(parts);
    service.#names = await Names.start({ ...parts, take: (from, frame) => service.#asked(from, frame) });
    service.#timer = setInterval(() => void service.#repeat(), repeatMs).unref();
    return service;
  }

  private constructor(parts: NameServiceParts) {
    this.#parts = parts;
    for (const text of parts.kept.setting(SETTING)?.split(" ") ?? []) this.#recall(text);
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
    const before = this.#of(members.self, name);
    if (before.length === 0 && this.#count(members.self) >= perAuthor) throw new CairnError("limit-exceeded", { what: "names" });
    const sequence = 1 + before.reduce((most, { record }) => Math.max(most, record.sequence), 0);
    const issuedAtMs = Date.now();
    const record = {
      network: members.network,
      author: members.self,
      name,
      sequence,
      root,
      codec: kind,
      issuedAtMs,
      expiresAtMs: issuedAtMs + expiresMs,
    };
    const signed = { record, signature: keys.sign(PURPOSE, codec.encodeNameRecord(record)) };
    this.#put(signed);
    this.#save();
    const told = await this.#tell(name, { name: "", records: [signed] });
    const cid = await cidOf(record);
    return { name, root, ...cid, sequence, expiresAt: new Date(record.expiresAtMs).toISOString(), copies: told.length + 1 };
  }

  /**
   * @param text a name, or MEMBER:NAME
   * @throws {CairnError} not-found when nobody says what it is, or somebody says two things at once; usage when several do; member-unknown
   */
  async resolve(text: string): Promise<object> {
    const found = await this.find(text);
    if (found.kind !== "found") throw new CairnError(found.kind === "none" ? "not-found" : "usage", { why: found.why });
    const { name, root, sequence, author, expiresAtMs } = found.record;
    const cid = await cidOf(found.record);
    return { name, root, ...cid, sequence, author: this.#called(author), key: author, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** See {@link resolve}. @throws {CairnError} member-unknown */
  async find(text: string): Promise<FoundName> {
    const { state } = this.#parts.members;
    const [name = "", member] = text.split(":").toReversed();
    if (!isName(name)) return { kind: "unclear", why: `${text} cannot be a name` };
    const author = member === undefined ? undefined : memberCalled(state, member).key;
    await this.#ask(name);
    const said = [...this.#kept.values()]
      .filter(([first]) => first?.record.name === name && (author === undefined || first.record.author === author))
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

  /** A member gives records, or asks. */
  #asked(from: Key, { name, records }: NamesFrame): readonly SignedName[] {
    this.#take(from, records);
    return name === "" ? [] : this.#named(name).slice(0, recordsPerFrame);
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
    const { author, name } = signed.record;
    const id = `${author} ${name}`;
    const before = this.#kept.get(id) ?? [];
    if (before.length === 0 && (this.#kept.size >= mostKept || this.#count(author) >= perAuthor)) return false;
    const after = keepNames([...before, signed]);
    this.#kept.set(id, after);
    const isNews = after.length !== before.length || after.some((one, i) => one.record.sequence !== before[i]?.record.sequence);
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

  #of(author: Key, name: string): readonly SignedName[] {
    return this.#kept.get(`${author} ${name}`) ?? [];
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

/** An action, or what the author did not tell, has none. */
async function cidOf({ root, codec }: NameRecord): Promise<{ readonly cid?: string }> {
  return codec === "" ? {} : { cid: (await loadTreeCodec()).formatCid({ digest: root, codec }) };
}

function none(why: string): FoundName {
  return { kind: "none", why };
}
