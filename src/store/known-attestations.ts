/**
 * KnownAttestations: this node's copy of the set of attestations, in the index database; the ids in memory, too.
 *
 * Guarantees: what `add` has kept survives a crash of this process. What comes back is what was kept, or nothing.
 * Knows: SQL, and what falls out where there is too much (bounded-ids.ts). Does not know: signatures, peers, what is in an attestation.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { type AttestationId, type Digest, type Key, limits } from "../base/index.ts";
import type { IdRanges, KnownAttestation } from "../contracts/index.ts";
import { BoundedIds, type IdBounds } from "./bounded-ids.ts";
import { bytesAt, type Database, numberAt, textAt, toBytes } from "./database.ts";

export interface KnownAttestationsParts {
  readonly database: Database;
}

/** Rows that are read in one step when the set is opened, and that are deleted in one: some ms. */
const READ_AT_ONCE = 4_096;
const DELETED_AT_ONCE = 512;

export class KnownAttestations {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;
  readonly #bounds: IdBounds;
  #known: BoundedIds;

  /** Takes some 150 ms for 100,000 attestations, in small steps. */
  static async open(parts: KnownAttestationsParts, bounds: IdBounds = limits.attestationSet): Promise<KnownAttestations> {
    const set = new KnownAttestations(parts, bounds);
    await set.#load();
    return set;
  }

  private constructor({ database }: KnownAttestationsParts, bounds: IdBounds) {
    this.#database = database;
    this.#bounds = bounds;
    this.#sql = statements(database);
    this.#known = new BoundedIds(bounds);
    // What is gone from the disk comes again from others.
    database.onReset(() => {
      this.#known = new BoundedIds(this.#bounds);
    });
  }

  get ids(): IdRanges {
    return this.#known.ids;
  }

  /** As far as they are here, and as they were kept. */
  bodies(ids: readonly AttestationId[]): Uint8Array[] {
    return this.#database.attempt("attestation bodies", [], () => ids.flatMap((id) => this.#body(id) ?? []));
  }

  /** Whether there is one of a result of that request. */
  knows(manifest: Digest): boolean {
    return this.#database.attempt("attestations of", false, () => this.#sql.ofManifest.get(toBytes(manifest)) !== undefined);
  }

