/**
 * HeardDisputes: what members have signed of actions that others have executed for their tools, and what was refused because others say something
 * else, in the index database: who is killed has not forgotten that something is disputed. The oldest go first.
 *
 * Knows: SQL. Does not know: whether it still matters, or whose signature it is: whoever reads it looks at that.
 */
import { type Digest, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { type Database, numberAt, textAt, toBytes } from "./database.ts";
import { demandIntact, rowCheck } from "./row-check.ts";

export interface HeardDisputesParts {
  readonly database: Database;
  /** ms since the epoch */
  readonly now: () => number;
}

const TABLE = "heard_disputes";
const { disputing: mostKept, disputeLength } = limits.doors;

export class HeardDisputes {
  readonly #parts: HeardDisputesParts;
  readonly #sql: ReturnType<typeof statements>;

  constructor(parts: HeardDisputesParts) {
    this.#parts = parts;
    this.#sql = statements(parts.database);
  }

  /** By domain, the last that each has said of a request. */
  of(manifest: Digest): ReadonlyMap<string, SharedResult> {
    return this.#parts.database.attempt("disputes", new Map(), () => {
      const rows = this.#sql.of.all(toBytes(manifest)).map((row) => {
        const [domain, body] = [textAt(row, 0), textAt(row, 1)];
        demandIntact(TABLE, numberAt(row, 2), manifest, domain, body);
        return [domain, read(body)] as const;
      });
      return new Map(rows);
    });
  }

  /** In place of what that domain has said before. One that is too long is not kept. */
  put(domain: string, shared: SharedResult): void {
    const { database, now } = this.#parts;
    const { manifest, signature } = shared;
    const body = JSON.stringify({ ...shared, signature: Buffer.from(signature).toString("hex") });
    if (body.length > disputeLength) return;
    database.attempt("keep a dispute", undefined, () => {
      this.#sql.put.run(toBytes(manifest), domain, body, now(), rowCheck(manifest, domain, body));
      this.#sql.dropOldest.run(mostKept);
    });
  }
}

/** Of a row whose checksum is right. */
function read(body: string): SharedResult {
  const { signature, ...shared } = JSON.parse(body) as Omit<SharedResult, "signature"> & { readonly signature: string };
  return { ...shared, signature: Uint8Array.from(Buffer.from(signature, "hex")) };
}

function statements(database: Database) {
  return {
    of: database.statement(`SELECT domain, body, crc FROM ${TABLE} WHERE manifest = ?`),
    put: database.statement(`INSERT OR REPLACE INTO ${TABLE} (manifest, domain, body, at, crc) VALUES (?, ?, ?, ?, ?)`),
    dropOldest: database.statement(
      `DELETE FROM ${TABLE} WHERE (manifest, domain) IN (SELECT manifest, domain FROM ${TABLE} ORDER BY at DESC LIMIT -1 OFFSET ?)`,
    ),
  };
}
