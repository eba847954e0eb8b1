/**
 * Bodies of requests that are JSON, and their fields as narrow types.
 */
import type { IncomingMessage } from "node:http";
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

/** An empty body is an empty object. @throws {CairnError} limit-exceeded, usage */
export async function readJson(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) continue;
    bytes += chunk.length;
    if (bytes > bytesMax) throw new CairnError("limit-exceeded", { what: "body", bytes });
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return text === "" ? {} : (JSON.parse(text) as unknown);
  } catch (error) {
    throw new CairnError("usage", { why: "the body is not JSON" }, error);
  }
}
