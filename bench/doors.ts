/**
 * What goes through the doors for build tools, against nginx, which keeps and gives the same bytes over HTTP and does not hash them: one blob up and
 * down, and what memory the daemon needs while many stream.
 *
 * The clients are this process, and each contender's server is one of its own.
 */
import { createHash, randomFillSync } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import { GrpcStore } from "./doors-grpc.ts";
import { HERE } from "./places.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, same, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";
import { WebStore } from "./web-store.ts";

const MIB = 1_048_576;
const MS_PER_S = 1_000;
const BLOB_BYTES = 100 * MIB;
const STREAMS = 64;
/** As much as one write to the system takes for sure. */
const WRITE_BYTES = 1_073_741_824;
/** Time through a door over time through nginx. */
const BAR = { must: 3, aim: 1.5 } as const;
const LOOK_EVERY_MS = 20;
const SMALL_BYTES = 4_096;
/** Requests of one round for small blobs, and connections on which they are made. */
const REQUESTS = 4_000;
const AT_ONCE = 8;

interface Sample {
  readonly upMs: number;
  readonly downMs: number;
}

/** Somewhere that blobs can be put to and got from. */
export interface Keeper {
  readonly name: string;
  readonly isServer?: boolean;
  /** What a client of this kind knows of a blob before it brings it; that is not measured. */
  digestOf?(bytes: Buffer): string;
  put(bytes: Buffer, digest: string): Promise<string>;
  get(name: string): Promise<number>;
}

export async function doors(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  await using node = new CairnNode(workshop.path("home"), {
    CAIRN_DOORS_GRPC_LISTEN: "127.0.0.1",
    CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1",
  });
  await node.start();
  await using nginx = await WebStore.start(workshop.path("nginx"), HERE);
  const port = await portOf(node, "grpc");
  const http = overHttp("HTTP", `http://127.0.0.1:${await portOf(node, "http")}/sccache`);
  using grpc = new GrpcStore(port);
  const blobBytes = Math.min(BLOB_BYTES, settings.dataBytes);
  const keepers: Keeper[] = [
    {
      name: "gRPC",
      digestOf: (bytes) => grpc.digestOf(bytes),
      put: (bytes, digest) => grpc.put(bytes, digest),
      get: (name) => grpc.get(name),
    },
    http,
  ];
  const web = nginx === undefined ? undefined : overHttp("nginx", nginx.url);
  if (web !== undefined) keepers.push(web, hashing());
  settings.progress(`one blob of ${blobBytes / MIB} MiB: ${settings.rounds} rounds`);
  const bytes = Buffer.allocUnsafe(blobBytes);
  const measured = await interleave(keepers, settings.rounds + 1, (keeper) => once(keeper, bytes));
  const up = ({ upMs }: Sample): number => upMs;
  const samples = keepers.map((keeper) => (measured.get(keeper) ?? []).slice(1)); // In the first one everybody is new.
  const rows = keepers.flatMap(({ name, isServer = true }, i) => (isServer ? speeds(name, blobBytes, samples[i] ?? []) : []));
  const [ours = [], overWeb = [], theirs = [], hashed = []] = samples;
  if (nginx !== undefined) {
    const bound = spread(ratios(hashed.map(up), theirs.map(up)));
    rows.unshift(
      ...against("gRPC", ours, theirs),
      ...against("HTTP", overWeb, theirs),
      row("SHA-256 of a blob, and nothing else / nginx", "x", bound),
    );
  }
  rows.push(...(await smallBlobs(settings, http, web)));
  rows.push(...(await memory(settings, node, "gRPC", () => new GrpcStore(port), blobBytes)));
  rows.push(...(await memory(settings, node, "HTTP", () => ({ ...http, [Symbol.dispose]: () => undefined }), blobBytes)));
  const notes = ["the daemon hashes what comes, and looks at the checksum of what goes", "client and server share the machine's cores"];
  return { benchmark: "doors", rows, notes: nginx === undefined ? [...notes, "nginx is not installed: no ratios"] : notes };
}

async function once(keeper: Keeper, bytes: Buffer): Promise<Sample> {
  randomFillSync(bytes); // What is there already need not come.
  const digest = keeper.digestOf?.(bytes) ?? "";
  const began = performance.now();
  const name = await keeper.put(bytes, digest);
  const put = performance.now();
  if ((await keeper.get(name)) !== bytes.length) throw new Error(`${keeper.name} gave something else`);
  return { upMs: put - began, downMs: performance.now() - put };
}

function against(name: string, ours: readonly Sample[], theirs: readonly Sample[]): Row[] {
  const ratio = (of: (sample: Sample) => number): ReturnType<typeof spread> => spread(ratios(ours.map(of), theirs.map(of)));
  return [
    row(
      `${name}: time to bring a blob / nginx`,
      "x",
      ratio(({ upMs }) => upMs),
      BAR,
    ),
    row(
      `${name}: time to get it / nginx`,
      "x",
      ratio(({ downMs }) => downMs),
      BAR,
    ),
  ];
}

function speeds(name: string, bytes: number, samples: readonly Sample[]): Row[] {
  const speed = (ms: number): number => bytes / MIB / (ms / MS_PER_S);
  return [
    row(`${name}: up`, "MiB/s", spread(samples.map(({ upMs }) => speed(upMs)))),
    row(`${name}: down`, "MiB/s", spread(samples.map(({ downMs }) => speed(downMs)))),
  ];
}

