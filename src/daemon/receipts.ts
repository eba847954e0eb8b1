/**
 * What tools leave at doors, as all machines of one trust domain have it: what is kept here is signed as received and put on the shelf; what is not
 * here is asked of the others. docs/decisions/0070-receipts.md tells why.
 *
 * What came from another machine stays on the shelf and is judged each time that it is given: whoever is revoked, or whose word does not count any
 * more, has left nothing here that would have to be found. Knows: the order of it. Does not know: tools, or whom to believe.
 */
import { type Digest, type DoorsShare, Generations, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Directory, DoorEntries, DoorEntry, Exchange, LocalStore, ResultIndex, SharedResult } from "../contracts/index.ts";
import { isOfItsAction } from "../flows/index.ts";
import { isReceipt } from "../trust/index.ts";
import { actionOf, type DoorKey, entryOf, manifestOf } from "./receipt-form.ts";
import { ReceiptSigning, type ReceiptSigningParts, type SigningNetwork } from "./receipt-signing.ts";
import { type Judged, orAborted } from "./sharing.ts";

/** What a network does for it while this node is in one. */
export interface ReceiptNetwork extends SigningNetwork {
  readonly exchange: Exchange;
  readonly directory: Directory;
  readonly shelf: { put(shared: readonly SharedResult[]): number; results(manifest: Digest): readonly SharedResult[] };
  /** Whether the reader's rule takes receipts of the own domain at all. */
  readonly takesReceipts: boolean;
  /** Whether a member is a machine of the own domain. */
  isKin(member: Key): boolean;
  judge(shared: SharedResult): Judged;
}

export interface ReceiptsParts extends Omit<ReceiptSigningParts, "isWhole"> {
  /** What is kept on this machine. */
  readonly entries: DoorEntries;
  readonly store: Pick<LocalStore, "has" | "writeVerified"> & {
    isHere(digest: Digest): boolean;
    /** Bytes of a blob that is here, where that is known. */
    sizeOf(digest: Digest): number | undefined;
  };
  readonly index: Pick<ResultIndex, "add" | "forget" | "touch" | "result">;
  readonly network: () => ReceiptNetwork | undefined;
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

/** What is asked for. */
interface Asked extends DoorKey {
  readonly manifest: Digest;
}

/** What a member offers under a key, and is believed. */
interface Offered {
  readonly shared: SharedResult;
  readonly entry: DoorEntry;
  readonly bytes: number;
  readonly member: Key;
  readonly along: ReadonlyMap<Digest, Uint8Array>;
}

const { asking, answerMs, bringBytes, bringBytesPerSecond, bringLeastMs, bringMostMs } = limits.doors;
/** Members that are asked for one key: all at once, for the newest is wanted. */
const ASKED_MOST = 3;
/** Small blobs come along with what is asked for. */
const WISH = { alongBytes: 262_144, have: [], following: 0, mayBeWithheld: true } as const;
/** Members that took too long are left alone for so long. */
const SLOW_MS = 30_000;

export class Receipts implements DoorEntries, AsyncDisposable {
  readonly #parts: ReceiptsParts;
  readonly #signing: ReceiptSigning;
  /** Several that want the same wait for the same. */
  readonly #asking = new Map<Digest, Promise<DoorEntry | undefined>>();
  /** Members → until when they are left alone. */
  readonly #slow = new Generations<Key, number>(asking);
  readonly #stop = new AbortController();
  #share: DoorsShare;
  #brought = 0;

  constructor(parts: ReceiptsParts, options: { readonly share: DoorsShare }) {
    this.#parts = parts;
    this.#share = options.share;
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
  }

  async find(door: string, key: string, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { entries, named } = this.#parts;
    const here = await entries.find(door, key, signal);
    const network = this.#network;
    if (network === undefined) return here;
    const manifest = manifestOf({ door, key });
    // Whoever has the same may also have what it speaks of and is not here any more.
    if (here !== undefined && (network.exchange.whoHas(manifest).length === 0 || (await named(door, here, signal)) !== undefined))
      return here;
    return this.#shelved(network, manifest, door) ?? (await this.#ask(network, { manifest, door, key }, signal)) ?? here;
  }

  /** What another machine has counts where nothing is to be overwritten. */
  keep(door: string, key: string, entry: DoorEntry, replace: boolean): "kept" | "same" | "differs" {
    const network = replace ? undefined : this.#network;
    const theirs = network && this.#shelved(network, manifestOf({ door, key }), door);
    if (theirs?.from !== undefined) return theirs.blob === entry.blob ? "same" : "differs";
    const kept = this.#parts.entries.keep(door, key, entry, replace);
    if (kept !== "kept") return kept;
    // What was signed before must not outlive it, whether or not this is signed.
    const manifest = manifestOf({ door, key });
    this.#signing.forget(manifest);
    this.#forgetShelved(manifest);
    // What a member has made at request is that member's word, and none that this machine could pass on as its own.
    if (this.#share !== "off" && entry.meta.by === undefined) this.#signing.left({ door, key, entry });
    return kept;
  }

  /** Here alone: what other machines have stays there. */
  forget(door: string, key: string): boolean {
    const manifest = manifestOf({ door, key });
    this.#signing.forget(manifest);
    const wasShelved = this.#forgetShelved(manifest);
    return this.#parts.entries.forget(door, key) || wasShelved;
  }

  /** Whether the network runs or not: it may later. @returns whether there was something */
  #forgetShelved(manifest: Digest): boolean {
    const { index } = this.#parts;
    const action = actionOf(manifest);
    if (index.result(action) === undefined) return false;
    index.forget(action);
    return true;
  }

