/**
 * The contents of an action's inputs, before it is run: those that are here are held, the others can be brought.
 *
 * Knows: what is held for it. Does not know: where the others come from.
 */
import type { Digest } from "../base/index.ts";
import { Pace } from "./pace.ts";
import type { SandboxFiles } from "./sandbox-files.ts";

export class InputStage implements AsyncDisposable {
  readonly #files: SandboxFiles;
  readonly #held: Digest[] = [];
  readonly #missing = new Set<Digest>();

  /** @throws {Error} of the system, or the signal's reason */
  static async of(files: SandboxFiles, digests: Iterable<Digest>, signal: AbortSignal): Promise<InputStage> {
    const stage = new InputStage(files);
    const pace = new Pace(signal);
    try {
      for (const digest of new Set(digests)) {
        if (await files.fetch(digest, false, signal)) stage.#held.push(digest);
        else stage.#missing.add(digest);
        if (pace.isDue(1)) await pace.rest();
      }
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  private constructor(files: SandboxFiles) {
    this.#files = files;
  }

  get missing(): readonly Digest[] {
    return [...this.#missing];
  }

  /** Of what is held. */
  get bytes(): number {
    return this.#held.reduce((sum, digest) => sum + this.#files.bytesOf(digest), 0);
  }

  /** Holds one that was missing. @param bytes which were verified @throws {Error} of the system */
  put(digest: Digest, bytes: Uint8Array): void {
    if (!this.#missing.delete(digest)) return;
    this.#files.put(digest, bytes);
    this.#held.push(digest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const digest of this.#held.splice(0)) this.#files.release(digest, false);
    await this.#files.shrink();
  }
}
