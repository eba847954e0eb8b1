/**
 * SqliteIndex: what is known about compiles on this machine, in the index database.
 *
 * Guarantees: what `add` acknowledged survives a crash of this process; an entry never leads to a result that is not there.
 * When the database fails, questions are answered "unknown" and only `add` throws.
 * Knows: SQL. Does not know: files, blobs' content, what a manifest means.
 */
import { type Digest, type Facts, type Log, limits } from "../base/index.ts";
import type { HistoryRow, ManifestEntry, Origin, ResultIndex, StoredResult, Tokens } from "../contracts/index.ts";
import { Counters } from "./counters.ts";
import { bytesAt, type Database, numberAt, type Row, textAt, toBytes } from "./database.ts";
import { History } from "./history.ts";
import { decodeIds, encodeIds } from "./id-list.ts";
import { Interner } from "./interner.ts";
import { DamagedRow, demandIntact, rowCheck } from "./row-check.ts";
import { Sweeper } from "./sweeper.ts";
import { Uses } from "./uses.ts";

export interface SqliteIndexParts {
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
  readonly database: Database;
  /** Whether the result of an action is never to be dropped; without it none is. */
  readonly isPinned?: (action: Digest) => boolean;
}

export interface SqliteIndexOptions {
  /** Entries kept for all manifests together, and results; old ones that were not used for long go first. */
  readonly entriesMax: number;
}

/** About 150 MB of database. */
const ENTRIES_MAX = 200_000;

export class SqliteIndex implements ResultIndex {
  readonly #parts: SqliteIndexParts;
  readonly #sql: ReturnType<typeof statements>;
  readonly #interner: Interner;
  readonly #uses: Uses;
  readonly #history: History;
  readonly #counters: Counters;
  readonly #sweeper: Sweeper;
  #lastUsed = 0;

  private constructor(parts: SqliteIndexParts, options: SqliteIndexOptions) {
    this.#parts = parts;
    this.#sql = statements(parts.database);
    this.#interner = new Interner(parts.database);
    this.#uses = new Uses(parts.database);
    this.#history = new History(parts.database);
    this.#counters = new Counters(parts.database);
    this.#sweeper = new Sweeper({ ...parts, interner: this.#interner }, options);
  }

  static open(parts: SqliteIndexParts, options: SqliteIndexOptions = { entriesMax: ENTRIES_MAX }): SqliteIndex {
    return new SqliteIndex(parts, options);
  }

