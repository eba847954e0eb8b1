/**
 * The composition root: builds everything top to bottom; each part may use only what stands above it.
 */
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { availableParallelism, homedir } from "node:os";
import {
  compilersDirectory,
  type Digest,
  type Environment,
  type Home,
  type Log,
  limits,
  loadConfig,
  readHalfLife,
  readStaticPeers,
} from "../base/index.ts";
import { BazelResults, CompileDoor, ControlDoor, HitsLog, HotRecords, RecordsAhead } from "../doors/index.ts";
import {
  installedProgram,
  LocalExecutor,
  LocalToolchains,
  Programs,
  processorHere,
  readOnlyHeaderSearch,
  SandboxExecutor,
  workPlaces,
} from "../exec/index.ts";
import { Actions, CompileFlow, CompilesForOthers, type Helpers, Statistics, TaskFlow, Witness, witnessTask } from "../flows/index.ts";
import {
  BegunRecalls,
  DiskStore,
  FileTable,
  HeardDisputes,
  KnownAttestations,
  MembersWorks,
  openDatabase,
  Pins,
  SqliteDoorEntries,
  SqliteIndex,
  SqliteShelf,
  UnsharedCommands,
  UnverifiedResults,
} from "../store/index.ts";
import { loadTaskCodec } from "../wire/index.ts";
import { connectionsMax } from "./connections.ts";
import { NodeControls } from "./controls.ts";
import { Doors } from "./doors.ts";
import { FirstSight } from "./first-sight.ts";
import { GeneralWork } from "./general-work.ts";
import { Housekeeper } from "./housekeeper.ts";
import { alikeBy, InstalledAlike } from "./installed-alike.ts";
import { InstalledSystem } from "./installed-system.ts";
import { KeptTrees } from "./kept-trees.ts";
import { LentContents } from "./lent-contents.ts";
import { LiveSettings } from "./live-settings.ts";
import { holdLock } from "./lock.ts";
import { MemberBounds } from "./member-bounds.ts";
import { NetworkService } from "./network.ts";
import { isOnBattery } from "./power.ts";
import { prepareHome } from "./prepare-home.ts";
import { finishRecalls, Recalls } from "./recalls.ts";
import { Receipts } from "./receipts.ts";
import { othersMemoryBytes, sandboxOptions, sandboxPlace } from "./sandbox-home.ts";
import { removeLeftovers, SandboxHold, setLeftoversAside } from "./sandbox-leftovers.ts";
import { Seldom } from "./seldom.ts";
import { ShareControls } from "./share-controls.ts";
import { SharingService } from "./sharing.ts";
import { bindable, privateName, publish, removeStale } from "./socket-path.ts";
import { OwnToolchainControls } from "./toolchain-controls.ts";
import { ToolchainService } from "./toolchain-service.ts";
import { OwnTrustControls } from "./trust-controls.ts";
import { Vouchers } from "./vouchers.ts";
import { WorkShare } from "./work-share.ts";
import { Worker } from "./worker.ts";

