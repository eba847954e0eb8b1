/**
 * Work in pieces: reading and scanning hundreds of new headers takes a while, and others who ask must not wait for all of it.
 */
import { setImmediate } from "node:timers/promises";

/** How long one compile may keep the event loop to itself at a stretch. */
export const LONGEST_TURN_MS = 10;

export async function inPieces<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let since = performance.now();
  for (const item of items) {
    work(item);
    if (performance.now() - since < LONGEST_TURN_MS) continue;
    await setImmediate();
    since = performance.now();
  }
}
