/**
 * The version of this package, from its package.json.
 */
import { readFileSync } from "node:fs";

export const version: string = readVersion();

function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version?: unknown };
  return typeof manifest.version === "string" ? manifest.version : "unknown";
}
