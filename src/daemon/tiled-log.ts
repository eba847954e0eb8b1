/**
 * A log in tiles on this machine's disk: this node's own, with its entries, or the hashes of somebody else's, of which it is a witness.
 *
 * Knows: what is written before what, so that after a crash there is either the old log or the new one. Does not know: who signs it, or what an
 * entry says.
 */
import { CairnError, type Key } from "../base/index.ts";
import {
  CompactRange,
  type Hash,
  type Head,
  isSameHash,
  leafHash,
  openTiles,
  type ReadNode,
  readBundle,
  readHead,
  readTile,
  rootAt,
  rootOf,
  TILE_WIDTH,
  type Tile,
  tileAt,
  tileHash,
  tilePath,
  tileReader,
  writeBundle,
  writeHead,
} from "../trust/index.ts";

/** Where a log lies. */
export interface TileFiles {
  read(path: string): Uint8Array | undefined;
  write(files: readonly (readonly [path: string, bytes: Uint8Array | string])[]): Promise<void>;
  remove(path: string): Promise<void>;
}

const CHECKPOINT = "checkpoint";
/** Tiles that are remembered: a proof reads few, again and again. */
const TILES_REMEMBERED = 16;

export class TiledLog {
  readonly #files: TileFiles;
  readonly #tiles = new Map<string, readonly Hash[]>();
  #head: Head | undefined;

  /** @param log whose it is @throws {CairnError} network-damaged where what is on disk is not what its checkpoint says, or somebody else's */
  constructor(files: TileFiles, log: Key) {
    this.#files = files;
    const bytes = files.read(CHECKPOINT);
    if (bytes === undefined) return;
    this.#head = readHead(Buffer.from(bytes).toString("utf8"))?.head;
    const head = this.#head;
    const root = head && new CompactRange(this.read, head.size).root();
    if (head?.log !== log || root === undefined || !isSameHash(root, rootOf(head)))
      throw new CairnError("network-damaged", { path: CHECKPOINT });
  }

  /** The last checkpoint that was kept; undefined for an empty log. */
  get head(): Head | undefined {
    return this.#head;
  }

  get size(): number {
    return this.#head?.size ?? 0;
  }

  /** Nodes of the tree as it was kept last. @throws {CairnError} network-damaged */
  readonly read: ReadNode = (level, index) => tileReader((tile) => this.#tile(tile), this.size)(level, index);

  /** @param size at most what there is @throws {CairnError} network-damaged */
  rootAt(size: number): Hash {
    return rootAt(this.read, size);
  }

  /** Hashes of entries. @throws {CairnError} network-damaged */
  leaves(from: number, to: number): Hash[] {
    return Array.from({ length: to - from }, (_, at) => this.read(0, from + at));
  }

  /** Entries of one bundle, the first of which has the number `index` times 256. @throws {CairnError} network-damaged */
  bundle(index: number): Uint8Array[] {
    const tile = tileAt("entries", index, this.size);
    return tile === undefined ? [] : readBundle(this.#read(tile), tile.width);
  }

  /**
   * Adds entries, and keeps them.
   *
   * @param sign the checkpoint of the larger log, by its size and root
   * @throws {CairnError} home-unwritable, network-damaged; the log is what it was then
   */
  async append(entries: readonly Uint8Array[], sign: (size: number, root: Hash) => Head): Promise<void> {
    const first = Math.floor(this.size / TILE_WIDTH);
    const open = [...(this.size % TILE_WIDTH === 0 ? [] : this.bundle(first)), ...entries];
    const bundles = Array.from({ length: Math.ceil(open.length / TILE_WIDTH) }, (_, at) => {
      const some = open.slice(at * TILE_WIDTH, (at + 1) * TILE_WIDTH);
      return [tilePath({ level: "entries", index: first + at, width: some.length }), writeBundle(some)] as const;
    });
    const leaves = entries.map(leafHash);
    const range = new CompactRange(this.read, this.size);
    for (const leaf of leaves) range.push(leaf);
    const root = range.root();
    if (root === undefined) throw new RangeError("nothing was added to nothing");
    await this.#grow(leaves, bundles, sign(range.size, root));
  }

  /** Adds entries of which only the hashes are known. @param head of the log with them @throws {CairnError} as append */
  mirror(leaves: readonly Hash[], head: Head): Promise<void> {
    return this.#grow(leaves, [], head);
  }

  async #grow(leaves: readonly Hash[], bundles: readonly (readonly [string, Uint8Array])[], head: Head): Promise<void> {
    const { tiles, full } = this.#further(leaves);
    // Nothing reads the new files before the checkpoint is there.
    await this.#files.write([...bundles, ...tiles, [CHECKPOINT, writeHead(head, [])]]);
    this.#head = head;
    this.#tiles.clear();
    // Trees of the past end in parts of tiles; what is full needs none of its parts. One that stays only takes room: the log has grown.
    const whole = bundles.flatMap(([path]) => (path.includes(".p/") ? [] : [path]));
    for (const path of [...full, ...whole]) await this.#files.remove(`${path}.p`).catch(() => undefined);
  }

  /** Tiles that further leaves make, and which of them are full. */
  #further(leaves: readonly Hash[]): { tiles: (readonly [string, Uint8Array])[]; full: string[] } {
    const levels = openTiles(this.size);
    const tiles: (readonly [string, Uint8Array])[] = [];
    const full: string[] = [];
    let [more, start] = [leaves, this.size];
    for (let level = 0; more.length > 0; level++) {
      const open = levels.find((tile) => tile.level === level);
      const hashes = [...(open === undefined ? [] : this.#tile(open)), ...more];
      const first = Math.floor(start / TILE_WIDTH);
      const above: Hash[] = [];
      for (let at = 0; at * TILE_WIDTH < hashes.length; at++) {
        const some = hashes.slice(at * TILE_WIDTH, (at + 1) * TILE_WIDTH);
        const path = tilePath({ level, index: first + at, width: some.length });
        tiles.push([path, Buffer.concat(some)]);
        if (some.length < TILE_WIDTH) continue;
        full.push(path);
        above.push(tileHash(some));
      }
      [more, start] = [above, first];
    }
    return { tiles, full };
  }

  #tile(tile: Tile): readonly Hash[] {
    const path = tilePath(tile);
    const known = this.#tiles.get(path);
    if (known !== undefined) return known;
    const hashes = readTile(this.#read(tile), tile.width);
    const [eldest] = this.#tiles.keys();
    if (this.#tiles.size >= TILES_REMEMBERED && eldest !== undefined) this.#tiles.delete(eldest);
    this.#tiles.set(path, hashes);
    return hashes;
  }

  #read(tile: Tile): Uint8Array {
    const bytes = this.#files.read(tilePath(tile));
    if (bytes === undefined) throw new CairnError("network-damaged", { path: tilePath(tile) });
    return bytes;
  }
}
