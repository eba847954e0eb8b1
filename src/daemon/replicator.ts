/**
 * Sees to copies: what this node has made goes to the members that it belongs to, and when a holder is gone those that are left find
 * another. Slowly, and only when nobody here waits for a build.
 *
 * Knows: what is to be looked at, how fast, and who could not take copies lately. Does not know: how members talk.
 */
import { type Digest, Generations, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { type Candidate, planCopies } from "../net/index.ts";
import type { KeepItem, KeepVerdict } from "../wire/index.ts";

export interface ReplicatorParts {
  readonly self: Key;
  /** Members that are there, this node among them; see RecordMembers. */
  readonly present: () => readonly Candidate[];
  /** Whether a member tells this node what it has. */
  readonly isLinked: (key: Key) => boolean;
  /** Linked members that say they have results of a request. */
  readonly whoHas: (manifest: Digest) => readonly Key[];
  readonly shelf: {
    results(manifest: Digest): readonly SharedResult[];
    /** Requests with signed results after this one, in order. */
    manifestsAfter(manifest: Digest, most: number): readonly Digest[];
  };
  /** See Keep.offer; `busy` as long as the member is not linked. */
  readonly offer: (to: Key, items: readonly KeepItem[]) => Promise<readonly KeepVerdict[]>;
  /** Whether nobody builds here. */
  readonly isQuiet: () => boolean;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface ReplicatorOptions {
  /** How many members are to have each result; 0: nothing is copied. */
  readonly copies: number;
}

/** What was done since the start. */
export interface ReplicationFacts {
  readonly waiting: number;
  readonly offered: number;
  readonly kept: number;
  readonly refused: number;
}

/** A request whose results are to be copied. */
interface Waiting {
  /** Members that took them, or will not. */
  readonly kept: Set<Key>;
  readonly refused: Set<Key>;
  failures: number;
  /** Somebody else's turn is before, or an attempt has failed. */
  notBefore: number;
  /** Summaries do not tell whether a member has this result or only others of the same request. */
  readonly isNew: boolean;
}

const TICK_MS = 1_000;
const MS = 1_000;
/** Who keeps copies for others just now is asked again after so long. */
const BUSY_MS = 3_000;
/** Of copying one request's results, before a member is passed over. */
const ATTEMPTS = 3;
/** Where offers are bounded by their number alone, a result counts as much. */
const LEAST_BYTES = 4_096;
/** Requests that a member refused are remembered, so that it is not asked again at each look. */
const REFUSALS = 16_384;
/** The same of those that took them. */
const TAKEN = 65_536;
const { itemsPerOffer, waiting, bytesPerSecond, patienceMs, graceMs, turnMs, lookEveryMs, lookAtOnce, fullMs, failedMs } =
  limits.replication;

export class Replicator implements Disposable {
  readonly #parts: ReplicatorParts;
  readonly #copies: number;
  readonly #waiting = new Map<Digest, Waiting>();
  /** Members that did not answer, and those that have no room: until when they are left alone. */
  readonly #unable = new Map<Key, number>();
  readonly #full = new Map<Key, number>();
  readonly #refusals = new Generations<Digest, Set<Key>>(REFUSALS);
  /** Who has taken a request's results: members that are not linked later cannot say so. */
  readonly #taken = new Generations<Digest, readonly Key[]>(TAKEN);
  /** Members that are gone, and since when. */
  readonly #gone = new Map<Key, number>();
  #timer: NodeJS.Timeout | undefined;
  #isWorking = false;
  #offered = 0;
  #kept = 0;
  #refused = 0;
  /** Before this nothing is done: what was offered last has its time. */
  #notBefore = 0;
  #workedAt: number;
  /** The last request that was looked at; undefined between two looks. */
  #cursor: Digest | undefined;
  #isLookDue = false;
  #nextLook: number;

  constructor(parts: ReplicatorParts, options: ReplicatorOptions) {
    this.#parts = parts;
    this.#copies = options.copies;
    this.#workedAt = parts.now();
    this.#nextLook = parts.now() + lookEveryMs;
  }

  /** Works from now on. */
  begin(): void {
    if (this.#copies > 0) this.#timer ??= setInterval(() => void this.tick(), TICK_MS).unref();
  }

  get facts(): ReplicationFacts {
    return { waiting: this.#waiting.size, offered: this.#offered, kept: this.#kept, refused: this.#refused };
  }

  /** This node has made results of a request. */
  made(manifest: Digest): void {
    // What is left out is found at the next look.
    if (this.#copies > 0 && this.#waiting.size < waiting) this.#waiting.set(manifest, newlyWaiting(true));
  }

  /** A member is gone; when it stays away, what it had is copied to somebody else. */
  lost(key: Key): void {
    if (this.#copies > 0) this.#gone.set(key, this.#parts.now());
  }

  connected(key: Key): void {
    this.#gone.delete(key);
    this.#unable.delete(key);
  }

  /** Does the next piece of work, if it is time for one. Never rejects. */
  async tick(): Promise<void> {
    const { now, isQuiet, log } = this.#parts;
    if (this.#isWorking || now() < this.#notBefore || (!isQuiet() && now() - this.#workedAt < patienceMs)) return;
    this.#isWorking = true;
    try {
      this.#look();
      await this.#offerNext();
    } catch (error) {
      log.event("warn", "copies.failed", { why: reasonOf(error) });
    } finally {
      this.#isWorking = false;
      this.#workedAt = now();
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Looks at some of what is here, when a look is due: what has too few holders waits for copies. */
  #look(): void {
    const { now, shelf, log } = this.#parts;
    for (const [key, since] of this.#gone) {
      if (now() - since < graceMs) continue;
      this.#gone.delete(key);
      this.#isLookDue = true;
    }
    if (this.#cursor === undefined) {
      if (!this.#isLookDue && now() < this.#nextLook) return;
      this.#isLookDue = false;
      this.#cursor = "";
    }
    const manifests = shelf.manifestsAfter(this.#cursor, lookAtOnce);
    const present = new Set(this.#parts.present().map(({ key }) => key));
    const most = Math.min(this.#copies, present.size);
    const isLacking = (manifest: Digest): boolean => this.#holders(manifest).filter((key) => present.has(key)).length + 1 < most;
    const lacking = manifests.filter((manifest) => isLacking(manifest) && !this.#waiting.has(manifest));
    for (const manifest of lacking) if (this.#waiting.size < waiting) this.#waiting.set(manifest, newlyWaiting(false));
    if (lacking.length > 0) log.event("info", "copies.lacking", { requests: lacking.length });
    this.#cursor = manifests.length < lookAtOnce ? undefined : manifests.at(-1);
    if (this.#cursor === undefined) this.#nextLook = now() + lookEveryMs;
  }

  /** One offer to each member that is to have copies of what waits longest. */
  async #offerNext(): Promise<void> {
    const { now } = this.#parts;
    const present = this.#parts.present();
    const offers = new Map<Key, KeepItem[]>();
    let [looked, bytes] = [0, 0];
    for (const [manifest, about] of this.#waiting) {
      if (about.notBefore > now()) continue;
      if (++looked > itemsPerOffer || bytes > bytesPerSecond) break;
      const results = this.#parts.shelf.results(manifest);
      const to = this.#whom(manifest, about, present);
      if (to.length === 0 || results.length === 0) {
        if (about.notBefore > now()) continue;
        this.#waiting.delete(manifest);
        // What could not be copied may be soon.
        if (about.refused.size > 0) this.#nextLook = Math.min(this.#nextLook, now() + failedMs);
        continue;
      }
      // Who is not linked is called only, and takes nothing before it has come.
      bytes += to.filter(this.#parts.isLinked).length * Math.max(LEAST_BYTES, sizeOf(results));
      const actions = [...new Set(results.map(({ entry }) => entry.action))].slice(0, limits.shareResultsPerManifest);
      for (const key of to) offers.set(key, [...(offers.get(key) ?? []), { manifest, actions }]);
    }
    this.#notBefore = now() + (MS * bytes) / bytesPerSecond;
    await Promise.all([...offers].map(([key, items]) => this.#offer(key, items)));
  }

  #whom(manifest: Digest, about: Waiting, present: readonly Candidate[]): readonly Key[] {
    const { self, now } = this.#parts;
    for (const map of [this.#unable, this.#full]) for (const [key, until] of map) if (until <= now()) map.delete(key);
    const refused = [...about.refused, ...(this.#refusals.get(manifest) ?? []), ...this.#full.keys()];
    const holders = new Set([self, ...about.kept, ...(about.isNew ? [] : this.#holders(manifest))]);
    const known = { digest: manifest, self, present, holders, copies: this.#copies };
    const plan = planCopies({ ...known, refusing: new Set([...refused, ...this.#unable.keys()]) });
    if (plan.turn === 0 || about.isNew || about.notBefore > 0) {
      // Somebody may take it who just now cannot.
      if (plan.offerTo.length === 0 && planCopies({ ...known, refusing: new Set(refused) }).offerTo.length > 0)
        about.notBefore = now() + failedMs;
      return plan.offerTo;
    }
    // Others see to it first; what they have not done by then is this node's.
    about.notBefore = now() + plan.turn * turnMs;
    return [];
  }

  /** Who has results of a request, as far as this node knows; itself left out. */
  #holders(manifest: Digest): readonly Key[] {
    const { whoHas, isLinked } = this.#parts;
    const unheard = (this.#taken.get(manifest) ?? []).filter((key) => !isLinked(key));
    return [...whoHas(manifest), ...unheard];
  }

  async #offer(to: Key, items: readonly KeepItem[]): Promise<void> {
    const { offer, log } = this.#parts;
    this.#offered += items.length;
    let verdicts: readonly KeepVerdict[];
    try {
      verdicts = await offer(to, items);
    } catch (error) {
      this.#unable.set(to, this.#parts.now() + failedMs);
      return log.event("info", "copies.not-offered", { peer: to, why: reasonOf(error) });
    }
    const counts = { kept: 0, refused: 0, failed: 0, full: 0, busy: 0 };
    for (const [i, { manifest }] of items.entries()) {
      const verdict = verdicts[i] ?? "failed";
      counts[verdict]++;
      this.#note(to, manifest, verdict);
    }
    log.event("info", "copies.offered", { peer: to, ...counts });
  }

  #note(to: Key, manifest: Digest, verdict: KeepVerdict): void {
    const about = this.#waiting.get(manifest);
    switch (verdict) {
      case "kept":
        this.#kept++;
        this.#taken.set(manifest, [...new Set([...(this.#taken.get(manifest) ?? []), to])]);
        return void about?.kept.add(to);
      case "refused":
        this.#refused++;
        this.#refusals.set(manifest, new Set([...(this.#refusals.get(manifest) ?? []), to]));
        return;
      case "failed":
        if (about === undefined) return;
        about.failures += 1;
        about.notBefore = this.#parts.now() + failedMs;
        if (about.failures >= ATTEMPTS) about.refused.add(to); // Perhaps it is the result; the next look tells.
        return;
      case "full":
        return void this.#full.set(to, this.#parts.now() + fullMs);
      case "busy":
        // It belongs there: another member would not do as well.
        if (about !== undefined) about.notBefore = this.#parts.now() + BUSY_MS;
    }
  }
}

function newlyWaiting(isNew: boolean): Waiting {
  return { kept: new Set(), refused: new Set(), failures: 0, notBefore: 0, isNew };
}

function sizeOf(results: readonly SharedResult[]): number {
  return results.flatMap(({ result }) => result.outputs).reduce((sum, { size }) => sum + size, 0);
}
