/**
 * SqliteShelf: the signed results that this node can serve, in the index database.
 *
 * Beside each signature lies only what the index does not know; entry and result are put together from the index as they were signed.
 * Where the index holds something else by now, the signature is dropped. Signatures go with their entry or result, those with their blobs.
 *
 * Guarantees: what `put` acknowledged survives a crash of this process, and comes back exactly.
 * Knows: SQL. Does not know: what is signed, who may sign, peers.
 */
import { type Digest, entryHash, type Key, limits } from "../base/index.ts";
import type { Execution, ManifestEntry, SharedResult, Shelf, Store, StoredResult } from "../contracts/index.ts";
import { bytesAt, type Database, numberAt, type Row, type Statement, textAt, toBytes } from "./database.ts";
import type { SqliteIndex } from "./results.ts";
import { demandIntact, rowCheck } from "./row-check.ts";
import { ShelfChanges, type ShelfKind } from "./shelf-changes.ts";
import { type RecallSteps, SignersRecall } from "./signers-recall.ts";

export interface SqliteShelfParts {
  /** ms since the epoch */
  readonly now: () => number;
  readonly database: Database;
  /** In the same database. */
  readonly index: SqliteIndex;
  readonly blobs: Store;
}

export interface SqliteShelfOptions {
  /** Id of the network for which the results are signed. */
  readonly network: Digest;
  /** Signatures that are kept of all signers; limits.attestations when it is left out. */
  readonly attestationsMax?: number;
  /** The same of one signer; limits.attestationsPerSigner. */
  readonly attestationsPerSignerMax?: number;
  /** Both of what came through doors, which is counted by itself; limits.doors.signatures, limits.doors.signaturesPerSigner. */
  readonly doorsMax?: number;
  readonly doorsPerSignerMax?: number;
}

/** Requests that led to the same output and are looked at: an empty file has many. */
const MANIFESTS_OF_OUTPUT = 16;
/** Rows in which what was put after a result is looked for: what tools leave at doors may lie between. */
const FOLLOWING_ROWS = 1_024;
/** Where an execution names its compiler, what came through a door has zeros; it is told to nobody who has not asked for it. */
const OFFERED = "toolchain <> zeroblob(32)";
/** Where there are too many, those used least lately go among so many that were put first, … */
const TRIM_SAMPLE = 2_000;
/** … so many of them. */
const TRIM_STEP = 500;

export class SqliteShelf implements Shelf, Disposable {
  readonly #parts: SqliteShelfParts;
  readonly #sql: ReturnType<typeof statements>;
  readonly #changes: ShelfChanges;
  readonly #recall: SignersRecall;
  readonly #options: SqliteShelfOptions;

  constructor(parts: SqliteShelfParts, options: SqliteShelfOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#sql = statements(parts.database);
    this.#changes = new ShelfChanges(parts);
    this.#recall = new SignersRecall(parts);
    this.#adopt(Buffer.from(options.network, "hex"));
    parts.database.onReset(() => this.#adopt(Buffer.from(options.network, "hex")));
  }

  manifests(): Digest[] {
    const rows = this.#parts.database.attempt("manifests", [], () => this.#sql.manifests.all());
    return rows.map((row) => textAt(row, 0));
  }

  manifestsAfter(manifest: Digest, most: number): Digest[] {
    const rows = this.#parts.database.attempt("manifests", [], () => this.#sql.manifestsAfter.all(toBytes(manifest), most));
    return rows.map((row) => textAt(row, 0));
  }

  /** The same, receipts too, for who must not take a failing database for the end. @throws {CairnError} */
  manifestsToJudge(manifest: Digest, most: number): Digest[] {
    const rows = this.#parts.database.demand("manifests", () => this.#sql.allAfter.all(toBytes(manifest), most));
    return rows.map((row) => textAt(row, 0));
  }

  following(manifest: Digest, most: number): Digest[] {
    const rows = this.#parts.database.attempt("following", [], () => this.#sql.following.all(toBytes(manifest), most));
    return rows.map((row) => textAt(row, 0));
  }

  onChange(listener: (added: readonly Digest[], removed: readonly Digest[]) => void): void {
    this.#changes.listen(listener);
  }

  /** Requests of what is told to who has not asked: not what came through doors. */
  offered(): Digest[] {
    const rows = this.#parts.database.attempt("manifests", [], () => this.#sql.offered.all());
    return rows.map((row) => textAt(row, 0));
  }

  /** Calls `listener` soon after some of those were put on the shelf. */
  onOffered(listener: (added: readonly Digest[]) => void): void {
    this.#changes.listen((_added, _removed, offered) => listener(offered));
  }

  results(manifest: Digest): SharedResult[] {
    const rows = this.#parts.database.attempt("attestations", [], () => this.#sql.ofManifest.all(toBytes(manifest)));
    if (rows.length === 0) return [];
    const byAction = Map.groupBy(rows, (row) => textAt(row, 1));
    return this.#parts.index.entries(manifest).flatMap((entry) => this.#signed(manifest, entry, byAction.get(entry.action) ?? []));
  }

  /** The signed results of an action. */
  ofAction(action: Digest): SharedResult[] {
    return this.#ofManifests(this.#sql.manifestsOfAction, action).filter(({ entry }) => entry.action === action);
  }

  /** The signed results that have this blob among their outputs. */
  ofOutput(blob: Digest): SharedResult[] {
    return this.#ofManifests(this.#sql.manifestsOfOutput, blob).filter(({ result }) =>
      result.outputs.some(({ digest }) => digest === blob),
    );
  }

