/**
 * One artifact in and out by each door for build tools, up to the largest that they take: what memory the daemon needs for that.
 *
 * Each door is that of a daemon of its own, so that nothing of another one's artifact is still in memory. The clients are this process, which has all
 * of the artifact in memory.
 */
import { randomFillSync } from "node:crypto";
import { connect, type NetConnectOpts } from "node:net";
import { join } from "node:path";
import { CairnNode } from "./cairn-node.ts";
import { highestDuring, type Keeper, overHttp, portOf } from "./doors.ts";
import { GrpcStore } from "./doors-grpc.ts";
import { type Settings, Workshop } from "./settings.ts";
import { same } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const MIB = 1_048_576;
const MS_PER_S = 1_000;
const LOOPBACK = "127.0.0.1";
/** Of the artifact, at a time: no call takes 2 GiB at once. */
const PIECE_BYTES = 64 * MIB;
/** A daemon that says nothing for so long has not understood. */
const SILENCE_MS = 120_000;
const KEY = "artifact";
/** Of memory, MiB: a quarter of the largest artifact. */
const BAR = { must: 512, aim: 256 } as const;

interface Door {
  readonly name: string;
  /** What opens it. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: (node: CairnNode) => Promise<Keeper & Partial<Disposable>>;
}

const DOORS: readonly Door[] = [
  {
    name: "HTTP",
    env: { CAIRN_DOORS_HTTP_LISTEN: LOOPBACK },
    client: async (node) => overHttp("HTTP", `http://${LOOPBACK}:${await portOf(node, "http")}/sccache`),
  },
  {
    name: "gRPC",
    env: { CAIRN_DOORS_GRPC_LISTEN: LOOPBACK },
    client: async (node) => Object.assign(new GrpcStore(await portOf(node, "grpc")), { name: "gRPC" }),
  },
  {
    name: "Redis",
    env: { CAIRN_DOORS_REDIS_LISTEN: LOOPBACK },
    client: async (node) => redis({ host: LOOPBACK, port: await portOf(node, "redis") }),
  },
  {
    name: "ccache's socket",
    env: { CAIRN_DOORS_CCACHE_SOCKET: "on" },
    client: async (node) => {
      await portOf(node, "ccache");
      return ccache({ path: join(node.home, "run/ccache.sock") });
    },
  },
];

export async function artifact(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  const bytes = Buffer.allocUnsafe(settings.artifactBytes);
  for (const piece of pieces(bytes)) randomFillSync(piece);
  const rows: Row[] = [];
  for (const door of DOORS) {
    settings.progress(door.name);
    await using node = new CairnNode(workshop.path(door.name), door.env);
    await node.start();
    rows.push(...(await through(door, node, bytes)));
  }
  return { benchmark: "artifact", rows, notes: ["once each; a process that has an artifact in memory shares the machine's cores"] };
}

async function through({ name, client }: Door, node: CairnNode, bytes: Buffer): Promise<Row[]> {
  const keeper = await client(node);
  const digest = keeper.digestOf?.(bytes) ?? "";
  const before = node.residentBytes();
  const times: number[] = [performance.now()];
  const most = await highestDuring(node, async () => {
    const kept = await keeper.put(bytes, digest);
    times.push(performance.now());
    if ((await keeper.get(kept)) !== bytes.length) throw new Error(`${name} gave something else`);
    times.push(performance.now());
  });
  keeper[Symbol.dispose]?.();
  const [began = 0, put = 0, got = 0] = times;
  const size = bytes.length / MIB;
  return [
    row(`${name}: memory before`, "MiB", same(before / MIB)),
    row(`${name}: memory while one artifact of ${size} MiB comes and goes, at most`, "MiB", same(most / MIB), BAR),
    row(`${name}: in`, "MiB/s", same((size * MS_PER_S) / (put - began))),
    row(`${name}: out`, "MiB/s", same((size * MS_PER_S) / (got - put))),
  ];
}

function pieces(bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, i) => bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES));
}

function redis(at: NetConnectOpts): Keeper {
  const words = (...all: string[]): string => all.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
  let size = 0;
  return {
    name: "Redis",
    put: async (bytes) => {
      size = bytes.length;
      const head = Buffer.from(`*3\r\n${words("SET", KEY)}$${size}\r\n`);
      await conversation(at, [head, ...pieces(bytes), Buffer.from("\r\n")], Buffer.from("+OK\r\n"), 0);
      return KEY;
    },
    get: async () => (await conversation(at, [Buffer.from(`*2\r\n${words("GET", KEY)}`)], Buffer.from(`$${size}\r\n`), size + 2)) - 2,
  };
}

/** Its own protocol, version 1: a greeting of 4 bytes, and 0 before what went well. */
function ccache(at: NetConnectOpts): Keeper {
  const [get, put, kept] = [0, 1, 0];
  const greeting = [1, 2, 0, 1];
  const key = [KEY.length, ...Buffer.from(KEY)];
  const length = Buffer.alloc(8);
  return {
    name: "ccache",
    put: async (bytes) => {
      length.writeBigUInt64LE(BigInt(bytes.length));
      const head = Buffer.concat([Buffer.from([put, ...key, 0]), length]);
      await conversation(at, [head, ...pieces(bytes)], Buffer.from([...greeting, kept]), 0);
      return KEY;
    },
    get: async () => {
      const size = Number(length.readBigUInt64LE());
      return await conversation(at, [Buffer.from([get, ...key])], Buffer.concat([Buffer.from([...greeting, kept]), length]), size);
    },
  };
}

/** Says something on a connection of its own. @returns how many bytes came behind `head`, at least `moreBytes` @throws where it is another head */
async function conversation(at: NetConnectOpts, said: readonly Buffer[], head: Buffer, moreBytes: number): Promise<number> {
  const socket = connect(at);
  socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error("nothing is answered")));
  for (const piece of said) socket.write(piece);
  let answered = Buffer.alloc(0);
  let more = 0;
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    const ofHead = bytes.subarray(0, head.length - answered.length);
    answered = Buffer.concat([answered, ofHead]);
    more += bytes.length - ofHead.length;
    if (!head.subarray(0, answered.length).equals(answered)) throw new Error(`answered: ${answered.toString("latin1")}`);
    if (answered.length === head.length && more >= moreBytes) break;
  }
  return more;
}
