/**
 * How many connections this process can serve: half of the files that it may have open at most, so that sources and blobs can still be
 * read when every connection is taken.
 */
import { readFileSync } from "node:fs";
import { limits } from "../base/index.ts";

export function connectionsMax(): number {
  try {
    // Soft limit, which Node has raised to the hard one; "unlimited" is not a number.
    const files = Number(/^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
    return files > 0 ? Math.min(limits.connections, Math.floor(files / 2)) : limits.connections;
  } catch {
    return limits.connections; // No /proc here.
  }
}
