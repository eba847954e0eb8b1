/**
 * What a network costs a daemon: its start, its memory with many links, and strangers who knock without end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import net from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import { type Settings, Workshop } from "./settings.ts";
import { same, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const BARS = {
  start: { must: 500, aim: 250 },
  memory: { must: 160, aim: 120 },
  strangers: { must: 10, aim: 10 },
} as const;
const LISTENING = '"network.listening"';
/** 10,000 a minute. */
const STRANGERS_PER_SECOND = 167;
/** All of 127.0.0.0/8 is this machine: strangers come from many addresses. */
const STRANGER_ADDRESSES = 200;
/** multistream-select: all that two sides say before they need keys. */
const CHOICE = "\x13/multistream/1.0.0\n\x07/noise\n";
const MB = 1_000_000;
const SETTLE_MS = 5_000;

export async function network(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  const home = workshop.path("home");
  const env = { CAIRN_NETWORK_LISTEN: "127.0.0.1:0" };
  await using node = new CairnNode(home, env);
  await node.start();
  const founded = (await node.tell("/network/init", { name: "bench" })) as { addresses: string[] };
  const port = Number(/\/tcp\/(\d+)/.exec(founded.addresses[0] ?? "")?.[1]);
  settings.progress("starting");
  const rows = await starts(settings, node);
  settings.progress(`${settings.links} links`);
  rows.push(row("resident: idle, with a network, nobody linked", "MB", same(node.residentBytes() / MB)));
  const crowd = await gather(node, settings.links);
  try {
    await sleep(SETTLE_MS);
    const idle = await cpuShare(node, settings.strangerSeconds);
    rows.push(row(`resident: idle, with ${settings.links} links`, "MB", same(node.residentBytes() / MB), BARS.memory));
    rows.push(row(`CPU: idle, with ${settings.links} links`, "% of a core", same(idle)));
    settings.progress("strangers");
    const strangers = knock(port, settings.strangerSeconds);
    const knocked = await cpuShare(node, settings.strangerSeconds);
    rows.push(row("CPU: strangers, 10,000 a minute, above idle", "% of a core", same(knocked - idle), BARS.strangers));
    rows.push(row("strangers who got further than the first bytes", "", same((await strangers).answered), { must: 0, aim: 0 }));
  } finally {
    crowd.kill();
  }
  const notes = [
    "members of the crowd are in one process, each linked with the daemon alone; they gossip and ping as members do",
    `strangers: TCP connections from ${STRANGER_ADDRESSES} addresses that say nothing of use and wait for an answer`,
  ];
  return { benchmark: "network", rows, notes };
}

async function starts({ rounds }: Settings, node: CairnNode): Promise<Row[]> {
  const [builds, members]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    await node.stop();
    const began = performance.now();
    await node.start();
    builds.push(performance.now() - began);
    await node.logged(LISTENING);
    members.push(performance.now() - began);
  }
  return [
    row("spawn to listening for builds, with a network", "ms", spread(builds)),
    row("spawn to listening for members", "ms", spread(members), BARS.start),
  ];
}

/** @returns the process that the members live in */
async function gather(node: CairnNode, count: number): Promise<ChildProcess> {
  const crowd = spawn(process.execPath, [join(import.meta.dirname, "crowd.ts")], { stdio: ["pipe", "pipe", "inherit"] });
  const answers = createInterface({ input: crowd.stdout })[Symbol.asyncIterator]();
  for (let i = 0; i < count; i++) {
    const { line } = (await node.tell("/network/invite", { expiresMs: 3_600_000 })) as { line: string };
    crowd.stdin.write(`${line}\n`);
    if ((await answers.next()).done === true) throw new Error(`the crowd ended after ${i} members`);
  }
  return crowd;
}

/** CPU time of the daemon in the next seconds, in hundredths of a core. */
async function cpuShare(node: CairnNode, seconds: number): Promise<number> {
  const [before, began] = [node.cpuMs(), performance.now()];
  await sleep(seconds * 1_000);
  return (100 * (node.cpuMs() - before)) / (performance.now() - began);
}

/** @returns strangers who were told anything beyond the choice of a secure channel */
async function knock(port: number, seconds: number): Promise<{ answered: number }> {
  let answered = 0;
  const knocking: Promise<unknown>[] = [];
  const began = performance.now();
  for (let i = 0; i < seconds * STRANGERS_PER_SECOND; i++) {
    const localAddress = `127.0.${1 + (i % STRANGER_ADDRESSES)}.1`;
    const socket = net.connect({ port, host: "127.0.0.1", localAddress });
    let bytes = 0;
    socket.on("error", () => undefined).on("data", (chunk) => (bytes += chunk.length));
    socket.write(`${CHOICE}\x00\x04abcd`);
    socket.setTimeout(2_000, () => socket.destroy());
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    knocking.push(closed.then(() => (answered += bytes > CHOICE.length ? 1 : 0)));
    await sleep(Math.max(0, began + ((i + 1) * 1_000) / STRANGERS_PER_SECOND - performance.now()));
  }
  await Promise.all(knocking);
  return { answered };
}
