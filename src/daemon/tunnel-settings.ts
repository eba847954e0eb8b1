/**
 * Tunnels as text: addresses as people write them, and what is kept between two runs.
 *
 * Knows: the shape of each. Does not know: whether a member or a domain is there.
 */
import type { Exposure, Forward, Permission } from "../data/index.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = "127.0.0.1";
const HOST_CHARACTERS = 253;

/** `[HOST:]PORT`, loopback where no host is said; undefined when it is none, or the port is below `least`. */
export function parseEndpoint(text: string, least: 0 | 1): Endpoint | undefined {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):)?(\d{1,5})$/.exec(text.trim());
  if (match === null) return undefined;
  const [, six, name, digits] = match;
  const [host, port] = [six ?? name ?? LOOPBACK, Number(digits)];
  return port >= least && port <= 65_535 && host.length <= HOST_CHARACTERS ? { host, port } : undefined;
}

/** What does not read as an exposure is left out: nothing is reachable by mistake. */
export function readExposures(text: string | undefined): Exposure[] {
  return listOf(text).flatMap((row) => {
    const { name, host, port, to } = row;
    if (typeof name !== "string" || typeof host !== "string" || typeof port !== "number" || !Array.isArray(to)) return [];
    return [{ name, host, port, to: to.flatMap((one) => permission(one) ?? []) }];
  });
}

export function readForwards(text: string | undefined): Forward[] {
  return listOf(text).flatMap(({ host, port, member, service }) =>
    typeof host === "string" && typeof port === "number" && typeof member === "string" && typeof service === "string"
      ? [{ host, port, member, service }]
      : [],
  );
}

function permission(value: unknown): Permission | undefined {
  const { kind, domain, key } = recordOf(value);
  if (kind === "all") return { kind };
  if (kind === "domain" && typeof domain === "string") return { kind, domain };
  return kind === "member" && typeof key === "string" ? { kind, key } : undefined;
}

function listOf(text: string | undefined): Record<string, unknown>[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value.map(recordOf) : [];
  } catch {
    return [];
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
