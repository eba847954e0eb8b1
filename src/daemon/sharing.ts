/**
 * Sharing: signs what this node executes and puts it on the shelf; asks other members, judges what they say, and brings results here.
 *
 * Knows: which part does what, and in which order. Does not know: files, compilers, whom to believe, or how members talk.
 */
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import {
  CairnError,
  type Digest,
  digestOf,
  Generations,
  type Key,
  type Log,
  limits,
  orAborted,
  type SharingPolicy,
} from "../base/index.ts";
import type {
  Directory,
  Exchange,
  Execution,
  ExpectedResult,
  Given,
  LocalStore,
  ManifestEntry,
  ManifestInput,
  Observation,
  Offer,
  ResultIndex,
  SharedResult,
  Sharing,
  StoredResult,
  Voucher,
  WordOf,
} from "../contracts/index.ts";
import { isOfAction, isReceipt } from "../trust/index.ts";
import { Ahead } from "./ahead.ts";

/** What a network does for it while this node is in one. Loaded with the network's libraries; see network-runtime.ts. */
export interface SharingNetwork {
  readonly exchange: Exchange;
  readonly directory: Directory;
  readonly shelf: { put(shared: readonly SharedResult[]): number };
  /** Undefined where the result is too large to travel. */
  sign(unsigned: Unsigned): SharedResult | undefined;
  /** Puts what this node has executed and signed on the shelf, and tells others of it. */
  keep(made: readonly SharedResult[]): void;
  /** Signs what this node has executed for a member, who keeps it, and tells others that it has. */
  vouch(unsigned: Unsigned): SharedResult | undefined;
  /** A member's signature with the result that it is for; undefined where that member has not signed it, or its word does not count. */
  vouched(
    member: Key,
    made: Pick<SharedResult, "manifest" | "entry" | "result">,
    toolchain: Digest,
    voucher: Voucher,
  ): SharedResult | undefined;
  /** Puts what members have executed for this node on the shelf. */
  keepOthers(made: readonly SharedResult[]): void;
  /** The reader's tier: this machine's, or the network's where that is stricter. */
  readonly policy: SharingPolicy;
  /** What the reader's rule says of it, for a project that demands this. */
  judge(shared: SharedResult, project?: SharingPolicy): Judged;
  /** What members have signed of an action and is here, and what the reader's rule says of it for such a project. */
  kept(action: Digest, project: SharingPolicy): readonly { readonly shared: SharedResult; readonly judged: Judged }[];
  /** See Sharing. */
  isOthers(action: Digest): boolean;
  /** See Sharing. */
  mayHelp(project: SharingPolicy | undefined): boolean;
  /** As a verdict: one of so many is to be executed here, too; undefined where it is not used. */
  wordOf(member: Key, project: SharingPolicy | undefined): Word | undefined;
  /** A result that a member had executed for this node alone was executed here. */
  checkedWork(member: Key, action: Digest, isSame: boolean): void;
  /** A member has given that, and it was judged so. */
  given(from: Key, shared: SharedResult, judged: Judged): void;
  /** What it has given is not what it says. */
  useless(from: Key): void;
  /** Members that may have something, in the order in which to ask them. */
  askFirst(holders: readonly Key[]): readonly Key[];
  /** Something that a member did. */
  observe(member: Key, what: Observation): void;
}

export type Word = Pick<Extract<Judged, { kind: "believed" }>, "tier" | "oneOf">;

export type Judged =
  /** @property oneOf of what is vouched for like that, one of so many is to be executed here, too */
  | { readonly kind: "believed"; readonly tier: SharingPolicy; readonly domains: readonly string[]; readonly oneOf: number }
  | { readonly kind: "refused"; readonly why: string; readonly domains: number; readonly needed: number };

/** What rests on the word of one member. */
export interface Works {
  memberOf(action: Digest): Key | undefined;
  add(action: Digest, member: Key): boolean;
  delete(action: Digest): void;
}

/** A result that was not believed. */
export interface Refused {
  readonly signer: Key;
  readonly why: string;
  /** Domains that vouch for it, and how many must; 0 where that was not what mattered. */
  readonly domains: number;
  readonly needed: number;
  /** Digest of its inputs. */
  readonly inputs: Digest;
}

/** What this node has executed. */
export type Unsigned = Omit<SharedResult, "execution" | "signature"> & { readonly execution: Omit<Execution, "signer"> };

