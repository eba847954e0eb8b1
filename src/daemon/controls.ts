/**
 * What the command line may ask of this node, answered from its parts.
 */
import { accessSync, constants } from "node:fs";
import { type Config, type Home, limits, type NameRecord } from "../base/index.ts";
import type { HistoryRow } from "../contracts/index.ts";
import type { Controls, HotRecords, ResultNamed, ToolchainControls } from "../doors/index.ts";
import type { SandboxExecutor } from "../exec/index.ts";
import { type CompileFlow, type Counts, partGifts, type Statistics, type TaskFlow } from "../flows/index.ts";
import { type DiskStore, type InspectionLimits, movedAside, type Pins, type SqliteIndex } from "../store/index.ts";
import type { Doors } from "./doors.ts";
import type { Housekeeper } from "./housekeeper.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { NetworkService } from "./network.ts";
import { Pinning, type PinQuestion } from "./pinning.ts";
import type { HomePaths } from "./prepare-home.ts";
import { checkSandbox } from "./sandbox-home.ts";
import type { ShareControls } from "./share-controls.ts";
import type { SharingService } from "./sharing.ts";
import { checkStore } from "./store-doctor.ts";
import type { OwnToolchainControls } from "./toolchain-controls.ts";
import { type Tell, Trees } from "./trees.ts";
import type { OwnTrustControls } from "./trust-controls.ts";
import { version } from "./version.ts";

export interface ControlParts {
  readonly store: DiskStore;
  readonly index: SqliteIndex;
  readonly pins: Pins;
  readonly statistics: Statistics;
  readonly records: HotRecords;
  readonly flow: CompileFlow;
  readonly housekeeper: Housekeeper;
  readonly network: NetworkService;
  readonly sharing: Pick<SharingService, "refused">;
  readonly sandbox: SandboxExecutor;
  readonly toolchains: ToolchainControls & Pick<OwnToolchainControls, "check">;
  readonly work: ShareControls;
  readonly doors: Doors;
  readonly trust: OwnTrustControls;
  readonly tasks: TaskFlow;
  readonly settings: LiveSettings;
  readonly now: () => number;
  readonly end: () => void;
}

export interface ControlOptions {
  readonly home: Home;
  readonly paths: HomePaths;
  readonly config: Config;
}

interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly advice?: string;
}

export class NodeControls implements Controls {
  readonly #parts: ControlParts;
  readonly #options: ControlOptions;
  readonly #startedAt: number;
  readonly trees: Trees;
  readonly #pinning: Pinning;

