/**
 * The sweeper: keeps the index bounded. It drops old entries and results when there are too many, and then, mark and sweep, the interned inputs, paths and tokens that no entry names any more. All of it in small steps.
 */
import type { Digest, Log } from "../base/index.ts";
import { bytesAt, type Database, numberAt, textAt } from "./database.ts";
import { decodeIds } from "./id-list.ts";
import type { Interner } from "./interner.ts";

export interface SweeperParts {
  readonly log: Log;
  readonly database: Database;
  readonly interner: Interner;
  /** Whether the result of an action is never to be dropped. */
  readonly isPinned?: (action: Digest) => boolean;
}

export interface SweeperOptions {
  readonly entriesMax: number;
}

/** Entries looked at, and rows removed, in one step. */
const STEP = 200;
/** What is too much is chosen from so many that were added first: those not used for the longest time among them. */
const TRIM_SAMPLE = 2_000;
/** Interned rows looked at in one step. */
const INTERNED_STEP = 1_000;
/** A round begins when at least this part of the entries has been dropped since the last one … */
const ROUND_PART = 0.1;
/** … and at least so many. */
const ROUND_MIN = 256;

type Phase = "mark" | "inputs" | "paths" | "tokens";

/** One round of mark and sweep. While it runs, `add` marks the ids that it uses. A crash forgets it; a later one begins anew. */
interface Round {
  readonly inputs: Marks;
  readonly paths: Marks;
  phase: Phase;
  /** The last id that the phase has looked at. */
  cursor: number;
  /** The last content that the phase `tokens` has looked at. */
  content: Uint8Array;
  /** Interned rows and tokens that were removed. */
  removed: number;
}

export class Sweeper {
  readonly #parts: SweeperParts;
  readonly #entriesMax: number;
  readonly #sql: ReturnType<typeof statements>;
  #round: Round | undefined;

  constructor(parts: SweeperParts, options: SweeperOptions) {
    this.#parts = parts;
    this.#entriesMax = options.entriesMax;
    // In the connection: SQLite asks this process which results are pinned.
    parts.database.onOpened((connection) =>
      connection.function("is_pinned", (action) => (parts.isPinned?.(String(action)) === true ? 1 : 0)),
    );
    this.#sql = statements(parts.database);
    parts.database.onReset(() => {
      this.#round = undefined;
    });
  }

