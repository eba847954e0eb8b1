/**
 * What tools leave at doors, as all machines of one trust domain have it: what is kept here is signed as received and put on the shelf; what is not
 * here is asked of the others. docs/decisions/0070-receipts.md tells why. And what this machine has executed for them: that is signed as executed,
 * and is for whoever the reader's rule lets believe it (docs/decisions/0074-executed-actions.md).
 *
 * What came from another machine stays on the shelf and is judged each time that it is given: whoever is revoked, or whose word does not count any
 * more, has left nothing here that would have to be found. Knows: the order of it. Does not know: tools, or whom to believe.
 */
import { type Digest, type DoorsShare, Generations, type Key, type Log, limits, orAborted, reasonOf } from "../base/index.ts";
import type { DoorEntries, DoorEntry, Exchange, LocalStore, ResultIndex, SharedResult } from "../contracts/index.ts";
import { isOfItsAction } from "../flows/index.ts";
import { isOfAction, isReceipt } from "../trust/index.ts";
import { type ListedBlob, readBlobList } from "./blob-list.ts";
import { HeardVoices, type KeptDisputes } from "./heard-voices.ts";
import {
  actionIn,
  actionOf,
  type DoorKey,
  entryOf,
  executedManifest,
  isExecutionOf,
  listIn,
  type MadeOf,
  manifestOf,
} from "./receipt-form.ts";
import { ReceiptSigning, type ReceiptSigningParts, type SigningNetwork } from "./receipt-signing.ts";
import type { Judged } from "./sharing.ts";

/** The reader's rule for what is signed under one key. */
export interface Judging {
  /** What is new. */
  offered(shared: SharedResult): Judged;
  /** What is here already: a quiet night does not take it away. */
  kept(shared: SharedResult): Judged;
}

/** What a network does for it while this node is in one. */
export interface ReceiptNetwork extends SigningNetwork {
  readonly exchange: Exchange;
  readonly shelf: { put(shared: readonly SharedResult[]): number; results(manifest: Digest): readonly SharedResult[] };
  /** Whether the reader's rule takes receipts of the own domain at all. */
  readonly takesReceipts: boolean;
  /** Whether anything that others have executed for their tools is taken. */
  readonly takesExecuted: boolean;
  /** Whether a member is a machine of the own domain. */
  isKin(member: Key): boolean;
  domainOf(member: Key): string;
  /** The domain whose voice a signature is; undefined of who has none. */
  voiceOf(signer: Key): string | undefined;
  /** Whether one answer can dispute another: there are several domains. */
  readonly isOfSeveral: boolean;
  /** Undefined where a member's word about what it did for this machine does not count. */
  wordOf(member: Key, project: undefined): object | undefined;
  /** @param beside what others have signed under that key, besides what lies here */
  judging(manifest: Digest, beside: readonly SharedResult[]): Judging;
  /** See SharingNetwork. */
  given(from: Key, shared: SharedResult, judged: Judged): void;
}

export interface ReceiptsParts extends Omit<ReceiptSigningParts, "isWhole" | "store"> {
  /** What is kept on this machine. */
  readonly entries: DoorEntries & {
    /** Forgets what members have made whose word does not count; see SqliteDoorEntries. */
    recall(isGone: (member: Key) => boolean, signal: AbortSignal): Promise<{ readonly forgotten: number; readonly left: number }>;
  };
  readonly store: Pick<LocalStore, "has" | "read" | "write" | "writeVerified"> & {
    isHere(digest: Digest): boolean;
    /** Bytes of a blob that is here, where that is known. */
    sizeOf(digest: Digest): number | undefined;
  };
  readonly index: Pick<ResultIndex, "add" | "entries" | "forget" | "touch" | "result">;
  /** What members have said that speaks against what others have executed. */
  readonly disputes: KeptDisputes;
  readonly network: () => ReceiptNetwork | undefined;
  /** What is installed here, by the last look. */
  readonly lastInstalled: () => Digest | undefined;
  /** What the message of an action names; undefined where it is not here. */
  readonly madeOf: (action: Digest, signal: AbortSignal) => Promise<MadeOf | undefined>;
  /** What people call the machine that signs with that key. */
  readonly nameOf: (signer: Key) => string | undefined;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** ms since the epoch */
  readonly today: () => number;
}

