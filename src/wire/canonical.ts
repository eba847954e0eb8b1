/**
 * The canonical encoding behind keys: a sequence of length-prefixed, tagged fields, hashed. Two different values never encode alike,
 * because every list has a count and every text a length.
 */
import { type Digest, digestOf } from "../base/index.ts";
import { ByteWriter } from "./bytes.ts";

/** Nothing is asked while something is written. */
const writer = new ByteWriter(8_192);

export type Canonical = string | number | boolean | undefined | readonly Canonical[];

/**
 * SHA-256 over `fields` in canonical form.
 * @param domain keeps keys of different kinds and versions apart, for example `cairn.manifest.1`
 */
export function canonicalDigest(domain: string, fields: readonly Canonical[]): Digest {
  writer.restart().text32(domain);
  encode(fields);
  const digest = digestOf(writer.view());
  writer.restart(); // Now, since a lot is let go of, and the next may be long in coming.
  return digest;
}

function encode(value: Canonical): void {
  if (value === undefined) writer.u8(0);
  else if (typeof value === "string") writer.u8(1).text32(value);
  else if (typeof value === "number") writer.u8(2).text32(String(value));
  else if (typeof value === "boolean") writer.u8(value ? 4 : 3);
  else {
    writer.u8(5).u32(value.length);
    for (const item of value) encode(item);
  }
}
