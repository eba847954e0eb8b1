/**
 * Runs the simulation of placement as people ask for it, and prints a table.
 */

import { spread as spreadOf } from "../../bench/statistics.ts";
import { format, type Report, row } from "../../bench/table.ts";
import type { PlacementPattern } from "../../src/base/index.ts";
import type { SimOptions } from "./main.ts";
import { type Failover, killAllButOne, PLACE_MOST_MS, spread, strikeCoordinators } from "./placement.ts";

const ROUNDS = 200;
const PARTITION_ROUNDS = 20;
const SCHEDULES = 100;
const NODES = 20;
const EQUAL = [1, 1, 1, 1, 1, 1, 1, 1];
const UNEQUAL = [1, 1, 1, 2, 2, 4, 4, 8];
const PATTERNS: readonly PlacementPattern[] = ["hybrid", "mesh", "overlay"];

/** @returns whether no build failed and nobody waited too long */
export async function placement({ seed, nodes = NODES, json }: SimOptions): Promise<boolean> {
  const killed = await strikeCoordinators({ seed, rounds: ROUNDS, silently: false });
  const cut = await strikeCoordinators({ seed, rounds: PARTITION_ROUNDS, silently: true });
  const agreed = await strikeCoordinators({ seed, rounds: PARTITION_ROUNDS, silently: false, isAgreed: true });
  const agreedCut = await strikeCoordinators({ seed, rounds: PARTITION_ROUNDS, silently: true, isAgreed: true });
  const all = [];
  for (const pattern of PATTERNS) all.push({ pattern, ...(await killAllButOne({ seed, schedules: SCHEDULES, nodes, pattern })) });
  const even = [];
  for (const pattern of PATTERNS)
    for (const [what, slowness, builders] of [
      ["8 equal machines, 1 builds", EQUAL, 1],
      ["8 equal machines, 4 build", EQUAL, 4],
      ["8 unequal machines, 1 builds", UNEQUAL, 1],
      ["8 unequal machines, 4 build", UNEQUAL, 4],
    ] as const)
      even.push({ what: `${what}, ${pattern}`, ...(await spread({ seed, pattern, slowness, builders })) });
  const one = (value: number): ReturnType<typeof spreadOf> => spreadOf([value]);
  const report: Report = {
    benchmark: "placement, simulated",
    rows: [
      ...failoverRows("coordinator killed", killed),
      ...failoverRows("coordinator silently cut off", cut),
      ...failoverRows("where domains agree on epochs, coordinator killed", agreed),
      ...failoverRows("where domains agree on epochs, coordinator silently cut off", agreedCut),
      ...all.flatMap(({ pattern, schedules, failedBuilds, units, again }) => [
        row(`${nodes} nodes, all but one killed, ${schedules} schedules, ${pattern}: failed builds`, "", one(failedBuilds)),
        row("… units of the survivor that were placed anew", "%", one((100 * again) / units)),
      ]),
      ...even.flatMap(({ what, overIdeal, busyShare, framesPerUnit }) => [
        row(`${what}: time over ideal`, "", one(overIdeal)),
        row("… units that found a member busy", "%", one(100 * busyShare)),
        row("… frames about placing a unit", "", one(framesPerUnit)),
      ]),
    ],
    notes: [
      `seed ${seed}; links of 1 to 4 ms, links of the dead end after 1 to 30 ms; 2 cores each; units of 40 to 400 ms while coordinators go, of 200 to 1,800 ms where time is compared`,
      "waited: the longest of all that asked for a place at the strike or within 2 s after it",
      "ideal: no core is ever idle",
    ],
  };
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${format(report)}\n`);
  const struck = [killed, cut, agreed, agreedCut];
  const waited = Math.max(...struck.flatMap(({ waitedMs }) => waitedMs));
  return (
    waited <= PLACE_MOST_MS && struck.every(({ failedBuilds }) => failedBuilds === 0) && all.every(({ failedBuilds }) => failedBuilds === 0)
  );
}

function failoverRows(what: string, { strikes, waitedMs, takeoverMs, builds, failedBuilds }: Failover): ReturnType<typeof row>[] {
  const at = (some: readonly number[], share: number): ReturnType<typeof spreadOf> =>
    spreadOf([some.toSorted((a, b) => a - b)[Math.min(some.length - 1, Math.ceil(share * some.length) - 1)] ?? 0]);
  return [
    row(`${what} ${strikes} times: waited for a place, median`, "ms", at(waitedMs, 0.5)),
    row("… p99", "ms", at(waitedMs, 0.99)),
    row("… until all name another coordinator, median", "ms", at(takeoverMs, 0.5)),
    row("… p99", "ms", at(takeoverMs, 0.99)),
    row(`… failed builds of ${builds}`, "", spreadOf([failedBuilds])),
  ];
}
