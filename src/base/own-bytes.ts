/**
 * Bytes that are kept for long must not be a view of something larger: Node cuts small buffers out of slabs of 64 KiB, and one of them
 * keeps its whole slab.
 */

/** A copy in memory of its own. */
export function ownBytes(content: Uint8Array | string): Buffer {
  if (content.length === 0) return EMPTY;
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(content));
  if (typeof content === "string") bytes.write(content, "utf8");
  else bytes.set(content);
  return bytes;
}

/**
 * Frees memory that nobody looks at any more. Whoever leaves large buffers to the collector has it look through everything that the
 * process holds after each 70 MB or so of them, which costs more than receiving, checking and writing them.
 *
 * @param memory views of it have no length afterwards
 */
export function giveBack(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer && memory.byteLength > 0) memory.transfer(0);
}

const EMPTY = Buffer.allocUnsafeSlow(0);
