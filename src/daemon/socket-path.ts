/**
 * A Unix socket's address holds 107 bytes; homes may lie deeper. The kernel follows a name through a directory that this process has open.
 */
import { openSync } from "node:fs";
import { basename, dirname } from "node:path";

const ADDRESS_BYTES = 107;

/** A path that a socket can be bound to. The directory stays open for as long as the process lives. */
export function socketPath(path: string): string {
  if (Buffer.byteLength(path) <= ADDRESS_BYTES) return path;
  return `/proc/self/fd/${openSync(dirname(path), "r")}/${basename(path)}`;
}