  async blob(digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const read = await this.#parts.blobs.read(digest, signal);
    return read.kind === "hit" ? read.bytes : undefined;
  }

  /** Who vouches for a result, as far as this node has kept it. */
  signersOf(action: Digest): Key[] {
    const rows = this.#parts.database.attempt("signers", [], () => this.#sql.signers.all(toBytes(action)));
    return rows.map((row) => textAt(row, 0));
  }

  /**
   * Keeps signatures of results that the index holds already. One of a result that it does not hold, and more than
   * limits.attestationsPerResult of one result, are not kept. Signatures are not looked at.
   *
   * @returns how many are kept; none when the database fails
   */
  put(shared: readonly SharedResult[]): number {
    return this.#put(shared, (one) => this.#insert(one));
  }

  /** The same of what this node has signed itself: where there are too many of one result, its own takes the place of another. */
  putOwn(made: readonly SharedResult[]): number {
    return this.#put(made, (one) => {
      this.#makeRoom(one);
      return this.#insert(one);
    });
  }

  #put(shared: readonly SharedResult[], insert: (one: SharedResult) => number): number {
    const { database } = this.#parts;
    const kept = database.attempt("put attestations", undefined, () =>
      database.transaction(() => {
        const count = shared.reduce((sum, one) => sum + insert(one), 0);
        this.#trim();
        return count;
      }),
    );
    if (kept === undefined) this.#changes.recount();
    return kept ?? 0;
  }

  /**
   * Takes away what these signers have signed: results that nobody else vouches for are forgotten, of others only the signatures. Works in
   * small steps. A crash in between leaves the rest: see BegunRecalls.
   *
   * @returns how many results were forgotten, and whether it came to its end. @throws the signal's reason
   */
  recall(
    signers: ReadonlySet<Key>,
    steps: RecallSteps,
    signal: AbortSignal,
  ): Promise<{ readonly forgotten: number; readonly isDone: boolean }> {
    return this.#recall.run(signers, steps, signal);
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
  }

  /** Signatures of another network that this node was in hold in no other. */
  #adopt(network: Uint8Array): void {
    this.#parts.database.attempt("adopt network", undefined, () =>
      this.#parts.database.transaction(() => {
        if (numberAt(this.#sql.isOf.get(network), 0) === 1) return;
        for (const statement of [this.#sql.clear, this.#sql.clearNetwork]) statement.run();
        this.#sql.setNetwork.run(network);
      }),
    );
  }

  #ofManifests(statement: Statement, named: Digest): SharedResult[] {
    const rows = this.#parts.database.attempt("manifests", [], () => statement.all(toBytes(named)));
    return rows.flatMap((row) => this.results(textAt(row, 0)));
  }

  #insert({ manifest, entry, result, execution, signature }: SharedResult): number {
    const { signer, toolchain, startedAtMs, endedAtMs } = execution;
    const held = heldDigest(entry, result);
    const check = attestationCheck(manifest, entry.action, held, execution, result, signature);
    const row = [toBytes(signer), toBytes(manifest), toBytes(held), toBytes(toolchain), startedAtMs, endedAtMs];
    const costs = [result.compileMs, result.cpuMs];
    return this.#sql.put.run(...row, ...costs, signature, check, toBytes(manifest), toBytes(entry.action), toBytes(signer));
  }

  #makeRoom({ manifest, entry, execution }: SharedResult): void {
    this.#sql.makeRoom.run(toBytes(manifest), toBytes(entry.action), toBytes(execution.signer));
  }

  /** What the signers of one entry have signed, where the index still holds that. */
  #signed(manifest: Digest, entry: ManifestEntry, rows: readonly Row[]): SharedResult[] {
    const result = rows.length === 0 ? undefined : this.#parts.index.result(entry.action);
    if (result === undefined) return [];
    const held = heldDigest(entry, result);
    return this.#parts.database.attempt("attestations", [], () =>
      rows.flatMap((row) => {
        const shared = sharedFrom(row, manifest, entry, result);
        const { execution, signature } = shared;
        demandIntact(
          "attestations",
          numberAt(row, 10),
          ...attestationFacts(manifest, entry.action, textAt(row, 3), execution, shared.result, signature),
        );
        if (textAt(row, 3) === held) return [shared];
        this.#sql.drop.run(numberAt(row, 0), toBytes(execution.signer));
        return [];
      }),
    );
  }

  /** What tools leave takes no room from what was compiled, however much it is. */
  #trim(): void {
    const { attestationsMax = limits.attestations, attestationsPerSignerMax = limits.attestationsPerSigner } = this.#options;
    const { doorsMax = limits.doors.signatures, doorsPerSignerMax = limits.doors.signaturesPerSigner } = this.#options;
    this.#trimOf("offered", attestationsMax, attestationsPerSignerMax);
    this.#trimOf("doors", doorsMax, doorsPerSignerMax);
  }

  /** Of whom there is too much: of one signer, or of all, and then of the one with the most. */
  #trimOf(kind: ShelfKind, most: number, mostOfSigner: number): void {
    const trim = kind === "doors" ? this.#sql.trimDoors : this.#sql.trim;
    for (;;) {
      const { signer, count, total } = this.#changes.most(kind);
      if (signer === undefined || (count <= mostOfSigner && total <= most)) return;
      // Nothing where memory and table disagree: then counting anew helps, and the next `put` trims.
      if (trim.run(toBytes(signer)) === 0) return this.#changes.recount();
    }
  }
}

