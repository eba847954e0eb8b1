/**
 * Counters: named numbers that survive restarts. Counting happens in memory; a crash loses what was counted since the last flush.
 */
import { type Database, numberAt, textAt } from "./database.ts";

export class Counters {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;
  /** What was counted since the last flush. */
  #changes = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
    this.#sql = statements(database);
  }

  count(changes: Readonly<Record<string, number>>): void {
    for (const name in changes) this.#changes.set(name, (this.#changes.get(name) ?? 0) + (changes[name] ?? 0));
  }

  all(): Record<string, number> {
    const rows = this.#database.attempt("counters", [], () => this.#sql.all.all());
    const all = new Map(rows.map((row) => [textAt(row, 0), numberAt(row, 1)]));
    for (const [name, change] of this.#changes) all.set(name, (all.get(name) ?? 0) + change);
    return Object.fromEntries(all);
  }

  zero(): void {
    this.#changes.clear();
    this.#database.attempt("zero counters", undefined, () => this.#sql.zero.run());
  }

  flush(): void {
    if (this.#changes.size === 0) return;
    const changes = this.#changes;
    const written = this.#database.attempt("flush counters", false, () =>
      this.#database.transaction(() => {
        for (const [name, change] of changes) this.#sql.add.run(name, change);
        return true;
      }),
    );
    if (written) this.#changes = new Map();
  }
}

function statements(database: Database) {
  return {
    all: database.statement("SELECT name, value FROM counters"),
    add: database.statement(
      "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
    ),
    zero: database.statement("DELETE FROM counters"),
  };
}
