/**
 * Sizes as people write them.
 */
import { InvalidArgumentError } from "@commander-js/extra-typings";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 1024,
  mi: 1024 ** 2,
  gi: 1024 ** 3,
  ti: 1024 ** 4,
};

/** `20GiB`, `500 MB`, `1073741824` as bytes. */
export function readSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) throw new InvalidArgumentError("A size is a number of bytes, or such as 500MB or 2GiB.");
  return Math.round(Number(match[1]) * unit);
}
