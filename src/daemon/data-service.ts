/**
 * The data plane as the daemon sees it: a thread that is started when it is first needed, told who is a member, and given what only the
 * daemon has: streams of libp2p, and where members are.
 *
 * Knows: the thread's life, and the two protocols by which members find each other's data plane. Does not know: what streams carry.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { BlobSwarm, Fetched, FrameChannel, FrameLanes, Roster, SwarmOrder } from "../contracts/index.ts";
import { bridge, Calls, channelOverPort, type DataHosts, type Exposure, type Forward, type Measured } from "../data/index.ts";
import { framesOf, type MemberStream, type Network, StreamDuplex } from "../net/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { DaemonAnswers, DataListen, DataState, DataThreadOptions, HandedStream, ThreadAnswers } from "./data-thread.ts";

/** One frame: where the member takes TLS connections. */
const DATA_PORT = "/cairn/data-port/1";
/** A stream of the data plane, where no TLS connection comes about. */
const DATA = "/cairn/data/1";
const RESTART_MS = 1_000;
/** What a member said of its port is believed for so long. */
const PORT_MS = 60_000;
const NOTHING: DataState = { exposures: {}, forwards: [], traffic: new Map() };

export interface DataServiceParts {
  readonly network: Network;
  readonly roster: Roster;
  /** Of an active member. */
  readonly domainOf: (key: Key) => string;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** Called when it is known where this node listens. */
  readonly listening: (port: number) => void;
}

export interface DataServiceOptions extends DataThreadOptions {
  readonly listen: DataListen;
}

type FileOf = Parameters<BlobSwarm["serveFrom"]>[0];

interface Thread {
  readonly worker: Worker;
  readonly calls: Calls<ThreadAnswers>;
}

export class DataService implements FrameLanes, BlobSwarm, AsyncDisposable {
  readonly #parts: DataServiceParts;
  readonly #options: DataServiceOptions;
  readonly #ports = new Map<Key, { readonly port: number; readonly atMs: number }>();
  #thread: Thread | undefined;
  #exposures: readonly Exposure[] = [];
  #forwards: readonly Forward[] = [];
  #acceptLane: ((channel: FrameChannel) => void) | undefined;
  #fileOf: FileOf | undefined;
  #ended = false;

