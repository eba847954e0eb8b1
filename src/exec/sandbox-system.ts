/**
 * What is installed on this machine, for actions that use it: programs and libraries, mounted read-only where they are.
 *
 * Nothing of a user is among it, and no settings but where alternatives lead. Knows: files of this machine. Does not know: actions.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { type Entries, type Entry, Plan } from "./sandbox-plan.ts";

export interface SystemView {
  /** With those of the sandbox itself. */
  readonly entries: Entries;
  /** Directories of this machine that are mounted. */
  readonly mounts: readonly string[];
}

/** Where it lies. */
export const systemParts: readonly string[] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives"];

/** @param base what every root has */
export function systemView(base: Entries): SystemView {
  const plan = new Plan(base);
  const mounts: string[] = [];
  for (const path of systemParts) {
    const entry = entryOf(path);
    if (entry === undefined || !plan.put(path, entry)) continue;
    if (entry.kind === "mount") mounts.push(path);
  }
  return { entries: plan.entries, mounts };
}

/** Most of them are links into /usr by now. */
function entryOf(path: string): Entry | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink() === true) return { kind: "link", target: readlinkSync(path) };
  return stats?.isDirectory() === true ? { kind: "mount" } : undefined;
}
