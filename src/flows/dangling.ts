/**
 * Links that lead nowhere: what follows links takes them for nothing at all.
 */
import { lstatSync } from "node:fs";

/** A link to nothing: what it leads to can appear while the link's own directory stays as it is. */
export function isDangling(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // Whatever it is, it is not simply missing.
  }
}
