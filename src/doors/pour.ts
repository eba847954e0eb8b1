/**
 * Sending no faster than it is taken.
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { CairnError, systemCode } from "../base/index.ts";

/** @returns whether everything was sent; where it cannot go on, the connection ends, so that nobody takes a part for the whole */
export async function pour(bytes: AsyncIterable<Uint8Array>, into: Writable): Promise<boolean> {
  try {
    for await (const piece of bytes) {
      if (into.destroyed) return false;
      if (!into.write(piece) && !into.destroyed) await drained(into);
    }
    return !into.destroyed;
  } catch (error) {
    if (into.destroyed) return false; // Who is gone is not waited for any more.
    into.destroy();
    if (!(error instanceof CairnError) && systemCode(error) === undefined) throw error;
    return false;
  }
}

/** A short answer; resolves when there is room for the next. */
export async function say(answer: Uint8Array, into: Writable): Promise<void> {
  if (!into.destroyed && !into.write(answer) && !into.destroyed) await drained(into);
}

async function drained(into: Writable): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  // Who waits for one of two does not leave the other waiting.
  await Promise.race([once(into, "drain", { signal }), once(into, "close", { signal })]).finally(() => settled.abort());
}
