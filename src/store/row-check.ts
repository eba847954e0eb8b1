/**
 * Checksums of rows. SQLite has none: a bit that flips on the disk in the text of a row, or in the number of another row, would be
 * believed, and a wrong input or output would be served. So every row that decides what is served carries the CRC-32 of its values and
 * of the key that it is found by.
 */
import { crc32 } from "node:zlib";

export function rowCheck(...values: readonly (string | number)[]): number {
  return crc32(values.join("\0"));
}

/** A row that is not what was written. The database it lies in is given up, as one that SQLite itself calls malformed (database.ts). */
export class DamagedRow extends Error {
  /** SQLITE_CORRUPT */
  readonly errcode: number = 11;

  constructor(table: string) {
    super(`a row of ${table} is damaged`);
  }
}

/** @throws {DamagedRow} when `check` is not the checksum of the values */
export function demandIntact(table: string, check: number, ...values: readonly (string | number)[]): void {
  if (rowCheck(...values) !== check) throw new DamagedRow(table);
}
