/**
 * What comes onto the shelf and goes from it, whoever puts or deletes it: eviction, the sweeper, a result that is forgotten. The rows tell
 * by themselves, through triggers of this connection.
 *
 * Knows: how many rows each signer has, and of which requests some came or went. Does not know: what is in them.
 */
import type { DatabaseSync } from "node:sqlite";
import { type Digest, type Key, limits } from "../base/index.ts";
import { type Database, numberAt, textAt } from "./database.ts";

export interface ShelfChangesParts {
  /** ms since the epoch */
  readonly now: () => number;
  readonly database: Database;
}

/** @param offered of those added, what is told to who has not asked for it */
export type ShelfListener = (added: readonly Digest[], removed: readonly Digest[], offered: readonly Digest[]) => void;

/** What was signed: results of compiles and commands, or what came through doors, where no compiler is named. */
export type ShelfKind = "offered" | "doors";

/** Requests that are looked up at once. */
const TOLD_AT_ONCE = 2_048;

// In the connection only: the function is this process's, and another that opened the database would not have it.
const TRIGGERS = `
DROP TRIGGER IF EXISTS temp.shelf_put;
DROP TRIGGER IF EXISTS temp.shelf_gone;
CREATE TEMP TRIGGER shelf_put AFTER INSERT ON main.attestations BEGIN
  SELECT shelf_changed(lower(hex(NEW.manifest)), lower(hex(NEW.signer)), NEW.toolchain = zeroblob(32), 1);
END;
CREATE TEMP TRIGGER shelf_gone AFTER DELETE ON main.attestations BEGIN
  SELECT shelf_changed(lower(hex(OLD.manifest)), lower(hex(OLD.signer)), OLD.toolchain = zeroblob(32), -1);
END;
`;

export class ShelfChanges implements Disposable {
  readonly #parts: ShelfChangesParts;
  readonly #sql: ReturnType<typeof statements>;
  readonly #listeners: ShelfListener[] = [];
  readonly #changed = new Set<Digest>();
  /** Rows of each signer, by kind; undefined until somebody asks. A transaction that is rolled back leaves it a little wrong. */
  #counts: Readonly<Record<ShelfKind, Map<Key, number>>> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #toldAt = 0;

  constructor(parts: ShelfChangesParts) {
    this.#parts = parts;
    this.#sql = statements(parts.database);
    parts.database.onOpened((connection) => this.#attach(connection));
  }

  /** Calls `listener` soon, and at most every limits.summaryEveryMs, with the requests that have results now and those that have none. */
  listen(listener: ShelfListener): void {
    this.#listeners.push(listener);
  }

  /** Who has the most rows of a kind, and how many there are of all; `signer` is undefined where there are none. */
  most(kind: ShelfKind): { readonly signer: Key | undefined; readonly count: number; readonly total: number } {
    this.#counts ??= this.#count();
    let signer: Key | undefined;
    let [count, total] = [0, 0];
    for (const [key, rows] of this.#counts[kind]) {
      total += rows;
      if (rows <= count) continue;
      [signer, count] = [key, rows];
    }
    return { signer, count, total };
  }

  /** Counts anew when somebody asks: a transaction was rolled back. */
  recount(): void {
    this.#counts = undefined;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#listeners.length = 0;
    this.#closed = true;
  }

  #attach(connection: DatabaseSync): void {
    if (this.#closed) return;
    this.#counts = undefined;
    connection.function("shelf_changed", (manifest, signer, isOfDoor, rows) => {
      this.#note(String(manifest), String(signer), isOfDoor === 1 ? "doors" : "offered", Number(rows));
      return null;
    });
    connection.exec(TRIGGERS);
  }

  #note(manifest: Digest, signer: Key, kind: ShelfKind, rows: number): void {
    const counts = this.#counts?.[kind];
    counts?.set(signer, (counts.get(signer) ?? 0) + rows);
    if (this.#listeners.length === 0 || this.#closed) return;
    this.#changed.add(manifest);
    const waitMs = Math.min(limits.summaryEveryMs, Math.max(0, this.#toldAt + limits.summaryEveryMs - this.#parts.now()));
    this.#timer ??= setTimeout(() => this.#tell(), waitMs).unref();
  }

  #tell(): void {
    this.#timer = undefined;
    this.#toldAt = this.#parts.now();
    const changed = [...this.#changed].slice(0, TOLD_AT_ONCE);
    for (const manifest of changed) this.#changed.delete(manifest);
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#tell(), limits.summaryEveryMs).unref();
    const rows = this.#parts.database.attempt("shelf changes", undefined, () => this.#sql.there.all(JSON.stringify(changed)));
    if (rows === undefined) return;
    const there = new Map(rows.map((row) => [textAt(row, 0), numberAt(row, 1) === 1]));
    const [added, removed] = [changed.filter((one) => there.has(one)), changed.filter((one) => !there.has(one))];
    const offered = added.filter((one) => there.get(one) === false);
    for (const listener of this.#listeners) listener(added, removed, offered);
  }

  #count(): Readonly<Record<ShelfKind, Map<Key, number>>> {
    const rows = this.#parts.database.attempt("count attestations", [], () => this.#sql.counts.all());
    const of = (isOfDoor: number): Map<Key, number> =>
      new Map(rows.filter((row) => numberAt(row, 1) === isOfDoor).map((row) => [textAt(row, 0), numberAt(row, 2)]));
    return { offered: of(0), doors: of(1) };
  }
}

function statements(database: Database) {
  return {
    counts: database.statement("SELECT lower(hex(signer)), toolchain = zeroblob(32), count(*) FROM attestations GROUP BY 1, 2"),
    there:
      database.statement(`SELECT DISTINCT lower(hex(entries.manifest)), toolchain = zeroblob(32) FROM entries JOIN attestations ON attestations.entry = entries.id
      WHERE entries.manifest IN (SELECT unhex(value) FROM json_each(?))`),
  };
}
