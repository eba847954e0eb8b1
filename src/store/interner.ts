/**
 * The interner: each (path, digest) that is an input of some manifest, and each path that must be absent, has one integer id.
 *
 * The tables hold them all, memory only those used lately. Ids that no entry names any more are removed by the sweeper.
 */
import { type Digest, Generations } from "../base/index.ts";
import type { ManifestInput, PortablePath } from "../contracts/index.ts";
import { type Database, numberAt, textAt } from "./database.ts";
import { demandIntact, rowCheck } from "./row-check.ts";

interface KnownInput {
  readonly id: number;
  readonly path: PortablePath;
  /** Another input of the same content. */
  readonly next: KnownInput | undefined;
}

/** Inputs remembered in memory, and absent paths: about 300 bytes each. Of paths a project of a hundred files has thousands. */
const REMEMBERED = 8_192;
const PATHS_REMEMBERED = 16_384;
/** Different paths of one content that are remembered: the empty file has many. */
const SAME_CONTENT_MAX = 16;

export class Interner {
  readonly #inputById = new Generations<number, ManifestInput>(REMEMBERED);
  readonly #inputByDigest = new Generations<Digest, KnownInput>(REMEMBERED);
  readonly #pathById = new Generations<number, PortablePath>(PATHS_REMEMBERED);
  readonly #pathIds = new Generations<PortablePath, number>(PATHS_REMEMBERED);
  readonly #sql: ReturnType<typeof statements>;
  /** Set once the table was asked: nobody else inserts. */
  #nextPath: number | undefined;

  constructor(database: Database) {
    this.#sql = statements(database);
    database.onReset(() => this.forget());
  }

  /** Ids of inputs, in their order; new ones are inserted. To be called inside a transaction; if that fails, call `forget`. */
  inputIds(inputs: readonly ManifestInput[]): number[] {
    return inputs.map((input) => this.#inputId(input));
  }

  /** Ids of paths; as {@link inputIds}. */
  pathIds(paths: readonly PortablePath[]): number[] {
    return paths.map((path) => this.#pathId(path));
  }

  /** The inputs with these ids, in their order; undefined when one of them is gone. */
  inputs(ids: readonly number[]): ManifestInput[] | undefined {
    return collect(ids, this.#inputById, (missing) => {
      for (const row of this.#sql.inputs.all(missing)) {
        const [id, input] = [numberAt(row, 0), { path: textAt(row, 1), digest: textAt(row, 2) }];
        demandIntact("inputs", numberAt(row, 3), id, input.digest, input.path);
        this.#know(id, input);
      }
    });
  }

  /** The paths with these ids; as {@link inputs}. */
  paths(ids: readonly number[]): PortablePath[] | undefined {
    return collect(ids, this.#pathById, (missing) => {
      for (const row of this.#sql.paths.all(missing)) {
        const [id, path] = [numberAt(row, 0), textAt(row, 1)];
        demandIntact("paths", numberAt(row, 2), id, path);
        this.#knowPath(id, path);
      }
    });
  }

  /** An input was removed from its table. */
  dropInput(id: number, digest: Digest): void {
    this.#inputById.delete(id);
    this.#inputByDigest.delete(digest);
  }

  /** A path was removed from its table. */
  dropPath(id: number, path: PortablePath): void {
    this.#pathById.delete(id);
    this.#pathIds.delete(path);
  }

  /** Forgets what is in memory: the tables may say otherwise. */
  forget(): void {
    this.#inputById.clear();
    this.#inputByDigest.clear();
    this.#pathById.clear();
    this.#pathIds.clear();
    this.#nextPath = undefined;
  }

