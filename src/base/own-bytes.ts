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

const EMPTY = Buffer.allocUnsafeSlow(0);
