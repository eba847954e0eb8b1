/**
 * The header `Range` of HTTP (RFC 9110, section 14): which part of an artifact is asked for.
 *
 * Knows: one part of something whose size is known. Does not know: answers of several parts, which nobody has to give.
 */
import type { Range } from "../contracts/index.ts";

/** `all`: no part, or nothing that is understood, which is the same; `none`: there is no such part. */
export type AskedRange = { readonly kind: "all" } | { readonly kind: "part"; readonly range: Range } | { readonly kind: "none" };

const ALL: AskedRange = { kind: "all" };
const NONE: AskedRange = { kind: "none" };

/** @param size bytes of the whole */
export function readRange(header: string | undefined, size: number): AskedRange {
  const [matched, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header ?? "") ?? [];
  if (matched === undefined || (first === "" && last === "")) return ALL;
  if (first === "") return part(Math.max(0, size - Number(last)), size);
  if (last !== "" && Number(last) < Number(first)) return ALL;
  return part(Number(first), last === "" ? size : Math.min(size, Number(last) + 1));
}

function part(from: number, to: number): AskedRange {
  return from < to ? { kind: "part", range: { from, length: to - from } } : NONE;
}

/** What an answer says of the part that it has; of none, how large the whole is. */
export function contentRange(range: Range | undefined, size: number): string {
  return range === undefined ? `bytes */${size}` : `bytes ${range.from}-${range.from + range.length - 1}/${size}`;
}