  #inputId(input: ManifestInput): number {
    for (let known = this.#inputByDigest.get(input.digest); known !== undefined; known = known.next) {
      if (known.path === input.path) return known.id;
    }
    const digest = Buffer.from(input.digest, "hex");
    const row = this.#sql.inputId.get(digest, input.path);
    const id = row === undefined ? numberAt(this.#sql.nextInput.get(), 0) : numberAt(row, 0);
    if (row === undefined) this.#sql.addInput.run(id, digest, input.path, rowCheck(id, input.digest, input.path));
    else demandIntact("inputs", numberAt(row, 1), id, input.digest, input.path);
    this.#know(id, { path: input.path, digest: input.digest });
    return id;
  }

  #pathId(path: PortablePath): number {
    const known = this.#pathIds.get(path);
    if (known !== undefined) return known;
    const row = this.#sql.pathId.get(path);
    const id = row === undefined ? this.#addPath(path) : numberAt(row, 0);
    if (row !== undefined) demandIntact("paths", numberAt(row, 1), id, path);
    this.#knowPath(id, path);
    return id;
  }

  #addPath(path: PortablePath): number {
    const id = this.#nextPath ?? numberAt(this.#sql.nextPath.get(), 0);
    this.#sql.addPath.run(id, path, rowCheck(id, path));
    this.#nextPath = id + 1;
    return id;
  }

  #know(id: number, input: ManifestInput): void {
    this.#inputById.set(id, input);
    let same = this.#inputByDigest.get(input.digest);
    let count = 0;
    for (let known = same; known !== undefined; known = known.next) {
      if (known.id === id) return;
      count++;
    }
    if (count >= SAME_CONTENT_MAX) same = undefined;
    this.#inputByDigest.set(input.digest, { id, path: input.path, next: same });
  }

  #knowPath(id: number, path: PortablePath): void {
    this.#pathById.set(id, path);
    this.#pathIds.set(path, id);
  }
}

/** Takes values from memory, and those that are missing from the table in one question. Mostly none is. */
function collect<T>(ids: readonly number[], known: Generations<number, T>, fetch: (missing: string) => void): T[] | undefined {
  const values: T[] = [];
  for (const id of ids) {
    const value = known.get(id);
    if (value === undefined) break;
    values.push(value);
  }
  return values.length === ids.length ? values : collectFrom(ids, known, fetch);
}

function collectFrom<T>(ids: readonly number[], known: Generations<number, T>, fetch: (missing: string) => void): T[] | undefined {
  const values: (T | undefined)[] = ids.map((id) => known.get(id));
  const missing = ids.filter((_, index) => values[index] === undefined);
  const found = new Map<number, T>();
  for (let from = 0; from < missing.length; from += BATCH) {
    const batch = missing.slice(from, from + BATCH);
    fetch(JSON.stringify(batch));
    // At once: the next batch may push these out of memory.
    for (const id of batch) {
      const value = known.get(id);
      if (value !== undefined) found.set(id, value);
    }
  }
  const all = ids.map((id, index) => values[index] ?? found.get(id));
  return all.includes(undefined) ? undefined : all.filter((value) => value !== undefined);
}

/** Ids asked for at once; fewer than one generation of what is remembered. */
const BATCH = 4_096;

function statements(database: Database) {
  return {
    inputId: database.statement("SELECT id, crc FROM inputs WHERE digest = ? AND path = ?"),
    nextInput: database.statement("SELECT ifnull(max(id), 0) + 1 FROM inputs"),
    addInput: database.statement("INSERT INTO inputs (id, digest, path, crc) VALUES (?, ?, ?, ?)"),
    inputs: database.statement("SELECT id, path, lower(hex(digest)), crc FROM inputs WHERE id IN (SELECT value FROM json_each(?))"),
    pathId: database.statement("SELECT id, crc FROM paths WHERE path = ?"),
    nextPath: database.statement("SELECT ifnull(max(id), 0) + 1 FROM paths"),
    addPath: database.statement("INSERT INTO paths (id, path, crc) VALUES (?, ?, ?)"),
    paths: database.statement("SELECT id, path, crc FROM paths WHERE id IN (SELECT value FROM json_each(?))"),
  };
}
