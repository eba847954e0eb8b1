/**
 * QUIC as links can run over it, against TCP with Noise and yamux, on loopback, two processes. And a daemon at which strangers knock over QUIC
 * without end.
 */
import { fork } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { limits } from "../src/base/index.ts";
import { onDrained } from "../src/net/drained.ts";
import { portOf, speaksQuic } from "../src/net/ports.ts";
import { CairnNode } from "./cairn-node.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, same, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";
import { type Cost, costNow, ECHO, SINK, transportsNode } from "./transports-far.ts";

const CHUNK = Buffer.alloc(262_144, 7);
const REQUEST = Buffer.alloc(1_024, 7);
const MIB = 1_048_576;
/** A stream that is opened for each of so many requests; what stays of them is measured. */
const STREAMS_PER_QUESTION = 15;
/** 10,000 a minute. */
const STRANGERS_PER_SECOND = 167;
/** All of 127.0.0.0/8 is this machine: strangers come from many addresses. */
const STRANGER_ADDRESSES = 200;

interface Contender {
  readonly name: string;
  readonly connection: Connection;
}

/** What one turn of a contender took. */
interface Turn {
  readonly ms: number;
  /** Of both processes. */
  readonly cpuMs: number;
}

export async function transports(settings: Settings): Promise<Report> {
  const far = fork(join(import.meta.dirname, "transports-far.ts"), { execArgv: [...process.execArgv, "--expose-gc"] });
  const [addresses] = (await once(far, "message")) as [string[]];
  const node = await transportsNode(1, []);
  const farCost = async (collect: boolean): Promise<Cost> => {
    const told = once(far, "message");
    far.send(collect);
    return ((await told) as [Cost])[0];
  };
  try {
    const contenders: Contender[] = [];
    for (const address of addresses) {
      // Each has a connection of its own, to the same peer.
      const connection = await node.services.dialler.dial(multiaddr(address), AbortSignal.timeout(30_000));
      contenders.push({ name: speaksQuic(address) ? "QUIC" : "TCP", connection });
    }
    const measure = async (what: string, unit: string, amount: number, of: (connection: Connection) => Promise<void>): Promise<Row[]> => {
      const turns = await interleave(contenders, settings.rounds + 1, async ({ name, connection }, round): Promise<Turn> => {
        settings.progress(`${what}, ${name}, round ${round}`);
        const [before, began] = [costNow(false).cpuMs + (await farCost(false)).cpuMs, performance.now()];
        await of(connection);
        const ms = performance.now() - began;
        return { ms, cpuMs: costNow(false).cpuMs + (await farCost(false)).cpuMs - before };
      });
      const named = new Map([...turns].map(([{ name }, all]) => [name, all.slice(1)])); // The first warms everything up.
      const rates = (name: string): number[] => (named.get(name) ?? []).map(({ ms }) => (amount / ms) * 1_000);
      const cpus = (name: string): number[] => (named.get(name) ?? []).map(({ cpuMs }) => cpuMs / amount);
      return [
        ...[...named.keys()].map((name) => row(`${what}, ${name}`, unit, spread(rates(name)))),
        ...[...named.keys()]
          .slice(1)
          .flatMap((name) => [
            row(`${what}: ${name} / TCP`, "x", spread(ratios(rates(name), rates("TCP")))),
            row(`${what}: ${name} / TCP, CPU of both sides`, "x", spread(ratios(cpus(name), cpus("TCP")))),
          ]),
      ];
    };
    const rows = [
      ...(await measure("one stream", "MiB/s", settings.dataBytes / MIB, (connection) => pour(connection, settings.dataBytes))),
      ...(await measure("requests on one stream", "1/s", settings.questions, (connection) => ask(connection, settings.questions))),
      ...(await measure("a stream for each request", "1/s", settings.questions, (connection) => askAnew(connection, settings.questions))),
    ];
    const streams = STREAMS_PER_QUESTION * settings.questions;
    const quic = contenders.filter(({ name }) => name === "QUIC");
    for (const { connection } of quic) {
      const before = (await farCost(true)).heapBytes;
      settings.progress(`${streams} streams`);
      await askAnew(connection, streams);
      await sleep(limits.helloDeadlineMs); // Until then libp2p holds what it has negotiated a protocol for.
      const more = (await farCost(true)).heapBytes - before;
      rows.push(row(`heap of the far side after ${streams} more streams over QUIC`, "MiB more", same(more / MIB)));
    }
    rows.push(...(await strangers(settings)));
    const notes = [
      `${Math.round(settings.dataBytes / MIB)} MiB a stream in pieces of ${CHUNK.length / 1_024} KiB; ${settings.questions} requests of 1 KiB, one after the other`,
      "two processes on loopback, with the nodes that links have; what is bulk in Cairn takes the data plane",
      `strangers: first packets of QUIC from ${STRANGER_ADDRESSES} addresses, 10,000 a minute, each from a port of its own`,
    ];
    return { benchmark: "transports", rows, notes };
  } finally {
    await node.stop();
    far.kill();
  }
}

