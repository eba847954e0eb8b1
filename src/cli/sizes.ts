/**
 * Sizes as people write them on the command line.
 */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseSize } from "../base/index.ts";

/** `20GiB`, `500 MB`, `1073741824` as bytes. */
export function readSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw new InvalidArgumentError("A size is a number of bytes, or such as 500MB or 2GiB.");
  return bytes;
}
