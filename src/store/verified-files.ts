/**
 * Which open files were read whole a short while ago, and were what they should be: whoever asks for many parts of one does not have all of it
 * read for each.
 *
 * What a file shows of a change, its size and its times, is relied on for some minutes and no longer: a disk damages files without a word.
 * Few are read whole at once. Knows: files, times. Does not know: which blobs there are, or how they are verified.
 */
import type { FileHandle } from "node:fs/promises";
import { limits, Turns } from "../base/index.ts";

const { files, keptMs, passes } = limits.verified;

export class VerifiedFiles {
  /** ms since the epoch */
  readonly #now: () => number;
  /** When each was verified, the oldest first. */
  readonly #seen = new Map<string, number>();
  readonly #turns = new Turns({ jobs: passes });

  constructor(parts: { readonly now: () => number }) {
    this.#now = parts.now;
  }

  /**
   * @param pass reads all of the file, in its turn; not called where that was done lately
   * @throws what `pass` throws; a system error; the signal's reason
   */
  async demand(file: FileHandle, crc32: number, pass: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const name = await nameOf(file, crc32);
    if (this.#isFresh(name)) return;
    using _ = await this.#turns.take(0, signal);
    if (this.#isFresh(name)) return; // Who had the turn before asked for the same.
    await pass();
    this.#note(name);
  }

  #isFresh(name: string): boolean {
    const age = this.#now() - (this.#seen.get(name) ?? Number.NEGATIVE_INFINITY);
    return age >= 0 && age < keptMs; // A clock that was set back says nothing.
  }

  #note(name: string): void {
    this.#seen.delete(name);
    this.#seen.set(name, this.#now());
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > files && oldest !== undefined) this.#seen.delete(oldest);
  }
}

/** Another one as soon as anything was written, or another file lies there. */
async function nameOf(file: FileHandle, crc32: number): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs, crc32].join(" ");
}
