/**
 * What a machine is called in its network when nobody says so.
 */
import { isName } from "../base/index.ts";

/** A name that can be one, made of whatever a machine is called. */
export function nameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/\..*/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return isName(name) ? name : "machine";
}
