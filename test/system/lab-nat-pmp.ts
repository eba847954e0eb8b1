/**
 * A machine whose router lets members in because it asks for that by NAT-PMP, and one behind a symmetric NAT, which nobody can punch a hole to:
 * without the first one's router they would only meet through a relay.
 *
 * Knows: the two machines, and what must come about. Does not know: packets; see lab-nat-pmp-router.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "./harness.ts";
import { keyOf, LabMachines, linkOf } from "./lab-machines.ts";
import { buildInternet, buildSite, cablesReady, PUBLIC, publicAddress } from "./lab-nat.ts";

export interface MappedOutcome {
  /** Where the machine says that it can be reached, and so do the members who have tried. */
  readonly mapped: readonly string[];
  /** How the two are linked, and ms from when both belong to the network; "none" when they are not. */
  readonly how: "direct" | "relayed" | "none";
  readonly directMs: number | undefined;
}

const LOOK_MS = 50;
const ASKS = { CAIRN_NETWORK_PORT_MAPPING: "on" };

export async function natPmp({ patienceMs, tell }: { patienceMs: number; tell: (line: string) => void }): Promise<MappedOutcome> {
  buildInternet();
  buildSite("asks", 0, "port-restricted", 0);
  buildSite("shut", 1, "symmetric", 0);
  await cablesReady([PUBLIC, "asks", "shut"]);
  const router = await startRouter("asks-nat", "10.0.0.1", publicAddress(0));
  try {
    await using machines = new LabMachines();
    const meeting = await machines.found(PUBLIC);
    const asks = await machines.join("asks", meeting, ASKS);
    tell("asks has joined, and its router has been asked");
    const mapped = await untilMapped(asks, patienceMs);
    tell(`its router lets members in at ${mapped.join(" ") || "no address"}`);
    const shut = await machines.join("shut", meeting);
    const began = performance.now();
    const key = await keyOf(asks);
    let how: MappedOutcome["how"] = "none";
    while (performance.now() - began < patienceMs) {
      const link = await linkOf(shut, key);
      how = link === undefined ? "none" : link.relays === 0 ? "direct" : "relayed";
      if (how === "direct") return { mapped, how, directMs: performance.now() - began };
      await sleep(LOOK_MS);
    }
    return { mapped, how, directMs: undefined };
  } finally {
    router.kill();
  }
}

export function describeMapped({ mapped, how, directMs }: MappedOutcome): string {
  const took = directMs === undefined ? "" : ` after ${(directMs / 1_000).toFixed(2)} s`;
  return `mapped: ${mapped.join(" ") || "nothing"}\na machine behind a symmetric NAT reaches it: ${how}${took}`;
}

async function startRouter(namespace: string, inside: string, outside: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, "lab-nat-pmp-router.ts");
  const router = spawn("ip", ["netns", "exec", namespace, process.execPath, script, inside, outside], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(router.stdout, "data");
  return router;
}

/** What the doctor says of the router. */
async function untilMapped(node: TestNode, patienceMs: number): Promise<readonly string[]> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const checks = (await node.control("GET", "/network/doctor")) as unknown as { check: string; ok: boolean; detail: string }[];
    const found = checks.find(({ check, ok, detail }) => check === "port mapping" && ok && detail.startsWith("/"));
    if (found !== undefined) return found.detail.split(" ");
    await sleep(LOOK_MS);
  }
  return [];
}
