/**
 * SignersRecall: forgets what nobody but some signers vouches for, in the index database; of other results their signatures alone.
 *
 * Works in small steps, between which other work is done. Knows: SQL. Does not know: why somebody is not believed any more.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import type { Key } from "../base/index.ts";
import { type Database, numberAt, textAt, toBytes } from "./database.ts";

/** Rows looked at in one step: forgetting so many results takes some 10 ms. */
const STEP = 64;

/** Called around each step that forgets something, without a pause in between. */
export interface RecallSteps {
  /** Once or more. */
  readonly before: () => void;
  readonly after: () => void;
}

interface Place {
  readonly entry: number;
  readonly signer: Uint8Array;
}

interface Step {
  readonly forgotten: number;
  readonly next: Place | undefined;
}

const FAILED: Step = { forgotten: 0, next: undefined };

export class SignersRecall {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
    this.#sql = statements(database);
  }

  /**
   * @returns how many results were forgotten, and whether it came to its end. @throws the signal's reason
   */
  async run(
    signers: ReadonlySet<Key>,
    { before, after }: RecallSteps,
    signal: AbortSignal,
  ): Promise<{ readonly forgotten: number; readonly isDone: boolean }> {
    const database = this.#database;
    let forgotten = 0;
    let at: Place | undefined = { entry: 0, signer: new Uint8Array(0) };
    while (at !== undefined && signers.size > 0) {
      signal.throwIfAborted();
      const from: Place = at;
      const step: Step = database.attempt("recall", FAILED, () => database.transaction(() => this.#step(signers, from, before)));
      if (step === FAILED) return { forgotten, isDone: false };
      forgotten += step.forgotten;
      if (step.forgotten > 0) after();
      at = step.next;
      if (at !== undefined) await otherWork();
    }
    return { forgotten, isDone: true };
  }

  #step(signers: ReadonlySet<Key>, from: Place, before: () => void): Step {
    const rows = this.#sql.after.all(from.entry, from.signer, STEP);
    let forgotten = 0;
    for (const row of rows) {
      const [entry, signer] = [numberAt(row, 0), textAt(row, 1)];
      if (!signers.has(signer)) continue;
      const vouching = this.#sql.signersOfEntry.all(entry).map((one) => textAt(one, 0));
      if (vouching.length === 0) continue; // Went with the result, for another of these signers.
      if (vouching.every((one) => signers.has(one))) {
        before();
        forgotten += this.#sql.forget.run(entry);
      } else this.#sql.drop.run(entry, toBytes(signer));
    }
    const last = rows.at(-1);
    return { forgotten, next: last === undefined ? undefined : { entry: numberAt(last, 0), signer: toBytes(textAt(last, 1)) } };
  }
}

function statements(database: Database) {
  const named = (blob: string): string => `lower(hex(${blob}))`;
  return {
    drop: database.statement("DELETE FROM attestations WHERE entry = ? AND signer = ?"),
    forget: database.statement("DELETE FROM results WHERE id = (SELECT result FROM entries WHERE id = ?)"),
    signersOfEntry: database.statement(`SELECT ${named("signer")} FROM attestations WHERE entry = ?`),
    after: database.statement(
      `SELECT entry, ${named("signer")} FROM attestations WHERE (entry, signer) > (?, ?) ORDER BY entry, signer LIMIT ?`,
    ),
  };
}
