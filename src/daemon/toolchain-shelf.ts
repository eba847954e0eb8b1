/**
 * Toolchains that members have sent, and digests that the user has approved: kept over restarts, in a file of their own.
 *
 * What is on the shelf stays in the store. Knows: which blobs belong to what, when it was used last, how much there may be.
 * Does not know: compilers, members, how a toolchain comes here.
 */
import { renameSync } from "node:fs";
import { CairnError, type Digest, isDigest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { ToolchainSummary } from "../contracts/index.ts";
import { type Pins, readJson, writeJson } from "../store/index.ts";

export interface Shelved extends ToolchainSummary {
  readonly root: Digest;
  readonly digest: Digest;
  /** Who has sent it. */
  readonly from: Key;
  readonly fetchedAtMs: number;
  /** All that is in it. */
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
}

interface Row {
  readonly shelved: Shelved;
  usedAtMs: number;
  readonly held: Disposable;
}

export interface ShelfParts {
  readonly log: Log;
  readonly pins: Pick<Pins, "hold">;
  /** ms since the epoch */
  readonly now: () => number;
}

const { kept: mostKept, approved: mostApproved, inUseMs } = limits.toolchains;
/** Of toolchains: `cairn.toolchain.2`. */
const NAMING = 2;
/** Times of use are written down when they differ by so much. */
const NOTE_EVERY_MS = 60_000;

export class ToolchainShelf {
  readonly #parts: ShelfParts;
  readonly #file: string;
  readonly #capacityBytes: number;
  readonly #rows = new Map<Digest, Row>();
  readonly #approved = new Set<Digest>();
  readonly #denied = new Set<Digest>();
  #notedAtMs = 0;
  /** Approvals that nothing here has taken over, since the last file was written by a version that called toolchains otherwise. */
  #before: Set<Digest> | undefined;
  /** Of them, those that stand under another name now. */
  readonly #renamed = new Set<Digest>();
  #dropped: readonly Digest[] = [];

  /** A file that cannot be read is put aside, and said. @param options.capacityBytes of all toolchains, each blob counted once */
  static open(parts: ShelfParts, options: { readonly file: string; readonly capacityBytes: number }): ToolchainShelf {
    const shelf = new ToolchainShelf(parts, options);
    try {
      shelf.#load();
    } catch (error) {
      parts.log.event("error", "toolchains.damaged", { file: options.file, why: reasonOf(error) });
      renameSync(options.file, `${options.file}.damaged`);
    }
    return shelf;
  }

  private constructor(parts: ShelfParts, { file, capacityBytes }: { readonly file: string; readonly capacityBytes: number }) {
    this.#parts = parts;
    this.#file = file;
    this.#capacityBytes = capacityBytes;
  }

  list(): (Shelved & { readonly usedAtMs: number })[] {
    return [...this.#rows.values()].map(({ shelved, usedAtMs }) => ({ ...shelved, usedAtMs }));
  }

  get approved(): ReadonlySet<Digest> {
    return this.#approved;
  }

  /** What the network may approve, and this machine's owner does not. */
  get denied(): ReadonlySet<Digest> {
    return this.#denied;
  }

  /** What was approved once and is not any more, until somebody approves it, or says that it is to go. */
  get dropped(): readonly Digest[] {
    return this.#dropped;
  }

  has(root: Digest): boolean {
    return this.#rows.has(root);
  }

  /** @returns undefined when it is not here */
  use(root: Digest): Shelved | undefined {
    const row = this.#rows.get(root);
    if (row === undefined) return undefined;
    row.usedAtMs = this.#parts.now();
    if (row.usedAtMs - this.#notedAtMs > NOTE_EVERY_MS) this.#noteQuietly();
    return row.shelved;
  }

  /**
   * Removes what was not used for the longest time until there is room. What was used in the last minutes stays.
   *
   * @returns whether there is room; nothing was removed where there is none
   */
  makeRoom(bytes: number): boolean {
    const now = this.#parts.now();
    const idle = [...this.#rows.values()].filter(({ usedAtMs }) => now - usedAtMs >= inUseMs);
    const leaving = new Set<Digest>();
    const fits = (): boolean => this.#bytesWithout(leaving) + bytes <= this.#capacityBytes && this.#rows.size - leaving.size < mostKept;
    for (const { shelved } of idle.toSorted((a, b) => a.usedAtMs - b.usedAtMs)) {
      if (fits()) break;
      leaving.add(shelved.root);
    }
    if (!fits()) return false;
    for (const root of leaving) this.remove(root, "room");
    return true;
  }

  /** @throws {CairnError} home-unwritable */
  add(shelved: Shelved): void {
    this.#put(shelved, this.#parts.now());
    this.#save();
  }

  /** @returns whether it was there @throws {CairnError} home-unwritable */
  remove(root: Digest, why: string): boolean {
    const row = this.#rows.get(root);
    if (row === undefined) return false;
    this.#rows.delete(root);
    row.held[Symbol.dispose]();
    this.#save();
    this.#parts.log.event("info", "toolchains.removed", { root, digest: row.shelved.digest, why });
    return true;
  }

  /** @throws {CairnError} limit-exceeded, home-unwritable */
  approve(digest: Digest): void {
    if (this.#approved.size >= mostApproved) throw new CairnError("limit-exceeded", { what: "approved toolchains" });
    const dropped = this.#dropped;
    const wasDenied = this.#denied.delete(digest);
    this.#approved.add(digest);
    this.#dropped = dropped.filter((one) => one !== digest);
    try {
      this.#save();
    } catch (error) {
      this.#approved.delete(digest);
      this.#dropped = dropped;
      if (wasDenied) this.#denied.add(digest);
      throw error;
    }
  }

  /** It is not taken here, whoever else approves it, until it is approved here. @throws {CairnError} limit-exceeded, home-unwritable */
  deny(digest: Digest): void {
    if (this.#denied.size >= mostApproved) throw new CairnError("limit-exceeded", { what: "refused toolchains" });
    this.#denied.add(digest);
    this.#save();
  }

  /** Whether toolchains are called as in the version before, until `forgetBefore`. */
  get isOfBefore(): boolean {
    return this.#before !== undefined;
  }

  /** What was approved stays approved. */
  rename(root: Digest, digest: Digest): void {
    const row = this.#rows.get(root);
    if (row === undefined) return;
    if (this.#approved.has(row.shelved.digest)) {
      this.#approved.add(digest);
      this.#renamed.add(row.shelved.digest);
    }
    this.#rows.set(root, { ...row, shelved: { ...row.shelved, digest } });
  }

  /** Approvals of before that nothing here bears out say nothing any more: they are dropped, and said. @throws {CairnError} home-unwritable */
  forgetBefore(): void {
    const known = new Set([...this.#rows.values()].map(({ shelved }) => shelved.digest));
    const gone = [...(this.#before ?? [])].filter((digest) => !known.has(digest));
    for (const digest of gone) this.#approved.delete(digest);
    const dropped = gone.filter((digest) => !this.#renamed.has(digest));
    this.#before = undefined;
    this.#dropped = dropped;
    this.#save();
    if (dropped.length > 0) this.#parts.log.event("warn", "toolchains.approvals-dropped", { digests: dropped.join(" ") });
  }

  /** @returns whether it was approved, now or before an upgrade @throws {CairnError} home-unwritable */
  disapprove(digest: Digest): boolean {
    const wasDropped = this.#dropped.includes(digest);
    if (!this.#approved.delete(digest) && !wasDropped) return false;
    this.#dropped = this.#dropped.filter((one) => one !== digest);
    this.#save();
    return true;
  }

  #bytesWithout(roots: ReadonlySet<Digest>): number {
    const sizes = new Map<Digest, number>();
    for (const { shelved } of this.#rows.values())
      if (!roots.has(shelved.root)) for (const { digest, size } of shelved.blobs) sizes.set(digest, size);
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  #put(shelved: Shelved, usedAtMs: number): void {
    const hold = this.#parts.pins.hold();
    for (const { digest } of shelved.blobs) hold.blobs.add(digest);
    this.#rows.get(shelved.root)?.held[Symbol.dispose]();
    this.#rows.set(shelved.root, { shelved, usedAtMs, held: hold });
  }

  #load(): void {
    const state = readJson(this.#file);
    if (state === undefined) return;
    if (!isState(state)) throw new TypeError("no list of toolchains");
    for (const { usedAtMs, ...shelved } of state.shelved) this.#put(shelved, usedAtMs);
    for (const digest of state.approved) this.#approved.add(digest);
    for (const digest of state.denied ?? []) this.#denied.add(digest);
    this.#dropped = state.dropped ?? [];
    const before = state.naming === NAMING ? state.before : state.approved;
    if (before !== undefined) this.#before = new Set(before);
  }

  /** A time that is lost makes nothing wrong. */
  #noteQuietly(): void {
    try {
      this.#save();
    } catch {
      this.#notedAtMs = this.#parts.now();
    }
  }

  #save(): void {
    this.#notedAtMs = this.#parts.now();
    // What is approved meanwhile is called as now: only the others are looked at once more.
    const before = this.#before && { before: [...this.#before].filter((digest) => !this.#renamed.has(digest)) };
    writeJson(this.#file, {
      naming: NAMING,
      ...before,
      dropped: this.#dropped,
      denied: [...this.#denied],
      shelved: this.list(),
      approved: [...this.#approved],
    });
  }
}

interface State {
  /** Absent in files of the version before. */
  readonly naming?: unknown;
  /** Approvals that are called as before; absent where none are any more. */
  readonly before?: readonly Digest[];
  /** Absent there, too. */
  readonly dropped?: readonly Digest[];
  readonly denied?: readonly Digest[];
  readonly shelved: readonly (Shelved & { readonly usedAtMs: number })[];
  readonly approved: readonly Digest[];
}

function isState(value: unknown): value is State {
  if (typeof value !== "object" || value === null) return false;
  const { shelved, approved, dropped = [], before = [], denied = [] } = value as Partial<Record<keyof State, unknown>>;
  for (const some of [dropped, before, denied]) if (!Array.isArray(some) || !some.every(isDigest)) return false;
  return Array.isArray(shelved) && shelved.every(isShelved) && Array.isArray(approved) && approved.every(isDigest);
}

function isShelved(row: unknown): boolean {
  if (typeof row !== "object" || row === null) return false;
  const { root, digest, from, fetchedAtMs, usedAtMs, blobs, ...summary } = row as Readonly<Record<string, unknown>>;
  const isTold = ["family", "version", "target", "platform", "compiler"].every((name) => typeof summary[name] === "string");
  return (
    isTold &&
    [root, digest, from].every(isDigest) &&
    [fetchedAtMs, usedAtMs].every(Number.isSafeInteger) &&
    Array.isArray(blobs) &&
    blobs.every(isBlob)
  );
}

function isBlob(blob: unknown): boolean {
  if (typeof blob !== "object" || blob === null) return false;
  const { digest, size } = blob as Readonly<Record<string, unknown>>;
  return isDigest(digest) && Number.isSafeInteger(size);
}