  get #network(): ReceiptNetwork | undefined {
    return this.#share === "off" ? undefined : this.#parts.network();
  }

  /** What lies here by a receipt of another machine, or of this one, that is still believed. */
  #shelved(network: ReceiptNetwork, manifest: Digest, door: string): DoorEntry | undefined {
    for (const shared of network.shelf.results(manifest)) {
      const entry = entryOf(shared, door);
      const judged = network.judge(shared);
      if (entry === undefined || judged.kind === "refused" || !this.#isWhole(shared)) continue;
      this.#parts.index.touch(manifest, shared.entry.action);
      return judged.tier === "self" ? entry : this.#named(entry, shared);
    }
    return undefined;
  }

  /** Whether everything that it names is here, and as large as it says. */
  #isWhole({ result }: SharedResult): boolean {
    const { store } = this.#parts;
    return result.outputs.every(({ digest, size }) => store.isHere(digest) && (store.sizeOf(digest) ?? size) === size);
  }

  #named(entry: DoorEntry, { execution: { signer } }: SharedResult): DoorEntry {
    return { ...entry, from: this.#parts.nameOf(signer) ?? signer };
  }

  /** Costs nothing where nobody says to have anything. */
  async #ask(network: ReceiptNetwork, asked: Asked, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { manifest, door, key } = asked;
    const holders = this.#asking.has(manifest) ? [] : await network.directory.find(manifest, signal);
    const kin = network.takesReceipts ? holders.filter((member) => network.isKin(member)) : [];
    if (holders.length > 0 && kin.length === 0) this.#parts.log.event("debug", "door.not-taken", { door, key, why: "received" });
    const members = kin.filter((member) => !this.#isSlow(member)).slice(0, ASKED_MOST);
    // Somebody else may have begun meanwhile.
    let bringing = this.#asking.get(manifest);
    if (bringing === undefined) {
      if (members.length === 0 || this.#asking.size >= asking) return undefined;
      bringing = this.#bring(network, asked, members).finally(() => this.#asking.delete(manifest));
      this.#asking.set(manifest, bringing);
    }
    signal.throwIfAborted();
    // Who goes away does not end it for others.
    return orAborted(bringing, signal);
  }

  /** Never rejects. */
  async #bring(network: ReceiptNetwork, asked: Asked, members: readonly Key[]): Promise<DoorEntry | undefined> {
    const { log, index, now } = this.#parts;
    const { manifest, door, key } = asked;
    const began = now();
    const here = async (): Promise<Digest | undefined> => (await this.#parts.entries.find(door, key, this.#stop.signal))?.blob;
    try {
      const before = await here();
      const offered = (await Promise.all(members.map((member) => this.#offers(network, asked, member)))).flat();
      // Of what may be overwritten, the newest counts; what a clock far ahead has stamped is believed last.
      const latest = this.#parts.today() + limits.clockErrorMs;
      const ageOf = ({ entry }: Offered): number => (entry.at > latest ? Number.POSITIVE_INFINITY : latest - entry.at);
      for (const one of offered.toSorted((a, b) => (ageOf(a) === ageOf(b) ? 0 : ageOf(a) - ageOf(b)))) {
        const { shared, entry, bytes } = one;
        // Whoever has signed it may have been revoked while it came.
        if (!(await this.#fetch(network, one)) || network.judge(shared).kind === "refused") continue;
        // A tool that did not wait may have left its own here meanwhile.
        if ((await here()) !== before) return undefined;
        index.add(manifest, shared.entry, shared.result, new Map());
        network.shelf.put([shared]);
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

  /** What a member has, and is believed. */
  async #offers(network: ReceiptNetwork, { manifest, door }: Asked, member: Key): Promise<Offered[]> {
    const given = await this.#patiently(member, answerMs, (signal) => network.exchange.results(member, manifest, WISH, signal));
    return (given?.shared ?? []).flatMap((shared) => {
      const entry = isReceipt(shared.result.outputs) && isOfItsAction(shared) ? entryOf(shared, door) : undefined;
      if (entry === undefined || shared.manifest !== manifest) return [];
      const bytes = shared.result.outputs.reduce((sum, { size }) => sum + size, 0);
      const judged = network.judge(shared);
      if (judged.kind === "believed") return bytes > bringBytes ? [] : [{ shared, entry, bytes, member, along: given?.blobs ?? new Map() }];
      const { action } = shared.entry;
      this.#parts.log.event("info", "sharing.refused", { signer: shared.execution.signer, action, why: judged.why, domains: 0, needed: 0 });
      return [];
    });
  }

  /** @returns whether all of it is here now */
  async #fetch({ exchange }: ReceiptNetwork, { shared, bytes, member, along }: Offered): Promise<boolean> {
    const { store } = this.#parts;
    const patienceMs = Math.min(bringMostMs, bringLeastMs + Math.ceil((1_000 * bytes) / bringBytesPerSecond));
    const came = await this.#patiently(member, patienceMs, async (signal) => {
      const missing: { digest: Digest; size: number }[] = [];
      for (const { digest, size } of shared.result.outputs) {
        if (await store.has(digest)) continue;
        const content = size === 0 ? new Uint8Array() : along.get(digest);
        if (content === undefined) missing.push({ digest, size });
        else await store.writeVerified(digest, content, signal);
      }
      const take = (digest: Digest, content: Uint8Array): Promise<void> => store.writeVerified(digest, content, signal);
      return missing.length === 0 ? [] : exchange.blobs([member], missing, take, signal);
    });
    return came?.length === 0 && this.#isWhole(shared);
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