/** What chance is cut into. */
const CHANCES = 2 ** 32;

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
  stack.use(holdLock(paths.lock));
  // All of this belonged to a daemon that is no more.
  rmSync(paths.unresponsive, { force: true });
  for (const socket of [paths.compileSocket, paths.controlSocket]) removeStale(socket);

  const database = stack.use(openDatabase({ log, now }, { file: paths.database }));
  const pins = Pins.open({ log }, { file: paths.pins });
  const keptTrees = stack.use(KeptTrees.open({ log, pins, now }, { file: paths.treeCopies }));
  const store = stack.use(
    DiskStore.open(
      { log, now, database, isPinned: (digest) => pins.holdsBlob(digest) },
      { directory: paths.blobs, capacityBytes: config.storeCapacityBytes, rawBytes: config.storePlainBytes },
    ),
  );
  const isPinned = (action: Digest): boolean => pins.holdsResult(action) || keptTrees.holdsResult(action);
  const index = stack.use(SqliteIndex.open({ log, now, database, isPinned }));
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const begunRecalls = new BegunRecalls({ database, index, isPinned });
  await finishRecalls({ begun: begunRecalls, dropRecords: () => rmSync(paths.hotKind, { force: true }), log }, stop.signal);
  const works = new MembersWorks({ database });
  const files = new FileTable({ database, now });
  const toolchains = new LocalToolchains({ files, log });
  const hold = stack.use(new SandboxHold());
  const lent = new LentContents({ store });
  const sandbox = stack.use(new SandboxExecutor({ blobs: lent, files, log }, sandboxOptions(home, hold, env)));
  const statistics = new Statistics({ index });
  const shelf = (id: Digest): SqliteShelf => new SqliteShelf({ database, index, blobs: store, now }, { network: id });
  const work = (): { jobs: number; cacheBytes: number } => ({ jobs: flow.running, cacheBytes: Number(store.facts().storedBytes) });
  const looked = (): void => {
    supply.looked();
    worker.changed();
  };
  const firstSight = new FirstSight(
    { toolchains, log, env, isQuiet: () => flow.quiet, looked, now: () => performance.now() },
    { except: compilersDirectory(home.binDir) },
  );
  const share = new WorkShare(
    {
      ownRunning: () => flow.running + actions.running,
      ownIdleMs: () => flow.idleMs,
      hasBuilt: () => flow.wasAsked,
      isOnBattery,
      hour: () => new Date().getHours(),
      now: () => performance.now(),
    },
    { ...config, cores: availableParallelism() },
  );
  const bounds = new MemberBounds(() => performance.now(), config);
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
  const general = new GeneralWork(config);
  const programs = new Programs({ files, now: () => performance.now() });
  const processor = await processorHere();
  const alike = new InstalledAlike({
    programs,
    processor,
    installedProgram: (place) => installedProgram(place),
    files,
    isOffered: () => general.isOn,
    named: () => general.offered,
    changed: () => worker.changed(),
    log,
    now: () => performance.now(),
  });
  const compiles = new CompilesForOthers({ executor: sandbox, toolchains: supply });
  const vouchers = stack.use(
    new Vouchers({
      witness: new Witness({ sandbox, searchIn: readOnlyHeaderSearch }),
      mayRun: ({ action, from }) => network.worksFor(from) && compiles.withdrawn(action, from) === undefined,
      sign: (made) => network.sharing?.vouch(made)?.signature,
      slot: (from) => worker.leftOver(from),
      log,
      now: () => performance.now(),
    }),
  );
  const worker: Worker = new Worker({
    compiles,
    sandbox,
    vouchers,
    share,
    bounds,
    admits: (member) => network.worksFor(member),
    actsFor: (member) => network.actsFor(member),
    systems: () => [general.offered, alike.offered].filter((system) => system !== undefined),
    witness: async (action, done, signal) => {
      const installed = await programs.installed(signal);
      return witnessTask(await loadTaskCodec(), { action, done, installed, system: alikeBy(installed, processor) }, { places: workPlaces });
    },
    lack: (action, signal, isFresh) => alike.lack(action, signal, isFresh),
    toolchains: () => supply.digests,
    memoryBytes: othersMemoryBytes(),
    log,
    now: () => performance.now(),
  });
  const forgetting = stack.use(new Seldom(() => records.removeDoubted(), limits.trust.recordsClearedMs));
  const recalls = new Recalls({
    index,
    marks: begunRecalls,
    isUnverified: (action) => flow.isUnverified(action),
    gone: (action) => flow.recall(action),
    records: () => records,
    clearSoon: () => forgetting.soon(),
  });
  // Ends after those who build: what they finish in the end is signed and kept as well.
  const network: NetworkService = stack.use(
    new NetworkService(
      {
        log,
        work,
        shelf,
        known: () => KnownAttestations.open({ database }),
        local: { store, index, works, isQuiet: () => flow.quiet },
        localTrees: { store, pins, kept: keptTrees, isQuiet: () => flow.quiet, capacityBytes: config.storeCapacityBytes },
        recalls,
        speak: (action) => flow.speak(action),
        doorsShare: () => receipts.share,
        wordsChanged: () => receipts.recallSoon(),
        projectOf: (path) => flow.projectOf(path),
        desk: worker,
        capacity: {
          now: () => ({ ...worker.capacity(), takesToolchains: supply.takes, platform: supply.platform, targets: supply.targets }),
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
        links: config.networkLinks,
        peers: readStaticPeers(config.networkPeers) ?? [],
        policy: config.sharingPolicy,
        toolchains: config.toolchainsAccept,
        circle: config.workWith,
        copies: config.sharingCopies,
        directory: config.sharingDirectory,
        placement: { pattern: config.placementPattern, healthCheckMs: config.placementHealthCheckMs },
        halfLifeMs: readHalfLife(config.reputationHalfLife) ?? 0,
      },
    ),
  );
  const sharing = stack.use(
    new SharingService({
      store,
      index,
      works,
      log,
      network: () => network.sharing,
      isStarting: () => network.isStarting,
      random: () => randomInt(CHANCES) / CHANCES,
    }),
  );
  const installed = stack.use(new InstalledSystem({ programs, now: () => performance.now() }));
  const doorEntries = new SqliteDoorEntries({ database, blobs: store });
  const bazelResults = new BazelResults({ store, entries: doorEntries, now });
  const receipts: Receipts = stack.use(
    new Receipts(
      {
        entries: doorEntries,
        store,
        index,
        disputes: new HeardDisputes({ database, now }),
        network: () => network.receipts,
        isStarting: () => network.isStarting,
        named: (door, entry, signal) => bazelResults.named(door, entry, signal),
        installed: (sinceMs) => installed.seen(sinceMs),
        lastInstalled: () => installed.last,
        madeOf: (action, signal) => bazelResults.madeOf(action, signal),
        nameOf: (signer) => network.nameOf(signer),
        log,
        now: () => performance.now(),
        today: now,
      },
      { share: config.doorsShare },
    ),
  );
  const helpers = (): Helpers | undefined => {
    const { workers, placement } = network;
    return workers === undefined || placement === undefined ? undefined : { workers, placement };
  };
  const actions: Actions = stack.use(
    new Actions({ executor: sandbox, helpers, system: () => general.system, store: lent, log }, { cores: availableParallelism() }),
  );
  const unverified = new UnverifiedResults({ database });
  const flow: CompileFlow = stack.use(
    new CompileFlow(
      {
        files,
        listings: files,
        toolchains,
        store,
        index,
        statistics,
        sharing,
        helpers,
        rootOf: (...compiler) => supply.rootOf(...compiler),
        executor: new LocalExecutor({ files }),
        unverified,
        takeBack: (action) => recalls.takeBack(action),
        log,
        now,
      },
      { homeDirectory: homedir() },
    ),
  );
  flow.forgetUnverified();
  const tasks = new TaskFlow(
    {
      store,
      index,
      sharing,
      codec: loadTaskCodec,
      files,
      programs,
      sandbox,
      lend: (contents) => lent.lend(contents),
      actions,
      workers: () => helpers()?.workers,
      alike: (installed) => alikeBy(installed, processor) ?? general.system,
      unshared: new UnsharedCommands({ database }),
      statistics,
      nameOf: (member) => network.member(member).name ?? "",
      log,
      now,
    },
    { places: workPlaces },
  );
  const records = HotRecords.open(
    { log },
    {
      directory: paths.hot,
      kindFile: paths.hotKind,
      contentsFile: paths.contents,
      storeDirectory: store.directory,
      capacityBytes: config.hotCapacityBytes,
    },
  );
  const ahead = stack.use(new RecordsAhead({ flow, records, log, now: () => performance.now() }));
  const hits = new HitsLog(paths.hitsLog);
  const quiet = async (signal: AbortSignal): Promise<void> => {
    const works = share.withheld() === undefined && network.hasCompany;
    if (network.hasCompany) await worker.look(); // What it cannot do its owner is told, whatever is shared now.
    if (works) await alike.look(signal);
    if (works || network.sharing?.exchange.isOffered === true) await firstSight.look(signal);
  };
  const sweep = (): void => void removeLeftovers(log, setLeftoversAside(sandboxPlace(home)));
  const housekeeper = stack.use(
    new Housekeeper({ store, index, statistics, flow, tasks, records, hits, ahead, log, quiet, sweep, end }, { home, paths }),
  );
  const compilers = new OwnToolchainControls({
    service: supply,
    findCompilers: () => firstSight.lookAtUsual(stop.signal),
    installed: () => toolchains.installed(),
    nameOf: (member) => network.member(member).name,
    changeNetwork: (value) => network.setPolicy({ setting: "approved", value }),
    changed: () => worker.changed(),
    now,
  });
  const doors = stack.use(
    new Doors(
      {
        store,
        entries: receipts,
        shared: () => receipts.shared,
        execution: { runner: actions, root: workPlaces.inputs, installed: () => receipts.installedBefore() },
        statistics,
        log,
        now,
      },
      { ccacheSocket: paths.ccacheSocket },
    ),
  );
  const settings = new LiveSettings(
    {
      load: () => loadConfig(home.configFile, env),
      changed: (now) => {
        sharedWork.follow(now);
        receipts.follow(now.doorsShare);
        void doors.follow(now);
        network.follow({ pattern: now.placementPattern, healthCheckMs: now.placementHealthCheckMs }, now.workWith);
        worker.changed();
      },
    },
    { file: home.configFile, values },
  );
  const sharedWork: ShareControls = new ShareControls({ share, bounds, worker, general, readAgain: () => settings.again() });
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
      doors,
      toolchains: compilers,
      work: sharedWork,
      trust: new OwnTrustControls({ index, flow, tasks, network }),
      tasks,
      settings,
      now,
      end: () => end("asked to"),
    },
    { home, paths, config },
  );

  stack.use(await ControlDoor.open({ controls, log }, bindable(privateName(paths.controlSocket))));
  stack.use(await CompileDoor.open({ flow, records, ahead, log }, bindable(privateName(paths.compileSocket)), connectionsMax()));
  for (const socket of [paths.controlSocket, paths.compileSocket]) stack.use(publish(socket));
  void doors.follow(config); // Compilers do not wait for libraries that build tools need.
  rmSync(paths.starting, { force: true }); // Not before a wrapper would find this daemon: it would start another one.
  network.begin(); // Builds do not wait for it.
  const built = stack.move();
  return { [Symbol.asyncDispose]: () => built.disposeAsync() };
}
