/**
 * A member of a network in a process of its own: what the benchmark of gossip starts twenty of, that of the exchange two.
 *
 * Run by members.ts, which tells it by messages what to do.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../src/base/index.ts";
import type { Shelf } from "../src/contracts/index.ts";
import { idleOptions, idleParts } from "../src/daemon/network-runtime.fixture.ts";
import { foundNetwork, NetworkRuntime, readInvitation } from "../src/daemon/network-runtime.ts";
import type { KeptShelf } from "../src/daemon/network-sharing.ts";
import { KnownAttestations, NetworkState, openDatabase } from "../src/store/index.ts";
import { HttpClient, objectsShelf, type Served, serveHttp } from "./exchange-side.ts";

/** What members.ts asks for; each is answered with the same `id`. */
export type Order =
  | { readonly do: "found" }
  | { readonly do: "invite" }
  | { readonly do: "join"; readonly line: string }
  | { readonly do: "linked" }
  | { readonly do: "say"; readonly number: number }
  | { readonly do: "heard" }
  | { readonly do: "serve"; readonly objects: number }
  | { readonly do: "shared" }
  | { readonly do: "fetch"; readonly how: "cairn" | "http"; readonly from: string; readonly served: Served };

/** When what was noticed here: ns of the machine's monotonic clock, which all its processes share. */
export interface Noticed {
  /** Number of a message → when it was said here, or came. */
  readonly said: Readonly<Record<number, string>>;
  readonly heard: Readonly<Record<number, string>>;
  /** Keys of members whose link ended → when. */
  readonly lost: Readonly<Record<string, string>>;
}

const TOPIC = "bench";
const HOUR_MS = 3_600_000;
const HTTP_CONNECTIONS = 8;
/** Of a message, like those of presence. */
const CONTENT_BYTES = 60;

const directory = process.argv[2] ?? "";
const name = process.argv[3] ?? "";
const seeds = { peerSeed: randomBytes(32), attestationSeed: randomBytes(32) };
const noticed = { said: {} as Record<number, string>, heard: {} as Record<number, string>, lost: {} as Record<string, string> };
let runtime: NetworkRuntime | undefined;
let objects: Shelf | undefined;
let http: HttpClient | undefined;

function nowNs(): string {
  return String(process.hrtime.bigint());
}

/** Serves what it was told to make, and nothing before. */
const SHELF: KeptShelf = {
  manifests: () => [],
  manifestsAfter: () => [],
  manifestsToJudge: () => [],
  signersOf: () => [],
  onChange: () => undefined,
  offered: () => [],
  onOffered: () => undefined,
  results: () => [],
  following: () => [],
  blob: (digest, signal) => objects?.blob(digest, signal) ?? Promise.resolve(undefined),
  put: () => 0,
  putOwn: () => 0,
  ofAction: () => [],
  ofOutput: () => [],
  recall: () => Promise.resolve({ forgotten: 0, isDone: true }),
  [Symbol.dispose]: () => undefined,
};

async function begin(network: string, statements: Parameters<NetworkState["keep"]>[0]): Promise<NetworkRuntime> {
  const kept = NetworkState.open(join(directory, `${name}.db`));
  kept.keep(statements);
  const peerSeed = seeds.peerSeed.toString("hex");
  const identity = { network, name, peerSeed, attestationSeed: seeds.attestationSeed.toString("hex") };
  const database = openDatabase({ log: silentLog, now: Date.now }, { file: join(directory, `${name}-index.db`) });
  const known = (): Promise<KnownAttestations> => KnownAttestations.open({ database });
  const parts = { ...idleParts(silentLog, kept, { directory, name }), shelf: () => SHELF, known };
  const started = await NetworkRuntime.start(parts, idleOptions(identity));
  started.gossip.gossip.subscribe(TOPIC, { lasting: false }, (_author, content) => {
    noticed.heard[Buffer.from(content).readUInt32BE()] = nowNs();
  });
  started.network.onPeers(({ kind, key }) => {
    if (kind === "lost") noticed.lost[key] = nowNs();
  });
  runtime = started;
  return started;
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case "found": {
      const founded = await foundNetwork(seeds, { name: "bench", domain: "bench", machine: name, isUnanimous: true }, randomBytes(16));
      return (await begin(founded.network, founded.statements)).members.self;
    }
    case "join": {
      const invitation = await readInvitation(order.line);
      if (invitation === undefined) throw new Error("no invitation");
      const joining = await begin(invitation.network, []);
      const request = joining.requestToJoin(invitation, seeds.attestationSeed, name);
      const outcome = await joining.network.join(invitation, request, AbortSignal.timeout(30_000));
      if (outcome.kind === "refused") throw new Error(outcome.reason);
      while (joining.members.standing(joining.members.self) === "unknown") await sleep(5);
      return joining.members.self;
    }
    case "invite": {
      const secret = randomBytes(16);
      const domain = "bench";
      required().members.issue({ kind: "invite", key: required().invitationKey(secret), domain, expiresAtMs: Date.now() + HOUR_MS });
      return required().invitationLine(secret, 1);
    }
    case "linked":
      return required()
        .network.peers()
        .filter(({ state }) => state === "connected").length;
    case "say": {
      const content = Buffer.alloc(CONTENT_BYTES);
      content.writeUInt32BE(order.number);
      noticed.said[order.number] = nowNs();
      return required().gossip.gossip.publish(TOPIC, content);
    }
    case "heard":
      return noticed;
    case "serve": {
      const shelf = objectsShelf(order.objects);
      objects = shelf;
      return serveHttp(shelf.objects);
    }
    case "shared":
      return required().sharing.share.facts().length;
    case "fetch":
      return fetched(order);
  }
}

/** @returns ms until all objects were here */
async function fetched({ how, from, served }: Extract<Order, { do: "fetch" }>): Promise<number> {
  http ??= new HttpClient(served.port, HTTP_CONNECTIONS);
  const began = performance.now();
  if (how === "http") await http.fetch(served.objects);
  else {
    let arrived = 0;
    const missing = await required().sharing.exchange.blobs(
      [from],
      served.objects,
      async () => void arrived++,
      AbortSignal.timeout(30_000),
    );
    if (missing.length !== 0 || arrived !== served.objects.length) throw new Error(`${arrived} of ${served.objects.length} arrived`);
  }
  return performance.now() - began;
}

function required(): NetworkRuntime {
  if (runtime === undefined) throw new Error("in no network yet");
  return runtime;
}

process.on("message", (asked: { readonly id: number; readonly order: Order }) => {
  obey(asked.order).then(
    (answer) => process.send?.({ id: asked.id, answer }),
    (error: unknown) => process.send?.({ id: asked.id, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ id: 0, answer: null }); // Ready.
