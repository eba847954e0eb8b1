/**
 * The thread that hashes large blobs while they come, away from the event loop that answers builds; the store's side of it is hashing.ts.
 *
 * Knows: bytes in the order in which they come. Does not know: whose they are, or where they lie.
 */
import { parentPort } from "node:worker_threads";
import { type Hashed, RunningHash } from "./running-hash.ts";

/** The first part of a blob begins it. Parts and ends are answered, in their order. */
export type HashOrder =
  | { readonly kind: "part"; readonly id: number; readonly memory: ArrayBuffer; readonly bytes: number }
  | { readonly kind: "end" | "drop"; readonly id: number };

/** The memory of a part, given back, or what all parts came to. */
export type HashAnswer = ArrayBuffer | Hashed;

if (parentPort !== null) {
  const port = parentPort;
  const blobs = new Map<number, RunningHash>();
  port.on("message", (order: HashOrder) => {
    const blob = blobs.get(order.id) ?? new RunningHash();
    if (order.kind === "part") {
      blobs.set(order.id, blob);
      blob.take(new Uint8Array(order.memory, 0, order.bytes));
      return port.postMessage(order.memory satisfies HashAnswer, [order.memory]);
    }
    if (order.kind === "end") port.postMessage(blob.end() satisfies HashAnswer);
    blobs.delete(order.id);
  });
}
