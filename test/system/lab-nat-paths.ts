/**
 * What becomes of a way that works: real daemons behind NATs whose direct way is cut and mended, whose cable is pulled, and machines in a
 * row of which each reaches only the next.
 *
 * Knows: what is done to the network, and what must come of it. Does not know: how the daemons notice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "./harness.ts";
import { keyOf, LabMachines, linkOf, type PeerView } from "./lab-machines.ts";
import { buildInternet, buildPublic, buildSite, cablesReady, PUBLIC, publicAddress, setCable, setPath } from "./lab-nat.ts";

export interface Step {
  readonly what: string;
  /** Undefined when it did not come about in time. */
  readonly tookMs: number | undefined;
}

export interface PathsOptions {
  readonly patienceMs: number;
  readonly tell: (line: string) => void;
}

const LOOK_MS = 25;
/** Machines of the row, by their numbers. */
const ROW = ["r1", "r2", "r3", "r4"] as const;

export async function natPaths(options: PathsOptions): Promise<Step[]> {
  buildInternet();
  ["a", "b"].forEach((name, number) => buildSite(name, number, "port-restricted", 0));
  ROW.forEach((name, at) => buildPublic(name, 10 + at));
  await cablesReady([PUBLIC, "a", "b", ...ROW]);
  const watch = new Watch(options);
  await ways(watch);
  await row(watch);
  return watch.steps;
}

/** Two behind NATs and a third whom both can reach. */
async function ways(watch: Watch): Promise<void> {
  await using machines = new LabMachines();
  const meeting = await machines.found(PUBLIC);
  const a = await machines.join("a", meeting);
  const b = await machines.join("b", meeting);
  const key = await keyOf(b);
  await watch.until("two behind NATs are linked directly", a, key, (link) => link?.relays === 0);
  for (const name of ["a-nat", "b-nat"]) setPath(name, publicAddress(name === "a-nat" ? 1 : 0), "cut");
  await watch.until("their direct way is cut: linked through the third", a, key, (link) => link?.relays === 1);
  for (const name of ["a-nat", "b-nat"]) setPath(name, publicAddress(name === "a-nat" ? 1 : 0), "open");
  await watch.until("it is mended: linked directly again", a, key, (link) => link?.relays === 0);
  setCable("a", 0, "down");
  await watch.until("the cable of one is pulled: known to be gone", b, await keyOf(a), (link) => link === undefined);
  setCable("a", 0, "up");
  await watch.until("plugged again: linked", a, key, (link) => link !== undefined);
  await watch.until("and directly", a, key, (link) => link?.relays === 0);
  await meeting.stopDaemon();
  await sleep(1_000);
  await watch.until("the third is gone: still linked directly", a, key, (link) => link?.relays === 0);
}

/** Each reaches only its neighbours. */
async function row(watch: Watch): Promise<void> {
  for (const [at, name] of ROW.entries())
    for (const other of ROW.keys()) if (Math.abs(at - other) > 1) setPath(name, publicAddress(10 + other), "cut");
  await using machines = new LabMachines();
  const nodes = [await machines.found(ROW[0])];
  for (const name of ROW.slice(1)) nodes.push(await machines.join(name, nodes.at(-1) as TestNode));
  const [first, , , last] = nodes as [TestNode, TestNode, TestNode, TestNode];
  await watch.until("four in a row: the ends are linked through the two between", first, await keyOf(last), (link) => link?.relays === 2);
}

class Watch {
  readonly steps: Step[] = [];
  readonly #options: PathsOptions;

  constructor(options: PathsOptions) {
    this.#options = options;
  }

  async until(what: string, node: TestNode, key: string, isSo: (link: PeerView | undefined) => boolean): Promise<void> {
    const began = performance.now();
    let tookMs: number | undefined;
    while (tookMs === undefined && performance.now() - began < this.#options.patienceMs) {
      if (isSo(await linkOf(node, key))) tookMs = performance.now() - began;
      else await sleep(LOOK_MS);
    }
    this.steps.push({ what, tookMs });
    this.#options.tell(describeStep({ what, tookMs }));
  }
}

export function describeStep({ what, tookMs }: Step): string {
  return `${tookMs === undefined ? "  never" : `${(tookMs / 1_000).toFixed(2)} s`.padStart(7)}  ${what}`;
}