/** For people: whether there is anything in the way, and how many entries have gone either way since the daemon started. */
export interface SharedDoors {
  readonly kind: "off" | "taken" | "not-taken";
  readonly brought: number;
  readonly signed: number;
}

/** What is asked for: by what receipts of it are found, and executions where the same is installed as here. */
interface Asked extends DoorKey {
  readonly received: Digest;
  readonly executed: Digest | undefined;
  readonly installed: Digest | undefined;
  /** What its message says, where that is here. */
  readonly madeOf?: MadeOf | undefined;
}

/** What a member offers under a key. */
interface Offered {
  readonly shared: SharedResult;
  readonly entry: DoorEntry;
  readonly bytes: number;
  readonly member: Key;
  readonly along: ReadonlyMap<Digest, Uint8Array>;
}

/** What is to be thought of it, by all that was given. */
interface Verdict {
  readonly one: Offered;
  readonly judged: Judged;
}

const { asking, answerMs, bringBytes, bringBytesPerSecond, bringLeastMs, bringMostMs } = limits.doors;
interface Question {
  readonly member: Key;
  readonly manifest: Digest;
}

/** Members that are asked for one key: so many at once, for the newest is wanted, and as many domains as may have to vouch for it … */
const ASKED_AT_ONCE = 3;
/** … and so many in all, where those have left it in doubt. */
const ASKED_MOST = 9;
/** Whose actions are executed here. */
const EXECUTING = "bazel-ac";
/** Small blobs come along with what is asked for. */
const WISH = { alongBytes: 262_144, have: [], following: 0, mayBeWithheld: true } as const;
/** Members that took too long are left alone for so long. */
const SLOW_MS = 30_000;
/** Why results are refused that others contradict; what is here already goes for it. */
const DISPUTED: ReadonlySet<string> = new Set(["disputed", "not-deterministic", "own-work-differs"]);

export class Receipts implements DoorEntries, AsyncDisposable {
  readonly #parts: ReceiptsParts;
  readonly #signing: ReceiptSigning;
  /** Several that want the same wait for the same. */
  readonly #asking = new Map<Digest, Promise<DoorEntry | undefined>>();
  /** Members → until when they are left alone. */
  readonly #slow = new Generations<Key, number>(asking);
  readonly #voices: HeardVoices;
  readonly #stop = new AbortController();
  /** Whether members have made entries at this machine's request, as far as that was looked. */
  #hasWorks = true;
  #recalling: Promise<void> = Promise.resolve(); // Never rejects.
  #share: DoorsShare;
  #brought = 0;

  constructor(parts: ReceiptsParts, options: { readonly share: DoorsShare }) {
    this.#parts = parts;
    this.#share = options.share;
    this.#voices = new HeardVoices(parts.disputes);
    this.#signing = new ReceiptSigning({ ...parts, isWhole: (shared) => this.#isWhole(shared) });
  }

  get share(): DoorsShare {
    return this.#share;
  }

  follow(share: DoorsShare): void {
    this.#share = share;
    if (share === "off") this.#signing.clear();
  }

