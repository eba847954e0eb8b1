/**
 * An exchange whose large blobs travel in chunks from several members and go straight to the disk; all others as ever.
 *
 * Knows: which blobs are large, and where they are put. Does not know: chunks, or results.
 */
import { type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { BlobSwarm, Exchange, Given, LocalStore, WholeBlob, Wish } from "../contracts/index.ts";

/** Where a large blob grows, and where it goes. */
export interface GrowingStore extends Pick<LocalStore, "has" | "plain"> {
  partPath(digest: Digest): string;
  plainPath(digest: Digest): string;
  /** Takes a file with a blob's verified bytes. @throws {CairnError} home-unwritable */
  adopt(path: string, blob: WholeBlob): void;
}

export interface LargeBlobsParts {
  readonly exchange: Exchange;
  readonly swarm: BlobSwarm;
  readonly store: GrowingStore;
  readonly log: Log;
}

type Kept = (digest: Digest, received: number) => void;
type Wanted = { readonly digest: Digest; readonly size: number };

export class LargeBlobs implements Exchange {
  readonly #parts: LargeBlobsParts;
  /** Two who want the same blob wait for the same. */
  readonly #fetching = new Map<Digest, Promise<boolean>>();
  #active = 0;
  /** Resolves when one of those that are active has ended. */
  #turn = Promise.withResolvers<void>();

  constructor(parts: LargeBlobsParts) {
    this.#parts = parts;
    const { store, swarm } = parts;
    swarm.serveFrom(async (digest, size) => {
      // Others travel by the exchange, and need not be unpacked for this.
      if (size < limits.swarm.fromBytes) return undefined;
      return (await store.plain(digest))?.size === size ? store.plainPath(digest) : undefined;
    });
  }

  get isOffered(): boolean {
    return this.#parts.exchange.isOffered;
  }

  whoHas(manifest: Digest): readonly Key[] {
    return this.#parts.exchange.whoHas(manifest);
  }

  results(from: Key, manifest: Digest, wish: Wish, signal: AbortSignal): Promise<Given> {
    return this.#parts.exchange.results(from, manifest, wish, signal);
  }

  /** See {@link Exchange.blobs}. Large blobs are kept without `take`; who waits for another's attempt is told of nothing received. */
  async blobs(
    from: readonly Key[],
    wanted: readonly Wanted[],
    take: (digest: Digest, bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
    kept: Kept = () => undefined,
  ): Promise<readonly Digest[]> {
    const isLarge = ({ size }: Wanted): boolean => size >= limits.swarm.fromBytes;
    const small = wanted.filter((one) => !isLarge(one));
    const large = wanted.filter(isLarge);
    const [missing, came] = await Promise.all([
      small.length === 0 ? [] : this.#parts.exchange.blobs(from, small, take, signal),
      Promise.all(large.map((one) => this.#once(from, one, signal, kept))),
    ]);
    return [...missing, ...large.flatMap(({ digest }, i) => (came[i] === true ? [] : [digest]))];
  }

  async #once(from: readonly Key[], wanted: Wanted, signal: AbortSignal, kept: Kept): Promise<boolean> {
    const { digest } = wanted;
    const under = this.#fetching.get(digest);
    // Somebody else's attempt may have less time than this one.
    if (under !== undefined) {
      if (!(await under)) return this.#once(from, wanted, signal, kept);
      kept(digest, 0);
      return true;
    }
    const fetching = this.#fetch(from, wanted, signal, kept).finally(() => this.#fetching.delete(digest));
    this.#fetching.set(digest, fetching);
    return fetching;
  }

  async #fetch(from: readonly Key[], { digest, size }: Wanted, signal: AbortSignal, kept: Kept): Promise<boolean> {
    const { swarm, store, log } = this.#parts;
    while (this.#active >= limits.swarm.fetches) await this.#turn.promise;
    signal.throwIfAborted();
    const began = performance.now();
    this.#active++;
    const path = store.partPath(digest);
    try {
      const fetched = await swarm.fetch({ digest, size, path, from }, signal);
      if (fetched.kind === "whole") {
        store.adopt(path, fetched.blob);
        kept(digest, fetched.received);
      }
      const why = fetched.kind === "whole" ? "" : fetched.why;
      log.event("info", "swarm.fetched", { digest, size, complete: why === "", why, tookMs: Math.round(performance.now() - began) });
      return fetched.kind === "whole";
    } catch (error) {
      signal.throwIfAborted();
      log.event("warn", "swarm.failed", { digest, size, why: reasonOf(error) });
      return false;
    } finally {
      this.#active--;
      this.#turn.resolve();
      this.#turn = Promise.withResolvers();
    }
  }
}
