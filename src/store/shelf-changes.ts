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

export type ShelfListener = (added: readonly Digest[], removed: readonly Digest[]) => void;

/** Requests that are looked up at once. */
const TOLD_AT_ONCE = 2_048;

// In the connection only: the function is this process's, and another that opened the database would not have it.
const TRIGGERS = `
DROP TRIGGER IF EXISTS temp.shelf_put;
DROP TRIGGER IF EXISTS temp.shelf_gone;
CREATE TEMP TRIGGER shelf_put AFTER INSERT ON main.attestations BEGIN
  SELECT shelf_changed(lower(hex(NEW.manifest)), lower(hex(NEW.signer)), 1);
END;
CREATE TEMP TRIGGER shelf_gone AFTER DELETE ON main.attestations BEGIN
  SELECT shelf_changed(lower(hex(OLD.manifest)), lower(hex(OLD.signer)), -1);
END;
`;

export class ShelfChanges implements Disposable {
  readonly #parts: ShelfChangesParts;
  readonly #sql: ReturnType<typeof statements>;
  readonly #listeners: ShelfListener[] = [];
  readonly #changed = new Set<Digest>();
  /** Rows of each signer; undefined until somebody asks. A transaction that is rolled back leaves it a little wrong. */
  #counts: Map<Key, number> | undefined;
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

  /** Who has the most rows, and how many there are of all; `signer` is undefined where there are none. */
  most(): { readonly signer: Key | undefined; readonly count: number; readonly total: number } {
    this.#counts ??= this.#count();
    let signer: Key | undefined;
    let [count, total] = [0, 0];
    for (const [key, rows] of this.#counts) {
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
    connection.function("shelf_changed", (manifest, signer, rows) => {
      this.#note(String(manifest), String(signer), Number(rows));
      return null;
    });
    connection.exec(TRIGGERS);
  }

  #note(manifest: Digest, signer: Key, rows: number): void {
    this.#counts?.set(signer, (this.#counts.get(signer) ?? 0) + rows);
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
    const there = new Set(rows.map((row) => textAt(row, 0)));
    const [added, removed] = [changed.filter((one) => there.has(one)), changed.filter((one) => !there.has(one))];
    for (const listener of this.#listeners) listener(added, removed);
  }

  #count(): Map<Key, number> {
    const rows = this.#parts.database.attempt("count attestations", [], () => this.#sql.counts.all());
    return new Map(rows.map((row) => [textAt(row, 0), numberAt(row, 1)]));
  }
}

function statements(database: Database) {
  return {
    counts: database.statement("SELECT lower(hex(signer)), count(*) FROM attestations GROUP BY signer"),
    there:
      database.statement(`SELECT DISTINCT lower(hex(entries.manifest)) FROM entries JOIN attestations ON attestations.entry = entries.id
      WHERE entries.manifest IN (SELECT unhex(value) FROM json_each(?))`),
  };
}