/** What the daemon takes at most while clients with a connection each bring a blob and get it back. */
async function memory(
  settings: Settings,
  node: CairnNode,
  name: string,
  connect: () => Pick<Keeper, "digestOf" | "put" | "get"> & Disposable,
  blobBytes: number,
): Promise<Row[]> {
  const streams = Math.min(STREAMS, settings.links);
  settings.progress(`memory over ${name}: ${streams} clients at once`);
  const before = node.residentBytes();
  const bytes = Math.ceil(blobBytes / 8);
  const stream = async (): Promise<void> => {
    using client = connect();
    const blob = Buffer.allocUnsafe(bytes);
    randomFillSync(blob);
    await client.get(await client.put(blob, client.digestOf?.(blob) ?? ""));
  };
  const most = await highestDuring(node, () => Promise.all(Array.from({ length: streams }, stream)));
  return [
    row(`${name}: memory before`, "MiB", same(before / MIB)),
    row(
      `${name}: memory while ${streams} clients stream ${Math.round(bytes / MIB)} MiB each up and down, at most`,
      "MiB",
      same(most / MIB),
    ),
  ];
}

/** @returns bytes of the daemon that were resident, at most */
export async function highestDuring(node: CairnNode, work: () => Promise<unknown>): Promise<number> {
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, node.residentBytes());
  }, LOOK_EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(looking);
  }
  return Math.max(most, node.residentBytes());
}

/** How many small blobs a second come and go on connections that stay, some at a time. */
async function smallBlobs(settings: Settings, http: Keeper, web: Keeper | undefined): Promise<Row[]> {
  settings.progress("small blobs");
  const keepers = web === undefined ? [http] : [http, web];
  const bytes = Buffer.alloc(SMALL_BYTES, 7);
  const names = new Map<Keeper, string>();
  for (const keeper of keepers) names.set(keeper, await keeper.put(bytes, ""));
  const measured = await interleave(keepers, settings.rounds + 1, async (keeper) => {
    const began = performance.now();
    const asks = Array.from({ length: AT_ONCE }, async () => {
      for (let at = 0; at < REQUESTS / AT_ONCE; at++) await keeper.get(names.get(keeper) ?? "");
    });
    await Promise.all(asks);
    return performance.now() - began;
  });
  const [ours = [], theirs = []] = keepers.map((keeper) => (measured.get(keeper) ?? []).slice(1));
  const speed = (samples: readonly number[]): ReturnType<typeof spread> => spread(samples.map((ms) => REQUESTS / (ms / MS_PER_S)));
  const title = "requests a second for a blob of 4 KiB";
  if (web === undefined) return [row(`HTTP: ${title}`, "1/s", speed(ours))];
  return [
    row(`HTTP: time of a request for 4 KiB / nginx`, "x", spread(ratios(ours, theirs)), { must: 5, aim: 2 }),
    row(`HTTP: ${title}`, "1/s", speed(ours)),
    row(`nginx: ${title}`, "1/s", speed(theirs)),
  ];
}

/** What no store that verifies can go below: the hash of the bytes, in this thread, and no store at all. */
function hashing(): Keeper {
  let size = 0;
  return {
    name: "SHA-256",
    isServer: false,
    put: async (bytes) => {
      size = bytes.length;
      const hash = createHash("sha256");
      for (let at = 0; at < size; at += MIB) hash.update(bytes.subarray(at, at + MIB));
      return hash.digest("hex");
    },
    get: async () => size,
  };
}

/** A server that takes files by PUT and gives them by GET. */
export function overHttp(name: string, url: string): Keeper {
  const agent = new Agent({ keepAlive: true, maxSockets: STREAMS });
  let names = 0;
  const ask = (method: string, path: string, body?: Buffer): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-length": body.length };
      const asked = request(`${url}${path}`, { method, headers, agent }, (response) => {
        let bytes = 0;
        response.on("data", (piece: Buffer) => {
          bytes += piece.length;
        });
        response.on("error", reject);
        response.on("end", () => {
          if ((response.statusCode ?? 0) >= 300) reject(new Error(`${name}: ${response.statusCode}`));
          else resolve(bytes);
        });
      });
      asked.on("error", reject);
      for (let at = 0; at < (body?.length ?? 0); at += WRITE_BYTES) asked.write(body?.subarray(at, at + WRITE_BYTES));
      asked.end();
    });
  return {
    name,
    put: async (bytes) => {
      const path = `/blob${names++}`;
      await ask("PUT", path, bytes);
      return path;
    },
    get: (path) => ask("GET", path),
  };
}

/** Of a door, once it has opened; 0 where it has none. */
export async function portOf(node: CairnNode, name: string): Promise<number> {
  for (let tries = 0; tries < 500; tries++) {
    const { doors: open } = (await node.ask("/status")) as { doors: { door: string; port: number; open: boolean }[] };
    const door = open.find((one) => one.door === name);
    if (door?.open === true) return door.port;
    await sleep(20); // The daemon answers before its doors are open.
  }
  throw new Error("the door is not open");
}
