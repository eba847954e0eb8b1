/**
 * Makes the directories of a home, or says why it cannot be used.
 */
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { CairnError, type Home, makeDirectories, systemCode } from "../base/index.ts";
import { SHARDS } from "../store/index.ts";

export interface HomePaths {
  readonly compileSocket: string;
  readonly controlSocket: string;
  /** For ccache's own protocol. */
  readonly ccacheSocket: string;
  readonly lock: string;
  readonly hot: string;
  /** What records in `hot` look out for: see HotRecords. */
  readonly hotKind: string;
  readonly hitsLog: string;
  /** What wrappers remember of files' contents: see HotRecords. */
  readonly contents: string;
  readonly unresponsive: string;
  readonly starting: string;
  /** What the user has pinned: not in the cache, which may be thrown away. */
  readonly pins: string;
  /** What is kept because members have pinned it. */
  readonly treeCopies: string;
  /** What is kept of others' toolchains, and which the user has approved. */
  readonly toolchains: string;
  readonly database: string;
  readonly blobs: string;
}

/** @throws {CairnError} home-unwritable or home-foreign, with the path */
export function prepareHome(home: Home): HomePaths {
  const paths: HomePaths = {
    compileSocket: join(home.runDir, "cairn.sock"),
    controlSocket: join(home.runDir, "control.sock"),
    ccacheSocket: join(home.runDir, "ccache.sock"),
    lock: join(home.runDir, "daemon.lock"),
    hot: join(home.runDir, "hot"),
    hotKind: join(home.runDir, "hot-kind"),
    hitsLog: join(home.runDir, "hits.log"),
    contents: join(home.runDir, "contents"),
    unresponsive: join(home.runDir, "unresponsive"),
    starting: join(home.runDir, "starting"),
    pins: join(home.stateDir, "pins.json"),
    treeCopies: join(home.stateDir, "tree-copies.json"),
    toolchains: join(home.stateDir, "toolchains.json"),
    database: join(home.cacheDir, "index.db"),
    blobs: join(home.cacheDir, "cas"),
  };
  for (const directory of [home.stateDir, home.cacheDir, home.runDir]) makeOwn(directory);
  for (const directory of [paths.hot, paths.blobs]) {
    const isNew = !existsSync(directory);
    makeOwn(directory);
    if (isNew) makeShards(directory);
  }
  return paths;
}

/** In the middle of a build, making one costs more than the file that is put into it. Who does so must not rely on them: somebody may tidy up. */
function makeShards(directory: string): void {
  for (const shard of SHARDS) mkdirSync(join(directory, shard), { mode: 0o700 });
}

function makeOwn(directory: string): void {
  // Who started this process was in another directory.
  if (!isAbsolute(directory)) throw new CairnError("usage", { why: `CAIRN_HOME has to be an absolute path: ${directory} is none` });
  try {
    makeDirectories(directory);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = systemCode(error) ?? "";
    throw new CairnError(
      code === "EEXIST" || code === "ENOTDIR" ? "home-foreign" : "home-unwritable",
      { path: directory, system: code },
      error,
    );
  }
  const stats = statSync(directory);
  // What others may write to, others can make us serve.
  if (stats.uid !== process.geteuid?.()) throw new CairnError("home-foreign", { path: directory, owner: stats.uid });
  if ((stats.mode & 0o022) !== 0) throw new CairnError("home-foreign", { path: directory, mode: (stats.mode & 0o777).toString(8) });
}
