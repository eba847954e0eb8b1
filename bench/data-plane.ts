/**
 * The data plane on loopback, two processes: how much of raw TLS it keeps, and how much more it is than a stream of libp2p; and small
 * requests on one stream against a new stream for each.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { silentLog } from "../src/base/index.ts";
import { Plane, TlsCarrier, tlsIdentity } from "../src/data/index.ts";
import { keyPairFromSeed } from "../src/trust/index.ts";
import { loadNetworkCodec } from "../src/wire/index.ts";
import { FAR_SEED, type FarPorts } from "./data-far.ts";
import { ECHO, type Encrypter, libp2pNode, SINK } from "./data-libp2p.ts";
import { interleave } from "./rounds.ts";
import type { Settings } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const NEAR_SEED = 1;
const CHUNK = Buffer.alloc(262_144, 7);
const REQUEST = Buffer.alloc(1_024, 7);
const MIB = 1_048_576;
/** An option that the types of tls.connect do not know. */
const HALF_OPEN = { allowHalfOpen: true };
const BARS = {
  raw: { must: 0.8, aim: 0.95, lower: true },
  libp2p: { must: 2, aim: 2.5, lower: true },
  requests: { must: 5, aim: 9, lower: true },
} as const;

interface Contender {
  readonly name: string;
  /** Sends so many bytes on a new stream, until the other side says that it has them. */
  readonly bulk?: (bytes: number) => Promise<void>;
  /** So many requests of 1 KiB, each answered before the next. */
  readonly requests?: (count: number) => Promise<void>;
}

export async function dataPlane(settings: Settings): Promise<Report> {
  const far = fork(join(import.meta.dirname, "data-far.ts"));
  const closing: (() => Promise<void>)[] = [];
  try {
    const [ports] = (await once(far, "message")) as [FarPorts];
    const contenders = [raw(ports), await plane(ports), await libp2p("TLS", ports, closing), await libp2p("Noise", ports, closing)];
    const [bulk, requests] = [await measureBulk(settings, contenders), await measureRequests(settings, contenders)];
    const notes = [
      `${Math.round(settings.dataBytes / MIB)} MiB a stream in pieces of ${CHUNK.length / 1_024} KiB; ${settings.questions} requests of 1 KiB, one after the other`,
      "two processes; each contender authenticates both sides but the raw one",
    ];
    return { benchmark: "data-plane", rows: [...bulk, ...requests], notes };
  } finally {
    for (const close of closing) await close();
    far.kill();
  }
}

async function measureBulk(settings: Settings, contenders: readonly Contender[]): Promise<Row[]> {
  const speeds = await speedsOf(settings, contenders, ({ bulk }) => bulk, settings.dataBytes, MIB);
  const of = (name: string): number[] => speeds.get(name) ?? [];
  return [
    ...[...speeds].map(([name, samples]) => row(`one stream, ${name}`, "MiB/s", spread(samples))),
    row("one stream: data plane / raw TLS", "x", spread(ratios(of("data plane"), of("raw TLS"))), BARS.raw),
    row("one stream: data plane / libp2p TLS", "x", spread(ratios(of("data plane"), of("libp2p TLS"))), BARS.libp2p),
    row("one stream: data plane / libp2p Noise", "x", spread(ratios(of("data plane"), of("libp2p Noise"))), BARS.libp2p),
  ];
}

async function measureRequests(settings: Settings, contenders: readonly Contender[]): Promise<Row[]> {
  const rates = await speedsOf(settings, contenders, ({ requests }) => requests, settings.questions, 1);
  const of = (name: string): number[] => rates.get(name) ?? [];
  const names = ["TLS", "Noise"].map((name) => `libp2p ${name}`);
  return [
    ...[...rates].map(([name, samples]) =>
      row(`requests, ${name}${name === "data plane" ? ", one stream" : ", a new stream for each"}`, "1/s", spread(samples)),
    ),
    ...names.map((name) =>
      row(`requests: data plane on one stream / ${name}, new streams`, "x", spread(ratios(of("data plane"), of(name))), BARS.requests),
    ),
  ];
}

