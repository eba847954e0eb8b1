/**
 * One end of the exchange benchmark, in a process of its own: objects in memory, served by `Share` and by Node's HTTP server; or fetched from
 * there, each checked by its SHA-256.
 */
import { hash } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import type { Shelf } from "../src/contracts/index.ts";

export interface Wanted {
  readonly digest: string;
  readonly size: number;
}

export interface Served {
  readonly port: number;
  readonly objects: readonly Wanted[];
}

/** Sizes of 300 objects of a C++ project: 24 MB, median 32 kB, as a logarithmic normal distribution has them. */
const MEDIAN_BYTES = 32_768;
const SPREAD = 1.34;
const LARGEST_BYTES = 4_194_304;

/** A shelf with objects that are the same each time and do not compress. */
export function objectsShelf(count: number): Shelf & { readonly objects: ReadonlyMap<string, Uint8Array> } {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 0x1_0000_0001;
  };
  const objects = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const size = Math.min(LARGEST_BYTES, Math.round(MEDIAN_BYTES * Math.exp(SPREAD * normal)));
    const words = Uint32Array.from({ length: Math.ceil(size / 4) }, () => random() * 0x1_0000_0000);
    const bytes = new Uint8Array(words.buffer, 0, size);
    objects.set(hash("sha256", bytes), bytes);
  }
  return {
    objects,
    manifests: () => [],
    onChange: () => undefined,
    results: () => [],
    following: () => [],
    blob: (digest) => Promise.resolve(objects.get(digest)),
  };
}

/** Serves objects by their digests over HTTP with keep-alive, on loopback. */
export async function serveHttp(objects: ReadonlyMap<string, Uint8Array>): Promise<Served> {
  const server = createServer((request, response) => {
    const bytes = objects.get((request.url ?? "").slice(1));
    if (bytes === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { "content-length": bytes.length }).end(bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, objects: [...objects].map(([digest, bytes]) => ({ digest, size: bytes.length })) };
}

export class HttpClient {
  readonly #agent: Agent;
  readonly #port: number;

  constructor(port: number, connections: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#port = port;
  }

  async fetch(wanted: readonly Wanted[]): Promise<void> {
    await Promise.all(wanted.map(({ digest }) => this.#get(digest)));
  }

  #get(digest: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = get({ host: "127.0.0.1", port: this.#port, path: `/${digest}`, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          if (hash("sha256", Buffer.concat(chunks)) === digest) resolve();
          else reject(new Error("other bytes than were asked for"));
        });
        response.on("error", reject);
      });
      request.on("error", reject);
    });
  }
}