function sharedFrom(row: Row, manifest: Digest, entry: ManifestEntry, result: StoredResult): SharedResult {
  const execution: Execution = {
    signer: textAt(row, 2),
    toolchain: textAt(row, 4),
    startedAtMs: numberAt(row, 5),
    endedAtMs: numberAt(row, 6),
  };
  const costs = { compileMs: numberAt(row, 7), cpuMs: numberAt(row, 8) };
  return { manifest, entry, result: { ...result, ...costs }, execution, signature: bytesAt(row, 9) };
}

/** Of all of an entry and a result that the table of attestations does not hold itself. */
function heldDigest(entry: ManifestEntry, { outputs, stdout, stderr }: StoredResult): Digest {
  const written = outputs.map(({ path, digest, size, role, template }) => [path, digest, size, role, template]);
  const rest = JSON.stringify([written, stdout, stderr]);
  return entryHash(entry)
    .update(`,${rest.slice(1)}`)
    .digest("hex");
}

function attestationCheck(...facts: Parameters<typeof attestationFacts>): number {
  return rowCheck(...attestationFacts(...facts));
}

function attestationFacts(
  manifest: Digest,
  action: Digest,
  held: Digest,
  { signer, toolchain, startedAtMs, endedAtMs }: Execution,
  { compileMs, cpuMs }: StoredResult,
  signature: Uint8Array,
): (string | number)[] {
  return [manifest, action, held, signer, toolchain, startedAtMs, endedAtMs, compileMs, cpuMs, Buffer.from(signature).toString("hex")];
}

