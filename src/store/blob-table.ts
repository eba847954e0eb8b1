/**
 * The blob table: size, form, checksum and last use of every blob on this disk.
 *
 * The files are the truth; this table makes decisions about them cheap. Changes are gathered in memory and written in batches:
 * what a crash loses of them, the janitor finds again on the disk.
 * Knows: SQL. Does not know: files.
 */
import { type Digest, Generations } from "../base/index.ts";
import { type Database, numberAt, type Row, type Statement, toBytes } from "./database.ts";

/** How a blob lies on the disk; `kept`: plain, because compressing it did not pay. */
type Form = "plain" | "zstd" | "kept";

export interface BlobRow {
  /** Bytes of content; undefined for a compressed blob that was found on disk and never read. */
  readonly size: number | undefined;
  /** Bytes of its file. */
  readonly stored: number;
  readonly form: Form;
  /** CRC-32 of the content; undefined until it was verified. */
  readonly crc32: number | undefined;
  /** ms since the epoch */
  readonly used: number;
  /** When its digest was last verified, ms since the epoch; 0 = never. */
  readonly checked: number;
}

export interface NamedBlob extends BlobRow {
  readonly digest: Digest;
}

const FORMS: readonly Form[] = ["plain", "zstd", "kept"];
/** Changes gathered before they are written. */
const DIRTY_MAX = 512;
/** Rows remembered in memory. */
const REMEMBERED = 8_192;
/** Last use is told by the quarter of a minute: less to write. */
const USED_STEP_MS = 15_000;

export class BlobTable implements Disposable {
  readonly #database: Database;
  readonly #dirty = new Map<Digest, BlobRow>();
  readonly #known = new Generations<Digest, BlobRow>(REMEMBERED);
  readonly #sql: ReturnType<typeof statements>;
  #blobs = 0;
  #storedBytes = 0;
  #plainBytes = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#sql = statements(database);
    this.#sum();
    database.onReset(() => {
      this.#dirty.clear();
      this.#known.clear();
      this.#sum();
    });
  }

  /** How many blobs there are. */
  get blobs(): number {
    return this.#blobs;
  }

  /** Bytes of all their files. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Bytes of those that lie plain and might be compressed. */
  get plainBytes(): number {
    return this.#plainBytes;
  }

  get(digest: Digest): BlobRow | undefined {
    const known = this.#dirty.get(digest) ?? this.#known.get(digest);
    if (known !== undefined) return known;
    const found = this.#database.attempt("blob", undefined, () => this.#sql.get.get(toBytes(digest)));
    if (found === undefined) return undefined;
    const row = rowFrom(found, 0);
    this.#known.set(digest, row);
    return row;
  }

  put(digest: Digest, row: BlobRow): void {
    const old = this.get(digest);
    if (old !== undefined) this.#account(old, -1);
    this.#account(row, 1);
    this.#known.set(digest, row);
    this.#dirty.set(digest, row);
    if (this.#dirty.size >= DIRTY_MAX) this.flush();
  }

  /** Notes a use of a blob that is in the table. */
  use(digest: Digest, row: BlobRow, now: number): void {
    if (now - row.used >= USED_STEP_MS) this.put(digest, { ...row, used: now });
  }

  /**
   * Forgets blobs, and every result and every tool's entry that names one of them: a hit never points at blobs that cannot be had.
   *
   * @returns whether the database did so
   */
  forget(digests: readonly Digest[]): boolean {
    const old = digests.map((digest) => this.get(digest));
    const done = this.#database.attempt("forget blobs", false, () =>
      this.#database.transaction(() => {
        for (const key of digests.map(toBytes)) {
          this.#sql.forget.run(key);
          this.#sql.forgetResults.run(key);
          this.#sql.forgetDoorEntries.run(key);
        }
        return true;
      }),
    );
    if (!done) return false;
    for (const row of old) if (row !== undefined) this.#account(row, -1);
    for (const digest of digests) {
      this.#dirty.delete(digest);
      this.#known.delete(digest);
    }
    return true;
  }

  /** Blobs that were not used for the longest time, oldest first. */
  oldest(count: number): NamedBlob[] {
    const listed = this.#list(this.#sql.oldest, count);
    if (this.#dirty.size === 0) return listed;
    // The disk is so full that they could not be written; then most of all blobs must be found that can go.
    const unwritten = [...this.#dirty].map(([digest, row]): NamedBlob => ({ digest, ...row }));
    const written = listed.filter(({ digest }) => !this.#dirty.has(digest));
    return [...written, ...unwritten].toSorted((one, other) => one.used - other.used).slice(0, count);
  }

  /** The same, of those that lie plain and might be compressed. */
  oldestPlain(count: number): NamedBlob[] {
    return this.#list(this.#sql.oldestPlain, count);
  }

  /** Blobs whose digest begins with `shard` (2 hex digits). */
  shard(shard: string): NamedBlob[] {
    this.flush();
    const first = Buffer.from(shard, "hex");
    const rows = this.#database.attempt("shard", [], () => this.#sql.shard.all(first, Buffer.concat([first, Buffer.alloc(32, 0xff)])));
    return rows.map(named);
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    const written = this.#database.attempt("flush blobs", false, () =>
      this.#database.transaction(() => {
        for (const [digest, row] of this.#dirty) {
          const { size = null, crc32 = null } = row;
          this.#sql.put.run(toBytes(digest), size, row.stored, FORMS.indexOf(row.form), crc32, row.used, row.checked);
        }
        return true;
      }),
    );
    // When the disk is full the changes wait, but not without bound: the janitor can find them again.
    if (written || this.#dirty.size >= 16 * DIRTY_MAX) this.#dirty.clear();
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  #list(statement: Statement, count: number): NamedBlob[] {
    this.flush();
    return this.#database.attempt("list blobs", [], () => statement.all(count)).map(named);
  }

  #account(row: BlobRow, sign: 1 | -1): void {
    this.#blobs += sign;
    this.#storedBytes += sign * row.stored;
    if (row.form === "plain") this.#plainBytes += sign * row.stored;
  }

  #sum(): void {
    const row = this.#database.attempt("sum blobs", undefined, () => this.#sql.sum.get());
    this.#blobs = numberAt(row, 0);
    this.#storedBytes = numberAt(row, 1);
    this.#plainBytes = numberAt(row, 2);
  }
}