export interface SharingParts {
  readonly store: Pick<LocalStore, "has" | "writeVerified">;
  readonly index: Pick<ResultIndex, "add" | "entries" | "knows" | "originOf" | "result">;
  readonly works: Works;
  readonly log: Log;
  /** Undefined while this node is in no network. */
  readonly network: () => SharingNetwork | undefined;
  /** Whether that may change soon by itself: a daemon answers builds before its network runs. */
  readonly isStarting: () => boolean;
  /** From 0 up to 1: what is drawn must not be foreseen by others. */
  readonly random: () => number;
}

/** Members that are asked for one request: a miss must not wait for many. */
const ASKED_MOST = 3;
/** A member has so long to answer, and to send what a compiler would write as quickly. */
const ANSWER_MS = 1_000;
/** Small blobs that come along with a result that is asked for. */
const ALONG_BYTES = 262_144;
/** What is brought may take so many times as long as it would take to compile it, and never longer than the most: how long that is a member says. */
const PATIENCE = 2;
const PATIENCE_MOST_MS = 600_000;
/** Own results are signed and kept together, so many at most. */
const KEPT_AT_ONCE = 64;
const KEPT_EVERY_MS = 250;
/** Members that took too long are left alone for so long. */
const SLOW_MS = 30_000;

/** Why what somebody gives is not worth asking for: whom it names has not signed it, or nobody knows who that is. */
const RUBBISH: ReadonlySet<string> = new Set(["signature", "stranger"]);

/** What has come of an offer. @property isKeepable whether it could be written here, as far as it came */
interface Brought {
  bytes: number;
  isKeepable: boolean;
}

const NOTHING: Given = { shared: [], blobs: new Map(), following: [] };

export class SharingService implements Sharing, AsyncDisposable {
  readonly #parts: SharingParts;
  readonly #unsigned: Unsigned[] = [];
  /** Members that took too long → until when they are not asked, ms, monotonic. */
  readonly #slow = new Map<Key, number>();
  readonly #stop = new AbortController();
  readonly #ahead: Ahead;
  /** Blobs that came along with results. */
  readonly #along = new WeakMap<SharedResult, Given["blobs"]>();
  /** By request, what members had for it and the reader's rule refused. */
  readonly #refused = new Generations<Digest, readonly Refused[]>(limits.refusedRemembered);
  /** Requests whose results have been brought and are yet to be kept. */
  readonly #toKeep = new Set<Digest>();
  #signing: Promise<void> | undefined;
  #tellOfMore: () => void = () => undefined;