  entries(manifest: Digest): ManifestEntry[] {
    const rows = this.#attempt("entries", [], () => this.#sql.entries.all(toBytes(manifest)));
    const used = new Map(rows.map((row) => [row, Math.max(numberAt(row, 5), this.#uses.of(manifest, textAt(row, 0)))]));
    rows.sort((a, b) => (used.get(b) ?? 0) - (used.get(a) ?? 0));
    return rows.map((row) => this.#attempt("inputs", undefined, () => this.#entry(manifest, row))).filter((entry) => entry !== undefined);
  }

  knows(manifest: Digest): boolean {
    return this.#attempt("knows", false, () => this.#sql.knows.get(toBytes(manifest)) !== undefined);
  }

  result(action: Digest): StoredResult | undefined {
    return this.#attempt("result", undefined, () => {
      const row = this.#sql.result.get(toBytes(action));
      if (row === undefined) return undefined;
      const { origin: _, ...result } = bodyOf(action, row);
      return result;
    });
  }

  originOf(action: Digest): Origin | undefined {
    return this.#attempt("origin", undefined, () => {
      const row = this.#sql.result.get(toBytes(action));
      if (row === undefined) return undefined;
      const { origin } = bodyOf(action, row);
      // A node that never was in a network has nothing of others. Rows of before there were marks have none.
      return origin ?? (numberAt(this.#sql.networks.get(), 0) === 0 ? "here" : undefined);
    });
  }

  /** @throws {CairnError} `home-unwritable` or `index-corrupt`; nothing is stored then */
  add(manifest: Digest, entry: ManifestEntry, result: StoredResult, tokens: ReadonlyMap<Digest, Tokens>, origin?: Origin): void {
    const { database } = this.#parts;
    try {
      database.demand("add", () => database.transaction(() => this.#insert(manifest, entry, { ...result, origin }, tokens)));
    } catch (error) {
      this.#interner.forget(); // It may remember ids that were rolled back.
      throw error;
    }
  }

  touch(manifest: Digest, action: Digest): void {
    this.#uses.note(manifest, action, this.#tick());
  }

  forget(action: Digest): void {
    this.#attempt("forget", undefined, () => this.#sql.forget.run(toBytes(action)));
  }

  tokens(content: Digest): Tokens | undefined {
    return this.#attempt("tokens", undefined, () => {
      const row = this.#sql.tokens.get(toBytes(content));
      if (row === undefined) return undefined;
      const [exact, layout] = [textAt(row, 0), textAt(row, 1)];
      demandIntact("tokens", numberAt(row, 2), content, exact, layout);
      return { exact, layout };
    });
  }

  remember(row: HistoryRow): void {
    this.#history.remember(row);
  }

  historyOfAction(action: Digest): HistoryRow | undefined {
    return this.#history.byAction(action);
  }

  history(source: string): HistoryRow | undefined {
    return this.#history.bySource(source);
  }

  sourcesEnding(end: string, most: number): string[] {
    return this.#history.ending(end, most);
  }

  sourcesBelow(directory: string, most: number): string[] {
    return this.#history.below(directory, most);
  }

  latestHistory(): HistoryRow | undefined {
    return this.#history.latest();
  }

  historyOf(request: string): HistoryRow | undefined {
    return this.#history.byRequest(request);
  }

  count(changes: Readonly<Record<string, number>>): void {
    this.#counters.count(changes);
  }

  counters(): Record<string, number> {
    return this.#counters.all();
  }

  zeroCounters(): void {
    this.#counters.zero();
  }

  facts(): Facts {
    const row = this.#attempt("facts", undefined, () => this.#sql.facts.get());
    return {
      manifests: numberAt(row, 0),
      entries: numberAt(row, 1),
      results: numberAt(row, 2),
      inputs: numberAt(row, 3),
      databaseBytes: this.#parts.database.bytes(),
    };
  }

  /** Writes what was gathered in memory: uses, history, counters. */
  flush(): void {
    this.#uses.flush();
    this.#history.flush();
    this.#counters.flush();
  }

  /**
   * Drops what is too much or named by nobody, in steps of a few ms each; also flushes.
   *
   * @param deadlineMs stop when that much time has passed
   * @returns whether work is left
   */
  tidy(deadlineMs: number): boolean {
    const end = this.#parts.now() + deadlineMs;
    this.flush();
    while (this.#sweeper.step()) if (this.#parts.now() >= end) return true;
    return false;
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  #insert(manifest: Digest, entry: ManifestEntry, made: Body, tokens: ReadonlyMap<Digest, Tokens>): void {
    const sql = this.#sql;
    const used = this.#tick();
    const key = toBytes(entry.action);
    const before = sql.result.get(key);
    const result = before === undefined ? made : { ...made, origin: originAfter(bodyOf(entry.action, before), made) };
    sql.dropOutputs.run(key);
    const body = JSON.stringify(result);
    const id = numberAt(sql.putResult.get(key, body, used, rowCheck(entry.action, body)), 0);
    for (const output of result.outputs) sql.addOutput.run(toBytes(output.digest), id);
    const inputs = this.#interner.inputIds(entry.inputs);
    const absent = this.#interner.pathIds(entry.absent);
    this.#sweeper.inUse(inputs, absent);
    const place = entry.place === undefined ? null : toBytes(entry.place);
    const terminal = entry.terminal === undefined ? null : toBytes(entry.terminal);
    const lists = [encodeIds(inputs), encodeIds(absent)] as const;
    const check = entryCheck(manifest, entry, ...lists);
    sql.putEntry.run(toBytes(manifest), id, place, entry.presumed ? 1 : 0, terminal, ...lists, used, check);
    const excess = numberAt(sql.countEntries.get(toBytes(manifest)), 0) - limits.entriesPerManifest;
    if (excess > 0) sql.dropOldest.run(toBytes(manifest), excess);
    for (const [content, { exact, layout }] of tokens) {
      sql.putTokens.run(toBytes(content), toBytes(exact), toBytes(layout), rowCheck(content, exact, layout));
    }
  }

  #entry(manifest: Digest, row: Row): ManifestEntry | undefined {
    const [place, terminal] = [textAt(row, 1) || undefined, textAt(row, 2) || undefined];
    const named = { action: textAt(row, 0), place, presumed: numberAt(row, 6) === 1, terminal };
    const lists = [bytesAt(row, 3), bytesAt(row, 4)] as const;
    if (entryCheck(manifest, named, ...lists) !== numberAt(row, 7)) throw new DamagedRow("entries");
    const inputs = this.#interner.inputs(decodeIds(lists[0]));
    const absent = this.#interner.paths(decodeIds(lists[1]));
    return inputs === undefined || absent === undefined ? undefined : { ...named, inputs, absent };
  }

  /** The time, never twice the same: uses within one ms keep their order. */
  #tick(): number {
    this.#lastUsed = Math.max(this.#parts.now(), this.#lastUsed + 1);
    return this.#lastUsed;
  }

  #attempt<T>(what: string, fallback: T, body: () => T): T {
    return this.#parts.database.attempt(what, fallback, body);
  }
}

function statements(database: Database) {
  return {
    entries:
      database.statement(`SELECT lower(hex(action)), lower(hex(place)), lower(hex(terminal)), inputs, absent, entries.used, presumed, entries.crc
      FROM entries JOIN results ON results.id = entries.result WHERE manifest = ?`),
    knows: database.statement("SELECT 1 FROM entries JOIN results ON results.id = entries.result WHERE manifest = ? LIMIT 1"),
    networks: database.statement("SELECT count(*) FROM attested_network"),
    result: database.statement("SELECT body, crc FROM results WHERE action = ?"),
    putResult: database.statement(`INSERT INTO results (action, body, used, crc) VALUES (?, ?, ?, ?)
      ON CONFLICT (action) DO UPDATE SET body = excluded.body, used = excluded.used, crc = excluded.crc RETURNING id`),
    dropOutputs: database.statement(`DELETE FROM outputs WHERE (blob, result) IN
      (SELECT unhex(value ->> 'digest'), results.id FROM results, json_each(body, '$.outputs') WHERE action = ?)`),
    addOutput: database.statement("INSERT OR IGNORE INTO outputs (blob, result) VALUES (?, ?)"),
    putEntry: database.statement(`INSERT INTO entries (manifest, result, place, presumed, terminal, inputs, absent, used, crc)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (manifest, result) DO UPDATE SET place = excluded.place, presumed = excluded.presumed, terminal = excluded.terminal,
      inputs = excluded.inputs, absent = excluded.absent, used = excluded.used, crc = excluded.crc`),
    countEntries: database.statement("SELECT count(*) FROM entries WHERE manifest = ?"),
    dropOldest: database.statement("DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE manifest = ? ORDER BY used LIMIT ?)"),
    forget: database.statement("DELETE FROM results WHERE action = ?"),
    tokens: database.statement("SELECT lower(hex(exact)), lower(hex(layout)), crc FROM tokens WHERE content = ?"),
    putTokens: database.statement("INSERT OR REPLACE INTO tokens (content, exact, layout, crc) VALUES (?, ?, ?, ?)"),
    facts: database.statement(`SELECT (SELECT count(DISTINCT manifest) FROM entries), (SELECT count(*) FROM entries),
      (SELECT count(*) FROM results), (SELECT count(*) FROM inputs)`),
  };
}

/** As it is kept; what an older version has written, or writes over it, has no origin. */
interface Body extends StoredResult {
  readonly origin?: Origin | undefined;
}

/** @throws {DamagedRow} */
function bodyOf(action: Digest, row: Row): Body {
  demandIntact("results", numberAt(row, 1), action, textAt(row, 0));
  return JSON.parse(textAt(row, 0)) as Body; // Written by `add` and nobody else.
}

/** What was made here was made here, whoever has made the same. */
function originAfter(before: Body, made: Body): Origin | undefined {
  return made.origin !== "here" && before.origin === "here" && cameOut(before) === cameOut(made) ? "here" : made.origin;
}

function cameOut({ outputs, stdout, stderr }: Body): string {
  const written = outputs.map(({ path, digest, size, role, template }) => [path, digest, size, role, template]);
  return JSON.stringify([written, stdout, stderr]);
}

type Named = Pick<ManifestEntry, "action" | "place" | "presumed" | "terminal">;

function entryCheck(manifest: Digest, { action, place, presumed, terminal }: Named, inputs: Uint8Array, absent: Uint8Array): number {
  const lists = [inputs, absent].map((list) => Buffer.from(list.buffer, list.byteOffset, list.byteLength).toString("latin1"));
  return rowCheck(manifest, action, place ?? "", presumed ? 1 : 0, terminal ?? "", ...lists);
}
