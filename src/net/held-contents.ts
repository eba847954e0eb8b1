/**
 * Which contents one member has had of this node, and what of something else it lacks.
 *
 * Knows: digests, sizes as they are told. Does not know: what the member has thrown away since.
 */
import { type Digest, Generations } from "../base/index.ts";

/** As of some revision: what was not there then. */
interface Lacking {
  readonly revision: number;
  readonly contents: ReadonlyMap<Digest, number>;
  readonly bytes: number;
}

export class HeldContents {
  readonly #held: Generations<Digest, true>;
  /** Counts what is new there. */
  #revision = 0;
  /** Of what is asked about again and again until it is sent. What has come in the meantime is looked for only among what was lacking. */
  readonly #lacking = new WeakMap<ReadonlyMap<Digest, number>, Lacking>();

  /** @param most contents that it is known to have */
  constructor(most: number) {
    this.#held = new Generations(most);
  }

  has(digest: Digest): boolean {
    return this.#held.has(digest);
  }

  add(digest: Digest): void {
    if (!this.#held.has(digest)) this.#revision++;
    this.#held.set(digest, true);
  }

  /** @param contents each with its bytes; the same map for the same contents, or they are all looked for again */
  lackedBytes(contents: ReadonlyMap<Digest, number>): number {
    const known = this.#lacking.get(contents);
    if (known?.revision === this.#revision) return known.bytes;
    const lacking = new Map<Digest, number>();
    let bytes = 0;
    for (const [digest, size] of known?.contents ?? contents) {
      if (this.#held.has(digest)) continue;
      lacking.set(digest, size);
      bytes += size;
    }
    this.#lacking.set(contents, { revision: this.#revision, contents: lacking, bytes });
    return bytes;
  }
}
