/**
 * UnverifiedResults: actions whose results are used on condition that they are soon executed here as well, in the index database beside the
 * results: whoever dies before that knows afterwards which they are.
 *
 * Knows: SQL. Does not know: why a result is to be executed again, or what becomes of it.
 */
import type { Digest } from "../base/index.ts";
import { type Database, textAt, toBytes } from "./database.ts";

export class UnverifiedResults {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
    this.#sql = statements(database);
  }

  actions(): Digest[] {
    return this.#database.attempt("unverified results", [], () => this.#sql.all.all().map((row) => textAt(row, 0)));
  }

  /** @returns false where it could not be written */
  add(action: Digest): boolean {
    return this.#database.attempt("mark a result", false, () => {
      this.#sql.add.run(toBytes(action));
      return true;
    });
  }

  delete(action: Digest): void {
    this.#database.attempt("unmark a result", undefined, () => void this.#sql.drop.run(toBytes(action)));
  }
}

function statements(database: Database) {
  return {
    all: database.statement("SELECT lower(hex(action)) FROM unverified_results"),
    add: database.statement("INSERT OR IGNORE INTO unverified_results (action) VALUES (?)"),
    drop: database.statement("DELETE FROM unverified_results WHERE action = ?"),
  };
}
