/**
 * A relay under load: members that cannot reach each other, and one whom all can reach, through which all their tunnels lead.
 *
 * First with nothing but small requests, then with as much as goes, then for as long as is wanted at a bounded rate, while the relay's
 * memory is watched.
 * Knows: what is sent, and what comes of it. Does not know: how a relay works.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuMsOf } from "../../bench/meter.ts";
import { median, quantile } from "../../bench/statistics.ts";
import { checkout, type TestNode } from "./harness.ts";
import { keyOf, LabMachines, linkOf } from "./lab-machines.ts";
import { buildInternet, buildPublic, cablesReady, PUBLIC, publicAddress, setPath } from "./lab-nat.ts";
import { ECHO_PORT, type Order, type Told } from "./lab-relay-peer.ts";

export interface RelayLoadOptions {
  readonly streams: number;
  /** Bytes a second of all streams together that go out, and come back, while the load is bounded. */
  readonly bytesPerSecond: number;
  readonly minutes: number;
  readonly patienceMs: number;
  readonly tell: (line: string) => void;
}

export interface Phase {
  readonly name: "unloaded" | "as much as goes" | "bounded";
  readonly seconds: number;
  /** Through the relay, both ways together. */
  readonly relayedBytesPerSecond: number;
  /** Of 1 KiB there and back, over the relay. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  /** Of the relay; hundredths of a core. */
  readonly cpuPercent: number;
}

export interface RelayLoad {
  readonly streams: number;
  readonly circuits: number;
  readonly broken: number;
  /** What went wrong with streams of the data plane, on all machines: event and reason → how often. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly phases: readonly Phase[];
  /** Of the relay, while the load is bounded, one each `sampleSeconds`; bytes. */
  readonly residentBytes: readonly number[];
  readonly sampleSeconds: number;
}

const STREAMS_PER_PAIR = 20;
const FIRST_NUMBER = 30;
const PROBE_EVERY_MS = 100;
const UNBOUNDED_BYTES = 65_536;
const EVERY_MS = 5_000;
/** A stream that waits longer than this for its message to come back has stalled. */
const STALL_MS = 10_000;
const SHORT_S = 10;
const SAMPLES_LEAST = 6;
/** What the relay may have grown by, from the second quarter of the time to the last, without that being a leak. */
const GROWTH = { share: 0.1, bytes: 8_388_608 } as const;

export async function relayLoad(options: RelayLoadOptions): Promise<RelayLoad> {
  const names = machinesFor(options.streams);
  buildInternet();
  names.forEach((name, at) => buildPublic(name, FIRST_NUMBER + at));
  names.forEach((name, at) => {
    for (const other of names.keys()) if (other !== at) setPath(name, publicAddress(FIRST_NUMBER + other), "cut");
  });
  await cablesReady([PUBLIC, ...names]);
  await using machines = new LabMachines();
  const relay = await machines.found(PUBLIC);
  const peers: Peer[] = [];
  for (const name of names) peers.push(await Peer.start(name, await machines.join(name, relay)));
  try {
    const pairs = peers.flatMap((from, at) => peers.slice(at + 1).map((to) => ({ from, to })));
    for (const { from, to } of pairs) await untilRelayed(from.node, to.node, options.patienceMs);
    options.tell(`${peers.length} machines, ${pairs.length} pairs, all linked through the relay`);
    return await measure(relay, peers, pairs, options);
  } finally {
    for (const peer of peers) peer.end();
  }
}

/** What it must show: nothing broke, nobody waited for long at a load that the relay can bear, its memory does not grow. */
export function isSteady({ broken, phases, residentBytes }: RelayLoad): boolean {
  const bounded = phases.find(({ name }) => name === "bounded");
  const [, second = [], , last = []] = [0, 1, 2, 3].map((quarter) => quarterOf(residentBytes, quarter));
  const [before, after] = [median(second), median(last)];
  return (
    broken === 0 && bounded !== undefined && bounded.longestMs < STALL_MS && after - before <= Math.max(GROWTH.bytes, GROWTH.share * before)
  );
}

export function describeLoad({ streams, circuits, broken, reasons, phases, residentBytes, sampleSeconds }: RelayLoad): string {
  const mib = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
  const lines = phases.map(
    (phase) =>
      `${phase.name.padEnd(16)} ${phase.seconds.toFixed(0).padStart(5)} s  relayed ${mib(phase.relayedBytesPerSecond)}/s  1 KiB there and back ` +
      `p50 ${phase.medianMs.toFixed(1)} ms, p99 ${phase.p99Ms.toFixed(1)} ms  longest wait ${(phase.longestMs / 1_000).toFixed(2)} s  relay ${phase.cpuPercent.toFixed(1)} % of a core`,
  );
  const quarters = [0, 1, 2, 3].map((quarter) => mib(median(quarterOf(residentBytes, quarter))));
  return [
    `${streams} streams, ${circuits} circuits through one member, ${broken} broken`,
    ...Object.entries(reasons).map(([what, count]) => `  ${count} × ${what}`),
    ...lines,
    `resident, median of each quarter of ${Math.round((residentBytes.length * sampleSeconds) / 60)} min: ${quarters.join(", ")}`,
  ].join("\n");
}

/** As few machines as have pairs enough. */
function machinesFor(streams: number): string[] {
  let count = 2;
  while ((count * (count - 1)) / 2 < streams / STREAMS_PER_PAIR) count++;
  return Array.from({ length: count }, (_, at) => `m${at + 1}`);
}

async function untilRelayed(from: TestNode, to: TestNode, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  const key = await keyOf(to);
  while ((await linkOf(from, key))?.relays !== 1) {
    if (performance.now() > deadline) throw new Error("two machines are not linked through the relay");
    await sleep(50);
  }
}