  /** Undefined in no network. */
  get shared(): SharedDoors | undefined {
    const network = this.#parts.network();
    if (network === undefined) return undefined;
    const kind = this.#share === "off" ? "off" : network.takesReceipts ? "taken" : "not-taken";
    return { kind, brought: this.#brought, signed: this.#signing.signed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#signing[Symbol.asyncDispose]();
    await Promise.all(this.#asking.values());
    await this.#recalling;
  }

  /** Whose word counts may not be what it was: what rests on one that does not is forgotten soon, and not given before. */
  recallSoon(): void {
    this.#recalling = this.#recalling.then(() => this.#recall()).catch(() => undefined); // This node stops.
  }

  async #recall(): Promise<void> {
    const { entries, network: running, log } = this.#parts;
    const network = running();
    if (network === undefined || !this.#hasWorks) return;
    this.#hasWorks = false; // Until one comes.
    const isGone = (member: Key): boolean => network.wordOf(member, undefined) === undefined;
    const recalled = await entries.recall(isGone, this.#stop.signal).catch((error: unknown) => {
      this.#hasWorks = true; // As far as anybody knows.
      if (!this.#stop.signal.aborted) log.event("warn", "door.not-recalled", { door: EXECUTING, why: reasonOf(error) });
    });
    if (recalled === undefined) return;
    this.#hasWorks ||= recalled.left > 0;
    if (recalled.forgotten > 0) log.event("warn", "door.recalled", { door: EXECUTING, forgotten: recalled.forgotten });
  }

  /** What is installed here, for an action that is about to be executed; undefined where nobody would hear of it. */
  async installedBefore(): Promise<Digest | undefined> {
    const { network, isStarting, installed, now } = this.#parts;
    const isForOthers = this.#share !== "off" && (network() !== undefined || isStarting());
    return isForOthers ? installed(now() - limits.task.installedMs) : undefined;
  }

  async find(door: string, key: string, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { named, installed, lastInstalled, now } = this.#parts;
    const here = await this.#here(door, key, signal);
    const network = this.#network;
    if (network === undefined) return here;
    const isExecuting = door === EXECUTING && network.takesExecuted;
    if (here !== undefined) {
      // Nobody waits for a look at what is installed for what is here.
      const manifests = manifestsOf(askedOf(network, { door, key }, lastInstalled()));
      const isUnknown = isExecuting && lastInstalled() === undefined;
      const isElsewhere = isUnknown || manifests.some((manifest) => network.exchange.whoHas(manifest).length > 0);
      // Whoever has the same may also have what it speaks of and is not here any more.
      if (!isElsewhere || (await named(door, here, signal)) !== undefined) return here;
    }
    signal.throwIfAborted();
    const seen = isExecuting ? await orAborted(installed(now() - limits.task.installedMs), signal) : undefined;
    const asked = askedOf(network, { door, key }, seen);
    const shelved = this.#shelved(network, asked);
    // The shelf answers for what statements name, and not for what lists of theirs do.
    if (shelved !== undefined && (door !== EXECUTING || (await named(door, shelved, signal)) !== undefined)) return shelved;
    return (await this.#ask(network, asked, signal)) ?? here;
  }

  /** What lies here by the tools of this machine, or by a member whose word still counts: outside its network nobody's does. */
  async #here(door: string, key: string, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { entries, network } = this.#parts;
    const entry = await entries.find(door, key, signal);
    const by = entry?.meta.by;
    return by === undefined || network()?.wordOf(by, undefined) !== undefined ? entry : undefined;
  }

  /** What another machine has counts where nothing is to be overwritten. */
  keep(door: string, key: string, entry: DoorEntry, replace: boolean): "kept" | "same" | "differs" {
    const network = replace ? undefined : this.#network;
    const received = manifestOf({ door, key });
    const theirs = network && this.#shelved(network, askedOf(network, { door, key }, undefined));
    if (theirs?.from !== undefined) return theirs.blob === entry.blob ? "same" : "differs";
    const kept = this.#parts.entries.keep(door, key, entry, replace);
    if (kept !== "kept") return kept;
    if (entry.meta.by !== undefined) this.#hasWorks = true;
    // What was signed before must not outlive it, whether or not this is signed.
    this.#signing.forget(received);
    this.#forgetShelved(received);
    this.#forgetExecuted({ door, key }, entry.ran?.installed, entry.blob);
    // What a member has made at request is that member's word, and none that this machine could pass on as its own.
    if (this.#share !== "off" && entry.meta.by === undefined) this.#signing.left({ door, key, entry });
    return kept;
  }

  /** Here alone: what other machines have stays there. */
  forget(door: string, key: string): boolean {
    const manifest = manifestOf({ door, key });
    this.#signing.forget(manifest);
    const wasShelved = this.#forgetShelved(manifest);
    const wasExecuted = this.#forgetExecuted({ door, key }, undefined, undefined);
    return this.#parts.entries.forget(door, key) || wasShelved || wasExecuted;
  }

  /** Whether the network runs or not: it may later. @returns whether there was something */
  #forgetShelved(manifest: Digest): boolean {
    const { index } = this.#parts;
    const action = actionOf(manifest);
    if (index.result(action) === undefined) return false;
    index.forget(action);
    return true;
  }

  /**
   * The same of what was executed, here or elsewhere, where the same was installed.
   *
   * @param installed undefined: as it is here now; where nobody has looked yet, it is forgotten after a look
   * @param but what came of it now; undefined where all of it is to go
   * @returns whether there was something, as far as that is known now
   */
  #forgetExecuted(left: DoorKey, installed: Digest | undefined, but: Digest | undefined): boolean {
    if (left.door !== EXECUTING) return false;
    const { index, lastInstalled, installed: look } = this.#parts;
    const seen = installed ?? lastInstalled();
    if (seen === undefined) {
      void look(Number.NEGATIVE_INFINITY).then((found) => found !== undefined && this.#forgetExecuted(left, found, but));
      return false;
    }
    const actions = index.entries(executedManifest(left, seen)).map(({ action }) => action);
    const gone = actions.filter((action) => but === undefined || index.result(action)?.outputs[0]?.digest !== but);
    for (const action of gone) index.forget(action);
    return gone.length > 0;
  }

  get #network(): ReceiptNetwork | undefined {
    return this.#share === "off" ? undefined : this.#parts.network();
  }

  /** What lies here by a signature of another machine, or of this one, that is still believed. */
  #shelved(network: ReceiptNetwork, asked: Asked): DoorEntry | undefined {
    for (const manifest of manifestsOf(asked)) {
      const all = network.shelf.results(manifest);
      if (all.length === 0) continue;
      const judging = network.judging(manifest, this.#voices.disputing(manifest));
      for (const shared of all) {
        const entry = this.#entryIn(shared, asked, manifest);
        const judged = judging.kept(shared);
        if (entry === undefined || judged.kind === "refused" || !this.#isWhole(shared)) continue;
        this.#parts.index.touch(manifest, shared.entry.action);
        if (judged.tier === "self") return entry;
        if (manifest === asked.executed) this.#hearMore(network, asked, shared);
        return this.#named(entry, shared);
      }
    }
    return undefined;
  }

  /** Who else has results of the same may have signed something else since: that is found out beside the answer, of each once. */
  #hearMore(network: ReceiptNetwork, asked: Asked, shared: SharedResult): void {
    const { manifest } = shared;
    if (!network.isOfSeveral || this.#asking.has(manifest) || this.#asking.size >= asking) return;
    const others = network.exchange.whoHas(manifest).filter((member) => !this.#voices.isHeard(manifest, member));
    const next = this.#inTurn(network, others).slice(0, ASKED_AT_ONCE);
    if (next.length === 0) return;
    const hearing = this.#hear(network, asked, shared, questionsOf(next, manifest))
      .catch((error: unknown) =>
        this.#parts.log.event("warn", "door.not-heard", { door: asked.door, key: asked.key, why: reasonOf(error) }),
      )
      .finally(() => this.#asking.delete(manifest));
    this.#asking.set(
      manifest,
      hearing.then(() => undefined),
    );
  }

  async #hear(network: ReceiptNetwork, asked: Asked, shared: SharedResult, questions: readonly Question[]): Promise<void> {
    const { index, log } = this.#parts;
    const { manifest, entry } = shared;
    const given = await this.#allGiven(network, asked, questions);
    const judged = this.#rule(network, manifest, given).kept(shared);
    const verdicts = this.#judgeAll(network, given);
    this.#tell(network, verdicts);
    if (judged.kind === "refused" && DISPUTED.has(judged.why)) {
      this.#dispute(network, shared);
      this.#voices.askAnew(manifest);
      index.forget(entry.action);
      log.event("warn", "door.recalled", { door: asked.door, key: asked.key, forgotten: 1, why: judged.why });
    } else if (index.result(entry.action) !== undefined) {
      network.shelf.put(believedOf(verdicts).flatMap((one) => (one.shared.entry.action === entry.action ? [one.shared] : [])));
    }
  }

  async #allGiven(network: ReceiptNetwork, asked: Asked, questions: readonly Question[]): Promise<Offered[]> {
    const { key, executed } = asked;
    const madeOf = executed === undefined ? undefined : await this.#parts.madeOf(actionIn(key), this.#stop.signal);
    const given = await Promise.all(questions.map((question) => this.#given(network, { ...asked, madeOf }, question)));
    return given.flat();
  }

  /** By what was given just now, what lies here, and what has disputed it before. */
  #rule(network: ReceiptNetwork, manifest: Digest, given: readonly Offered[]): Judging {
    const beside = given.flatMap(({ shared }) => (shared.manifest === manifest ? [shared] : []));
    return network.judging(manifest, [...beside, ...this.#voices.disputing(manifest)]);
  }

  #judgeAll(network: ReceiptNetwork, given: readonly Offered[]): Verdict[] {
    const rules = new Map<Digest, Judging>();
    return given.map((one) => {
      const { manifest } = one.shared;
      const rule = rules.get(manifest) ?? this.#rule(network, manifest, given);
      rules.set(manifest, rule);
      return { one, judged: rule.offered(one.shared) };
    });
  }

  /** Who has given what nobody can have given honestly hears of it; what is disputed is remembered. */
  #tell(network: ReceiptNetwork, verdicts: readonly Verdict[]): void {
    for (const { one, judged } of verdicts) {
      const { shared, member } = one;
      network.given(member, shared, judged);
      if (judged.kind === "believed") continue;
      const { why, domains, needed } = judged;
      if (DISPUTED.has(why)) this.#dispute(network, shared);
      const { signer } = shared.execution;
      this.#parts.log.event("info", "sharing.refused", { signer, action: shared.entry.action, why, domains, needed });
    }
  }

  #dispute(network: ReceiptNetwork, shared: SharedResult): void {
    const domain = network.voiceOf(shared.execution.signer);
    if (domain !== undefined) this.#voices.dispute(domain, shared);
  }

  /** Undefined for what is no answer to what is asked for. */
  #entryIn(shared: SharedResult, asked: Asked, manifest: Digest): DoorEntry | undefined {
    const { outputs } = shared.result;
    if (shared.manifest !== manifest || !isOfItsAction(shared)) return undefined;
    const { executed, installed } = asked;
    const isAnswer =
      manifest === executed && installed !== undefined
        ? isOfAction(outputs) && isExecutionOf(shared, asked, installed, asked.madeOf)
        : manifest !== executed && isReceipt(outputs);
    return isAnswer ? entryOf(shared, asked.door) : undefined;
  }

