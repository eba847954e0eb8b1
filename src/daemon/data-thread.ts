/**
 * The thread of the data plane: TLS sockets, tunnels and measurements, away from the event loop that answers builds.
 *
 * The composition root of that thread; the daemon's side of it is data-service.ts. It loads no libp2p.
 * Knows: which part hears of what. Does not know: statements, links, what survives a restart.
 */
import type { TLSSocket } from "node:tls";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { Digest, Facts, Key, Level, Log } from "../base/index.ts";
import type { DataStream, Fetched, SwarmOrder } from "../contracts/index.ts";
import {
  addressOf,
  Calls,
  type Carrier,
  type DataHosts,
  type DataTraffic,
  dataStream,
  type Exposure,
  Exposures,
  type Forward,
  type ForwardState,
  Forwards,
  type Measured,
  measure,
  openShareLane,
  Plane,
  PortDuplex,
  Swarm,
  serveMeasurements,
  serveShareLanes,
  TlsCarrier,
  TlsServer,
  type TunnelCounts,
  tlsIdentity,
} from "../data/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";

/** Where the thread may listen. */
export interface DataListen {
  /** An IP address; "" for all of this machine's. */
  readonly host: string;
  /** The first that is free. */
  readonly ports: readonly number[];
}

export interface DataThreadOptions {
  /** The peer key's 32 secret bytes. */
  readonly seed: Uint8Array;
}

/** A stream of libp2p, handed over; `address` is the other side's, for people. */
export interface HandedStream {
  readonly port: MessagePort;
  readonly address: string;
}

/** A lane of the exchange with a member, handed over. */
export interface LanePort {
  readonly key: Key;
  readonly port: MessagePort;
}

/** What the daemon answers to the thread. A type and not an interface: Calls asks for a record. */
export type DaemonAnswers = {
  event(event: { readonly level: Level; readonly name: string; readonly facts: Facts }): void;
  /** @throws {CairnError} peer-absent */
  whereIs(key: Key): Promise<DataHosts>;
  /** @throws {CairnError} peer-absent */
  stream(key: Key): Promise<HandedStream>;
  /** A member has opened a lane of the exchange. */
  lane(lane: LanePort): void;
  /** Where a blob of that size lies, plain and verified. */
  fileOf(blob: { readonly digest: Digest; readonly size: number }): Promise<string | undefined>;
};

export interface DataState {
  readonly exposures: Readonly<Record<string, TunnelCounts>>;
  readonly forwards: readonly ForwardState[];
  readonly traffic: ReadonlyMap<Key, DataTraffic>;
}

/** What the thread answers to the daemon. */
export type ThreadAnswers = {
  /** Members that are active, this node left out, with their domains. Streams of all others end. */
  members(domains: ReadonlyMap<Key, string>): void;
  /** The way to a member has changed. */
  moved(key: Key): void;
  /** Listens, if it does not yet. @throws {CairnError} address-unavailable */
  listen(where: DataListen): Promise<number>;
  /** A member has opened a stream. */
  admit(stream: HandedStream & { readonly key: Key }): void;
  expose(exposures: readonly Exposure[]): void;
  /** @throws {CairnError} address-unavailable */
  forward(forward: Forward): Promise<number>;
  restore(forwards: readonly Forward[]): void;
  unforward(name: string): void;
  /** Whether the forward of that name would work now. @throws {CairnError} peer-absent, data-refused */
  check(name: string): Promise<void>;
  /** @throws {CairnError} peer-absent, data-refused */
  measure(request: { readonly key: Key; readonly bytes: number }): Promise<Measured>;
  /** Opens a lane. @throws {CairnError} peer-absent, data-refused, limit-exceeded */
  lane(key: Key): Promise<LanePort>;
  /** See BlobSwarm.fetch. */
  fetch(order: SwarmOrder): Promise<Fetched>;
  /** Nobody waits for that blob any more. */
  stopFetch(digest: Digest): void;
  state(): DataState;
};

async function begin(parent: MessagePort, { seed }: DataThreadOptions): Promise<void> {
  const codec = await loadNetworkCodec();
  const identity = tlsIdentity(seed);
  const daemon = new Calls<DaemonAnswers>(parent);
  const log: Log = { event: (level, name, facts = {}) => void daemon.ask("event", { level, name, facts }) };
  const now = (): number => performance.now();
  const forever = new AbortController().signal;
  let domains: ReadonlyMap<Key, string> = new Map();
  const isMember = (key: Key): boolean => domains.has(key);

  const direct = new TlsCarrier({ identity, whereIs: (key) => daemon.ask("whereIs", key) });
  const handed = (key: Key, { port, address }: HandedStream): DataStream => dataStream(key, "libp2p", address, new PortDuplex(port));
  const fallback: Carrier = { path: "libp2p", connect: async (key) => handed(key, await daemon.ask("stream", key)) };
  const plane = new Plane({ codec, log, now, isMember, carriers: [direct, fallback] });
  const accept = (key: Key, socket: TLSSocket): void => plane.admit(dataStream(key, "tls", addressOf(socket), socket));
  const server = new TlsServer({ log, now, isMember, accept }, identity);
  const exposures = new Exposures({ plane, log, domainOf: (key) => domains.get(key) });
  const forwards = new Forwards({ plane, log });
  serveMeasurements(plane);
  serveShareLanes({ plane, codec }, (key, port) => void daemon.ask("lane", { key, port }, [port]));
  const fileOf = (digest: Digest, size: number): Promise<string | undefined> => daemon.ask("fileOf", { digest, size });
  const swarm = new Swarm({ plane, codec, log, now, random: Math.random, fileOf });
  const fetching = new Map<Digest, AbortController>();

  let listening: Promise<number> | undefined;
  const answers: ThreadAnswers = {
    members: (members) => {
      domains = members;
      plane.cut();
    },
    moved: (key) => plane.forget(key),
    listen: async ({ host, ports }) => {
      listening ??= server.listen(host, ports);
      try {
        return await listening;
      } catch (error) {
        listening = undefined;
        throw error;
      }
    },
    admit: (stream) => plane.admit(handed(stream.key, stream)),
    expose: (all) => exposures.set(all),
    forward: (forward) => forwards.add(forward),
    restore: (all) => {
      for (const forward of all) forwards.restore(forward);
    },
    unforward: (name) => forwards.remove(name),
    check: (name) => forwards.check(name),
    measure: ({ key, bytes }) => measure(plane, key, bytes, forever),
    lane: async (key) => ({ key, port: await openShareLane({ plane, codec }, key, forever) }),
    fetch: async (order) => {
      const stop = new AbortController();
      fetching.set(order.digest, stop);
      try {
        return await swarm.fetch(order, stop.signal);
      } finally {
        fetching.delete(order.digest);
      }
    },
    stopFetch: (digest) => fetching.get(digest)?.abort(new Error("nobody waits for it")),
    state: () => ({ exposures: exposures.counts(), forwards: forwards.states(), traffic: plane.traffic() }),
  };
  daemon.begin(answers);
}

if (parentPort !== null) await begin(parentPort, workerData as DataThreadOptions);
