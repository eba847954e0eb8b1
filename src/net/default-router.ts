/**
 * The router that leads outside, as the system knows it. Node does not tell; Linux has it in a file, of other systems nothing is known here.
 */
import { readFileSync } from "node:fs";

const ROUTES = "/proc/net/route";
const GATEWAY_FLAG = 2;

/** The IPv4 address of the router behind which everything is that no other route leads to. */
export function defaultRouter(): string | undefined {
  try {
    return routerIn(readFileSync(ROUTES, "utf8"));
  } catch {
    return undefined; // Another system.
  }
}

/** @param table Linux's, proc(5): a line a route, addresses as numbers of the machine's byte order */
export function routerIn(table: string): string | undefined {
  const routes = table
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .filter(
      ([, to, , flags, , , , mask]) => to === "00000000" && mask === "00000000" && (Number.parseInt(flags ?? "0", 16) & GATEWAY_FLAG) !== 0,
    )
    .toSorted((a, b) => Number(a[6]) - Number(b[6]));
  const bytes = Buffer.from(routes[0]?.[2] ?? "", "hex");
  return bytes.length === 4 ? bytes.toReversed().join(".") : undefined;
}