  /** @param kept what was exposed and forwarded before */
  static async start(
    parts: DataServiceParts,
    options: DataServiceOptions,
    kept: { readonly exposures: readonly Exposure[]; readonly forwards: readonly Forward[] },
  ): Promise<DataService> {
    const service = new DataService(parts, options);
    service.#exposures = kept.exposures;
    service.#forwards = kept.forwards;
    await parts.network.serve(DATA_PORT, 1, (stream) => void service.#tellPort(stream));
    await parts.network.serve(DATA, limits.dataStreamsRelayed, (stream) => service.#admit(stream));
    parts.network.onPeers(({ key }) => service.#moved(key));
    parts.roster.onChange(() => service.#tellMembers());
    if (kept.forwards.length > 0) service.#calls();
    return service;
  }

  private constructor(parts: DataServiceParts, options: DataServiceOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get exposures(): readonly Exposure[] {
    return this.#exposures;
  }

  get forwards(): readonly Forward[] {
    return this.#forwards;
  }

  async expose(exposures: readonly Exposure[]): Promise<void> {
    this.#exposures = exposures;
    await this.#thread?.calls.ask("expose", exposures);
  }

  /** @returns where it listens. @throws {CairnError} address-unavailable */
  async forward(forward: Forward): Promise<Forward> {
    const port = await this.#calls().ask("forward", forward);
    const listening = { ...forward, port };
    this.#forwards = [...this.#forwards, listening];
    return listening;
  }

  async unforward(forward: Forward, name: string): Promise<void> {
    this.#forwards = this.#forwards.filter((one) => one !== forward);
    await this.#thread?.calls.ask("unforward", name);
  }

  /** Whether a forward would work now. @throws {CairnError} peer-absent, data-refused */
  check(name: string): Promise<void> {
    return this.#calls().ask("check", name);
  }

  /** @throws {CairnError} peer-absent, data-refused */
  measure(key: Key, bytes: number): Promise<Measured> {
    return this.#calls().ask("measure", { key, bytes });
  }

  async open(key: Key): Promise<FrameChannel> {
    const { port } = await this.#calls().ask("lane", key);
    return channelOverPort(key, port);
  }

  onOpened(accept: (channel: FrameChannel) => void): void {
    this.#acceptLane = accept;
  }

  async fetch(order: SwarmOrder, signal: AbortSignal): Promise<Fetched> {
    signal.throwIfAborted();
    const calls = this.#calls();
    const stop = (): void => void calls.ask("stopFetch", order.digest).catch(() => undefined);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await calls.ask("fetch", order);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  serveFrom(fileOf: FileOf): void {
    this.#fileOf = fileOf;
  }

  async state(): Promise<DataState> {
    return this.#thread === undefined ? NOTHING : this.#thread.calls.ask("state", undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#thread?.worker.terminate();
  }

  /** The thread, started if need be. */
  #calls(): Calls<ThreadAnswers> {
    if (this.#ended) throw new CairnError("peer-absent", { why: "this node stops" });
    this.#thread ??= this.#start();
    return this.#thread.calls;
  }

  #start(): Thread {
    const { log } = this.#parts;
    const { seed } = this.#options;
    // Beside this file, in the checkout as in the package.
    const file = new URL(`./data-thread${extname(import.meta.filename)}`, import.meta.url);
    const worker = new Worker(file, { workerData: { seed } satisfies DataThreadOptions, name: "cairn-data" });
    const calls = new Calls<ThreadAnswers>(worker);
    const answers: DaemonAnswers = {
      event: ({ level, name, facts }) => log.event(level, name, facts),
      whereIs: (key) => this.#whereIs(key),
      stream: (key) => this.#openStream(key),
      fileOf: async ({ digest, size }) => this.#fileOf?.(digest, size),
      lane: ({ key, port }) => (this.#acceptLane === undefined ? port.close() : this.#acceptLane(channelOverPort(key, port))),
    };
    calls.begin(answers);
    worker.once("error", (error) => log.event("error", "data.thread-failed", { error: String(error) }));
    worker.once("exit", () => this.#exited(calls));
    log.event("info", "data.thread-started");
    const fine = (): void => undefined; // What fails here fails again, where somebody sees it.
    void calls.ask("members", this.#domains()).catch(fine);
    void calls.ask("expose", this.#exposures).catch(fine);
    void calls.ask("restore", this.#forwards).catch(fine);
    return { worker, calls };
  }

  #exited(calls: Calls<ThreadAnswers>): void {
    calls.end("the data plane of this node has ended");
    if (this.#thread?.calls === calls) this.#thread = undefined;
    if (this.#ended || this.#forwards.length === 0) return;
    setTimeout(() => this.#ended || this.#calls(), RESTART_MS).unref();
  }

  #domains(): Map<Key, string> {
    return new Map(this.#parts.roster.others().map((key) => [key, this.#parts.domainOf(key)]));
  }

  #tellMembers(): void {
    this.#thread?.calls.ask("members", this.#domains()).catch(() => undefined);
  }

  #moved(key: Key): void {
    this.#ports.delete(key);
    this.#thread?.calls.ask("moved", key).catch(() => undefined);
  }

  /** A member asks where this node listens; it does from now on. */
  async #tellPort({ key, stream }: MemberStream): Promise<void> {
    const { codec, listening, network, log } = this.#parts;
    const frames = framesOf(stream, limits.dataOpeningBytes);
    try {
      const port = await this.#calls().ask("listen", this.#options.listen);
      listening(port);
      network.listensToo(port);
      if (!network.reachesData(key)) return frames.abort("unreachable"); // It need not wait for what others have tried in vain.
      await frames.write(codec.encodeDataPort(port), limits.helloDeadlineMs);
      await frames.close(limits.helloDeadlineMs);
    } catch (error) {
      log.event("warn", "data.port-untold", { peer: key, why: reasonOf(error) });
      frames.abort("no port");
    }
  }

  /** @throws {CairnError} peer-absent; and whatever breaks the stream on which it is asked */
  async #whereIs(key: Key): Promise<DataHosts> {
    // Not what it says of its data plane: where it was seen, and addresses that were found to mean it here.
    const hosts = this.#parts.network.addressesOf(key).flatMap((address) => ipOf(address) ?? []);
    return { hosts: [...new Set(hosts)], port: await this.#portOf(key) };
  }

  async #portOf(key: Key): Promise<number> {
    const known = this.#ports.get(key);
    if (known !== undefined && performance.now() - known.atMs < PORT_MS) return known.port;
    const { codec, network } = this.#parts;
    const { stream } = await network.open(key, DATA_PORT, limits.dataDialDeadlineMs);
    const frames = framesOf(stream, limits.dataOpeningBytes);
    const bytes = await frames.read(limits.dataDialDeadlineMs);
    if (bytes === undefined) throw new CairnError("peer-absent", { why: "its data plane takes no connections" });
    const port = codec.decodeDataPort(bytes);
    await frames.close(limits.helloDeadlineMs).catch(() => undefined);
    this.#ports.set(key, { port, atMs: performance.now() });
    return port;
  }

  async #openStream(key: Key): Promise<HandedStream> {
    return handed(await this.#parts.network.open(key, DATA, limits.dataOpenDeadlineMs));
  }

  #admit(stream: MemberStream): void {
    const handedOver = handed(stream);
    try {
      void this.#calls()
        .ask("admit", { ...handedOver, key: stream.key }, [handedOver.port])
        .catch(() => handedOver.port.close());
    } catch {
      stream.stream.abort(new Error("this node stops"));
    }
  }
}

function handed({ stream, connection }: MemberStream): HandedStream {
  return { port: bridge(new StreamDuplex(stream)), address: connection.remoteAddr.toString().replace(/\/p2p\/[^/]*$/, "") };
}

/** The IP address of a multiaddr that leads straight there. */
function ipOf(address: string): string | undefined {
  return address.includes("/p2p-circuit") ? undefined : /^\/ip[46]\/([^/%]+)\//.exec(address)?.[1];
}
