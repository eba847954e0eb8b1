/**
 * What members have under a key of a door: asked of them in turn, judged together, and fetched.
 *
 * Knows: who was slow, who has said what, and what came of it. Does not know: what lies here already, or when anybody is asked; see receipts.ts.
 */
import { type Digest, Generations, type Key, type Log, limits } from "../base/index.ts";
import type { DoorEntry, Exchange, LocalStore, ResultIndex, SharedResult } from "../contracts/index.ts";
import { isOfItsAction } from "../flows/index.ts";
import { isOfAction, isReceipt } from "../trust/index.ts";
import { type ListedBlob, readBlobList } from "./blob-list.ts";
import { HeardVoices, type KeptDisputes } from "./heard-voices.ts";
import { actionIn, type DoorKey, entryOf, executedManifest, isExecutionOf, listIn, type MadeOf, manifestOf } from "./receipt-form.ts";
import type { SigningNetwork } from "./receipt-signing.ts";
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

/** Blobs of which it is known at once whether they are here. */
export interface BlobsHere {
  isHere(digest: Digest): boolean;
  /** Bytes of a blob that is here, where that is known. */
  sizeOf(digest: Digest): number | undefined;
}

export interface MembersReceiptsParts {
  readonly store: Pick<LocalStore, "has" | "read" | "write" | "writeVerified"> & BlobsHere;
  readonly index: Pick<ResultIndex, "forget" | "result">;
  /** What members have said that speaks against what others have executed. */
  readonly disputes: KeptDisputes;
  /** What the message of an action names; undefined where it is not here. */
  readonly madeOf: (action: Digest, signal: AbortSignal) => Promise<MadeOf | undefined>;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** ms since the epoch */
  readonly today: () => number;
}

/** What is asked for: by what receipts of it are found, and executions where the same is installed as here. */
export interface Asked extends DoorKey {
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

interface Question {
  readonly member: Key;
  readonly manifest: Digest;
}

const { asking, answerMs, bringBytes, bringBytesPerSecond, bringLeastMs, bringMostMs } = limits.doors;

/** Members that are asked for one key: so many at once, for the newest is wanted, and as many domains as may have to vouch for it … */
const ASKED_AT_ONCE = 3;
/** … and so many in all, where those have left it in doubt. */
const ASKED_MOST = 9;
/** Whose actions are executed here. */
export const EXECUTING = "bazel-ac";
/** Small blobs come along with what is asked for. */
const WISH = { alongBytes: 262_144, have: [], following: 0, mayBeWithheld: true } as const;
/** Members that took too long are left alone for so long. */
const SLOW_MS = 30_000;
/** Why results are refused that others contradict; what is here already goes for it. */
const DISPUTED: ReadonlySet<string> = new Set(["disputed", "not-deterministic", "own-work-differs"]);

export class MembersReceipts {
  readonly #parts: MembersReceiptsParts;
  /** Members → until when they are left alone. */
  readonly #slow = new Generations<Key, number>(asking);
  readonly #voices: HeardVoices;
  /** This node stops. */
  readonly #stop: AbortSignal;

  constructor(parts: MembersReceiptsParts, stop: AbortSignal) {
    this.#parts = parts;
    this.#voices = new HeardVoices(parts.disputes);
    this.#stop = stop;
  }

  /** By what lies here, and by what has disputed it before. */
  ruleHere(network: ReceiptNetwork, manifest: Digest): Judging {
    return this.#rule(network, manifest, []);
  }

