/**
 * What members have said of actions that others have executed for their tools: who was heard about what, and what speaks against it.
 *
 * Who once disputes a result need not be there, or be quick, for it to stay disputed, nor need this process go on. Knows: who has said what, with bounds. Does not know: whom
 * to believe, or whether it still matters.
 */
import { type Digest, Generations, type Key, limits } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";

const { heard, disputing, disputingOfOne } = limits.doors;

/** What outlives this process; see HeardDisputes. */
export interface KeptDisputes {
  of(manifest: Digest): ReadonlyMap<string, SharedResult>;
  put(domain: string, shared: SharedResult): void;
}

export class HeardVoices {
  readonly #kept: KeptDisputes;
  /** By what is asked for, members that have answered since something of it was taken. */
  readonly #heard = new Generations<Digest, ReadonlySet<Key>>(heard, ({ size }) => size);
  /** By what is asked for and by domain, the last of what was refused because others say something else. */
  readonly #disputing = new Generations<Digest, ReadonlyMap<string, SharedResult>>(disputing, ({ size }) => size);

  constructor(kept: KeptDisputes) {
    this.#kept = kept;
  }

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
    const known = new Map(this.#known(manifest));
    if (known.size >= disputingOfOne && !known.has(domain)) return;
    this.#disputing.set(manifest, known.set(domain, shared));
    this.#kept.put(domain, shared);
  }

  disputing(manifest: Digest): readonly SharedResult[] {
    return [...this.#known(manifest).values()];
  }

  /** What the disk has lost, or does not take, is known as long as memory has it. */
  #known(manifest: Digest): ReadonlyMap<string, SharedResult> {
    return this.#disputing.get(manifest) ?? this.#kept.of(manifest);
  }
}