  /** Whether everything that it names is here, and as large as it says. */
  #isWhole({ result }: SharedResult): boolean {
    return this.#areHere(result.outputs);
  }

  #areHere(blobs: readonly ListedBlob[]): boolean {
    const { store } = this.#parts;
    return blobs.every(({ digest, size }) => store.isHere(digest) && (store.sizeOf(digest) ?? size) === size);
  }

  #named(entry: DoorEntry, { execution: { signer } }: SharedResult): DoorEntry {
    return { ...entry, from: this.#parts.nameOf(signer) ?? signer };
  }

  /** Costs nothing where nobody says to have anything. */
  async #ask(network: ReceiptNetwork, asked: Asked, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { received, executed, door, key } = asked;
    let bringing = this.#asking.get(received);
    if (bringing === undefined) {
      // Linked members alone: each key that a tool misses would be asked for far away, and push out what compiles look for there.
      const holders = network.exchange.whoHas(received);
      const kin = network.takesReceipts ? holders.filter((member) => network.isKin(member)) : [];
      if (holders.length > 0 && kin.length === 0) this.#parts.log.event("debug", "door.not-taken", { door, key, why: "received" });
      const executing = executed === undefined ? [] : network.exchange.whoHas(executed);
      const turns = turnsOf(this.#inTurn(network, executing).slice(0, ASKED_MOST), this.#inTurn(network, kin), asked);
      if (turns.length === 0 || this.#asking.size >= asking) return undefined;
      bringing = this.#bring(network, asked, turns).finally(() => this.#asking.delete(received));
      this.#asking.set(received, bringing);
    }
    signal.throwIfAborted();
    // Who goes away does not end it for others.
    return orAborted(bringing, signal);
  }

  /** Those who may be asked: the nearest first, and one of each domain before a second of any. */
  #inTurn(network: ReceiptNetwork, holders: readonly Key[]): Key[] {
    const awake = holders.filter((member) => !this.#isSlow(member));
    const byDomain = [...Map.groupBy(awake, (member) => network.domainOf(member)).values()];
    const turns = Math.max(0, ...byDomain.map(({ length }) => length));
    return Array.from({ length: turns }, (_, turn) => byDomain.flatMap((members) => members.slice(turn, turn + 1))).flat();
  }

  /** Never rejects. */
  async #bring(network: ReceiptNetwork, asked: Asked, turns: readonly (readonly Question[])[]): Promise<DoorEntry | undefined> {
    const { log, index, now } = this.#parts;
    const { door, key } = asked;
    const began = now();
    const here = async (): Promise<Digest | undefined> => (await this.#here(door, key, this.#stop.signal))?.blob;
    try {
      const before = await here();
      const verdicts = await this.#askInTurn(network, asked, turns);
      const believed = believedOf(verdicts);
      const given = verdicts.map(({ one }) => one);
      for (const one of this.#inOrder(believed)) {
        const { shared, entry, bytes } = one;
        // Whoever has signed it may have been revoked while it came.
        if (!(await this.#fetch(network, one)) || this.#rule(network, shared.manifest, given).offered(shared).kind === "refused") continue;
        // A tool that did not wait may have left its own here meanwhile.
        if ((await here()) !== before) return undefined;
        index.add(shared.manifest, shared.entry, shared.result, new Map());
        // Whoever else vouches for it does so for those who ask this machine, too.
        const same = believed.filter((other) => other.shared.entry.action === shared.entry.action);
        network.shelf.put([shared, ...same.flatMap((other) => (other === one ? [] : [other.shared]))]);
        this.#brought += 1;
        const named = this.#named(entry, shared);
        log.event("debug", "door.brought", { door, key, from: named.from ?? "", bytes, tookMs: Math.round(now() - began) });
        return named;
      }
    } catch (error) {
      log.event("warn", "door.not-brought", { door, key, why: reasonOf(error) });
    }
    return undefined;
  }

  /** The next are asked where those before have left it in doubt: too few of them vouch for it, or they contradict each other. */
  async #askInTurn(network: ReceiptNetwork, asked: Asked, turns: readonly (readonly Question[])[]): Promise<readonly Verdict[]> {
    if (asked.executed !== undefined) this.#voices.askAnew(asked.executed);
    const given: Offered[] = [];
    let verdicts: readonly Verdict[] = [];
    for (const questions of turns) {
      given.push(...(await this.#allGiven(network, asked, questions)));
      verdicts = this.#judgeAll(network, given);
      if (believedOf(verdicts).length > 0 || !verdicts.some(isInDoubt)) break;
    }
    this.#tell(network, verdicts);
    return verdicts;
  }

  /** What was executed before what was only received, and of what may be overwritten the newest; what a clock far ahead has stamped comes last. */
  #inOrder(believed: readonly Offered[]): Offered[] {
    const latest = this.#parts.today() + limits.clockErrorMs;
    const ageOf = ({ entry }: Offered): number => (entry.at > latest ? Number.POSITIVE_INFINITY : latest - entry.at);
    const rankOf = ({ shared }: Offered): number => Number(!isOfAction(shared.result.outputs));
    const later = (a: Offered, b: Offered): number => (ageOf(a) === ageOf(b) ? 0 : ageOf(a) - ageOf(b));
    return believed.filter(({ bytes }) => bytes <= bringBytes).toSorted((a, b) => rankOf(a) - rankOf(b) || later(a, b));
  }

  /** What a member has that is an answer. */
  async #given(network: ReceiptNetwork, asked: Asked, { member, manifest }: Question): Promise<Offered[]> {
    const given = await this.#patiently(member, answerMs, (signal) => network.exchange.results(member, manifest, WISH, signal));
    if (given === undefined) return [];
    this.#voices.answered(manifest, member);
    return given.shared.slice(0, limits.shareResultsPerManifest).flatMap((shared) => {
      const entry = this.#entryIn(shared, asked, manifest);
      return entry === undefined ? [] : [{ shared, entry, bytes: bytesOf(shared.result.outputs), member, along: given.blobs }];
    });
  }

  /** @returns whether all of it is here now */
  async #fetch(network: ReceiptNetwork, { shared, member, along }: Offered): Promise<boolean> {
    const { outputs } = shared.result;
    const found = listIn(outputs);
    if (!(await this.#fetchBlobs(network, member, outputs, along))) return false;
    if (found === undefined) return true;
    const read = await this.#parts.store.read(found.list.digest, this.#stop.signal);
    const listed = read.kind === "hit" ? readBlobList(read.bytes, found.count) : undefined;
    if (listed === undefined || bytesOf(outputs) + bytesOf(listed) > bringBytes) return false;
    return this.#fetchBlobs(network, member, listed, along);
  }

  async #fetchBlobs(
    { exchange }: ReceiptNetwork,
    member: Key,
    blobs: readonly ListedBlob[],
    along: ReadonlyMap<Digest, Uint8Array>,
  ): Promise<boolean> {
    const { store } = this.#parts;
    const patienceMs = Math.min(bringMostMs, bringLeastMs + Math.ceil((1_000 * bytesOf(blobs)) / bringBytesPerSecond));
    const came = await this.#patiently(member, patienceMs, async (signal) => {
      const missing: ListedBlob[] = [];
      for (const { digest, size } of blobs) {
        if (await store.has(digest)) continue;
        const content = size === 0 ? new Uint8Array() : along.get(digest);
        if (content === undefined) missing.push({ digest, size });
        else await store.writeVerified(digest, content, signal);
      }
      const take = (digest: Digest, content: Uint8Array): Promise<void> => store.writeVerified(digest, content, signal);
      return missing.length === 0 ? [] : exchange.blobs([member], missing, take, signal);
    });
    return came?.length === 0 && this.#areHere(blobs);
  }

  /** Undefined when it fails or takes too long: then that member is left alone for a while, for a whole build would wait for it. */
  async #patiently<T>(member: Key, mostMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { log, now } = this.#parts;
    const deadline = AbortSignal.timeout(mostMs);
    try {
      return await ask(AbortSignal.any([this.#stop.signal, deadline]));
    } catch (error) {
      if (deadline.aborted) this.#slow.set(member, now() + SLOW_MS);
      log.event("warn", "sharing.failed", { peer: member, waitedMs: deadline.aborted ? mostMs : 0, error: String(error) });
      return undefined;
    }
  }

  #isSlow(member: Key): boolean {
    return (this.#slow.get(member) ?? Number.NEGATIVE_INFINITY) > this.#parts.now();
  }
}

/** By what it is found: what was executed first. */
function manifestsOf({ received, executed }: Asked): Digest[] {
  return executed === undefined ? [received] : [executed, received];
}

/** @param seen what is installed here */
function askedOf({ takesExecuted }: ReceiptNetwork, { door, key }: DoorKey, seen: Digest | undefined): Asked {
  const installed = door === EXECUTING && takesExecuted ? seen : undefined;
  const executed = installed === undefined ? undefined : executedManifest({ door, key }, installed);
  return { door, key, received: manifestOf({ door, key }), executed, installed };
}

function questionsOf(members: readonly Key[], manifest: Digest): Question[] {
  return members.map((member) => ({ member, manifest }));
}

/** Who is asked first for what was executed and what was received, and who next, should that leave it in doubt. */
function turnsOf(executing: readonly Key[], kin: readonly Key[], { executed = "", received }: Asked): readonly (readonly Question[])[] {
  const first = questionsOf(kin.slice(0, ASKED_AT_ONCE), received);
  const turns: (readonly Question[])[] = [[...questionsOf(executing.slice(0, ASKED_AT_ONCE), executed), ...first]];
  for (let from = ASKED_AT_ONCE; from < executing.length; from += ASKED_AT_ONCE)
    turns.push(questionsOf(executing.slice(from, from + ASKED_AT_ONCE), executed));
  return turns.filter(({ length }) => length > 0);
}

function believedOf(verdicts: readonly Verdict[]): Offered[] {
  return verdicts.flatMap(({ one, judged }) => (judged.kind === "believed" ? [one] : []));
}

function isInDoubt({ judged }: Verdict): boolean {
  return judged.kind === "refused" && (judged.why === "too-few-domains" || DISPUTED.has(judged.why));
}

function bytesOf(blobs: readonly ListedBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
