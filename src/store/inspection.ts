/**
 * Inspection: reads blobs of the store now, because somebody asks whether they are as they should be.
 *
 * Housekeeping reads each of them, too, within weeks; this is for a person who waits. What is damaged is removed, and so are results that
 * name it. Knows: which blobs there are. Does not know: how one is verified, or what it is for.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import type { Digest } from "../base/index.ts";
import type { BlobTable, NamedBlob } from "./blob-table.ts";
import { SHARDS } from "./layout.ts";

export interface InspectionParts {
  readonly table: BlobTable;
  /** Verifies a blob; removes and forgets one that is damaged. @returns whether it is here */
  readonly audit: (digest: Digest) => Promise<boolean>;
  /** Whether some file of that blob is here, whatever is in it. */
  readonly isHere: (digest: Digest) => boolean;
  /** How many damaged blobs have been met so far, by whomever. */
  readonly met: () => number;
  /** ms since the epoch */
  readonly now: () => number;
}

/** How much of the store is read; what is left out is read in full. */
export interface InspectionLimits {
  /** ms, after which no other blob is begun. */
  readonly deadlineMs?: number;
  /** Larger blobs are left out. */
  readonly blobBytes?: number;
}

export interface Inspected {
  readonly blobs: number;
  /** As they lie on the disk. */
  readonly bytes: number;
  /** All that the store has, whether read or not. */
  readonly ofBlobs: number;
  readonly ofBytes: number;
  /** Those of `blobs` that were damaged, or whose file was gone. None of them is in the store any more. */
  readonly damaged: number;
}

export class Inspection {
  readonly #parts: InspectionParts;
  #found: Inspected;

  constructor(parts: InspectionParts) {
    this.#parts = parts;
    this.#found = { blobs: 0, bytes: 0, ofBlobs: parts.table.blobs, ofBytes: parts.table.storedBytes, damaged: 0 };
  }

  /**
   * @param startShard where to begin; a random one makes of many short inspections a long one
   * @param tell is called after each blob
   * @throws the signal's reason
   */
  async run(
    { deadlineMs = Number.POSITIVE_INFINITY, blobBytes = Number.POSITIVE_INFINITY }: InspectionLimits,
    startShard: number,
    tell: (found: Inspected) => void,
    signal: AbortSignal,
  ): Promise<Inspected> {
    const end = this.#parts.now() + deadlineMs;
    for (let i = 0; i < SHARDS.length; i++) {
      for (const blob of this.#parts.table.shard(SHARDS[(startShard + i) % SHARDS.length] ?? "")) {
        signal.throwIfAborted();
        if (this.#parts.now() >= end) return this.#found;
        if (blob.stored > blobBytes) continue;
        await this.#look(blob);
        tell(this.#found);
        await otherWork(); // A build may ask something.
      }
    }
    return this.#found;
  }

  async #look({ digest, stored }: NamedBlob): Promise<void> {
    const { table, audit, isHere, met, now } = this.#parts;
    if (table.get(digest) === undefined) return; // Evicted since it was listed.
    const [isGone, before] = [!isHere(digest), met()];
    // One that is evicted, or changes its form, while it is read is not found either, and not damaged.
    const isWell = (await audit(digest)) || (!isGone && met() === before);
    const { blobs, bytes, damaged } = this.#found;
    this.#found = { ...this.#found, blobs: blobs + 1, bytes: bytes + stored, damaged: damaged + (isWell ? 0 : 1) };
    const row = table.get(digest);
    if (isWell && row !== undefined) table.put(digest, { ...row, checked: now() });
  }
}
