/**
 * Fields of a request's body, as narrow types.
 */
import { CairnError } from "../base/index.ts";

export function field(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>)[name] : undefined;
}

/** "" where it was left out. */
export function text(body: unknown, name: string): string {
  const value = field(body, name) ?? "";
  if (typeof value !== "string") throw new CairnError("usage", { why: `${name} is text` });
  return value;
}

export function count(body: unknown, name: string): number {
  const value = field(body, name);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new CairnError("usage", { why: `${name} is a whole number` });
  return value;
}
