/**
 * Lists of ids as bytes: each id as its difference to the one before, zigzag, in base-128 groups with the low group first (the varint
 * of protocol buffers). Ids of files that were first seen together follow each other, so most of them take one byte.
 */

/** @param ids integers from 0 to 2^31-1, in any order, which is kept */
export function encodeIds(ids: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * 5);
  let at = 0;
  let last = 0;
  ids.forEach((id) => {
    const difference = id - last;
    let rest = ((difference << 1) ^ (difference >> 31)) >>> 0;
    last = id;
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
  });
  return bytes.slice(0, at);
}

/** The inverse of {@link encodeIds}. */
export function decodeIds(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  let last = 0;
  let value = 0;
  let shift = 0;
  for (const byte of bytes) {
    value |= (byte & 0x7f) << shift;
    shift += 7;
    if (byte >= 0x80) continue;
    last += (value >>> 1) ^ -(value & 1);
    ids.push(last);
    value = 0;
    shift = 0;
  }
  return ids;
}