  constructor(parts: SharingParts) {
    this.#parts = parts;
    this.#ahead = new Ahead({
      ask: async (from, manifest, signal) => {
        const wish = { alongBytes: limits.aheadEachBytes, have: [], following: limits.aheadMost };
        return (
          (await parts
            .network()
            ?.exchange.results(from, manifest, wish, signal)
            .catch(() => undefined)) ?? NOTHING
        );
      },
      isHere: (manifest) => this.#toKeep.has(manifest) || parts.index.knows(manifest),
      came: () => this.#tellOfMore(),
      log: parts.log,
      now: () => performance.now(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#ahead[Symbol.dispose]();
    await this.#signing;
  }

  executed(manifest: Digest, entry: ManifestEntry, result: StoredResult, execution: Omit<Execution, "signer">): void {
    const { network, isStarting, works } = this.#parts;
    works.delete(entry.action);
    if ((network() === undefined && !isStarting()) || this.#unsigned.length >= limits.unsignedResults) return;
    this.#unsigned.push({ manifest, entry, result, execution });
    this.#signing ??= this.#sign()
      .catch((error: unknown) => this.#parts.log.event("warn", "sharing.not-signed", { error: String(error) }))
      .finally(() => {
        this.#signing = undefined;
      });
  }

  /** Who had a result of these inputs when this node looked for one, and was not believed. */
  refused(manifest: Digest, inputs: readonly ManifestInput[]): Refused | undefined {
    const wanted = inputsOf(inputs);
    return this.#refused.get(manifest)?.find((one) => one.inputs === wanted);
  }

  mayUse(manifest: Digest, entry: ManifestEntry, project: SharingPolicy | undefined): boolean {
    if (project === undefined) return true;
    if (this.#parts.index.originOf(entry.action) === "here") return true;
    // What others have made lies here when this node is in no network any more, too, and nobody can say then whether it is good enough.
    const network = this.#parts.network();
    if (network === undefined) return false;
    const signed = network.kept(entry.action, project);
    if (signed.length === 0) return this.#isAskedFor(network, entry.action, project);
    if (signed.some(({ judged }) => judged.kind === "believed")) return true;
    for (const { shared, judged } of signed) if (judged.kind === "refused") this.#refuse({ ...shared, manifest, entry }, judged, project);
    return false;
  }

  #isAskedFor(network: SharingNetwork, action: Digest, project: SharingPolicy): boolean {
    const member = this.#parts.works.memberOf(action);
    return member !== undefined && network.wordOf(member, project) !== undefined;
  }

  async find(manifest: Digest, project: SharingPolicy | undefined, signal: AbortSignal): Promise<Offer[]> {
    const network = this.#parts.network();
    if (network === undefined || network.policy === "self" || project === "self") return [];
    const believed = (given: Given | undefined, giver: Key, all: readonly Key[]): Offer[] =>
      this.#offers(network, { manifest, project }, given, giver, all);
    const foreseen = this.#ahead.take(manifest);
    // What has come is waited for by nobody.
    if (foreseen !== undefined && (foreseen.arrived !== undefined || !this.#isSlow(foreseen.from))) {
      const { from, arrived } = foreseen;
      const given = arrived ?? (await this.#patiently(from, ANSWER_MS, signal, (either) => orAborted(foreseen.given, either)));
      const offers = believed(given, foreseen.from, []);
      if (offers.length > 0) return offers;
    }
    const holders = network.askFirst((await network.directory.find(manifest, signal)).filter((key) => !this.#isSlow(key)));
    const wish = { alongBytes: ALONG_BYTES, have: this.#outputsOf(manifest), following: limits.aheadMost };
    for (const holder of holders.slice(0, ASKED_MOST)) {
      const given = await this.#patiently(holder, ANSWER_MS, signal, (either) => network.exchange.results(holder, manifest, wish, either));
      const offers = believed(given, holder, holders);
      if (given === undefined) network.observe(holder, { kind: "fetch", outcome: "failed" });
      // Who was asked because it may have it has not said so.
      else if (given.shared.length === 0 && network.exchange.whoHas(manifest).includes(holder))
        network.observe(holder, { kind: "fetch", outcome: "missed" });
      if (offers.length === 0) continue;
      this.#ahead.follow(holder, given?.following ?? []);
      return offers;
    }
    return [];
  }

  expected(): ExpectedResult[] {
    const network = this.#parts.network();
    // What one member alone vouches for is not used without a look at who asks.
    if (network === undefined || network.policy === "self" || network.policy === "speculative") return [];
    return [...this.#ahead.arrived()].flatMap(({ manifest, given }) =>
      wholeOf(given)
        .filter((shared) => shared.manifest === manifest)
        .slice(0, 1),
    );
  }

  onExpected(listener: () => void): void {
    this.#tellOfMore = listener;
  }

  findExpected(manifest: Digest, project: SharingPolicy | undefined): Offer[] {
    const network = this.#parts.network();
    if (network === undefined || network.policy === "self" || project === "self") return [];
    const foreseen = this.#ahead.arrivedOf(manifest);
    if (foreseen === undefined) return [];
    return this.#offers(network, { manifest, project }, { ...foreseen.given, shared: wholeOf(foreseen.given) }, foreseen.from, []);
  }

  tookExpected(manifest: Digest): void {
    this.#ahead.take(manifest);
  }

  /** Outputs of what is here for a request: mostly, other inputs still lead to some of them. */
  #outputsOf(manifest: Digest): Digest[] {
    const { index } = this.#parts;
    return index.entries(manifest).flatMap(({ action }) => index.result(action)?.outputs.map(({ digest }) => digest) ?? []);
  }

  /** What is believed of what a member has given. */
  #offers(
    network: SharingNetwork,
    { manifest, project }: { readonly manifest: Digest; readonly project: SharingPolicy | undefined },
    given: Given | undefined,
    giver: Key,
    holders: readonly Key[],
  ): Offer[] {
    const { shared: all, blobs } = given ?? NOTHING;
    const from = [giver, ...holders.filter((other) => other !== giver)];
    const answers = all.map((shared) => {
      // What came through a door is for who asks for that: see receipts.ts.
      const { outputs } = shared.result;
      const isAnswer = shared.manifest === manifest && !isReceipt(outputs) && !isOfAction(outputs);
      return { shared, judged: isAnswer ? this.#judged(network, giver, shared, project) : undefined };
    });
    // What too few vouch for is no fault of who gives it.
    const isRubbish = ({ judged }: (typeof answers)[number]): boolean => judged?.kind === "refused" && RUBBISH.has(judged.why);
    if (answers.length > 0 && answers.every(isRubbish)) network.observe(giver, { kind: "fetch", outcome: "failed" });
    return answers.flatMap(({ shared, judged: believed }) => {
      if (believed?.kind !== "believed") return [];
      this.#along.set(shared, blobs);
      const { domains, tier, oneOf } = believed;
      // By lot: nobody who vouches for it knows whether it is.
      return [{ shared, from, domains, tier, isToVerify: this.#parts.random() < 1 / oneOf }];
    });
  }

  async bring(offer: Offer, signal: AbortSignal): Promise<{ complete: boolean; bytes: number }> {
    const { shared, from } = offer;
    const { entry, result } = shared;
    const network = this.#parts.network();
    const [nearest] = from;
    if (network === undefined || nearest === undefined) return { complete: false, bytes: 0 };
    const brought: Brought = { bytes: 0, isKeepable: true };
    // Whoever brings the same meanwhile takes it away.
    const along: Given["blobs"] = this.#along.get(shared) ?? new Map();
    // The compiler would take no longer; what came along is waited for by nobody.
    const isAllHere = result.outputs.every(({ digest }) => along.has(digest));
    const mostMs = isAllHere ? undefined : patienceOf(result.compileMs);
    const complete = await this.#patiently(nearest, mostMs, signal, async (either) => {
      const missing = await this.#fetch(network, offer, { along, brought }, either);
      return missing.length === 0;
    });
    // That there is no room here is no fault of who gives.
    const outcome = complete === true ? "gave" : complete === false ? "missed" : "failed";
    if (brought.isKeepable) network.observe(nearest, { kind: "fetch", outcome });
    this.#along.delete(shared); // They are in the store now, or of no use.
    if (complete === true) this.#toKeep.add(shared.manifest);
    this.#parts.log.event("debug", "sharing.brought", {
      action: entry.action,
      from: nearest,
      bytes: brought.bytes,
      complete: complete === true,
    });
    return { complete: complete === true, bytes: brought.bytes };
  }

  useless({ from: [giver] }: Offer): void {
    if (giver !== undefined) this.#parts.network()?.useless(giver);
  }

  keep({ shared, from: [giver] }: Offer): boolean {
    this.#toKeep.delete(shared.manifest);
    const network = this.#parts.network();
    // Whoever vouches for it may have been revoked while it waited, or contradicted.
    if (network === undefined || network.judge(shared).kind === "refused") return false;
    this.#parts.index.add(shared.manifest, shared.entry, shared.result, new Map());
    network.shelf.put([shared]);
    if (giver !== undefined) network.observe(giver, { kind: "hit" });
    return true;
  }

  vouched(member: Key, made: Pick<SharedResult, "manifest" | "entry" | "result">, toolchain: Digest, voucher: Voucher): boolean {
    const { network, index, works, log } = this.#parts;
    const { action } = made.entry;
    try {
      const running = network();
      const shared = running?.vouched(member, made, toolchain, voucher);
      log.event("debug", shared === undefined ? "sharing.voucher-refused" : "sharing.vouched", { peer: member, action });
      if (running === undefined || shared === undefined) return false;
      const isOwn = index.originOf(action) === "here";
      if (!isOwn && !works.add(action, member)) return false;
      index.add(made.manifest, made.entry, made.result, new Map());
      running.keepOthers([shared]);
      return true;
    } catch (error) {
      log.event("warn", "sharing.not-kept", { action, error: String(error) });
      return false;
    }
  }

  isOthers(action: Digest): boolean {
    const { works, network } = this.#parts;
    return works.memberOf(action) !== undefined || (network()?.isOthers(action) ?? false);
  }

  mayHelp(project: SharingPolicy | undefined): boolean {
    return this.#parts.network()?.mayHelp(project) ?? false;
  }

  wordOf(member: Key, project: SharingPolicy | undefined): WordOf | undefined {
    const word = this.#parts.network()?.wordOf(member, project);
    return word && { tier: word.tier, isToVerify: this.#parts.random() < 1 / word.oneOf };
  }

  restsOn(action: Digest, member: Key): boolean {
    return this.#parts.works.add(action, member);
  }

  restsOnThat(action: Digest, other: Digest): boolean {
    const member = this.#parts.works.memberOf(other);
    return member === undefined || this.#parts.works.add(action, member);
  }

  checked(action: Digest, isSame: boolean, member?: Key): void {
    const by = member ?? this.#parts.works.memberOf(action);
    if (by !== undefined) this.#parts.network()?.checkedWork(by, action, isSame);
  }

  /** @returns digests of blobs that could not be had */
  async #fetch(
    { exchange }: SharingNetwork,
    { shared, from }: Offer,
    { along, brought }: { readonly along: Given["blobs"]; readonly brought: Brought },
    signal: AbortSignal,
  ): Promise<readonly Digest[]> {
    const { store } = this.#parts;
    const take = (digest: Digest, content: Uint8Array): Promise<void> =>
      store.writeVerified(digest, content, signal).catch((error: unknown) => {
        if (error instanceof CairnError && error.code === "home-unwritable") brought.isKeepable = false;
        throw error;
      });
    const wanted: { digest: Digest; size: number }[] = [];
    for (const { digest, size } of shared.result.outputs) {
      if (await store.has(digest)) continue;
      const content = along.get(digest);
      if (content === undefined) wanted.push({ digest, size });
      else {
        await take(digest, content);
        brought.bytes += size;
      }
    }
    const missing = wanted.length === 0 ? [] : await exchange.blobs(from, wanted, take, signal);
    for (const { digest, size } of wanted) if (!missing.includes(digest)) brought.bytes += size;
    return missing;
  }

  /**
   * What comes of asking a member, or undefined when that fails or takes too long: then it is not asked for a while, for a whole build would
   * wait for it.
   *
   * @param mostMs undefined where the member is not waited for
   */
  async #patiently<T>(
    member: Key,
    mostMs: number | undefined,
    signal: AbortSignal,
    ask: (either: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    let deadline: AbortSignal | undefined;
    try {
      deadline = mostMs === undefined ? undefined : AbortSignal.timeout(mostMs);
      return await ask(deadline === undefined ? signal : AbortSignal.any([signal, deadline]));
    } catch (error) {
      signal.throwIfAborted();
      const isLate = deadline?.aborted === true;
      if (isLate) this.#slow.set(member, performance.now() + SLOW_MS);
      this.#parts.log.event("warn", "sharing.failed", { peer: member, waitedMs: isLate ? (mostMs ?? 0) : 0, error: String(error) });
      return undefined;
    }
  }

  #isSlow(member: Key): boolean {
    const until = this.#slow.get(member);
    if (until === undefined) return false;
    if (performance.now() < until) return true;
    this.#slow.delete(member);
    return false;
  }

  #judged(network: SharingNetwork, giver: Key, shared: SharedResult, project: SharingPolicy | undefined): Judged {
    const verdict = network.judge(shared, project);
    network.given(giver, shared, verdict);
    if (verdict.kind === "refused") this.#refuse(shared, verdict, project);
    return verdict;
  }

  #refuse(shared: SharedResult, { why, domains, needed }: Extract<Judged, { kind: "refused" }>, project: SharingPolicy | undefined): void {
    const { action, inputs } = shared.entry;
    const refused = { signer: shared.execution.signer, why, domains, needed, inputs: inputsOf(inputs) };
    const others = (this.#refused.get(shared.manifest) ?? []).filter((one) => one.inputs !== refused.inputs);
    this.#refused.set(shared.manifest, [...others.slice(1 - limits.shareResultsPerManifest), refused]);
    this.#parts.log.event("info", "sharing.refused", {
      signer: shared.execution.signer,
      action,
      why,
      domains,
      needed,
      project: project ?? "",
    });
  }

  /** What comes soon after goes along: together they cost the disk less. Whoever asks something comes before each signature. */
  async #sign(): Promise<void> {
    const { network: running, isStarting } = this.#parts;
    while (this.#unsigned.length > 0) {
      await sleep(KEPT_EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined); // At the end, all at once.
      const network = running();
      if (network === undefined) {
        if (isStarting() && !this.#stop.signal.aborted) continue;
        this.#unsigned.length = 0; // It is in none, or could not be before the end.
        return;
      }
      const made: SharedResult[] = [];
      for (const next of this.#unsigned.splice(0, KEPT_AT_ONCE)) {
        await setImmediate();
        const shared = network.sign(next);
        if (shared !== undefined) made.push(shared);
      }
      network.keep(made);
    }
  }
}

/** Whole ms, as a timer wants them. @param compileMs as a member says it: any number from 0 up */
function patienceOf(compileMs: number): number {
  return Math.min(PATIENCE_MOST_MS, Math.max(ANSWER_MS, Math.ceil(PATIENCE * compileMs)));
}

/** What came with all its blobs. */
function wholeOf({ shared: all, blobs }: Given): SharedResult[] {
  return all.filter(({ result }) => result.outputs.every(({ digest }) => blobs.has(digest)));
}

/** The same for equal inputs, in whatever order. */
function inputsOf(inputs: readonly ManifestInput[]): Digest {
  return digestOf(Buffer.from(JSON.stringify(inputs.map(({ path, digest }) => `${digest} ${path}`).toSorted())));
}
