/**
 * LargeFiles: digests of compilers and their libraries, kept over restarts, so that a fresh daemon does not hash 200 MB again.
 */
import type { Digest } from "../base/index.ts";
import { type Database, numberAt, textAt } from "./database.ts";

/** Files remembered; the oldest go first. */
const FILES_MAX = 4_096;

/** What tells that a file is unchanged. */
export interface StatIdentity {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export class LargeFiles {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;

  constructor(database: Database) {
    this.#database = database;
    this.#sql = statements(database);
  }

  /** The digest that the file at `path` had when it had this identity. */
  digest(path: string, identity: StatIdentity): Digest | undefined {
    const row = this.#database.attempt("large file", undefined, () => this.#sql.get.get(path, toBytes(identity)));
    return row === undefined ? undefined : textAt(row, 0);
  }

  remember(path: string, identity: StatIdentity, digest: Digest, now: number): void {
    this.#database.attempt("large file", undefined, () => {
      this.#sql.put.run(path, toBytes(identity), Buffer.from(digest, "hex"), now);
      const excess = numberAt(this.#sql.size.get(), 0) - FILES_MAX;
      if (excess > 0) this.#sql.dropOldest.run(excess);
    });
  }
}

function toBytes(identity: StatIdentity): Uint8Array {
  return new Uint8Array(BigUint64Array.of(identity.ino, identity.size, identity.mtimeNs, identity.ctimeNs).buffer);
}

function statements(database: Database) {
  return {
    get: database.statement("SELECT lower(hex(digest)) FROM large_files WHERE path = ? AND identity = ?"),
    put: database.statement("INSERT OR REPLACE INTO large_files (path, identity, digest, used) VALUES (?, ?, ?, ?)"),
    size: database.statement("SELECT count(*) FROM large_files"),
    dropOldest: database.statement("DELETE FROM large_files WHERE path IN (SELECT path FROM large_files ORDER BY used LIMIT ?)"),
  };
}
