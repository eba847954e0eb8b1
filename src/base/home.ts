/**
 * Where a node keeps what: one directory when CAIRN_HOME is set, the XDG base directories otherwise.
 * The compiler wrapper (client/) finds the run directory by the same rule.
 */
import { join } from "node:path";

export interface Home {
  /** CAIRN_HOME when it is set. */
  readonly root: string | undefined;
  readonly configFile: string;
  /** Logs and what must survive the cache being thrown away. */
  readonly stateDir: string;
  /** What a detached daemon writes to. */
  readonly daemonLog: string;
  /** Blobs and their index. */
  readonly cacheDir: string;
  /** Socket, lock, hot records: of no worth once the machine restarts. */
  readonly runDir: string;
  /** The compiler wrapper and its names. */
  readonly binDir: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** @param homeDirectory the user's home, as os.homedir() gives it */
export function homeFrom(env: Environment, homeDirectory: string): Home {
  const root = env.CAIRN_HOME || undefined;
  if (root !== undefined) {
    return {
      root,
      configFile: join(root, "config.toml"),
      stateDir: join(root, "state"),
      daemonLog: join(root, "state", "daemon.log"),
      cacheDir: join(root, "cache"),
      runDir: join(root, "run"),
      binDir: join(root, "bin"),
    };
  }
  const base = (name: string, fallback: string): string => join(absolute(env[name]) ?? join(homeDirectory, fallback), "cairn");
  const stateDir = base("XDG_STATE_HOME", ".local/state");
  const runtime = absolute(env.XDG_RUNTIME_DIR);
  return {
    root: undefined,
    configFile: join(base("XDG_CONFIG_HOME", ".config"), "config.toml"),
    stateDir,
    daemonLog: join(stateDir, "daemon.log"),
    cacheDir: base("XDG_CACHE_HOME", ".cache"),
    runDir: runtime === undefined ? join(stateDir, "run") : join(runtime, "cairn"),
    binDir: join(base("XDG_DATA_HOME", ".local/share"), "bin"),
  };
}

/** The XDG specification has relative paths ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") ? path : undefined;
}
