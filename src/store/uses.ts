/**
 * Uses: when entries were last used, gathered in memory and written in batches together with the last use of their results and of the
 * blobs those name, so that what hits lives on.
 */
import type { Digest } from "../base/index.ts";
import type { Database } from "./database.ts";

/** Uses gathered before they are written. */
const PENDING_MAX = 1_024;

export class Uses {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;
  /** manifest + action → ms since the epoch */
  readonly #pending = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
    this.#sql = statements(database);
    database.onReset(() => this.#pending.clear());
  }

  note(manifest: Digest, action: Digest, at: number): void {
    this.#pending.set(manifest + action, at);
    if (this.#pending.size >= PENDING_MAX) this.flush();
  }

  /** The last use that is not written yet, or 0. */
  of(manifest: Digest, action: Digest): number {
    return this.#pending.size === 0 ? 0 : (this.#pending.get(manifest + action) ?? 0);
  }

  flush(): void {
    if (this.#pending.size === 0) return;
    const pending = [...this.#pending];
    this.#pending.clear(); // Also when the disk is full: an old last use harms nobody.
    this.#database.attempt("flush uses", undefined, () => this.#database.transaction(() => this.#write(pending)));
  }

  #write(pending: readonly (readonly [string, number])[]): void {
    for (const [key, at] of pending) {
      const action = Buffer.from(key.slice(64), "hex");
      this.#sql.entry.run(at, Buffer.from(key.slice(0, 64), "hex"), action);
      this.#sql.result.run(at, action);
      this.#sql.blobs.run(at, action);
    }
  }
}

function statements(database: Database) {
  return {
    entry: database.statement(
      "UPDATE entries SET used = max(used, ?) WHERE manifest = ? AND result = (SELECT id FROM results WHERE action = ?)",
    ),
    result: database.statement("UPDATE results SET used = max(used, ?) WHERE action = ?"),
    blobs: database.statement(`UPDATE blobs SET used = max(used, ?) WHERE digest IN
      (SELECT unhex(value ->> 'digest') FROM results, json_each(body, '$.outputs') WHERE action = ?)`),
  };
}
