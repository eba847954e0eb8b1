/**
 * The index database: one SQLite connection that the blob table, the result index and the file table share.
 *
 * Knows: opening, transactions, what to do with a database that is damaged, of another version, or cannot be opened:
 * it is moved aside and an empty one takes its place, in memory if need be. Losing a cache is fine, failing is not.
 * Does not know: what the tables mean.
 */
import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { CairnError, type Digest, type Facts, type Log, systemCode } from "../base/index.ts";
import { ADDITIONS, SCHEMA, SCHEMA_VERSION } from "./schema.ts";

/** Values of one row, in the order of the SELECT. */
export type Row = readonly SQLOutputValue[];

export interface DatabaseParts {
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface DatabaseOptions {
  /** Absolute path; its directory is made when it is missing. */
  readonly file: string;
}

/** How long a second process may hold the lock before a statement fails, ms. Only one daemon serves a home: this is for its dying elder. */
const BUSY_MS = 500;
/** With less a database cannot be opened: its log and what is shared of it need so much. */
const LEAST_FREE_BYTES = 1_048_576;
/** The same trouble is not logged again within this time, ms. */
const LOG_AGAIN_MS = 60_000;

// Primary result codes of SQLite: https://sqlite.org/rescode.html
const SQLITE_ERROR = 1;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;
const SQLITE_MISMATCH = 20;
const SQLITE_NOTADB = 26;

/** What our statements meet only in a database that is not as it was written: SQLite notices some damage by its consequences. */
const DAMAGE: ReadonlySet<number> = new Set([
  SQLITE_ERROR,
  SQLITE_CORRUPT,
  SQLITE_TOOBIG,
  SQLITE_CONSTRAINT,
  SQLITE_MISMATCH,
  SQLITE_NOTADB,
]);

export function openDatabase(parts: DatabaseParts, options: DatabaseOptions): Database {
  return new Database(parts, options);
}

export class Database implements Disposable {
  readonly #parts: DatabaseParts;
  readonly #file: string;
  readonly #resets: (() => void)[] = [];
  #connection: DatabaseSync;
  readonly #begin = this.statement("BEGIN IMMEDIATE");
  readonly #commit = this.statement("COMMIT");
  #generation = 0;
  #troubles = new Map<string, number>();

  constructor(parts: DatabaseParts, options: DatabaseOptions) {
    this.#parts = parts;
    this.#file = options.file;
    this.#connection = this.#open();
  }

  /** Rises whenever the database was replaced by an empty one; prepared statements are of one generation. */
  get generation(): number {
    return this.#generation;
  }

  /** A statement that is prepared when it is first used, and again when the database was replaced. */
  statement(sql: string): Statement {
    return new Statement(this, sql);
  }

  prepare(sql: string): StatementSync {
    return this.#connection.prepare(sql);
  }

  /** Calls `listener` after the database was replaced by an empty one. */
  onReset(listener: () => void): void {
    this.#resets.push(listener);
  }