  constructor(parts: ControlParts, options: ControlOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#startedAt = parts.now();
    const resolve = (name: string): Promise<NameRecord | undefined> => parts.network.rootOf(name);
    const { stateDir, cacheDir, runDir, binDir, configFile } = options.home;
    const own = [stateDir, cacheDir, runDir, binDir, configFile];
    this.trees = new Trees({ ...parts, network: () => parts.network.trees, named: resolve }, { own });
    const { network } = parts;
    this.#pinning = new Pinning({
      ...parts,
      resolve,
      results: () => network.results,
      trees: this.trees,
      copiesOf: (root) => network.copiesOf(root),
    });
  }

  get network(): NetworkService {
    return this.#parts.network;
  }

  get work(): ShareControls {
    return this.#parts.work;
  }

  get trust(): OwnTrustControls {
    return this.#parts.trust;
  }

  get tasks(): TaskFlow {
    return this.#parts.tasks;
  }

  get toolchains(): ToolchainControls {
    return this.#parts.toolchains;
  }

  async attestations(question: ResultNamed): Promise<unknown> {
    await this.#parts.flow.catchUp();
    const attestations = await this.#parts.network.attestations();
    return attestations.find(this.#meant(question));
  }

  async summary(question: ResultNamed): Promise<unknown> {
    await this.#parts.flow.catchUp();
    const summaries = await this.#parts.network.summaries();
    return summaries.find(this.#meant(question));
  }

  /** By what the history knows of `file` as a source, or else by the digest of its content, or by an action. */
  #meant({ file, digest, action }: ResultNamed): { readonly action: string; readonly output: string } {
    const row = file === "" ? undefined : this.#parts.index.history(file);
    const compiled = row === undefined ? undefined : (JSON.parse(row.body) as { readonly action?: string }).action;
    return { action: compiled ?? action, output: digest };
  }

  async signer(key: string, network: string): Promise<unknown> {
    const attestations = await this.#parts.network.attestations();
    if (attestations.network !== network) return {};
    return attestations.signer(key) ?? { name: "nobody of this network", domain: "", standing: "unknown" };
  }

  status(): unknown {
    const { store, index, flow, records, now } = this.#parts;
    const { home, paths, config } = this.#options;
    const { blobs, storedBytes } = store.facts();
    return {
      pid: process.pid,
      version,
      home: home.root ?? home.stateDir,
      startedAt: new Date(this.#startedAt).toISOString(),
      uptimeMs: now() - this.#startedAt,
      rssBytes: process.memoryUsage.rss(),
      socket: paths.compileSocket,
      store: { bytes: storedBytes, blobs, capacityBytes: config.storeCapacityBytes, directory: store.directory },
      index: index.facts(),
      jobs: { running: flow.running, away: flow.away, waiting: flow.waiting },
      hot: records.facts,
      network: this.#parts.network.status(),
      work: this.#parts.work.now,
      doors: this.#parts.doors.status(),
    };
  }

  /** Of all time, complete; of one session, without waiting for what is yet to be stored: a build that has ended asks. */
  async stats(session: string): Promise<unknown> {
    const { statistics, flow, housekeeper } = this.#parts;
    if (session === "") await flow.catchUp();
    await housekeeper.takeHits();
    // A session is a build's; the network is the daemon's.
    return session === ""
      ? { ...this.#told(statistics.all()), network: this.#parts.network.metrics(), work: this.#parts.work.now }
      : this.#told(statistics.session(session));
  }

  /** Counters, and what came from which member. */
  #told(all: Counts): object {
    const { counters, gifts, labours } = partGifts(all);
    const named = <T>(parts: ReadonlyMap<string, T>): ({ key: string } & T)[] =>
      [...parts].map(([key, part]) => ({ key, ...this.#parts.network.member(key), ...part }));
    return {
      counters,
      givers: named(gifts).toSorted((a, b) => b.hits - a.hits),
      workers: named(labours).toSorted((a, b) => b.compiles - a.compiles),
    };
  }

  async zeroStats(): Promise<unknown> {
    await this.#parts.flow.catchUp();
    await this.#parts.housekeeper.takeHits();
    this.#parts.statistics.zero();
    return { counters: {} };
  }

  async explain(file: string): Promise<unknown> {
    await this.#parts.flow.catchUp();
    await this.#parts.housekeeper.takeHits();
    this.#parts.housekeeper.tellOf(file);
    const known = file === "" ? this.#latest() : this.#parts.index.history(file);
    if (known === undefined) return { found: false };
    const row = this.#parts.flow.judged(known);
    const body = JSON.parse(row.body) as Record<string, unknown>;
    const servedAt = this.#parts.housekeeper.lastHit(row.request);
    const served = servedAt !== undefined && servedAt > row.at;
    const outcome = served ? "hit_local" : row.outcome;
    const at = new Date(served ? servedAt : row.at).toISOString();
    const { asked: _, task: __, ...told } = body; // By what it can be asked for once more.
    const from = this.#named(body.from) ?? this.#copied(body.action);
    const by = served ? undefined : this.#worker(body.by);
    const differences = outcome.startsWith("hit") ? [] : body.differences;
    const refused = outcome === "miss" ? this.#refused(body) : undefined;
    const policy = this.#parts.network.tierFor(this.#parts.flow.projectOfRow(row));
    return {
      found: true,
      record: {
        ...told,
        differences,
        refused,
        policy,
        unshared: this.#parts.tasks.unsharedFor(row),
        from,
        by,
        source: row.source,
        at,
        outcome,
        reason: body.detail,
        durationMs: body.compileMs,
      },
    };
  }

  /** The source that was compiled last, by whomever. */
  #latest(): HistoryRow | undefined {
    const { index, housekeeper } = this.#parts;
    const row = index.latestHistory();
    const hit = housekeeper.latestHit;
    return hit === undefined || hit.at <= (row?.at ?? 0) ? row : (index.historyOf(hit.request) ?? row);
  }

  /** Whose work a hit was and who gave it, with the names of the machines where they are known. */
  #named(from: unknown): object | undefined {
    if (typeof from !== "object" || from === null || !("signer" in from) || typeof from.signer !== "string") return undefined;
    const { network } = this.#parts;
    const giver = "member" in from && typeof from.member === "string" ? network.member(from.member) : undefined;
    return { ...from, name: network.nameOf(from.signer), giver };
  }

  /** Whose result of the same inputs was there and not believed, so that the compiler had to run. */
  #refused({ manifest, action }: Record<string, unknown>): object | undefined {
    if (typeof manifest !== "string") return undefined;
    const { index, sharing, network } = this.#parts;
    const entry = index.entries(manifest).find((one) => one.action === action);
    const refused = entry === undefined ? undefined : sharing.refused(manifest, entry.inputs);
    return refused === undefined
      ? undefined
      : {
          name: network.nameOf(refused.signer),
          signer: refused.signer,
          why: refused.why,
          domains: refused.domains,
          needed: refused.needed,
        };
  }

  /** Who compiled something for this node. */
  #worker(by: unknown): object | undefined {
    if (typeof by !== "object" || by === null || !("member" in by) || typeof by.member !== "string") return undefined;
    return { ...by, name: this.#parts.network.member(by.member).name };
  }

  /** Whose work it was, where a copy of it was here before anybody asked; undefined where this node has done it, too. */
  #copied(action: unknown): object | undefined {
    const { network } = this.#parts;
    const signers = typeof action === "string" ? network.signersOf(action) : [];
    const [first] = signers;
    return first === undefined || signers.some(({ self }) => self) ? undefined : { signer: first.key, name: first.name, copied: true };
  }

  async gc(request: { maxBytes: number | undefined; all: boolean }): Promise<unknown> {
    const { store, records, flow } = this.#parts;
    await flow.catchUp();
    if (request.all) records.clear();
    const unfinishedBytes = store.dropUnfinished();
    const evicted = await store.shrink(request.all ? 0 : (request.maxBytes ?? this.#options.config.storeCapacityBytes));
    return { removed: evicted.blobs, freedBytes: evicted.bytes + unfinishedBytes, bytes: store.facts().storedBytes };
  }

  async pin(question: PinQuestion, tell: Tell, signal: AbortSignal): Promise<unknown> {
    await this.#parts.flow.catchUp();
    return this.#pinning.pin(question, tell, signal);
  }

  unpin(question: PinQuestion): Promise<unknown> {
    return this.#pinning.unpin(question);
  }

  pins(): Promise<unknown> {
    return this.#pinning.pins();
  }

  config(): unknown {
    return { file: this.#options.home.configFile, values: this.#parts.settings.values };
  }

  configAgain(): unknown {
    return { inForce: this.#parts.settings.again() };
  }

  async doctor(): Promise<Check[]> {
    const { home } = this.#options;
    const sample = { deadlineMs: limits.sampleMs, blobBytes: limits.sampleBlobBytes };
    return [
      ...[home.stateDir, home.cacheDir, home.runDir].map(writable),
      ...(await this.#checkStore(sample, false, () => undefined, new AbortController().signal)),
      await checkSandbox(this.#parts.sandbox),
      ...[this.#parts.toolchains.check()].filter((check) => check !== undefined),
      ...this.#parts.doors.checks(),
    ];
  }

  /** Reads the whole store, and asks members for what is pinned and missing. */
  doctorStore(tell: Tell, signal: AbortSignal): Promise<Check[]> {
    return this.#checkStore({}, true, tell, signal);
  }

  async #checkStore(most: InspectionLimits, mend: boolean, tell: Tell, signal: AbortSignal): Promise<Check[]> {
    const { store } = this.#parts;
    const met = store.damagedBlobs;
    const inspected = await store.inspect(most, tell, signal);
    const pins = await this.#pinning.look(mend, tell, signal);
    return checkStore({ inspected, met, pins, movedAside: movedAside(this.#options.paths.database) });
  }

  stop(): void {
    this.#parts.end();
  }
}

function writable(directory: string): Check {
  try {
    accessSync(directory, constants.W_OK);
    return { check: `writable: ${directory}`, ok: true, detail: "yes" };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { check: `writable: ${directory}`, ok: false, detail, advice: "make it yours again, or choose another home with CAIRN_HOME" };
  }
}
