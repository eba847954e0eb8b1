/**
 * What a node keeps of its network: signed statements, where members were last seen, a few settings.
 *
 * Knows: SQLite; what is saved is on the disk when a call returns, however the process or the machine ends after that.
 * Does not know: what a statement says. Unlike the index of the cache, nothing here is thrown away when it cannot be read.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { CairnError, type Digest, type Host, type Key } from "../base/index.ts";
import type { SavedPeers } from "../contracts/index.ts";

const SCHEMA = `
  CREATE TABLE statements (id TEXT PRIMARY KEY, position INTEGER NOT NULL, bytes BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE peers (key TEXT PRIMARY KEY, addresses TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;
const VERSION = 1;

/** SQLite's read-only, input/output error, full: https://sqlite.org/rescode.html */
const UNWRITABLE: ReadonlySet<number> = new Set([8, 10, 13]);

interface SavedStatement {
  readonly id: Digest;
  readonly bytes: Uint8Array;
}

export class NetworkState implements Disposable, SavedPeers {
  readonly #file: string;
  readonly #database: DatabaseSync;

  /** @throws {CairnError} network-damaged */
  static open(file: string): NetworkState {
    try {
      return new NetworkState(file, connect(file));
    } catch (error) {
      throw new CairnError("network-damaged", { path: file }, error);
    }
  }

  private constructor(file: string, database: DatabaseSync) {
    this.#file = file;
    this.#database = database;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** In the order in which they were given. */
  statements(): Uint8Array[] {
    return this.#do("SELECT bytes FROM statements ORDER BY position", (statement) =>
      statement.all().flatMap(({ bytes }) => (bytes instanceof Uint8Array ? [bytes] : [])),
    );
  }

  /** Makes these the statements that are kept, and no others, in one transaction. */
  keep(statements: readonly SavedStatement[]): void {
    const rows = this.#do("SELECT id, position FROM statements", (statement) => statement.all());
    const known = new Map(rows.map(({ id, position }) => [String(id), Number(position)]));
    const wanted = new Set(statements.map(({ id }) => id));
    this.#do("BEGIN IMMEDIATE", (statement) => statement.run());
    try {
      const insert =
        "INSERT INTO statements (id, position, bytes) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET position = excluded.position";
      this.#do(insert, (statement) => {
        for (const [position, { id, bytes }] of statements.entries()) if (known.get(id) !== position) statement.run(id, position, bytes);
      });
      this.#do("DELETE FROM statements WHERE id = ?", (statement) => {
        for (const id of known.keys()) if (!wanted.has(id)) statement.run(id);
      });
      this.#do("COMMIT", (statement) => statement.run());
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  load(): Host[] {
    return this.#do("SELECT key, addresses FROM peers", (statement) =>
      statement.all().map(({ key, addresses }) => ({ peerKey: String(key), addresses: String(addresses).split("\n") })),
    );
  }

  save(host: Host): void {
    this.#do("INSERT OR REPLACE INTO peers (key, addresses) VALUES (?, ?)", (statement) =>
      statement.run(host.peerKey, host.addresses.join("\n")),
    );
  }

  forget(key: Key): void {
    this.#do("DELETE FROM peers WHERE key = ?", (statement) => statement.run(key));
  }

  setting(name: string): string | undefined {
    const row = this.#do("SELECT value FROM settings WHERE name = ?", (statement) => statement.get(name));
    return row === undefined ? undefined : String(row.value);
  }

  set(name: string, value: string): void {
    this.#do("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (statement) => statement.run(name, value));
  }

  #do<T>(sql: string, body: (statement: StatementSync) => T): T {
    try {
      return body(this.#database.prepare(sql));
    } catch (error) {
      const code = error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : 0;
      throw new CairnError(UNWRITABLE.has(code) ? "home-unwritable" : "network-damaged", { path: this.#file }, error);
    }
  }
}

function connect(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 500 });
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
    if (version === 0) database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${VERSION}; COMMIT`);
    else if (version !== VERSION) throw new Error(`version ${version}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