  /** Who has signed results of that request, whatever they are: so many as matter. */
  signersOf(manifest: Digest): Key[] {
    const rows = this.#database.attempt("attestations of", [], () =>
      this.#sql.signersOf.all(toBytes(manifest), limits.trust.knownPerGroup),
    );
    return rows.map((row) => textAt(row, 0));
  }

  /**
   * Those of one action. Nobody can hide another's voice behind many of its own: of each signer there are the newest, at most
   * limits.trust.knownPerSigner, and of each group limits.trust.knownPerGroup.
   *
   * @param groupOf who has one voice with others; undefined for a signer who has none
   */
  of(action: Digest, groupOf: (signer: Key) => string | undefined): Uint8Array[] {
    const rows = this.#database.attempt("attestations of", [], () => this.#sql.newestOf.all(toBytes(action), limits.trust.knownPerSigner));
    const groups = Map.groupBy(rows, (row) => groupOf(textAt(row, 1)));
    groups.delete(undefined);
    const ids = [...groups.values()].flatMap((group) => group.slice(0, limits.trust.knownPerGroup)).map((row) => textAt(row, 0));
    return this.bodies(ids);
  }

  /** Keeps what is new, and lets go of what is too much then. @returns how many of them are here that were not */
  add(attestations: readonly KnownAttestation[]): number {
    const added = attestations.filter(({ id, signer }) => this.#known.add(id, signer));
    const gone = new Set(this.#known.trim());
    const kept = added.filter(({ id }) => !gone.has(id));
    const done = this.#database.attempt("keep attestations", false, () =>
      this.#database.transaction(() => {
        for (const { id, signer, manifest, action, bytes } of kept)
          this.#sql.put.run(toBytes(id), toBytes(signer), toBytes(manifest), toBytes(action), bytes, crc32(bytes));
        for (const id of gone) this.#sql.drop.run(toBytes(id));
        return true;
      }),
    );
    if (done) return kept.length;
    // What is not on the disk cannot be told to others. What fell out is there still, and falls out again when it is next read.
    for (const { id, signer } of kept) this.#known.delete(id, signer);
    return 0;
  }

  /** Takes away what others than these have signed, in small steps. */
  async keepOnly(signers: ReadonlySet<Key>, signal: AbortSignal): Promise<void> {
    for (const signer of this.#known.signers()) {
      if (signers.has(signer)) continue;
      const ids = this.#known.of(signer);
      for (let at = 0; at < ids.length; at += DELETED_AT_ONCE) {
        signal.throwIfAborted();
        const some = ids.slice(at, at + DELETED_AT_ONCE);
        for (const id of some) this.#known.delete(id, signer);
        this.#database.attempt("drop attestations", undefined, () =>
          this.#database.transaction(() => {
            for (const id of some) this.#sql.drop.run(toBytes(id));
          }),
        );
        await otherWork();
      }
    }
  }

  async #load(): Promise<void> {
    let after: AttestationId = "";
    for (;;) {
      const from = after;
      const rows = this.#database.attempt("ids", [], () => this.#sql.after.all(toBytes(from), READ_AT_ONCE));
      for (const row of rows) this.#known.add(textAt(row, 0), textAt(row, 1));
      const last = rows.at(-1);
      if (last === undefined) return;
      after = textAt(last, 0);
      await otherWork();
    }
  }

  #body(id: AttestationId): Uint8Array | undefined {
    const row = this.#sql.body.get(toBytes(id));
    if (row === undefined) return undefined;
    return this.#intact(id, bytesAt(row, 0), numberAt(row, 1), textAt(row, 2));
  }

  #intact(id: AttestationId, body: Uint8Array, crc: number, signer: Key): Uint8Array | undefined {
    if (crc32(body) === crc) return body;
    // A bit has flipped. Others have it still.
    this.#sql.drop.run(toBytes(id));
    this.#known.delete(id, signer);
    return undefined;
  }
}

function statements(database: Database) {
  const row = "lower(hex(id)), lower(hex(signer))";
  return {
    put: database.statement("INSERT OR REPLACE INTO attestation_set (id, signer, manifest, action, body, crc) VALUES (?, ?, ?, ?, ?, ?)"),
    body: database.statement("SELECT body, crc, lower(hex(signer)) FROM attestation_set WHERE id = ?"),
    signersOf: database.statement(`SELECT DISTINCT lower(hex(signer)) FROM
      (SELECT signer FROM attestation_set WHERE manifest = ? LIMIT ?)`),
    ofManifest: database.statement("SELECT 1 FROM attestation_set WHERE manifest = ? LIMIT 1"),
    // Each signer's newest come first, so that a group hears all of its signers before it hears one of them twice. From signer to signer by
    // the index: whoever signs one action a hundred thousand times makes nobody read all of that.
    newestOf: database.statement(`WITH RECURSIVE
      voices(signer) AS (
        SELECT min(signer) FROM attestation_set WHERE action = ?1
        UNION ALL
        SELECT (SELECT min(signer) FROM attestation_set WHERE action = ?1 AND signer > voices.signer) FROM voices WHERE voices.signer IS NOT NULL
      ),
      newest(signer, place, id) AS (
        SELECT voices.signer, 1, (SELECT max(id) FROM attestation_set WHERE action = ?1 AND signer = voices.signer)
        FROM voices WHERE voices.signer IS NOT NULL
        UNION ALL
        SELECT newest.signer, place + 1, (SELECT max(id) FROM attestation_set WHERE action = ?1 AND signer = newest.signer AND id < newest.id)
        FROM newest WHERE newest.id IS NOT NULL AND place < ?2
      )
      SELECT lower(hex(id)), lower(hex(signer)) FROM newest WHERE id IS NOT NULL ORDER BY place, id DESC`),
    after: database.statement(`SELECT ${row} FROM attestation_set WHERE id > ? ORDER BY id LIMIT ?`),
    drop: database.statement("DELETE FROM attestation_set WHERE id = ?"),
  };
}