/** Units a second of each contender that can, by its name; one round more, which does not count, warms everything up. */
async function speedsOf(
  settings: Settings,
  contenders: readonly Contender[],
  pick: (contender: Contender) => ((amount: number) => Promise<void>) | undefined,
  amount: number,
  unit: number,
): Promise<Map<string, number[]>> {
  const able = contenders.filter((contender) => pick(contender) !== undefined);
  const samples = await interleave(able, settings.rounds + 1, async (contender, round) => {
    settings.progress(`${contender.name}, round ${round}`);
    const began = performance.now();
    await pick(contender)?.(amount);
    return (amount / unit / (performance.now() - began)) * 1_000;
  });
  return new Map([...samples].map(([{ name }, all]) => [name, all.slice(1)]));
}

function raw({ raw: port }: FarPorts): Contender {
  return {
    name: "raw TLS",
    bulk: async (bytes) => {
      const socket = tls.connect({ ...HALF_OPEN, port, host: "127.0.0.1", rejectUnauthorized: false, minVersion: "TLSv1.3" });
      await once(socket, "secureConnect");
      await pour(socket, bytes);
    },
  };
}

async function plane({ plane: port }: FarPorts): Promise<Contender> {
  const codec = await loadNetworkCodec();
  const identity = tlsIdentity(Buffer.alloc(32, NEAR_SEED));
  const key = keyPairFromSeed(Buffer.alloc(32, FAR_SEED)).publicKey;
  const carrier = new TlsCarrier({ identity, whereIs: () => Promise.resolve({ port, hosts: ["127.0.0.1"] }) });
  const near = new Plane({ codec, log: silentLog, now: () => performance.now(), isMember: () => true, carriers: [carrier] });
  const forever = new AbortController().signal;
  return {
    name: "data plane",
    bulk: async (bytes) => pour((await near.open({ key, service: "sink", argument: "" }, forever)).bytes, bytes),
    requests: async (count) => {
      const { bytes } = await near.open({ key, service: "echo", argument: "" }, forever);
      for (let i = 0; i < count; i++) await askDuplex(bytes);
      bytes.resume().end();
    },
  };
}

async function libp2p(encrypter: Encrypter, ports: FarPorts, closing: (() => Promise<void>)[]): Promise<Contender> {
  const node = await libp2pNode(encrypter, NEAR_SEED, false);
  closing.push(async () => node.stop());
  const connection = await node.dial(multiaddr(ports.libp2p[encrypter]));
  return {
    name: `libp2p ${encrypter}`,
    bulk: async (bytes) => pourStream(await connection.newStream(SINK), bytes),
    requests: async (count) => {
      for (let i = 0; i < count; i++) await askStream(connection);
    },
  };
}

async function pour(bytes: Duplex, count: number): Promise<void> {
  const answered = once(bytes, "data");
  for (let left = count; left > 0; left -= CHUNK.length) if (!bytes.write(CHUNK)) await once(bytes, "drain");
  bytes.end();
  await answered;
}

async function pourStream(stream: Stream, count: number): Promise<void> {
  const answered = new Promise((resolve) => stream.addEventListener("message", resolve, { once: true }));
  for (let left = count; left > 0; left -= CHUNK.length)
    if (!stream.send(CHUNK)) await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
  await stream.close();
  await answered;
}

function askDuplex(bytes: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let left = REQUEST.length;
    const take = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left > 0) return;
      bytes.off("data", take);
      resolve();
    };
    bytes.on("data", take);
    bytes.write(REQUEST);
  });
}

async function askStream(connection: Connection): Promise<void> {
  const stream = await connection.newStream(ECHO);
  await new Promise<void>((resolve) => {
    let left = REQUEST.length;
    stream.addEventListener("message", ({ data }) => {
      left -= data.byteLength;
      if (left <= 0) resolve();
    });
    stream.send(REQUEST);
  });
  await stream.close();
}
