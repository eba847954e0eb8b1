/**
 * SqliteDoorEntries: what tools keep here under keys of their own, in the index database.
 *
 * Guarantees: what `keep` acknowledged survives a crash of this process; what `find` gives is what was kept, and its blob is here.
 * An evicted blob takes its entries along (blob-table.ts), so that their bytes count where blobs' bytes do; the rows themselves are
 * bounded here. Knows: SQL. Does not know: tools, or what the bytes mean.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Digest, limits } from "../base/index.ts";
import type { DoorEntries, DoorEntry } from "../contracts/index.ts";
import { type Database, numberAt, type Row, textAt, toBytes } from "./database.ts";
import { demandIntact, rowCheck } from "./row-check.ts";

export interface DoorEntriesParts {
  readonly database: Database;
  /** Whether a blob lies on this machine. */
  readonly blobs: { isHere(digest: Digest): boolean };
}

export interface DoorEntriesOptions {
  readonly entriesMax: number;
}

/** What is too much goes so many rows at a time, so that not every `keep` has to look … */
const TRIM_STEP = 64;
/** … those whose blobs were not used for the longest time among so many that came first. */
const TRIM_SAMPLE = 2_000;
/** Rows that are looked at in one step, and rows that are forgotten in one. */
const RECALL_STEP = 4_096;
const FORGET_STEP = 64;

export class SqliteDoorEntries implements DoorEntries {
  readonly #parts: DoorEntriesParts;
  readonly #options: DoorEntriesOptions;
  readonly #sql: ReturnType<typeof statements>;
  /** Undefined until they were counted. */
  #rows: number | undefined;

  constructor(parts: DoorEntriesParts, options: DoorEntriesOptions = { entriesMax: limits.doors.entries }) {
    this.#parts = parts;
    this.#options = options;
    this.#sql = statements(parts.database);
    parts.database.onReset(() => {
      this.#rows = undefined;
    });
  }

  find(door: string, key: string): Promise<DoorEntry | undefined> {
    const found = this.#parts.database.attempt("door entry", undefined, () => this.#find(door, key));
    return Promise.resolve(found);
  }

  /** See {@link DoorEntries.keep}. */
  keep(door: string, key: string, entry: DoorEntry, replace: boolean): "kept" | "same" | "differs" {
    const meta = JSON.stringify(entry.meta);
    if (Buffer.byteLength(key) > limits.doors.keyBytes || Buffer.byteLength(meta) > limits.doors.metaBytes)
      throw new CairnError("limit-exceeded", { what: "door entry", key: key.slice(0, 64) });
    return this.#parts.database.demand("keep door entry", () => {
      const known = this.#find(door, key);
      if (known !== undefined && !replace) return known.blob === entry.blob ? "same" : "differs";
      this.#put(door, key, entry, meta);
      return "kept";
    });
  }

  forget(door: string, key: string): boolean {
    const gone = this.#parts.database.attempt("forget door entry", 0, () => this.#sql.forget.run(key, door));
    this.#rows = undefined;
    return gone > 0;
  }

  /**
   * Forgets what members have made at this machine's request whose word does not count any more. Works in small steps.
   *
   * @returns how many entries were forgotten, and how many such are left
   * @throws {CairnError} `home-unwritable`, `index-corrupt`; some may be left then that should not
   */
  async recall(isGone: (member: string) => boolean, signal: AbortSignal): Promise<{ readonly forgotten: number; readonly left: number }> {
    const { database } = this.#parts;
    const last = database.demand("last door entry", () => numberAt(this.#sql.last.get(), 0));
    let [forgotten, left] = [0, 0];
    for (let from = 0; from < last; from += RECALL_STEP) {
      signal.throwIfAborted();
      const made = database.demand("entries of members", () => this.#sql.ofMembers.all(from, from + RECALL_STEP)).flatMap(madeIn);
      const gone = made.filter(({ by }) => isGone(by));
      left += made.length - gone.length;
      forgotten += await this.#forgetAll(gone, signal);
      await otherWork();
    }
    return { forgotten, left };
  }

  async #forgetAll(gone: readonly Made[], signal: AbortSignal): Promise<number> {
    const { database } = this.#parts;
    let forgotten = 0;
    for (let from = 0; from < gone.length; from += FORGET_STEP) {
      signal.throwIfAborted();
      const some = gone.slice(from, from + FORGET_STEP);
      const forget = (): number => some.reduce((sum, { door, key }) => sum + this.#sql.forget.run(key, door), 0);
      forgotten += database.demand("forget door entries", () => database.transaction(forget));
      this.#rows = undefined;
      await otherWork();
    }
    return forgotten;
  }

  #find(door: string, key: string): DoorEntry | undefined {
    const row = this.#sql.get.get(key, door);
    if (row === undefined) return undefined;
    const entry = entryFrom(door, key, row);
    return this.#parts.blobs.isHere(entry.blob) ? entry : undefined;
  }

  #put(door: string, key: string, { blob, size, at }: DoorEntry, meta: string): void {
    this.#parts.database.transaction(() => {
      this.#sql.put.run(door, key, toBytes(blob), size, meta, at, rowCheck(door, key, blob, size, meta, at));
      this.#rows = (this.#rows ?? numberAt(this.#sql.count.get(), 0)) + 1;
      if (this.#rows <= this.#options.entriesMax + TRIM_STEP) return;
      // Evictions and replacements are not counted while they happen.
      const rows = numberAt(this.#sql.count.get(), 0);
      this.#rows = rows > this.#options.entriesMax ? rows - this.#sql.trim.run(rows - this.#options.entriesMax) : rows;
    });
  }
}

/** @throws {DamagedRow} */
function entryFrom(door: string, key: string, row: Row): DoorEntry {
  const [blob, size, meta, at] = [textAt(row, 0), numberAt(row, 1), textAt(row, 2), numberAt(row, 3)];
  demandIntact("door_entries", numberAt(row, 4), door, key, blob, size, meta, at);
  return { blob, size, meta: JSON.parse(meta) as Record<string, string>, at }; // Written by `keep` and nobody else.
}

/** An entry that a member has made. */
interface Made {
  readonly door: string;
  readonly key: string;
  readonly by: string;
}

/** Nothing of a row that cannot be read: nobody is given that either. */
function madeIn(row: Row): Made[] {
  try {
    const { by } = JSON.parse(textAt(row, 2)) as { readonly by?: unknown };
    return typeof by === "string" ? [{ door: textAt(row, 0), key: textAt(row, 1), by }] : [];
  } catch {
    return [];
  }
}

function statements(database: Database) {
  return {
    get: database.statement("SELECT lower(hex(blob)), size, meta, at, crc FROM door_entries WHERE key = ? AND door = ?"),
    put: database.statement("INSERT OR REPLACE INTO door_entries (door, key, blob, size, meta, at, crc) VALUES (?, ?, ?, ?, ?, ?, ?)"),
    forget: database.statement("DELETE FROM door_entries WHERE key = ? AND door = ?"),
    last: database.statement("SELECT coalesce(max(id), 0) FROM door_entries"),
    ofMembers: database.statement("SELECT door, key, meta FROM door_entries WHERE id > ? AND id <= ? AND meta LIKE '{\"by\":%'"),
    count: database.statement("SELECT count(*) FROM door_entries"),
    trim: database.statement(`DELETE FROM door_entries WHERE id IN
      (SELECT id FROM (SELECT door_entries.id, coalesce(used, at) AS used FROM door_entries LEFT JOIN blobs ON digest = blob
      ORDER BY door_entries.id LIMIT ${TRIM_SAMPLE}) ORDER BY used LIMIT ?)`),
  };
}