function statements(database: Database) {
  const named = (blob: string): string => `lower(hex(${blob}))`;
  return {
    isOf: database.statement("SELECT count(*) FROM attested_network WHERE network = ?"),
    clear: database.statement("DELETE FROM attestations"),
    clearNetwork: database.statement("DELETE FROM attested_network"),
    setNetwork: database.statement("INSERT INTO attested_network (network) VALUES (?)"),
    manifests: database.statement(`SELECT DISTINCT ${named("manifest")} FROM attestations`),
    offered: database.statement(`SELECT DISTINCT ${named("manifest")} FROM attestations WHERE ${OFFERED}`),
    manifestsAfter: database.statement(`SELECT DISTINCT ${named("manifest")} FROM entries WHERE manifest > ?
      AND EXISTS (SELECT 1 FROM attestations WHERE entry = entries.id AND ${OFFERED}) ORDER BY manifest LIMIT ?`),
    allAfter: database.statement(`SELECT DISTINCT ${named("manifest")} FROM entries WHERE manifest > ?
      AND EXISTS (SELECT 1 FROM attestations WHERE entry = entries.id) ORDER BY manifest LIMIT ?`),
    following: database.statement(`SELECT ${named("manifest")} FROM attestations,
      (SELECT max(id) AS last FROM entries WHERE manifest = ?)
      WHERE entry > last AND entry <= last + ${FOLLOWING_ROWS} AND ${OFFERED} GROUP BY entry ORDER BY entry LIMIT ?`),
    ofManifest: database.statement(`SELECT entries.id, ${named("action")}, ${named("signer")}, ${named("held")}, ${named("toolchain")},
      started, ended, compile_ms, cpu_ms, signature, attestations.crc FROM entries
      JOIN results ON results.id = entries.result JOIN attestations ON attestations.entry = entries.id WHERE entries.manifest = ?`),
    manifestsOfAction: database.statement(`SELECT DISTINCT ${named("manifest")} FROM results JOIN entries ON entries.result = results.id
      WHERE action = ?`),
    manifestsOfOutput: database.statement(`SELECT DISTINCT ${named("manifest")} FROM outputs JOIN entries ON entries.result = outputs.result
      WHERE blob = ? LIMIT ${MANIFESTS_OF_OUTPUT}`),
    put: database.statement(`INSERT INTO attestations (entry, signer, manifest, held, toolchain, started, ended, compile_ms, cpu_ms, signature, crc)
      SELECT entries.id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM entries JOIN results ON results.id = entries.result
      WHERE entries.manifest = ? AND action = ?
      AND (SELECT count(*) FROM attestations WHERE entry = entries.id AND signer <> ?) < ${limits.attestationsPerResult}
      ON CONFLICT (entry, signer) DO UPDATE SET held = excluded.held, toolchain = excluded.toolchain, started = excluded.started,
      ended = excluded.ended, compile_ms = excluded.compile_ms, cpu_ms = excluded.cpu_ms, signature = excluded.signature, crc = excluded.crc`),
    makeRoom: database.statement(`DELETE FROM attestations WHERE (entry, signer) IN (SELECT entry, signer FROM attestations
      WHERE entry = (SELECT entries.id FROM entries JOIN results ON results.id = entries.result WHERE entries.manifest = ? AND action = ?)
      AND signer <> ? ORDER BY started LIMIT -1 OFFSET ${limits.attestationsPerResult - 1})`),
    drop: database.statement("DELETE FROM attestations WHERE entry = ? AND signer = ?"),
    signers: database.statement(`SELECT DISTINCT ${named("signer")} FROM results JOIN entries ON entries.result = results.id
      JOIN attestations ON attestations.entry = entries.id WHERE action = ?`),
    trim: database.statement(`DELETE FROM attestations WHERE (entry, signer) IN (SELECT entry, signer FROM ${leastUsed(OFFERED)})`),
    // Without a signature nobody asks for the results: they go along, or would take the place of what was compiled in the index.
    trimDoors: database.statement(`DELETE FROM results WHERE id IN
      (SELECT result FROM entries WHERE id IN (SELECT entry FROM ${leastUsed(`NOT (${OFFERED})`)}))`),
  };
}

/** Of one signer, among those that were put first. */
function leastUsed(kind: string): string {
  return `(SELECT entry, signer, used FROM attestations JOIN entries ON entries.id = entry WHERE signer = ? AND ${kind}
    ORDER BY entry LIMIT ${TRIM_SAMPLE}) ORDER BY used LIMIT ${TRIM_STEP}`;
}
