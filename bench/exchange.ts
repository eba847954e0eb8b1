/**
 * 300 objects from a peer: Cairn's exchange between members against Node's HTTP with keep-alive, both on loopback and with a process a side.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Served } from "./exchange-side.ts";
import { formNetwork } from "./members.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Report, row } from "./table.ts";

const BAR = { must: 0.7, aim: 0.5 } as const;
const POLL_MS = 20;
const CONTENDERS = ["cairn", "http"] as const;
/** Code is compiled meanwhile, and windows grow. */
const WARM_UP_ROUNDS = 3;

export async function exchange(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  const members = await formNetwork(workshop.directory, 2, settings.progress);
  try {
    const [server, client] = members;
    if (server === undefined || client === undefined) throw new Error("two members are needed");
    const served = (await server.ask({ do: "serve", objects: settings.objects })) as Served;
    await client.ask({ do: "serve", objects: 0 });
    while ((await client.ask({ do: "shared" })) !== 1) await sleep(POLL_MS);
    const measure = async (how: "cairn" | "http"): Promise<{ wallMs: number; clientMs: number; serverMs: number }> => {
      const before = [client.cpuMs(), server.cpuMs()] as const;
      const wallMs = Number(await client.ask({ do: "fetch", how, from: server.key, served }));
      return { wallMs, clientMs: client.cpuMs() - before[0], serverMs: server.cpuMs() - before[1] };
    };
    for (let round = 0; round < WARM_UP_ROUNDS; round++) for (const how of CONTENDERS) await measure(how);
    settings.progress(`${served.objects.length} objects, ${settings.rounds} rounds`);
    const samples = await interleave(CONTENDERS, settings.rounds, measure);
    const [cairn = [], http = []] = CONTENDERS.map((how) => samples.get(how));
    const walls = [cairn, http].map((all) => all.map(({ wallMs }) => wallMs));
    const cpus = [cairn, http].map((all) => all.map(({ clientMs, serverMs }) => clientMs + serverMs));
    const [wall = [], httpWall = []] = walls;
    const [cpu = [], httpCpu = []] = cpus;
    const bytes = served.objects.reduce((sum, { size }) => sum + size, 0);
    const rows = [
      row("wall / HTTP", "x", spread(ratios(wall, httpWall)), BAR),
      row("cairn, wall", "ms", spread(wall)),
      row("HTTP, wall", "ms", spread(httpWall)),
      row("CPU / HTTP, both sides", "x", spread(ratios(cpu, httpCpu))),
      row("cairn, CPU of the client", "ms", spread(cairn.map(({ clientMs }) => clientMs))),
      row("cairn, CPU of the server", "ms", spread(cairn.map(({ serverMs }) => serverMs))),
      row("HTTP, CPU of the client", "ms", spread(http.map(({ clientMs }) => clientMs))),
      row("HTTP, CPU of the server", "ms", spread(http.map(({ serverMs }) => serverMs))),
    ];
    const notes = [
      `${served.objects.length} objects, ${(bytes / 1e6).toFixed(1)} MB, from memory; the client checks each by its SHA-256`,
      "Cairn encrypts; HTTP does not, and has 8 connections with keep-alive",
    ];
    return { benchmark: "exchange", rows, notes };
  } finally {
    await Promise.all(members.map((member) => member.kill()));
  }
}
