/**
 * The NAT matrix: a site behind each kind of NAT meets a site behind each kind, real daemons, one pair at a time.
 *
 * All machines become members of one network first, while nobody measures. Then, for each pair, both daemons start, and their logs tell
 * when they were linked, how, and when directly.
 * Knows: members, pairs, logs. Does not know: how the daemons find their way.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "./harness.ts";
import { keyOf, LabMachines } from "./lab-machines.ts";
import { buildInternet, buildSite, cablesReady, mapsIndependently, type NatKind, PUBLIC } from "./lab-nat.ts";

export interface MatrixOptions {
  readonly kinds: readonly NatKind[];
  /** Whether a member that everybody can reach is there while pairs are measured. */
  readonly withPublic: boolean;
  readonly lossPercent: number;
  /** How long a pair has to become direct, where it must, and to be linked at all. */
  readonly patienceMs: number;
  readonly tell: (line: string) => void;
}

export interface Pair {
  readonly a: NatKind;
  readonly b: NatKind;
  readonly how: "direct" | "relayed" | "none";
  /** From when both listen until they are linked, in whatever way; ms. */
  readonly linkedMs: number | undefined;
  /** From when they are linked until they are directly; ms. */
  readonly directMs: number | undefined;
}

/** A pair of one kind needs two sites of it. */
const SIDES = ["a", "b"] as const;
const LOOK_MS = 50;
/** How long a pair is watched for a direct way that it need not find, from when it is linked: longer than one attempt to punch takes. */
const WATCH_MS = 4_000;

export async function natMatrix(options: MatrixOptions): Promise<Pair[]> {
  const { kinds, withPublic, lossPercent, tell } = options;
  buildInternet();
  kinds.forEach((kind, at) => {
    SIDES.forEach((side, of) => buildSite(siteOf(kind, side), 2 * at + of, kind, lossPercent));
  });
  const names = kinds.flatMap((kind) => SIDES.map((side) => siteOf(kind, side)));
  await cablesReady([PUBLIC, ...names]);
  await using machines = new LabMachines();
  const meeting = await machines.found(PUBLIC);
  const sites = new Map<string, TestNode>();
  for (const site of names) {
    const node = await machines.join(site, meeting);
    sites.set(site, node);
    await node.stopDaemon();
    tell(`${site} has joined`);
  }
  if (!withPublic) await meeting.stopDaemon();
  const pairs: Pair[] = [];
  for (const a of kinds) {
    for (const b of kinds) {
      const [here, there] = [sites.get(siteOf(a, "a")), sites.get(siteOf(b, "b"))];
      assert.ok(here !== undefined && there !== undefined);
      const watchMs = mapsIndependently(a) && mapsIndependently(b) ? Number.POSITIVE_INFINITY : WATCH_MS;
      const pair = { a, b, ...(await meet(here, there, options, watchMs)) };
      pairs.push(pair);
      tell(`${a} and ${b}: ${describe(pair)}`);
    }
  }
  return pairs;
}

/** What the matrix must show: everybody is linked, and directly where both routers map independently of the endpoint. */
export function isAsItMust({ a, b, how }: Pair): boolean {
  return mapsIndependently(a) && mapsIndependently(b) ? how === "direct" : how !== "none";
}

export function describe({ how, linkedMs, directMs }: Pair): string {
  const times = [linkedMs, how === "direct" && directMs !== undefined && directMs > 0 ? directMs : undefined];
  const [linked, direct] = times.map((ms) => (ms === undefined ? undefined : `${(ms / 1_000).toFixed(2)} s`));
  return [how, linked, direct && `+${direct}`].filter((text) => text !== undefined).join(" ");
}

/** Names of sites are names of namespaces and of members. */
function siteOf(kind: NatKind, side: string): string {
  return `${kind.replaceAll(/([a-z])[a-z]*(-|$)/g, "$1")}${side}`;
}

/** @param watchMs from when the two are linked; see {@link WATCH_MS} */
async function meet(here: TestNode, there: TestNode, options: MatrixOptions, watchMs: number): Promise<Omit<Pair, "a" | "b">> {
  try {
    await Promise.all([here.startDaemon(), there.startDaemon()]);
    let deadline = performance.now() + options.patienceMs;
    const key = await keyOf(there);
    for (;;) {
      const links = [...here.events("peer.connected"), ...here.events("peer.moved")].filter(({ peer }) => peer === key);
      const direct = links.find(({ relays }) => relays === 0);
      if (links.length > 0) deadline = Math.min(deadline, performance.now() + watchMs);
      if (direct === undefined && performance.now() < deadline) {
        await sleep(LOOK_MS);
        continue;
      }
      const listening = [here, there].map((node) => Math.max(...node.events("network.listening").map(timeOf)));
      const [linked] = links.map(timeOf).toSorted((a, b) => a - b);
      if (linked === undefined) return { how: "none", linkedMs: undefined, directMs: undefined };
      const linkedMs = Math.max(0, linked - Math.max(...listening));
      if (direct === undefined) return { how: "relayed", linkedMs, directMs: undefined };
      return { how: "direct", linkedMs, directMs: timeOf(direct) - linked };
    }
  } finally {
    await Promise.all([here.stopDaemon(), there.stopDaemon()]);
  }
}

function timeOf(event: Record<string, unknown>): number {
  return Date.parse(String(event.at));
}
