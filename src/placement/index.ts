/**
 * Placement: who computes what is nowhere yet.
 *
 * Knows: what members told, what was measured, leases, three patterns. Does not know: clocks, sockets, compilers, what a unit is.
 */

export type { Seats } from "./lease.ts";
export { Measured } from "./measured.ts";
export { Patterns } from "./patterns.ts";
