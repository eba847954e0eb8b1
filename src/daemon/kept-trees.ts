/**
 * Files, directories and results that this node keeps because members have pinned them: kept over restarts, in a file of their own.
 *
 * What is here stays in the store while a member has a claim on it, and, when the time of the last claim is up, until somebody lets go of it: it may
 * be the last copy. Knows: which blobs belong to what, who wants it, for how long.
 * Does not know: members' domains, how much there may be, how a tree comes here, or who else has it.
 */
import { renameSync } from "node:fs";
import { type Digest, isDigest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { type Pin, type Pins, readJson, writeText } from "../store/index.ts";
import type { KeepTree } from "../wire/index.ts";

/** The same digest may be pinned as a file by one member and as a directory by another: two trees, neither of which is in the other's way. */
export interface TreeName {
  readonly root: Digest;
  readonly codec: KeepTree["codec"];
}

/** What is pinned is offered as. */
export const CODECS: Readonly<Record<Pin["kind"], TreeName["codec"]>> = { blob: "raw", tree: "directory", result: "result" };

/** That a tree is to be kept. */
export interface Claim {
  /** Who has asked for it: who has pinned it, or keeps a copy, too. One claim each of what it has pinned, and one of what it has heard. */
  readonly from: Key;
  /** Who has pinned it, as `from` says. */
  readonly pinner: Key;
  /** Until when, ms since the epoch. */
  readonly untilMs: number;
}

export interface KeptTree extends TreeName {
  /** In which network; members of another one are told nothing of it. */
  readonly network: Digest;
  /** Of all its blobs, each once. */
  readonly bytes: number;
  readonly blobs: readonly Digest[];
  /** One at least, those that are over among them: whose they are may come back and want it. */
  readonly claims: readonly Claim[];
}

interface Row {
  readonly kept: KeptTree;
  readonly held: Disposable;
  /** Those that were to be written down last. */
  readonly noted: readonly Claim[];
}

export interface KeptTreesParts {
  readonly log: Log;
  readonly pins: Pick<Pins, "hold">;
  /** ms since the epoch */
  readonly now: () => number;
}

/** Renewals are written down when they make such a difference: the file may have thousands of digests. */
const NOTE_EVERY_MS = 86_400_000;
/** Digests that are put into text at once. */
const PIECE = 1_024;
const { blobs: mostBlobs, claims: mostClaims, noteMs, noteAgainMs } = limits.treeCopies;

export class KeptTrees implements AsyncDisposable {
  readonly #parts: KeptTreesParts;
  readonly #file: string;
  readonly #rows = new Map<string, Row>();
  readonly #noting: NodeJS.Timeout;
  /** What is in the file is not what is here. */
  #isChanged = false;
  #soon: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** A file that cannot be read is put aside, and said. */
  static open(parts: KeptTreesParts, { file }: { readonly file: string }): KeptTrees {
    const trees = new KeptTrees(parts, file);
    try {
      const rows: unknown = readJson(file) ?? [];
      if (!Array.isArray(rows) || !rows.every(isKept)) throw new TypeError("no list of trees");
      for (const kept of rows) trees.#hold(kept);
    } catch (error) {
      parts.log.event("error", "tree-copies.damaged", { file, why: reasonOf(error) });
      renameSync(file, `${file}.damaged`);
    }
    return trees;
  }

  private constructor(parts: KeptTreesParts, file: string) {
    this.#parts = parts;
    this.#file = file;
    this.#noting = setInterval(() => {
      if (this.#isChanged) this.#noteSoon(); // It could not be written, perhaps.
    }, noteAgainMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#noting);
    clearTimeout(this.#soon);
    await this.flush();
  }

  /** Whether their time is up or not. */
  all(): readonly KeptTree[] {
    return [...this.#rows.values()].map(({ kept }) => kept);
  }

  /** Those whose time is not up. */
  list(): readonly KeptTree[] {
    return this.all().filter((kept) => !this.#isOver(kept));
  }

  /** Those whose time is up, the longest first. */
  over(): readonly KeptTree[] {
    const over = this.all().filter((kept) => this.#isOver(kept));
    return over.toSorted((a, b) => lastOf(a) - lastOf(b));
  }

  /** Whether the result of an action is kept. */
  holdsResult(action: Digest): boolean {
    return this.#rows.has(keyOf({ root: action, codec: "result" }));
  }

  get(tree: TreeName): KeptTree | undefined {
    return this.#rows.get(keyOf(tree))?.kept;
  }

  /** Adds to the claims that there are. @returns whether one more fits */
  put(tree: Omit<KeptTree, "claims">, by: Claim): boolean {
    const claims = withClaim(this.get(tree)?.claims ?? [], by, this.#parts.now());
    if (claims === undefined) return false;
    this.#hold({ ...tree, claims });
    this.#noteSoon();
    return true;
  }

  /** Somebody wants it, or wants it for another time than before. @returns whether one more claim fits */
  renew(tree: TreeName, by: Claim): boolean {
    const row = this.#rows.get(keyOf(tree));
    const claims = row && withClaim(row.kept.claims, by, this.#parts.now());
    if (row === undefined || claims === undefined) return false;
    const noted = row.noted.find(({ from, pinner }) => from === by.from && pinner === by.pinner);
    const isNews = noted === undefined || Math.abs(by.untilMs - noted.untilMs) >= NOTE_EVERY_MS;
    this.#rows.set(keyOf(tree), { ...row, kept: { ...row.kept, claims }, noted: isNews ? claims : row.noted });
    if (isNews) this.#noteSoon();
    return true;
  }

  /** Who has pinned it does not want it any more, whoever else has said that it does. Others' claims stay. */
  unclaim(tree: TreeName, pinner: Key, why = "not wanted any more"): void {
    this.drop(tree, (claim) => claim.pinner === pinner, why);
  }

  /** These claims do not count any more; others' stay. */
  drop(tree: TreeName, isDropped: (claim: Claim) => boolean, why: string): void {
    const row = this.#rows.get(keyOf(tree));
    if (row !== undefined) this.#leave(row, (claim) => !isDropped(claim), why);
  }

  /** It may be evicted like anything else. */
  remove(tree: TreeName, why: string): void {
    this.drop(tree, () => true, why);
  }

  /** Keeps nothing but what members of one network want; nothing at all without one. */
  only(network: Digest | undefined): void {
    for (const { kept } of this.#rows.values()) if (kept.network !== network) this.remove(kept, "not for this network");
  }

  /** Until all that has changed so far is on the disk, if it can be. Never rejects. */
  async flush(): Promise<void> {
    this.#writing = this.#writing.then(() => (this.#isChanged ? this.#write() : undefined));
    await this.#writing;
  }

  #leave({ kept, held, noted }: Row, stays: (claim: Claim) => boolean, why: string): void {
    const claims = kept.claims.filter(stays);
    if (claims.length === kept.claims.length) return;
    this.#noteSoon();
    if (claims.length > 0) {
      this.#rows.set(keyOf(kept), { kept: { ...kept, claims }, held, noted });
      return;
    }
    this.#rows.delete(keyOf(kept));
    held[Symbol.dispose]();
    this.#parts.log.event("info", "tree-copies.let-go", { root: kept.root, why });
  }

  #isOver(kept: KeptTree): boolean {
    return lastOf(kept) <= this.#parts.now();
  }

  #hold(kept: KeptTree): void {
    const held = this.#parts.pins.hold();
    for (const blob of kept.blobs) held.blobs.add(blob);
    this.#rows.get(keyOf(kept))?.held[Symbol.dispose]();
    this.#rows.set(keyOf(kept), { kept, held, noted: kept.claims });
  }

  /** What a crash loses is offered again, or is held until its time is up. */
  #noteSoon(): void {
    this.#isChanged = true;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.flush();
    }, noteMs).unref();
  }

  async #write(): Promise<void> {
    this.#isChanged = false;
    try {
      await writeText(this.#file, textOf(this.all()));
    } catch (error) {
      this.#isChanged = true;
      this.#parts.log.event("warn", "tree-copies.not-written", { why: reasonOf(error) });
    }
  }
}

export function keyOf({ root, codec }: TreeName): string {
  return `${codec} ${root}`;
}

/** Until when somebody wants it, ms since the epoch. */
function lastOf({ claims }: KeptTree): number {
  return Math.max(...claims.map(({ untilMs }) => untilMs));
}

/**
 * @returns undefined where there are too many: it takes the place of the one that has been over for longest, and who has pinned it that of one that
 * has heard of it; nobody else's
 */
function withClaim(claims: readonly Claim[], by: Claim, nowMs: number): readonly Claim[] | undefined {
  const isHeard = ({ from, pinner }: Claim): boolean => from !== pinner;
  const others = claims.filter((claim) => claim.from !== by.from || isHeard(claim) !== isHeard(by));
  if (others.length < mostClaims) return [...others, by];
  const [oldest] = others.filter(({ untilMs }) => untilMs <= nowMs).toSorted((a, b) => a.untilMs - b.untilMs);
  const gives = oldest ?? (isHeard(by) ? undefined : others.find(isHeard));
  return gives === undefined ? undefined : [...others.filter((claim) => claim !== gives), by];
}

/** In pieces, between which there is time for other things. */
function* textOf(all: readonly KeptTree[]): Generator<string> {
  for (const [i, { blobs, ...row }] of all.entries()) {
    yield `${i === 0 ? "[" : ",\n"}${JSON.stringify(row).slice(0, -1)},"blobs":[`;
    for (let at = 0; at < blobs.length; at += PIECE) {
      yield `${at === 0 ? "" : ","}${JSON.stringify(blobs.slice(at, at + PIECE)).slice(1, -1)}`;
    }
    yield "]}";
  }
  yield all.length === 0 ? "[]\n" : "]\n";
}

function isKept(row: unknown): row is KeptTree {
  if (typeof row !== "object" || row === null) return false;
  const { root, codec, network, bytes, blobs, claims } = row as Partial<Record<keyof KeptTree, unknown>>;
  return (
    (codec === "raw" || codec === "directory" || codec === "result") &&
    [root, network].every(isDigest) &&
    Number.isSafeInteger(bytes) &&
    Array.isArray(blobs) &&
    blobs.every(isDigest) &&
    blobs.length <= mostBlobs &&
    Array.isArray(claims) &&
    claims.every(isClaim) &&
    claims.length > 0 &&
    claims.length <= mostClaims
  );
}

function isClaim(claim: unknown): claim is Claim {
  if (typeof claim !== "object" || claim === null) return false;
  const { from, pinner, untilMs } = claim as Partial<Record<keyof Claim, unknown>>;
  return [from, pinner].every(isDigest) && Number.isSafeInteger(untilMs);
}