async function pour(connection: Connection, count: number): Promise<void> {
  const stream = await connection.newStream(SINK);
  const answered = new Promise((resolve) => stream.addEventListener("message", resolve, { once: true }));
  for (let left = count; left > 0; left -= CHUNK.length) if (!stream.send(CHUNK)) await drained(stream);
  await stream.close();
  await answered;
}

function drained(stream: Stream): Promise<void> {
  const ready = Promise.withResolvers<void>();
  onDrained(stream, ready.resolve);
  return ready.promise;
}

async function ask(connection: Connection, count: number): Promise<void> {
  const stream = await connection.newStream(ECHO);
  for (let i = 0; i < count; i++) await answerOf(stream);
  await stream.close();
}

async function askAnew(connection: Connection, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await ask(connection, 1);
}

function answerOf(stream: Stream): Promise<void> {
  return new Promise<void>((resolve) => {
    let left = REQUEST.length;
    const take = ({ data }: { readonly data: { readonly byteLength: number } }): void => {
      left -= data.byteLength;
      if (left > 0) return;
      stream.removeEventListener("message", take);
      resolve();
    };
    stream.addEventListener("message", take);
    stream.send(REQUEST);
  });
}

/** A daemon that listens for QUIC, while strangers knock. */
async function strangers(settings: Settings): Promise<Row[]> {
  using workshop = new Workshop();
  await using node = new CairnNode(workshop.path("home"), { CAIRN_NETWORK_LISTEN: "127.0.0.1:0 127.0.0.1:0/quic" });
  await node.start();
  const { addresses } = (await node.tell("/network/init", { name: "bench" })) as { addresses: string[] };
  const at = addresses.find(speaksQuic) ?? "";
  const port = portOf(at)?.port ?? 0;
  const cpuShare = async (during: Promise<unknown>): Promise<number> => {
    const [before, began] = [node.cpuMs(), performance.now()];
    await during;
    return (100 * (node.cpuMs() - before)) / (performance.now() - began);
  };
  const idle = await cpuShare(sleep(settings.strangerSeconds * 1_000));
  settings.progress("strangers");
  const packets = await firstPackets(Math.min(2 * limits.unprovenPerMinute, settings.strangerSeconds * STRANGERS_PER_SECOND));
  const knocking = knock(packets, port, settings.strangerSeconds);
  const knocked = await cpuShare(knocking);
  return [
    row("CPU: strangers over QUIC, 10,000 a minute, above idle", "% of a core", same(knocked - idle), { must: 10, aim: 10 }),
    row("strangers whose packets got as far as what speaks QUIC", "", same((await knocking).answered)),
  ];
}

/** As somebody really sends them who dials. */
async function firstPackets(count: number): Promise<Buffer[]> {
  const nobody = createSocket("udp4").bind(0, "127.0.0.1");
  await once(nobody, "listening");
  const packets = new Map<string, Buffer>();
  nobody.on("message", (packet) => packets.set(packet.toString("hex", 6, 6 + packet.readUInt8(5)), packet));
  const node = await transportsNode(3, []);
  const address = multiaddr(`/ip4/127.0.0.1/udp/${nobody.address().port}/quic-v1/p2p/${node.peerId.toString()}`);
  while (packets.size < count) {
    const signal = AbortSignal.timeout(10);
    await node.services.dialler.dial(address, signal).catch(() => undefined);
  }
  await node.stop();
  nobody.close();
  return [...packets.values()];
}

async function knock(packets: readonly Buffer[], port: number, seconds: number): Promise<{ answered: number }> {
  let answered = 0;
  const began = performance.now();
  for (let i = 0; i < seconds * STRANGERS_PER_SECOND; i++) {
    const socket = createSocket("udp4");
    socket.once("message", () => answered++).on("error", () => undefined);
    socket.bind(0, `127.0.${1 + (i % STRANGER_ADDRESSES)}.1`, () => socket.send(packets[i % packets.length] ?? "", port, "127.0.0.1"));
    setTimeout(() => socket.close(), 2_000);
    await sleep(Math.max(0, began + ((i + 1) * 1_000) / STRANGERS_PER_SECOND - performance.now()));
  }
  return { answered };
}
