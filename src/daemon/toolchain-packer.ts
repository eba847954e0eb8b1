/**
 * This machine's own compilers for members that compile for it: what they are called as packs, and their files in the store.
 *
 * Knows: the order of it. Does not know: who asks, what a worker makes of it.
 */
import { realpathSync } from "node:fs";
import { CairnError, type Digest, Generations, type Log, limits, reasonOf } from "../base/index.ts";
import type { Files, Installed, ToolchainOffer } from "../contracts/index.ts";
import { groundHere, type LocalToolchains, layOut } from "../exec/index.ts";
import type { DiskStore, Pins } from "../store/index.ts";
import type { ToolchainQuestion } from "../wire/index.ts";
import { type PackCodecs, type Packed, packOf } from "./toolchain-pack.ts";

export interface PackerParts {
  readonly toolchains: Pick<LocalToolchains, "find">;
  readonly files: Files;
  readonly store: Pick<DiskStore, "has" | "copyIn" | "writeVerified">;
  readonly pins: Pick<Pins, "hold">;
  readonly codecs: () => Promise<PackCodecs>;
  readonly log: Log;
}

export class ToolchainPacker {
  readonly #parts: PackerParts;
  /** One is packed at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  /** An object stands for a toolchain as long as none of its files changes. */
  readonly #known = new WeakMap<Installed, Packed>();
  /** Of which it has been said that there are several copies. */
  readonly #ambiguous = new Generations<Digest, true>(limits.toolchains.kept);

  constructor(parts: PackerParts) {
    this.#parts = parts;
  }

  /**
   * What members are told: nothing where this digest is that of several copies here, which look for headers beside themselves, and it is not said
   * which is meant. With `pack` everything is in the store when it resolves.
   *
   * @throws {CairnError} home-unwritable, limit-exceeded; the signal's reason
   */
  async offer({ digest, pack, root }: ToolchainQuestion, signal: AbortSignal): Promise<ToolchainOffer | undefined> {
    const packed = root === undefined ? await this.#only(digest, signal) : await this.#called(digest, root, signal);
    if (packed === undefined || !pack) return packed?.offer;
    const turn = this.#turn.then(() => this.#keep(digest, packed, signal));
    this.#turn = turn.catch(() => undefined);
    await turn;
    return packed.offer;
  }

  async #called(digest: Digest, root: Digest, signal: AbortSignal): Promise<Packed | undefined> {
    for (const installed of this.#parts.toolchains.find(digest)) {
      const packed = await this.describe(installed, signal);
      if (packed?.offer.root === root) return packed;
    }
    return undefined;
  }

  async #only(digest: Digest, signal: AbortSignal): Promise<Packed | undefined> {
    const all = this.#parts.toolchains.find(digest);
    const places = new Set(all.map(({ compiler }) => realPath(compiler)));
    if (places.size > 1) {
      if (!this.#ambiguous.has(digest)) this.#parts.log.event("info", "toolchains.ambiguous", { digest, places: [...places].join(" ") });
      this.#ambiguous.set(digest, true);
      return undefined;
    }
    const [installed] = all;
    return installed && (await this.describe(installed, signal));
  }

  /** Undefined where its files are not what they were, or it is nothing that could be sent. @throws the signal's reason */
  async describe(installed: Installed, signal: AbortSignal): Promise<Packed | undefined> {
    const known = this.#known.get(installed);
    if (known !== undefined) return known;
    const { toolchain, compiler } = installed;
    const { family, version, target, platform, files, absent, beside } = toolchain;
    const found = await layOut([...files, ...beside], groundHere(this.#parts.files, signal));
    if (found === undefined) return undefined;
    const about = { family, version, target, platform, compiler, files, absent, beside };
    try {
      const packed = packOf(about, found.laid, await this.#parts.codecs());
      if (packed !== undefined) this.#known.set(installed, packed);
      return packed;
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      this.#parts.log.event("warn", "toolchains.not-packed", { compiler, why: reasonOf(error) });
      return undefined; // A name that is no text.
    }
  }

  /** Where the contents of these compilers lie. */
  async places(all: readonly Installed[], signal: AbortSignal): Promise<ReadonlyMap<Digest, string>> {
    const places = new Map<Digest, string>();
    for (const installed of all)
      for (const { digest, path } of (await this.describe(installed, signal))?.files ?? []) places.set(digest, path);
    return places;
  }

  async #keep(digest: Digest, { offer, files, small }: Packed, signal: AbortSignal): Promise<void> {
    const { store, pins, log } = this.#parts;
    const began = performance.now();
    using hold = pins.hold();
    let copied = 0;
    for (const { path, digest: content, size } of files) {
      hold.blobs.add(content);
      if (await store.has(content)) continue;
      signal.throwIfAborted();
      const kept = await store.copyIn(path, signal);
      // An upgrade in the middle: the next question finds another compiler.
      if (kept.digest !== content) throw new CairnError("usage", { why: `${path} has changed` });
      copied += size;
    }
    for (const [content, bytes] of small) {
      hold.blobs.add(content);
      if (!(await store.has(content))) await store.writeVerified(content, bytes, signal);
    }
    const tookMs = Math.round(performance.now() - began);
    log.event("info", "toolchains.packed", { digest, root: offer.root, compiler: offer.compiler, bytes: offer.bytes, copied, tookMs });
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // Gone since: what lies there is no compiler any more.
  }
}
