/**
 * Sees to copies of files, directories and results that are pinned, here or where they came from: asks the members that they belong to whether they
 * have them, and to fetch them if not. docs/protocol/replication.md
 *
 * Knows: what is to be copied, who has said what. Does not know: how members talk, or how trees travel.
 */
import { type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { type Candidate, nearest, planCopies } from "../net/index.ts";
import type { KeepTree, KeepVerdict } from "../wire/index.ts";
import { keyOf, type TreeName } from "./kept-trees.ts";

export interface TreeCopiesParts {
  readonly self: Key;
  /** Members that are there, this node among them; see RecordMembers. */
  readonly present: () => readonly Candidate[];
  readonly isLinked: (key: Key) => boolean;
  /** What is pinned here, and what is kept for members; for `askS` what is kept for longer than its time. */
  readonly trees: () => readonly KeepTree[];
  /** Either results or none. See Keep.offer; `busy` as long as the member is not linked. */
  readonly offer: (to: Key, trees: readonly KeepTree[]) => Promise<readonly KeepVerdict[]>;
  /** Who has pinned it does not need this node's copy. */
  readonly superfluous: (tree: TreeName, pinner: Key, why: string) => void;
  readonly isQuiet: () => boolean;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

export interface TreeCopiesOptions {
  /** How many members are to have each; 0: nothing is copied. */
  readonly copies: number;
}

interface About {
  tree: KeepTree;
  /** Who has said that it keeps it, and when last. */
  readonly kept: Map<Key, number>;
  readonly asked: Set<Key>;
  /** Who has said nothing else than that it is busy: since when. */
  readonly busy: Map<Key, number>;
  /** Who does not take it: until when it is not asked. */
  readonly unable: Map<Key, number>;
  notBefore: number;
}

const TICK_MS = 1_000;
const { itemsPerOffer, patienceMs, graceMs, fullMs, failedMs } = limits.replication;
const { askAgainMs, askS, busyMs, lookEveryMs } = limits.treeCopies;

export class TreeCopies implements Disposable {
  readonly #parts: TreeCopiesParts;
  readonly #copies: number;
  /** Who was looked at last comes last. */
  readonly #known = new Map<string, About>();
  /** Who was there the last time. */
  #present: readonly Candidate[] = [];
  /** Members that kept what is pinned no more, and are not linked: what they are to let go of, and since when. */
  readonly #unheard = new Map<Key, { readonly trees: KeepTree[]; readonly sinceMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #isWorking = false;
  #workedAt: number;

  constructor(parts: TreeCopiesParts, options: TreeCopiesOptions) {
    this.#parts = parts;
    this.#copies = options.copies;
    this.#workedAt = parts.now();
  }

  /** Works from now on. */
  begin(): void {
    if (this.#copies > 0) this.#timer ??= setInterval(() => void this.tick(), TICK_MS).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Members that are there and say that they keep it. */
  holders(root: Digest): number {
    const present = new Set(this.#parts.present().map(({ key }) => key));
    const own = [...this.#known.values()].find(({ tree }) => tree.digest === root && this.#isPinned(tree));
    return [...(own?.kept.keys() ?? [])].filter((key) => present.has(key)).length;
  }

  /** Somebody has come or gone: what belongs to whom may be another matter, once it is sure. Links alone come and go all the time. */
  #notePresent(present: readonly Candidate[]): void {
    const isSame = present.length === this.#present.length && present.every(({ key }, i) => key === this.#present[i]?.key);
    this.#present = present;
    if (isSame) return;
    const soon = this.#parts.now() + graceMs;
    for (const about of this.#known.values()) about.notBefore = Math.min(about.notBefore, soon);
  }

  /** Does the next piece of work, if it is time for one. Never rejects. */
  async tick(): Promise<void> {
    const { now, isQuiet, log } = this.#parts;
    if (this.#isWorking || (!isQuiet() && now() - this.#workedAt < patienceMs)) return;
    this.#isWorking = true;
    try {
      await this.#letGo();
      await this.#tellUnheard();
      await this.#offerNext();
    } catch (error) {
      log.event("warn", "tree-copies.failed", { why: reasonOf(error) });
    } finally {
      this.#isWorking = false;
      this.#workedAt = now();
    }
  }

  /** What is not here any more need not be elsewhere. Who is not there now keeps it until its time is up. */
  async #letGo(): Promise<void> {
    const trees = new Map(this.#parts.trees().map((tree) => [keyOf(nameOf(tree)), tree]));
    for (const [key, about] of this.#known) {
      const tree = trees.get(key);
      if (tree !== undefined && this.#isPinned(tree) === this.#isPinned(about.tree)) continue;
      this.#known.delete(key);
      if (!this.#isPinned(about.tree)) continue;
      // Copies of copies may be anywhere.
      const ended = { ...about.tree, leaseS: 0 };
      const others = this.#parts.present().filter(({ key }) => key !== this.#parts.self && this.#parts.isLinked(key));
      await Promise.all(others.map(({ key }) => this.#ask(key, [ended])));
      for (const key of about.kept.keys()) if (!this.#parts.isLinked(key)) this.#tellLater(key, ended);
    }
    for (const [key, tree] of trees) {
      const about = this.#known.get(key);
      if (about === undefined)
        this.#known.set(key, { tree, kept: new Map(), asked: new Set(), busy: new Map(), unable: new Map(), notBefore: 0 });
      else {
        if (about.tree.pinner !== tree.pinner) about.asked.clear(); // Others have not heard of that one.
        about.tree = tree;
      }
    }
  }

  #tellLater(key: Key, tree: KeepTree): void {
    const { trees, sinceMs } = this.#unheard.get(key) ?? { trees: [], sinceMs: this.#parts.now() };
    this.#unheard.set(key, { trees: [...trees, tree].slice(-itemsPerOffer), sinceMs });
  }

  /** Whoever does not come within that time keeps it until its own is up. */
  async #tellUnheard(): Promise<void> {
    const { now, isLinked } = this.#parts;
    for (const [key, { trees, sinceMs }] of this.#unheard) {
      if (isLinked(key) || now() - sinceMs >= busyMs) this.#unheard.delete(key);
      const ended = trees.filter((tree) => this.#known.get(keyOf(nameOf(tree)))?.tree.pinner !== tree.pinner); // Unless it is pinned anew.
      // Asking has it called.
      for (const some of Map.groupBy(ended, ({ codec }) => codec === "result").values()) await this.#ask(key, some);
    }
  }

  #isPinned({ pinner }: KeepTree): boolean {
    return pinner === this.#parts.self;
  }

  async #offerNext(): Promise<void> {
    const { now } = this.#parts;
    const present = this.#parts.present();
    this.#notePresent(present);
    const offers = new Map<Key, About[]>();
    const due = [...this.#known].filter(([, { notBefore }]) => notBefore <= now()).slice(0, itemsPerOffer);
    for (const [key, about] of due) {
      // However many are asked about again and again, the others have their turn.
      this.#known.delete(key);
      this.#known.set(key, about);
      const to = this.#whom(about, present);
      if (to.length === 0) this.#done(about, present);
      for (const key of to) offers.set(key, [...(offers.get(key) ?? []), about]);
    }
    // Not all members know of results that are pinned.
    const alike = [...offers].flatMap(([key, all]) => [...Map.groupBy(all, isResult).values()].map((some) => [key, some] as const));
    await Promise.all(alike.map(([key, some]) => this.#offer(key, some)));
  }

  #whom(about: About, present: readonly Candidate[]): readonly Key[] {
    const { tree, kept, asked, unable } = about;
    const { self, now, isLinked } = this.#parts;
    // Who is not linked would be called for that, and as likely as not lets go of the link soon after.
    const trusted = [...kept].flatMap(([key, saidMs]) => (!isLinked(key) && now() - saidMs < lookEveryMs ? [key] : []));
    for (const [key, until] of unable) if (until <= now()) unable.delete(key);
    // What is here for longer than its time: who has pinned it alone says whether it is to go. Others may say that they keep what they do not.
    if (isOver(tree))
      return present.some(({ key }) => key === tree.pinner) && isLinked(tree.pinner) && !unable.has(tree.pinner) ? [tree.pinner] : [];
    const holders = new Set([self, ...asked, ...trusted]);
    return planCopies({ digest: placeOf(tree), self, present, holders, refusing: new Set(unable.keys()), copies: this.#copies }).offerTo;
  }

  /** Nobody is left to ask for now. Later all are asked again: they may have lost it, and are told that it is wanted still. */
  #done(about: About, present: readonly Candidate[]): void {
    const { self, now, superfluous } = this.#parts;
    const { tree, asked, unable } = about;
    const ofIts = nearest(placeOf(tree), present, this.#copies);
    if (!this.#isPinned(tree) && !isOver(tree) && ofIts.length === this.#copies && ofIts.every(({ key }) => key !== self && asked.has(key)))
      return superfluous(nameOf(tree), tree.pinner, "others have it");
    about.notBefore = Math.min(now() + lookEveryMs, ...unable.values());
    asked.clear();
  }

  async #offer(to: Key, all: readonly About[]): Promise<void> {
    const { log, now } = this.#parts;
    const verdicts = await this.#ask(
      to,
      all.map(({ tree }) => tree),
    );
    const counts = { kept: 0, refused: 0, failed: 0, full: 0, busy: 0 };
    for (const [i, about] of all.entries()) {
      const verdict = verdicts[i] ?? "failed";
      counts[verdict]++;
      if (isOver(about.tree)) {
        this.#instead(about, to, verdict);
        continue;
      }
      if (verdict === "kept") {
        about.kept.set(to, now());
        about.asked.add(to);
        about.busy.delete(to);
        continue;
      }
      const since = about.busy.get(to) ?? now();
      if (verdict === "busy" && now() - since < busyMs) {
        about.busy.set(to, since); // It may have it still, and be looking.
        about.notBefore = now() + askAgainMs;
        continue;
      }
      about.busy.delete(to);
      about.kept.delete(to);
      about.unable.set(to, now() + (verdict === "failed" ? failedMs : fullMs));
    }
    log.event("debug", "tree-copies.offered", { peer: to, ...counts });
  }

  /** Who has pinned what is here for longer than its time has said whether it has it, or does not want it. */
  #instead({ tree, unable }: About, to: Key, verdict: KeepVerdict): void {
    const { superfluous, now } = this.#parts;
    if (verdict === "kept") superfluous(nameOf(tree), to, "its own machine has it");
    else if (verdict === "refused") superfluous(nameOf(tree), to, "not wanted any more");
    else unable.set(to, now() + (verdict === "busy" ? failedMs : lookEveryMs));
  }

  async #ask(to: Key, trees: readonly KeepTree[]): Promise<readonly KeepVerdict[]> {
    try {
      return await this.#parts.offer(to, trees);
    } catch (error) {
      this.#parts.log.event("info", "tree-copies.not-offered", { peer: to, why: reasonOf(error) });
      return [];
    }
  }
}

function isResult({ tree }: About): boolean {
  return tree.codec === "result";
}

function isOver({ leaseS }: KeepTree): boolean {
  return leaseS <= askS;
}

/** By what it is decided who is to have it: pinned results are where all of the request are. */
function placeOf({ digest, manifest = digest }: KeepTree): Digest {
  return manifest;
}

function nameOf({ digest, codec }: KeepTree): TreeName {
  return { root: digest, codec };
}
