/**
 * What members have said of actions that others have executed for their tools: who was heard about what, and what speaks against it.
 *
 * Who once disputes a result need not be there, or be quick, for it to stay disputed. Knows: who has said what, with bounds. Does not know: whom
 * to believe, or whether it still matters.
 */
import { type Digest, Generations, type Key, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";

const { heard, disputing, disputingOfOne } = limits.doors;

export class HeardVoices {
  /** By what is asked for, members that have answered since something of it was taken. */
  readonly #heard = new Generations<Digest, ReadonlySet<Key>>(heard, ({ size }) => size);
  /** By what is asked for and by domain, the last of what was refused because others say something else. */
  readonly #disputing = new Generations<Digest, ReadonlyMap<string, SharedResult>>(disputing, ({ size }) => size);

  isHeard(manifest: Digest, member: Key): boolean {
    return this.#heard.get(manifest)?.has(member) === true;
  }

  answered(manifest: Digest, member: Key): void {
    this.#heard.set(manifest, new Set([...(this.#heard.get(manifest) ?? []), member]));
  }

  /** Nothing of it is taken any more: all are to be asked again. What disputed it is not forgotten. */
  askAnew(manifest: Digest): void {
    this.#heard.delete(manifest);
  }

  /** @param shared verified, and refused because it is disputed */
  dispute(domain: string, shared: SharedResult): void {
    const { manifest } = shared;
    const known = new Map(this.#disputing.get(manifest));
    if (known.size < disputingOfOne || known.has(domain)) this.#disputing.set(manifest, known.set(domain, shared));
  }

  disputing(manifest: Digest): readonly SharedResult[] {
    return [...(this.#disputing.get(manifest)?.values() ?? [])];
  }
}
