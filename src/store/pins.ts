/**
 * Pins: results and blobs that stay on this machine, however long nobody uses them and however full the store is.
 *
 * They lie in a file of their own among what must survive the cache being thrown away. Knows: digests. Does not know: what a pin is for,
 * or whether its blobs are here.
 */
import { renameSync } from "node:fs";
import { CairnError, type Digest, isDigest, type Log, limits, reasonOf } from "../base/index.ts";
import { readJson, writeJson } from "./json-file.ts";

export interface Pin {
  /** Of the action, of the blob itself, or of the topmost directory. */
  readonly root: Digest;
  readonly kind: "result" | "blob" | "tree";
  /** The request whose result it is, where members have heard of it. */
  readonly manifest?: Digest;
  /** What the user called it. */
  readonly name: string;
  /** Blobs that belong to it. */
  readonly blobs: readonly Digest[];
  /** ms since the epoch */
  readonly atMs: number;
}

export class Pins {
  readonly #file: string;
  readonly #pins = new Map<Digest, Pin>();
  readonly #blobs = new Set<Digest>();
  /** By how many each is held. */
  readonly #held = new Map<Digest, number>();

  /** A file that cannot be read is put aside, and said. */
  static open({ log }: { readonly log: Log }, { file }: { readonly file: string }): Pins {
    try {
      return new Pins(file, readPins(file));
    } catch (error) {
      log.event("error", "pins.damaged", { file, why: reasonOf(error) });
      renameSync(file, `${file}.damaged`);
      return new Pins(file, []);
    }
  }

  private constructor(file: string, pins: readonly Pin[]) {
    this.#file = file;
    for (const pin of pins) this.#pins.set(pin.root, pin);
    this.#gather();
  }

  list(): readonly Pin[] {
    return [...this.#pins.values()];
  }

  /** Whether a blob belongs to a pin, or somebody works with it. */
  holdsBlob(digest: Digest): boolean {
    return this.#blobs.has(digest) || this.#held.has(digest);
  }

  /** Blobs stay while somebody works with them, until it is disposed of. More may be added meanwhile. */
  hold(): Disposable & { readonly blobs: Set<Digest> } {
    const blobs = new Held(this.#held);
    return { blobs, [Symbol.dispose]: () => blobs.release() };
  }

  /** Whether the result of an action is pinned. */
  holdsResult(action: Digest): boolean {
    return this.#pins.get(action)?.kind === "result";
  }

  /** @throws {CairnError} limit-exceeded, home-unwritable; nothing has changed then */
  add(pin: Pin): void {
    const known = this.#pins.get(pin.root);
    const blobs = this.#blobs.size + pin.blobs.length - (known?.blobs.length ?? 0);
    if (known === undefined && this.#pins.size >= limits.pins) throw new CairnError("limit-exceeded", { what: "pins" });
    if (blobs > limits.pinnedBlobs) throw new CairnError("limit-exceeded", { what: "pinned blobs" });
    this.#replace(new Map(this.#pins).set(pin.root, pin));
  }

  /** Puts a pin in the place of another one. @throws {CairnError} home-unwritable */
  settle(root: Digest, pin: Pin): void {
    const pins = new Map(this.#pins);
    pins.delete(root);
    this.#replace(pins.set(pin.root, pin));
  }

  /** @returns whether it was pinned. @throws {CairnError} home-unwritable */
  remove(root: Digest): boolean {
    if (!this.#pins.has(root)) return false;
    const left = new Map(this.#pins);
    left.delete(root);
    this.#replace(left);
    return true;
  }

  #replace(pins: ReadonlyMap<Digest, Pin>): void {
    writeJson(this.#file, [...pins.values()]);
    this.#pins.clear();
    for (const [root, pin] of pins) this.#pins.set(root, pin);
    this.#gather();
  }

  #gather(): void {
    this.#blobs.clear();
    for (const { blobs } of this.#pins.values()) for (const blob of blobs) this.#blobs.add(blob);
  }
}

/** What somebody works with, counted where all of that is counted: many ask what is held, and many hold something. */
class Held extends Set<Digest> {
  readonly #counts: Map<Digest, number>;
  #isReleased = false;

  constructor(counts: Map<Digest, number>) {
    super();
    this.#counts = counts;
  }

  override add(digest: Digest): this {
    if (!this.#isReleased && !this.has(digest)) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    return super.add(digest);
  }

  /** Counts for nothing from now on. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    for (const digest of this) {
      const left = (this.#counts.get(digest) ?? 0) - 1;
      if (left > 0) this.#counts.set(digest, left);
      else this.#counts.delete(digest);
    }
  }
}

function readPins(file: string): Pin[] {
  const rows = readJson(file);
  if (rows === undefined) return [];
  if (!Array.isArray(rows) || !rows.every(isPin)) throw new TypeError("no list of pins");
  return rows;
}

function isPin(row: unknown): row is Pin {
  if (typeof row !== "object" || row === null) return false;
  const { root, kind, manifest, name, blobs, atMs } = row as Partial<Record<keyof Pin, unknown>>;
  return (
    isDigest(root) &&
    (kind === "result" || kind === "blob" || kind === "tree") &&
    (manifest === undefined || isDigest(manifest)) &&
    typeof name === "string" &&
    Array.isArray(blobs) &&
    blobs.every(isDigest) &&
    Number.isSafeInteger(atMs)
  );
}
