/**
 * One large artifact from one machine to eight others that want it at the same time, every uplink limited alike: in chunks that they give
 * each other, against eight downloads over HTTP from the machine that has it.
 */
import { createHash, randomBytes, X509Certificate } from "node:crypto";
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Digest, silentLog } from "../src/base/index.ts";
import type { DataPlane } from "../src/contracts/index.ts";
import { addressOf, certifiedKey, dataStream, Plane, Swarm, TlsCarrier, TlsServer, tlsIdentity } from "../src/data/index.ts";
import { loadNetworkCodec } from "../src/wire/index.ts";
import type { Settings } from "./settings.ts";
import { type Report, row } from "./table.ts";
import { Uplink } from "./uplink.ts";

const TAKERS = 8;
const BAR = { must: 0.5, aim: 0.2 };
const MIB = 1_048_576;
const MS = 1_000;

interface Artifact {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

interface Peer extends AsyncDisposable {
  readonly key: string;
  readonly plane: Plane;
  readonly swarm: Swarm;
}

export async function swarm(settings: Settings): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), "cairn-bench-swarm-"));
  const { artifactBytes: size, uplinkBytesPerSecond: speed } = settings;
  try {
    const artifact = await makeArtifact(join(directory, "artifact"), size);
    settings.progress("swarm: in chunks");
    const { seconds, copies } = await bySwarm(directory, artifact, speed);
    settings.progress("swarm: over HTTP");
    const http = await byHttp(directory, artifact, speed);
    const once = (value: number): { median: number; p25: number; p75: number } => ({ median: value, p25: value, p75: value });
    return {
      benchmark: "swarm",
      rows: [
        row("until all have it, in chunks from each other", "s", once(seconds)),
        row("until all have it, HTTP from one", "s", once(http)),
        row("in chunks / HTTP", "x", once(seconds / http), BAR),
        row("copies that the one gave away", "", once(copies)),
      ],
      notes: [
        `${size / MIB} MiB from one to ${TAKERS}, every uplink limited to ${speed / MIB} MiB/s; one round`,
        "all in one process; in chunks: TLS, every chunk and then the whole verified, the chunk list made when it is first asked for",
        `no way is faster than ${(size / speed).toFixed(1)} s: the one must give everything away once`,
      ],
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function makeArtifact(path: string, size: number): Promise<Artifact> {
  const hash = createHash("sha256");
  const file = await open(path, "w");
  for (let at = 0; at < size; at += MIB) {
    const bytes = randomBytes(Math.min(MIB, size - at));
    hash.update(bytes);
    await file.write(bytes);
  }
  await file.close();
  return { path, digest: hash.digest("hex"), size };
}

async function bySwarm(directory: string, artifact: Artifact, speed: number): Promise<{ seconds: number; copies: number }> {
  await using stack = new AsyncDisposableStack();
  const peers: Peer[] = [];
  const ports = new Map<string, number>();
  for (let i = 0; i <= TAKERS; i++) peers.push(stack.use(await peer(i, ports, speed, i === 0 ? artifact : undefined)));
  const [seeder, ...takers] = peers;
  if (seeder === undefined) throw new Error("no seeder");
  const began = performance.now();
  const fetched = await Promise.all(
    takers.map((taker, i) =>
      taker.swarm.fetch({ ...artifact, path: join(directory, `swarm-${i}`), from: [seeder.key] }, AbortSignal.timeout(3_600_000)),
    ),
  );
  const seconds = (performance.now() - began) / MS;
  if (!fetched.every((one) => one.kind === "whole" && one.blob.digest === artifact.digest)) throw new Error("not everybody has it");
  for (let i = 0; i < TAKERS; i++) rmSync(join(directory, `swarm-${i}`));
  const given = [...seeder.plane.traffic().values()].reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  return { seconds, copies: given / artifact.size };
}

/** A member that knows where the others are; what it gives away goes through one uplink. */
async function peer(number: number, ports: Map<string, number>, speed: number, artifact: Artifact | undefined): Promise<Peer> {
  const codec = await loadNetworkCodec();
  const identity = tlsIdentity(Buffer.alloc(32, number + 1));
  const key = certifiedKey(new X509Certificate(identity.cert)) ?? "";
  const now = (): number => performance.now();
  const isMember = (): boolean => true;
  const whereIs = (of: string): Promise<{ hosts: string[]; port: number }> =>
    Promise.resolve({ hosts: ["127.0.0.1"], port: ports.get(of) ?? 1 });
  const plane = new Plane({ codec, log: silentLog, now, isMember, carriers: [new TlsCarrier({ identity, whereIs })] });
  const server = new TlsServer(
    { log: silentLog, now, isMember, accept: (from, socket) => plane.admit(dataStream(from, "tls", addressOf(socket), socket)) },
    identity,
  );
  ports.set(key, await server.listen("127.0.0.1", [0]));
  const uplink = new Uplink(speed);
  const slow: DataPlane = {
    open: (request, signal) => plane.open(request, signal),
    serve: (service, judge) =>
      plane.serve(service, async (request, signal) => {
        const verdict = await judge(request, signal);
        if (verdict.kind === "refused") return verdict;
        return { kind: "ready", begin: (stream) => verdict.begin({ ...stream, key: stream.key, bytes: uplink.around(stream.bytes) }) };
      }),
  };
  const fileOf = (digest: Digest): Promise<string | undefined> => Promise.resolve(digest === artifact?.digest ? artifact.path : undefined);
  const peerSwarm = new Swarm({ plane: slow, codec, log: silentLog, now, random: Math.random, fileOf });
  return {
    key,
    plane,
    swarm: peerSwarm,
    async [Symbol.asyncDispose]() {
      plane[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** @returns seconds until the last of as many downloads has ended */
async function byHttp(directory: string, artifact: Artifact, speed: number): Promise<number> {
  const uplink = new Uplink(speed);
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": artifact.size });
    pipeline(createReadStream(artifact.path), uplink.limited(), response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const began = performance.now();
  const download = async (i: number): Promise<void> => {
    const path = join(directory, `http-${i}`);
    const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      get({ host: "127.0.0.1", port, agent: false }, resolve).once("error", reject);
    });
    await pipeline(response, createWriteStream(path));
    rmSync(path);
  };
  await Promise.all(Array.from({ length: TAKERS }, (_, i) => download(i)));
  const seconds = (performance.now() - began) / MS;
  await new Promise((resolve) => server.close(resolve));
  return seconds;
}
