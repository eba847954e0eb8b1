/**
 * The tiles of a log: its hashes in files of 256, and its entries in bundles of 256, which are written once and never change.
 *
 * Knows: https://c2sp.org/tlog-tiles. Does not know: where the files lie, or what an entry says.
 */
import { CairnError } from "../base/index.ts";
import { HASH_BYTES, type Hash, nodeHash, type ReadNode } from "./merkle.ts";

/** Hashes of a full tile, entries of a full bundle. */
export const TILE_WIDTH = 256;
/** Levels of the tree in one of tiles. */
const TILE_LEVELS = 8;

export interface Tile {
  readonly level: number | "entries";
  readonly index: number;
  /** Hashes or entries in it: 256, fewer only where the tree ends. */
  readonly width: number;
}

/** Below the log's own directory. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index).padStart(3 * Math.ceil(String(index).length / 3), "0");
  const groups = digits.match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join("/");
  return `tile/${level}/${path}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

/** The tile of a tree as it is when it has `size` entries; undefined where there is nothing in it. */
export function tileAt(level: number | "entries", index: number, size: number): Tile | undefined {
  const hashes = level === "entries" ? size : Math.floor(size / TILE_WIDTH ** level);
  const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH);
  return width > 0 ? { level, index, width } : undefined;
}

/** The last tile of each level, where it is not full: what a log goes on from. The lowest level first. */
export function openTiles(size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH))
    if (hashes % TILE_WIDTH > 0) tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), width: hashes % TILE_WIDTH });
  return tiles;
}

/** The hash of all of a full tile, or of part of it. @param hashes a power of two of them */
export function tileHash(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1) row = Array.from({ length: row.length / 2 }, (_, at) => nodeHash(row[2 * at] ?? EMPTY, row[2 * at + 1] ?? EMPTY));
  const [top] = row;
  if (top === undefined) throw new RangeError("no hashes");
  return top;
}

const EMPTY: Hash = new Uint8Array();

/**
 * Reads the nodes of a tree of `size` entries from its tiles.
 *
 * @param readTile the hashes of a tile, as many as it is wide
 */
export function tileReader(readTile: (tile: Tile) => readonly Hash[], size: number): ReadNode {
  return (level, index) => {
    const tileLevel = Math.floor(level / TILE_LEVELS);
    const count = 2 ** (level % TILE_LEVELS);
    const first = index * count;
    const tile = tileAt(tileLevel, Math.floor(first / TILE_WIDTH), size);
    const at = first % TILE_WIDTH;
    if (tile === undefined || at + count > tile.width) throw new CairnError("not-found", { why: `the log has no node ${level} ${index}` });
    return tileHash(readTile(tile).slice(at, at + count));
  };
}

/** @throws {CairnError} frame-invalid where the file is no such tile */
export function readTile(bytes: Uint8Array, width: number): Hash[] {
  if (bytes.length !== width * HASH_BYTES) throw new CairnError("frame-invalid", { what: "tile" });
  return Array.from({ length: width }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
}

/** Entries one after the other, each with its length in two bytes, the higher one first. @param entries of at most 65,535 bytes */
export function writeBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}

/** @throws {CairnError} frame-invalid where the file is no bundle of so many entries */
export function readBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < view.length; ) {
    const end = at + 2 <= view.length ? at + 2 + view.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (end > view.length) break;
    entries.push(view.subarray(at + 2, end));
    at = end;
  }
  if (entries.length !== width || entries.reduce((sum, { length }) => sum + length + 2, 0) !== view.length)
    throw new CairnError("frame-invalid", { what: "bundle" });
  return entries;
}