async function measure(
  relay: TestNode,
  peers: readonly Peer[],
  pairs: readonly { readonly from: Peer; readonly to: Peer }[],
  { streams, bytesPerSecond, minutes, tell }: RelayLoadOptions,
): Promise<RelayLoad> {
  for (const { node } of peers) await node.control("POST", "/network/expose", { target: String(ECHO_PORT) });
  const [first] = pairs;
  const ports = new Map<object, number>();
  for (const pair of pairs) ports.set(pair, await pair.from.forwardTo(pair.to));
  if (first !== undefined) await first.from.ask({ do: "probe", port: ports.get(first) ?? 0, everyMs: PROBE_EVERY_MS });
  const phases = [await phase("unloaded", relay, peers, SHORT_S, tell)];
  for (const [at, pair] of pairs.entries()) {
    const here = Math.floor(((at + 1) * streams) / pairs.length) - Math.floor((at * streams) / pairs.length);
    await pair.from.ask({ do: "connect", port: ports.get(pair) ?? 0, streams: here });
  }
  for (const peer of peers) await peer.ask({ do: "load", bytes: UNBOUNDED_BYTES, everyMs: 0 });
  phases.push(await phase("as much as goes", relay, peers, SHORT_S, tell));
  const bytes = Math.max(1, Math.round((bytesPerSecond * EVERY_MS) / 1_000 / streams));
  for (const peer of peers) await peer.ask({ do: "load", bytes, everyMs: EVERY_MS });
  await sleep(EVERY_MS);
  await Promise.all(peers.map((peer) => peer.report())); // What was still under way is of the phase before.
  const seconds = minutes * 60;
  const sampleSeconds = Math.max(1, seconds / Math.max(SAMPLES_LEAST, Math.min(180, seconds / 10)));
  const residentBytes: number[] = [];
  const sampling = setInterval(() => residentBytes.push(residentOf(relay.pid)), sampleSeconds * 1_000);
  phases.push(await phase("bounded", relay, peers, seconds, tell));
  clearInterval(sampling);
  const broken = (await Promise.all(peers.map((peer) => peer.report()))).reduce((sum, told) => sum + told.broken, 0);
  const reasons = await reasonsOf([relay, ...peers.map(({ node }) => node)]);
  return { streams, circuits: pairs.length, broken, reasons, phases, residentBytes, sampleSeconds };
}

async function reasonsOf(nodes: readonly TestNode[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const node of nodes) {
    const { metrics } = (await node.control("GET", "/network/peers")) as { metrics: { reasons: Record<string, Record<string, number>> } };
    for (const [event, whys] of Object.entries(metrics.reasons)) {
      if (!/^(data|relay|peer\.disc)/.test(event)) continue;
      for (const [why, count] of Object.entries(whys)) counts[`${event}: ${why}`] = (counts[`${event}: ${why}`] ?? 0) + count;
    }
  }
  return counts;
}

async function phase(
  name: Phase["name"],
  relay: TestNode,
  peers: readonly Peer[],
  seconds: number,
  tell: (line: string) => void,
): Promise<Phase> {
  tell(`${name}: ${seconds} s`);
  const [cpuMs, began] = [cpuMsOf(relay.pid), performance.now()];
  const told: Told[] = [];
  // Now and then, so that no list becomes long.
  for (let left = seconds; left > 0; left -= SHORT_S) {
    await sleep(Math.min(left, SHORT_S) * 1_000);
    told.push(...(await Promise.all(peers.map((peer) => peer.report()))));
  }
  const tookMs = performance.now() - began;
  const probes = told.flatMap(({ probesMs }) => probesMs).toSorted((a, b) => a - b);
  const bytes = told.reduce((sum, one) => sum + one.bytes, 0);
  return {
    name,
    seconds: tookMs / 1_000,
    relayedBytesPerSecond: (2 * bytes * 1_000) / tookMs,
    medianMs: quantile(probes, 0.5),
    p99Ms: quantile(probes, 0.99),
    longestMs: Math.max(...told.map(({ longestMs }) => longestMs)),
    cpuPercent: (100 * (cpuMsOf(relay.pid) - cpuMs)) / tookMs,
  };
}

/** A machine, and the program on it that uses tunnels. */
class Peer {
  readonly node: TestNode;
  readonly #name: string;
  readonly #child: ChildProcess;

  static async start(name: string, node: TestNode): Promise<Peer> {
    const command = ["netns", "exec", name, process.execPath, join(checkout, "test/system/lab-relay-peer.ts")];
    const child = spawn("ip", command, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    await once(child, "message");
    return new Peer(name, node, child);
  }

  private constructor(name: string, node: TestNode, child: ChildProcess) {
    this.#name = name;
    this.node = node;
    this.#child = child;
  }

  async ask(order: Order): Promise<unknown> {
    const answered = once(this.#child, "message");
    this.#child.send(order);
    return (await answered)[0];
  }

  async report(): Promise<Told> {
    return (await this.ask({ do: "report" })) as Told;
  }

  /** @returns the port here that leads to the program there */
  async forwardTo(other: Peer): Promise<number> {
    const answer = await this.node.control("POST", "/network/forward", { listen: "0", target: `${other.#name}:${ECHO_PORT}` });
    if (answer.trouble !== null) throw new Error(`no tunnel: ${JSON.stringify(answer)}`);
    return Number(/:(\d+)$/.exec(String(answer.listen))?.[1]);
  }

  end(): void {
    this.#child.disconnect();
  }
}

/** Resident memory of a process; bytes. */
function residentOf(pid: number): number {
  return 1_024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function quarterOf(values: readonly number[], quarter: number): number[] {
  return values.slice(Math.floor((quarter * values.length) / 4), Math.floor(((quarter + 1) * values.length) / 4));
}
