/**
 * What tools leave at doors, as all machines of one trust domain have it: what is kept here is signed as received and put on the shelf; what is not
 * here is asked of the others. docs/decisions/0070-receipts.md tells why. And what this machine has executed for them: that is signed as executed,
 * and is for whoever the reader's rule lets believe it (docs/decisions/0074-executed-actions.md).
 *
 * What came from another machine stays on the shelf and is judged each time that it is given: whoever is revoked, or whose word does not count any
 * more, has left nothing here that would have to be found. Knows: the order of it. Does not know: tools, or whom to believe.
 */
import { type Digest, type DoorsShare, type Key, type Log, limits, orAborted, reasonOf } from "../base/index.ts";
import type { DoorEntries, DoorEntry, ResultIndex, SharedResult } from "../contracts/index.ts";
import { actionOf, type DoorKey, executedManifest, manifestOf } from "./receipt-form.ts";
import {
  type Asked,
  areHere,
  askedOf,
  believedOf,
  EXECUTING,
  entryIn,
  MembersReceipts,
  type MembersReceiptsParts,
  manifestsOf,
  type ReceiptNetwork,
  type Turns,
} from "./receipt-members.ts";
import { ReceiptSigning, type ReceiptSigningParts } from "./receipt-signing.ts";

export interface ReceiptsParts extends Omit<ReceiptSigningParts, "isWhole" | "store">, MembersReceiptsParts {
  /** What is kept on this machine. */
  readonly entries: DoorEntries & {
    /** Forgets what members have made whose word does not count; see SqliteDoorEntries. */
    recall(isGone: (member: Key) => boolean, signal: AbortSignal): Promise<{ readonly forgotten: number; readonly left: number }>;
  };
  readonly index: Pick<ResultIndex, "add" | "entries" | "forget" | "touch" | "result">;
  readonly network: () => ReceiptNetwork | undefined;
  /** What is installed here, by the last look. */
  readonly lastInstalled: () => Digest | undefined;
  /** What people call the machine that signs with that key. */
  readonly nameOf: (signer: Key) => string | undefined;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** For people: whether there is anything in the way, and how many entries have gone either way since the daemon started. */
export interface SharedDoors {
  readonly kind: "off" | "taken" | "not-taken";
  readonly brought: number;
  readonly signed: number;
}

export class Receipts implements DoorEntries, AsyncDisposable {
  readonly #parts: ReceiptsParts;
  readonly #signing: ReceiptSigning;
  /** Several that want the same wait for the same. */
  readonly #asking = new Map<Digest, Promise<DoorEntry | undefined>>();
  readonly #members: MembersReceipts;
  readonly #stop = new AbortController();
  /** Whether members have made entries at this machine's request, as far as that was looked. */
  #hasWorks = true;
  #recalling: Promise<void> = Promise.resolve(); // Never rejects.
  #share: DoorsShare;
  #brought = 0;

  constructor(parts: ReceiptsParts, options: { readonly share: DoorsShare }) {
    this.#parts = parts;
    this.#share = options.share;
    this.#members = new MembersReceipts(parts, this.#stop.signal);
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
      const judging = this.#members.ruleHere(network, manifest);
      for (const shared of all) {
        const entry = entryIn(shared, asked, manifest);
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
    if (!network.isOfSeveral || this.#asking.has(manifest) || this.#asking.size >= limits.doors.asking) return;
    const next = this.#members.unheard(network, manifest);
    if (next.length === 0) return;
    const hearing = this.#members
      .hear(network, asked, shared, next)
      .catch((error: unknown) =>
        this.#parts.log.event("warn", "door.not-heard", { door: asked.door, key: asked.key, why: reasonOf(error) }),
      )
      .finally(() => this.#asking.delete(manifest));
    this.#asking.set(
      manifest,
      hearing.then(() => undefined),
    );
  }

  /** Whether everything that it names is here, and as large as it says. */
  #isWhole({ result }: SharedResult): boolean {
    return areHere(this.#parts.store, result.outputs);
  }

  #named(entry: DoorEntry, { execution: { signer } }: SharedResult): DoorEntry {
    return { ...entry, from: this.#parts.nameOf(signer) ?? signer };
  }

  /** Costs nothing where nobody says to have anything. */
  async #ask(network: ReceiptNetwork, asked: Asked, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { received } = asked;
    let bringing = this.#asking.get(received);
    if (bringing === undefined) {
      const turns = this.#members.turns(network, asked);
      if (turns.length === 0 || this.#asking.size >= limits.doors.asking) return undefined;
      bringing = this.#bring(network, asked, turns).finally(() => this.#asking.delete(received));
      this.#asking.set(received, bringing);
    }
    signal.throwIfAborted();
    // Who goes away does not end it for others.
    return orAborted(bringing, signal);
  }

  /** Never rejects. */
  async #bring(network: ReceiptNetwork, asked: Asked, turns: Turns): Promise<DoorEntry | undefined> {
    const { log, index, now } = this.#parts;
    const { door, key } = asked;
    const began = now();
    const here = async (): Promise<Digest | undefined> => (await this.#here(door, key, this.#stop.signal))?.blob;
    try {
      const before = await here();
      const verdicts = await this.#members.ask(network, asked, turns);
      const believed = believedOf(verdicts);
      const given = verdicts.map(({ one }) => one);
      for (const one of this.#members.inOrder(believed)) {
        const { shared, entry, bytes } = one;
        if (!(await this.#members.bring(network, one, given))) continue;
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
}