const COLUMNS = "size, stored, form, crc32, used, checked";

function statements(database: Database) {
  return {
    get: database.statement(`SELECT ${COLUMNS} FROM blobs WHERE digest = ?`),
    // The result index raises last uses on its own (results.ts); the later of the two counts.
    put: database.statement(`INSERT INTO blobs (digest, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (digest) DO UPDATE SET size = excluded.size, stored = excluded.stored, form = excluded.form,
      crc32 = excluded.crc32, used = max(used, excluded.used), checked = excluded.checked`),
    forget: database.statement("DELETE FROM blobs WHERE digest = ?"),
    forgetResults: database.statement("DELETE FROM results WHERE id IN (SELECT result FROM outputs WHERE blob = ?)"),
    forgetDoorEntries: database.statement("DELETE FROM door_entries WHERE blob = ?"),
    oldest: database.statement(`SELECT lower(hex(digest)), ${COLUMNS} FROM blobs ORDER BY used LIMIT ?`),
    oldestPlain: database.statement(`SELECT lower(hex(digest)), ${COLUMNS} FROM blobs WHERE form = 0 ORDER BY used LIMIT ?`),
    shard: database.statement(`SELECT lower(hex(digest)), ${COLUMNS} FROM blobs WHERE digest >= ? AND digest < ?`),
    sum: database.statement("SELECT count(*), total(stored), total(iif(form = 0, stored, 0)) FROM blobs"),
  };
}

function named(row: Row): NamedBlob {
  const digest = row[0];
  return { digest: typeof digest === "string" ? digest : "", ...rowFrom(row, 1) };
}

function rowFrom(row: Row, from: number): BlobRow {
  const size = row[from];
  const crc32 = row[from + 3];
  return {
    size: typeof size === "number" ? size : undefined,
    stored: numberAt(row, from + 1),
    form: FORMS[numberAt(row, from + 2)] ?? "plain",
    crc32: typeof crc32 === "number" ? crc32 : undefined,
    used: numberAt(row, from + 4),
    checked: numberAt(row, from + 5),
  };
}
