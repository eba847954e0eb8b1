/**
 * The composition root: builds everything top to bottom; each part may use only what stands above it.
 */
import { rmSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { type Digest, type Environment, type Home, type Log, loadConfig, readStaticPeers } from "../base/index.ts";
import { CompileDoor, ControlDoor, HitsLog, HotRecords } from "../doors/index.ts";
import { LocalToolchains, SandboxExecutor } from "../exec/index.ts";
import { CompileFlow, CompilesForOthers, type Helpers, Statistics } from "../flows/index.ts";
import { DiskStore, FileTable, KnownAttestations, openDatabase, Pins, SqliteIndex, SqliteShelf } from "../store/index.ts";
import { connectionsMax } from "./connections.ts";
import { NodeControls } from "./controls.ts";
import { FirstSight } from "./first-sight.ts";
import { Housekeeper } from "./housekeeper.ts";
import { LiveSettings } from "./live-settings.ts";
import { lockHome } from "./lock.ts";
import { NetworkService } from "./network.ts";
import { isOnBattery } from "./power.ts";
import { prepareHome } from "./prepare-home.ts";
import { sandboxOptions } from "./sandbox-home.ts";
import { ShareControls } from "./share-controls.ts";
import { SharingService } from "./sharing.ts";
import { bindable, privateName, publish, removeStale } from "./socket-path.ts";
import { OwnToolchainControls } from "./toolchain-controls.ts";
import { ToolchainService } from "./toolchain-service.ts";
import { WorkShare } from "./work-share.ts";
import { Worker } from "./worker.ts";

export interface DaemonParts {
  readonly log: Log;
  readonly env: Environment;
  /** Called once, when somebody asks the daemon to end or its home is gone. */
  readonly end: (why: string) => void;
}

/** @throws {CairnError} config-invalid, home-unwritable, home-foreign, daemon-running */
export async function compose(parts: DaemonParts, home: Home): Promise<AsyncDisposable> {
  const { log, env, end } = parts;
  const now = (): number => Date.now();
  await using stack = new AsyncDisposableStack(); // A failed start closes what had opened.
  const { config, values } = loadConfig(home.configFile, env);
  const paths = prepareHome(home);
  stack.use(lockHome(paths.lock));
  // All of this belonged to a daemon that is no more.
  rmSync(paths.unresponsive, { force: true });
  for (const socket of [paths.compileSocket, paths.controlSocket]) removeStale(socket);

  const database = stack.use(openDatabase({ log, now }, { file: paths.database }));
  const pins = Pins.open({ log }, { file: paths.pins });
  const store = stack.use(
    DiskStore.open(
      { log, now, database, isPinned: (digest) => pins.holdsBlob(digest) },
      { directory: paths.blobs, capacityBytes: config.storeCapacityBytes, rawBytes: config.storePlainBytes },
    ),
  );
  const index = stack.use(SqliteIndex.open({ log, now, database, isPinned: (action) => pins.holdsResult(action) }));
  const files = new FileTable({ database, now });
  const toolchains = new LocalToolchains({ files, log });
  const sandbox = stack.use(new SandboxExecutor({ blobs: store, files, log }, sandboxOptions(home, env)));
  const statistics = new Statistics({ index });
  const shelf = (id: Digest): SqliteShelf => new SqliteShelf({ database, index, blobs: store, now }, { network: id });
  const work = (): { jobs: number; cacheBytes: number } => ({ jobs: flow.running, cacheBytes: Number(store.facts().storedBytes) });
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const firstSight = new FirstSight({ toolchains, log, env, looked: () => worker.changed() });
  const share = new WorkShare(
    {
      ownRunning: () => flow.running,
      ownIdleMs: () => flow.idleMs,
      isOnBattery,
      hour: () => new Date().getHours(),
      now: () => performance.now(),
    },
    { ...config, cores: availableParallelism() },
  );
  const supply: ToolchainService = stack.use(
    new ToolchainService(
      {
        toolchains,
        files,
        store,
        pins,
        log,
        network: () => network.toolchains,
        isQuiet: () => flow.quiet,
        now,
        env,
        prepare: (toolchain, signal) => sandbox.prepare(toolchain, signal),
        changed: () => worker.changed(),
      },
      {
        file: paths.toolchains,
        capacityBytes: config.toolchainsCapacityBytes,
        accept: config.toolchainsAccept,
      },
    ),
  );
  const worker = new Worker({
    compiles: new CompilesForOthers({ executor: sandbox, toolchains: supply }),
    sandbox,
    share,
    admits: (member) => network.worksFor(member),
    toolchains: () => supply.digests,
    log,
    now: () => performance.now(),
  });
  const recalled = (): void => {
    records.clear();
    flow.forgetAnswers();
  };
  // Ends after those who build: what they finish in the end is signed and kept as well.
  const network: NetworkService = stack.use(
    new NetworkService(
      {
        log,
        work,
        shelf,
        known: () => KnownAttestations.open({ database }),
        local: { store, index, isQuiet: () => flow.quiet },
        recalled,
        desk: worker,
        capacity: {
          now: () => ({ ...worker.capacity(), takesToolchains: supply.takes }),
          onChange: (listener) => worker.onChange(listener),
        },
        toolchainOffer: (question, signal) => supply.offer(question, signal),
      },
      {
        stateDir: home.stateDir,
        listen: config.networkListen,
        mdns: config.networkMdns === "on",
        portMapping: config.networkPortMapping === "on",
        relayCircuits: config.networkRelayCircuits,
        peers: readStaticPeers(config.networkPeers) ?? [],
        policy: config.sharingPolicy,
        circle: config.workWith,
        copies: config.sharingCopies,
        directory: config.sharingDirectory,
        placement: { pattern: config.placementPattern, healthCheckMs: config.placementHealthCheckMs },
      },
    ),
  );
  const sharing = stack.use(
    new SharingService(
      { store, index, log, network: () => network.sharing, isStarting: () => network.isStarting },
      { policy: config.sharingPolicy },
    ),
  );
  const helpers = (): Helpers | undefined => {
    const { workers, placement } = network;
    return workers === undefined || placement === undefined ? undefined : { workers, placement };
  };
  const flow: CompileFlow = stack.use(
    new CompileFlow({ files, toolchains, store, index, statistics, sharing, helpers, log, now }, { homeDirectory: homedir() }),
  );
  const records = new HotRecords(
    { log },
    { directory: paths.hot, storeDirectory: store.directory, capacityBytes: config.hotCapacityBytes },
  );
  const hits = new HitsLog(paths.hitsLog);
  const quiet = async (signal: AbortSignal): Promise<void> => {
    const works = share.withheld() === undefined && network.hasCompany;
    if (works) await worker.look();
    if (works || network.sharing?.exchange.isOffered === true) await firstSight.look(signal);
  };
  const housekeeper = stack.use(new Housekeeper({ store, index, statistics, flow, records, hits, log, quiet, end }, { home, paths }));
  const compilers = new OwnToolchainControls({
    service: supply,
    findCompilers: () => firstSight.look(stop.signal),
    installed: () => toolchains.installed(),
    nameOf: (member) => network.member(member).name,
    now,
  });
  const settings = new LiveSettings(
    {
      load: () => loadConfig(home.configFile, env),
      changed: (now) => {
        sharedWork.follow(now);
        network.follow({ pattern: now.placementPattern, healthCheckMs: now.placementHealthCheckMs });
      },
    },
    { file: home.configFile, values },
  );
  const sharedWork: ShareControls = new ShareControls({ share, worker, readAgain: () => settings.again() });
  const controls = new NodeControls(
    {
      store,
      index,
      pins,
      statistics,
      records,
      flow,
      housekeeper,
      network,
      sharing,
      sandbox,
      toolchains: compilers,
      work: sharedWork,
      settings,
      now,
      end: () => end("asked to"),
    },
    { home, paths, config },
  );

  stack.use(await ControlDoor.open({ controls, log }, bindable(privateName(paths.controlSocket))));
  stack.use(await CompileDoor.open({ flow, records, log }, bindable(privateName(paths.compileSocket)), connectionsMax()));
  for (const socket of [paths.controlSocket, paths.compileSocket]) stack.use(publish(socket));
  rmSync(paths.starting, { force: true }); // Not before a wrapper would find this daemon: it would start another one.
  network.begin(); // Builds do not wait for it.
  const built = stack.move();
  return { [Symbol.asyncDispose]: () => built.disposeAsync() };
}