  /** Who is asked for it, and in which order; empty where nobody says to have anything. */
  turns(network: ReceiptNetwork, asked: Asked): Turns {
    const { received, executed, door, key } = asked;
    // Linked members alone: each key that a tool misses would be asked for far away, and push out what compiles look for there.
    const holders = network.exchange.whoHas(received);
    const kin = network.takesReceipts ? holders.filter((member) => network.isKin(member)) : [];
    if (holders.length > 0 && kin.length === 0) this.#parts.log.event("debug", "door.not-taken", { door, key, why: "received" });
    const executing = executed === undefined ? [] : network.exchange.whoHas(executed);
    return turnsOf(this.#inTurn(network, executing).slice(0, ASKED_MOST), this.#inTurn(network, kin), asked);
  }

  /** Who else has results of the same, and was not heard since something of it was taken: each once. */
  unheard(network: ReceiptNetwork, manifest: Digest): readonly Question[] {
    const others = network.exchange.whoHas(manifest).filter((member) => !this.#voices.isHeard(manifest, member));
    return questionsOf(this.#inTurn(network, others).slice(0, ASKED_AT_ONCE), manifest);
  }

  /** Whoever else has signed something else since speaks against what was taken; who vouches for it does so for those who ask this machine, too. */
  async hear(network: ReceiptNetwork, asked: Asked, shared: SharedResult, questions: readonly Question[]): Promise<void> {
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

  /** The next are asked where those before have left it in doubt: too few of them vouch for it, or they contradict each other. */
  async ask(network: ReceiptNetwork, asked: Asked, turns: Turns): Promise<readonly Verdict[]> {
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
  inOrder(believed: readonly Offered[]): Offered[] {
    const latest = this.#parts.today() + limits.clockErrorMs;
    const ageOf = ({ entry }: Offered): number => (entry.at > latest ? Number.POSITIVE_INFINITY : latest - entry.at);
    const rankOf = ({ shared }: Offered): number => Number(!isOfAction(shared.result.outputs));
    const later = (a: Offered, b: Offered): number => (ageOf(a) === ageOf(b) ? 0 : ageOf(a) - ageOf(b));
    return believed.filter(({ bytes }) => bytes <= bringBytes).toSorted((a, b) => rankOf(a) - rankOf(b) || later(a, b));
  }

  /** @returns whether all of it is here now, and still believed: whoever has signed it may have been revoked while it came */
  async bring(network: ReceiptNetwork, one: Offered, given: readonly Offered[]): Promise<boolean> {
    const { shared } = one;
    return (await this.#fetch(network, one)) && this.#rule(network, shared.manifest, given).offered(shared).kind !== "refused";
  }

  /** Those who may be asked: the nearest first, and one of each domain before a second of any. */
  #inTurn(network: ReceiptNetwork, holders: readonly Key[]): Key[] {
    const awake = holders.filter((member) => !this.#isSlow(member));
    const byDomain = [...Map.groupBy(awake, (member) => network.domainOf(member)).values()];
    const turns = Math.max(0, ...byDomain.map(({ length }) => length));
    return Array.from({ length: turns }, (_, turn) => byDomain.flatMap((members) => members.slice(turn, turn + 1))).flat();
  }

  async #allGiven(network: ReceiptNetwork, asked: Asked, questions: readonly Question[]): Promise<Offered[]> {
    const { key, executed } = asked;
    const madeOf = executed === undefined ? undefined : await this.#parts.madeOf(actionIn(key), this.#stop);
    const given = await Promise.all(questions.map((question) => this.#given(network, { ...asked, madeOf }, question)));
    return given.flat();
  }

  /** What a member has that is an answer. */
  async #given(network: ReceiptNetwork, asked: Asked, { member, manifest }: Question): Promise<Offered[]> {
    const given = await this.#patiently(member, answerMs, (signal) => network.exchange.results(member, manifest, WISH, signal));
    if (given === undefined) return [];
    this.#voices.answered(manifest, member);
    return given.shared.slice(0, limits.shareResultsPerManifest).flatMap((shared) => {
      const entry = entryIn(shared, asked, manifest);
      return entry === undefined ? [] : [{ shared, entry, bytes: bytesOf(shared.result.outputs), member, along: given.blobs }];
    });
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

  /** @returns whether all of it is here now */
  async #fetch(network: ReceiptNetwork, { shared, member, along }: Offered): Promise<boolean> {
    const { outputs } = shared.result;
    const found = listIn(outputs);
    if (!(await this.#fetchBlobs(network, member, outputs, along))) return false;
    if (found === undefined) return true;
    const read = await this.#parts.store.read(found.list.digest, this.#stop);
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
    return came?.length === 0 && areHere(this.#parts.store, blobs);
  }

  /** Undefined when it fails or takes too long: then that member is left alone for a while, for a whole build would wait for it. */
  async #patiently<T>(member: Key, mostMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { log, now } = this.#parts;
    const deadline = AbortSignal.timeout(mostMs);
    try {
      return await ask(AbortSignal.any([this.#stop, deadline]));
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

/** Members that are asked at once, turn by turn: the next where those before have left it in doubt. */
export type Turns = readonly (readonly Question[])[];

/** By what it is found: what was executed first. */
export function manifestsOf({ received, executed }: Asked): Digest[] {
  return executed === undefined ? [received] : [executed, received];
}

/** @param seen what is installed here */
export function askedOf({ takesExecuted }: ReceiptNetwork, { door, key }: DoorKey, seen: Digest | undefined): Asked {
  const installed = door === EXECUTING && takesExecuted ? seen : undefined;
  const executed = installed === undefined ? undefined : executedManifest({ door, key }, installed);
  return { door, key, received: manifestOf({ door, key }), executed, installed };
}

/** Undefined for what is no answer to what is asked for. */
export function entryIn(shared: SharedResult, asked: Asked, manifest: Digest): DoorEntry | undefined {
  const { outputs } = shared.result;
  if (shared.manifest !== manifest || !isOfItsAction(shared)) return undefined;
  const { executed, installed } = asked;
  const isAnswer =
    manifest === executed && installed !== undefined
      ? isOfAction(outputs) && isExecutionOf(shared, asked, installed, asked.madeOf)
      : manifest !== executed && isReceipt(outputs);
  return isAnswer ? entryOf(shared, asked.door) : undefined;
}

/** Whether all of them are here, and as large as they are said to be. */
export function areHere(store: BlobsHere, blobs: readonly ListedBlob[]): boolean {
  return blobs.every(({ digest, size }) => store.isHere(digest) && (store.sizeOf(digest) ?? size) === size);
}

function questionsOf(members: readonly Key[], manifest: Digest): Question[] {
  return members.map((member) => ({ member, manifest }));
}

/** Who is asked first for what was executed and what was received, and who next, should that leave it in doubt. */
function turnsOf(executing: readonly Key[], kin: readonly Key[], { executed = "", received }: Asked): Turns {
  const first = questionsOf(kin.slice(0, ASKED_AT_ONCE), received);
  const turns: (readonly Question[])[] = [[...questionsOf(executing.slice(0, ASKED_AT_ONCE), executed), ...first]];
  for (let from = ASKED_AT_ONCE; from < executing.length; from += ASKED_AT_ONCE)
    turns.push(questionsOf(executing.slice(from, from + ASKED_AT_ONCE), executed));
  return turns.filter(({ length }) => length > 0);
}

export function believedOf(verdicts: readonly Verdict[]): Offered[] {
  return verdicts.flatMap(({ one, judged }) => (judged.kind === "believed" ? [one] : []));
}

function isInDoubt({ judged }: Verdict): boolean {
  return judged.kind === "refused" && (judged.why === "too-few-domains" || DISPUTED.has(judged.why));
}

function bytesOf(blobs: readonly ListedBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
