/**
 * UnsharedCommands: commands of which not always the same comes, in the index database beside the results: what comes of them stays on this
 * machine. The oldest go first.
 *
 * Knows: SQL. Does not know: how that was found out, or what a command is.
 */
import { type Digest, limits } from "../base/index.ts";
import { type Database, textAt, toBytes } from "./database.ts";

export class UnsharedCommands {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
    this.#sql = statements(database);
  }

  /** What differed, as it was noted; undefined of a command that may be shared. */
  why(command: Digest): string | undefined {
    return this.#database.attempt("unshared commands", undefined, () => {
      const row = this.#sql.why.get(toBytes(command));
      return row === undefined ? undefined : textAt(row, 0);
    });
  }

  /** @param at ms since the epoch */
  add(command: Digest, why: string, at: number): void {
    this.#database.attempt("mark a command", undefined, () => {
      this.#sql.add.run(toBytes(command), why, at);
      this.#sql.dropOldest.run(limits.task.unshared);
    });
  }

  delete(command: Digest): void {
    this.#database.attempt("unmark a command", undefined, () => void this.#sql.drop.run(toBytes(command)));
  }
}

function statements(database: Database) {
  return {
    why: database.statement("SELECT why FROM unshared_commands WHERE command = ?"),
    add: database.statement("INSERT OR REPLACE INTO unshared_commands (command, why, at) VALUES (?, ?, ?)"),
    dropOldest: database.statement(
      "DELETE FROM unshared_commands WHERE command IN (SELECT command FROM unshared_commands ORDER BY at DESC LIMIT -1 OFFSET ?)",
    ),
    drop: database.statement("DELETE FROM unshared_commands WHERE command = ?"),
  };
}