  /** Prepares the connection, now and whenever the database was replaced: for what lives in a connection and not in the file. */
  onOpened(prepare: (connection: DatabaseSync) => void): void {
    this.onReset(() => prepare(this.#connection));
    this.attempt("prepare connection", undefined, () => prepare(this.#connection));
  }

  /** Runs `body` in one transaction; nothing of it stays when it throws. */
  transaction<T>(body: () => T): T {
    this.#begin.run();
    try {
      const value = body();
      this.#commit.run();
      return value;
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#connection.isTransaction) this.#connection.exec("ROLLBACK");
      throw error;
    }
  }

  /** Runs `body`; when the database fails, logs that, repairs what can be repaired and gives `fallback`. */
  attempt<T>(what: string, fallback: T, body: () => T): T {
    try {
      return body();
    } catch (error) {
      this.#failed(what, error);
      return fallback;
    }
  }

  /** Runs `body`; when the database fails, repairs what can be repaired and throws a CairnError. */
  demand<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      const corrupt = this.#failed(what, error);
      throw new CairnError(corrupt ? "index-corrupt" : "home-unwritable", { path: this.#file, what }, error);
    }
  }

  /** Bytes of the database, pages in use and free. */
  bytes(): number {
    return this.attempt("measure", 0, () => {
      const row = this.#connection.prepare("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").get();
      return numberAt(row as unknown as Row, 0);
    });
  }

  [Symbol.dispose](): void {
    if (this.#connection.isOpen) this.#connection.close();
  }

  /** @returns whether the database was damaged and has been replaced */
  #failed(what: string, error: unknown): boolean {
    const code = sqliteCode(error);
    if (code === undefined) throw error; // Not the database's fault: a defect of ours must be seen.
    this.#trouble("index.failed", { what, code, message: error instanceof Error ? error.message : "" });
    if (!DAMAGE.has(code)) return false;
    this.#replace();
    return true;
  }

  #replace(): void {
    try {
      this.#connection.close();
    } catch {
      // A connection that cannot even be closed is left to the garbage collector.
    }
    this.#moveAside("damaged");
    this.#connection = this.#open();
    this.#generation++;
    for (const reset of this.#resets) reset();
  }

  #open(): DatabaseSync {
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      closeSync(openSync(this.#file, "a", 0o600)); // SQLite gives its helper files the mode of this one.
    } catch (error) {
      return this.#inMemory(error);
    }
    try {
      return connect(this.#file);
    } catch (error) {
      // A full disk says nothing about what is on it: the next daemon may find room, and all of its index.
      if (isFull(error, this.#file)) return this.#inMemory(error);
      this.#moveAside(error instanceof Error ? error.message : "unreadable");
    }
    try {
      return connect(this.#file);
    } catch (error) {
      return this.#inMemory(error);
    }
  }

  #inMemory(error: unknown): DatabaseSync {
    this.#parts.log.event("error", "index.in-memory", { file: this.#file, message: error instanceof Error ? error.message : "" });
    return connect(":memory:");
  }

  /** Keeps the bad database for whoever wants to look, and only the newest of them. */
  #moveAside(why: string): void {
    const aside = `${this.#file}.bad-${this.#parts.now()}`;
    try {
      for (const older of movedAside(this.#file)) rmSync(older, { force: true });
      renameSync(this.#file, aside);
      // A log that belongs to the old database would be replayed into the new one.
      for (const suffix of ["-wal", "-shm"]) rmSync(this.#file + suffix, { force: true });
      this.#parts.log.event("warn", "index.moved-aside", { file: this.#file, aside, why });
    } catch (error) {
      this.#parts.log.event("error", "index.stuck", { file: this.#file, why, message: error instanceof Error ? error.message : "" });
    }
  }

  #trouble(name: string, facts: Facts): void {
    const key = `${name} ${String(facts.what)} ${String(facts.code)}`;
    const now = this.#parts.now();
    const last = this.#troubles.get(key);
    if (last !== undefined && now - last < LOG_AGAIN_MS) return;
    this.#troubles.set(key, now);
    this.#parts.log.event("error", name, facts);
  }
}

/** What was kept of bad databases that `file` had the place of: one, if any, or none that can be seen. */
export function movedAside(file: string): string[] {
  return namesIn(dirname(file))
    .filter((name) => name.startsWith(`${basename(file)}.bad-`))
    .map((name) => join(dirname(file), name));
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

/** One SQL statement of a database; see {@link Database.statement}. */
export class Statement {
  readonly #database: Database;
  readonly #sql: string;
  #prepared: StatementSync | undefined;
  #generation = -1;

  constructor(database: Database, sql: string) {
    this.#database = database;
    this.#sql = sql;
  }

  get(...values: SQLInputValue[]): Row | undefined {
    return this.#ready().get(...values) as unknown as Row | undefined;
  }

  all(...values: SQLInputValue[]): Row[] {
    return this.#ready().all(...values) as unknown as Row[];
  }

  /** @returns how many rows changed */
  run(...values: SQLInputValue[]): number {
    return Number(this.#ready().run(...values).changes);
  }

  /** @returns the id of the row that was inserted */
  insert(...values: SQLInputValue[]): number {
    return Number(this.#ready().run(...values).lastInsertRowid);
  }

  #ready(): StatementSync {
    if (this.#prepared === undefined || this.#generation !== this.#database.generation) {
      this.#prepared = this.#database.prepare(this.#sql);
      this.#generation = this.#database.generation;
    }
    return this.#prepared;
  }
}

export function numberAt(row: Row | undefined, column: number): number {
  const value = row?.[column];
  return typeof value === "number" ? value : 0;
}

export function textAt(row: Row | undefined, column: number): string {
  const value = row?.[column];
  return typeof value === "string" ? value : "";
}

export function bytesAt(row: Row | undefined, column: number): Uint8Array {
  const value = row?.[column];
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** A digest as it stands in a column. */
export function toBytes(digest: Digest): Buffer {
  return Buffer.from(digest, "hex");
}

/** @throws when the file is not a database, is damaged, or is of another version */
function connect(file: string): DatabaseSync {
  const connection = new DatabaseSync(file, { timeout: BUSY_MS, returnArrays: true, enableForeignKeyConstraints: false });
  try {
    connection.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 16777216",
    );
    const version = numberAt(connection.prepare("PRAGMA user_version").get() as unknown as Row, 0);
    const tables = numberAt(connection.prepare("SELECT count(*) FROM sqlite_schema").get() as unknown as Row, 0);
    if (version === 0 && tables === 0) {
      connection.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
    } else if (version !== SCHEMA_VERSION) {
      throw new CairnError("index-corrupt", { version, expected: SCHEMA_VERSION });
    }
    connection.exec(ADDITIONS);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** SQLite calls it an I/O error where its helper file cannot grow. */
function isFull(error: unknown, file: string): boolean {
  const code = sqliteCode(error);
  if (code === SQLITE_FULL) return true;
  const { bavail, bsize } = statfsSync(dirname(file));
  return code === SQLITE_IOERR && bavail * bsize < LEAST_FREE_BYTES;
}

function sqliteCode(error: unknown): number | undefined {
  if (systemCode(error) === "ERR_OUT_OF_RANGE") return SQLITE_CORRUPT; // A number that we never wrote.
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
