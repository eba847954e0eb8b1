/**
 * History: what became of the last compile of each source, for people who ask why. Gathered in memory, written in batches; the oldest
 * rows go first.
 */
import { normalize } from "node:path";
import { type Digest, limits } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import { type Database, numberAt, type Row, textAt } from "./database.ts";
import { DamagedRow, rowCheck } from "./row-check.ts";

/** Rows gathered before they are written. */
const PENDING_MAX = 256;

export class History {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;
  readonly #pending = new Map<string, HistoryRow>();

  constructor(database: Database) {
    this.#database = database;
    this.#sql = statements(database);
  }

  remember(row: HistoryRow): void {
    const source = normalize(row.source);
    this.#pending.set(source, { ...row, source });
    if (this.#pending.size >= PENDING_MAX) this.flush();
  }

  /** @param path absolute, however it was written: people do not name a source by way of the directory in which it was compiled */
  bySource(path: string): HistoryRow | undefined {
    const source = normalize(path);
    const pending = this.#pending.get(source);
    if (pending !== undefined) return pending;
    return this.#database.attempt("history", undefined, () => rowFrom(this.#sql.bySource.get(source)));
  }

  /** Looks at every row: people ask that, seldom. */
  byAction(action: Digest): HistoryRow | undefined {
    this.flush();
    return this.#database.attempt("history", undefined, () => rowFrom(this.#sql.byAction.get(action)));
  }

  /** Looks at every row's key. */
  ending(end: string, most: number): string[] {
    this.flush();
    return this.#sources(() => this.#sql.ending.all(end, end, most));
  }

  /** In the order in which they were compiled. */
  below(directory: string, most: number): string[] {
    this.flush();
    return this.#sources(() => this.#sql.below.all(`${directory}/`, `${directory}0`, most)); // What follows a slash is a zero.
  }

  #sources(ask: () => Row[]): string[] {
    return this.#database.attempt("history", [], () => ask().map((row) => textAt(row, 0)));
  }

  latest(): HistoryRow | undefined {
    this.flush();
    return this.#database.attempt("history", undefined, () => rowFrom(this.#sql.latest.get()));
  }

  /** @param request 64 hex digits */
  byRequest(request: string): HistoryRow | undefined {
    this.flush();
    return this.#database.attempt("history", undefined, () => rowFrom(this.#sql.byRequest.get(Buffer.from(request, "hex"))));
  }

  flush(): void {
    if (this.#pending.size === 0) return;
    const rows = [...this.#pending.values()];
    this.#pending.clear();
    this.#database.attempt("flush history", undefined, () => this.#database.transaction(() => this.#write(rows)));
  }

  #write(rows: readonly HistoryRow[]): void {
    for (const row of rows) this.#sql.put.run(row.source, Buffer.from(row.request, "hex"), row.at, row.outcome, row.body, checkOf(row));
    const excess = numberAt(this.#sql.size.get(), 0) - limits.historyEntries;
    if (excess > 0) this.#sql.dropOldest.run(excess);
  }
}

function rowFrom(row: Row | undefined): HistoryRow | undefined {
  if (row === undefined) return undefined;
  const found = { source: textAt(row, 0), request: textAt(row, 1), at: numberAt(row, 2), outcome: textAt(row, 3), body: textAt(row, 4) };
  if (checkOf(found) !== numberAt(row, 5)) throw new DamagedRow("history");
  return found;
}

function checkOf(row: HistoryRow): number {
  return rowCheck(row.source, row.request, row.at, row.outcome, row.body);
}

function statements(database: Database) {
  return {
    bySource: database.statement("SELECT source, lower(hex(request)), at, outcome, body, crc FROM history WHERE source = ?"),
    byAction: database.statement(`SELECT source, lower(hex(request)), at, outcome, body, crc FROM history
      WHERE json_extract(body, '$.action') = ? ORDER BY at DESC LIMIT 1`),
    latest: database.statement("SELECT source, lower(hex(request)), at, outcome, body, crc FROM history ORDER BY at DESC LIMIT 1"),
    byRequest: database.statement(
      "SELECT source, lower(hex(request)), at, outcome, body, crc FROM history WHERE request = ? ORDER BY at DESC LIMIT 1",
    ),
    ending: database.statement("SELECT source FROM history WHERE substr(source, -length(?)) = ? LIMIT ?"),
    below: database.statement("SELECT source FROM history WHERE source > ? AND source < ? ORDER BY at LIMIT ?"),
    put: database.statement("INSERT OR REPLACE INTO history (source, request, at, outcome, body, crc) VALUES (?, ?, ?, ?, ?, ?)"),
    size: database.statement("SELECT count(*) FROM history"),
    dropOldest: database.statement("DELETE FROM history WHERE source IN (SELECT source FROM history ORDER BY at LIMIT ?)"),
  };
}