  /** Tells which interned ids a new entry names. */
  inUse(inputs: readonly number[], paths: readonly number[]): void {
    if (this.#round === undefined) return;
    for (const id of inputs) this.#round.inputs.add(id);
    for (const id of paths) this.#round.paths.add(id);
  }

  /** @returns false when nothing is left to do */
  step(): boolean {
    const { database } = this.#parts;
    return database.attempt("sweep", false, () => database.transaction(() => this.#trim() || this.#sweep()));
  }

  #trim(): boolean {
    const entries = numberAt(this.#sql.entries.get(), 0) - this.#entriesMax;
    if (entries > 0) this.#sql.trimEntries.run(Math.min(STEP, entries));
    const results = numberAt(this.#sql.results.get(), 0) - this.#entriesMax;
    if (results > 0) this.#sql.trimResults.run(Math.min(STEP, results));
    return entries > 0 || results > 0;
  }

  #sweep(): boolean {
    this.#round ??= this.#begin();
    const round = this.#round;
    if (round === undefined) return false;
    if (round.phase === "mark") this.#mark(round);
    else if (round.phase === "inputs") this.#sweepInputs(round);
    else if (round.phase === "paths") this.#sweepPaths(round);
    else this.#sweepTokens(round);
    return true;
  }

  #begin(): Round | undefined {
    const dropped = numberAt(this.#sql.dropped.get(), 0);
    if (dropped < Math.max(ROUND_MIN, ROUND_PART * numberAt(this.#sql.entries.get(), 0))) return undefined;
    this.#sql.zeroDropped.run();
    return { inputs: new Marks(), paths: new Marks(), phase: "mark", cursor: 0, content: new Uint8Array(0), removed: 0 };
  }

  #mark(round: Round): void {
    const rows = this.#sql.named.all(round.cursor, STEP);
    for (const row of rows) {
      for (const id of decodeIds(bytesAt(row, 1))) round.inputs.add(id);
      for (const id of decodeIds(bytesAt(row, 2))) round.paths.add(id);
      round.cursor = numberAt(row, 0);
    }
    if (rows.length === 0) enter(round, "inputs");
  }

  #sweepInputs(round: Round): void {
    const ids = this.#sql.inputs.all(round.cursor, INTERNED_STEP).map((row) => numberAt(row, 0));
    for (const id of ids) {
      round.cursor = id;
      if (round.inputs.has(id)) continue;
      round.removed++;
      this.#parts.interner.dropInput(id, textAt(this.#sql.dropInput.get(id), 0));
    }
    if (ids.length === 0) enter(round, "paths");
  }

  #sweepPaths(round: Round): void {
    const ids = this.#sql.paths.all(round.cursor, INTERNED_STEP).map((row) => numberAt(row, 0));
    for (const id of ids) {
      round.cursor = id;
      if (round.paths.has(id)) continue;
      round.removed++;
      this.#parts.interner.dropPath(id, textAt(this.#sql.dropPath.get(id), 0));
    }
    if (ids.length === 0) enter(round, "tokens");
  }

  #sweepTokens(round: Round): void {
    const last = this.#sql.tokens.all(round.content, INTERNED_STEP).at(-1);
    if (last === undefined) {
      this.#parts.log.event("debug", "index.swept", { removed: round.removed });
      this.#round = undefined;
      return;
    }
    const content = bytesAt(last, 0);
    round.removed += this.#sql.dropTokens.run(round.content, content);
    round.content = content;
  }
}

function enter(round: Round, phase: Phase): void {
  round.phase = phase;
  round.cursor = 0;
}

/** A set of small integers, one bit each. */
class Marks {
  #words = new Uint32Array(1_024);

  add(id: number): void {
    const word = id >>> 5;
    if (word >= this.#words.length) {
      const larger = new Uint32Array(Math.max(word + 1, 2 * this.#words.length));
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (id & 31));
  }

  has(id: number): boolean {
    return (((this.#words[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
  }
}

function statements(database: Database) {
  return {
    entries: database.statement("SELECT count(*) FROM entries"),
    results: database.statement("SELECT count(*) FROM results"),
    trimEntries: database.statement(`DELETE FROM entries WHERE id IN
      (SELECT id FROM (SELECT entries.id, entries.used FROM entries JOIN results ON results.id = entries.result
      WHERE NOT is_pinned(lower(hex(action))) ORDER BY entries.id LIMIT ${TRIM_SAMPLE}) ORDER BY used LIMIT ?)`),
    trimResults: database.statement(`DELETE FROM results WHERE id IN
      (SELECT id FROM (SELECT id, used FROM results WHERE NOT is_pinned(lower(hex(action))) ORDER BY id LIMIT ${TRIM_SAMPLE}) ORDER BY used LIMIT ?)`),
    dropped: database.statement("SELECT entries FROM dropped"),
    zeroDropped: database.statement("UPDATE dropped SET entries = 0"),
    named: database.statement("SELECT id, inputs, absent FROM entries WHERE id > ? ORDER BY id LIMIT ?"),
    inputs: database.statement("SELECT id FROM inputs WHERE id > ? AND id < (SELECT max(id) FROM inputs) ORDER BY id LIMIT ?"),
    dropInput: database.statement("DELETE FROM inputs WHERE id = ? RETURNING lower(hex(digest))"),
    paths: database.statement("SELECT id FROM paths WHERE id > ? AND id < (SELECT max(id) FROM paths) ORDER BY id LIMIT ?"),
    dropPath: database.statement("DELETE FROM paths WHERE id = ? RETURNING path"),
    tokens: database.statement("SELECT content FROM tokens WHERE content > ? ORDER BY content LIMIT ?"),
    dropTokens: database.statement(
      "DELETE FROM tokens WHERE content > ? AND content <= ? AND NOT EXISTS (SELECT 1 FROM inputs WHERE digest = content)",
    ),
  };
}
