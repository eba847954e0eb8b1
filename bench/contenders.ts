/**
 * Who competes: a launcher to put in front of the compiler, the environment that configures it, its background processes, and how its
 * cache is emptied.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import { cpuMsOf } from "./meter.ts";
import type { Native } from "./native.ts";
import type { Workshop } from "./settings.ts";

export interface Contender extends AsyncDisposable {
  readonly name: string;
  /** Absolute path; undefined for the compiler alone. */
  readonly launcher: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** CPU time so far of what serves it in the background, ms. */
  backgroundCpuMs(): number;
  /** Empties its cache. @returns CPU time that this and starting anew took in the background, ms */
  reset(): Promise<number>;
}

const contenderNames = [
  "none",
  "floor",
  "ccache",
  "ccache depend",
  "ccache inode",
  "ccache tuned",
  "ccache basedir",
  "sccache",
  "cairn",
] as const;
export type ContenderName = (typeof contenderNames)[number];

const LOOPBACK = "127.0.0.1";

const CCACHE: Readonly<Record<string, NodeJS.ProcessEnv>> = {
  ccache: {},
  "ccache depend": { CCACHE_DEPEND: "1" },
  "ccache inode": { CCACHE_INODECACHE: "1" },
  "ccache tuned": {
    CCACHE_INODECACHE: "1",
    CCACHE_HARDLINK: "1",
    CCACHE_NOCOMPRESS: "1",
    CCACHE_SLOPPINESS: "file_stat_matches",
  },
  "ccache basedir": {},
};

/** Where a program lies; undefined where it is not installed. */
export function findProgram(name: string, path: string = process.env.PATH ?? ""): string | undefined {
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/** Nothing of the user's own configuration reaches a benchmark. */
export function plainEnvironment(directory: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: directory, LANG: "C.UTF-8" };
}

/** Undefined when its program is not installed. @param directory a new one, for its cache */
async function enter(name: ContenderName, native: Native, directory: string, baseDir?: string): Promise<Contender | undefined> {
  mkdirSync(directory, { recursive: true });
  const env = plainEnvironment(directory);
  if (name === "none" || name === "floor") return new Bare(name, name === "none" ? undefined : native.floor, env);
  if (name === "cairn") return Cairn.start(native, directory, env);
  const program = findProgram(name.split(" ")[0] ?? "");
  if (program === undefined) return undefined;
  if (name === "sccache") return Sccache.start(program, directory, env);
  return new Ccache(name, program, directory, { ...env, ...CCACHE[name], ...(baseDir === undefined ? {} : { CCACHE_BASEDIR: baseDir }) });
}

/** Those that are installed, closed with `stack`; of the others `notes` says that they are not. */
export async function enterAll(
  names: readonly ContenderName[],
  workshop: Pick<Workshop, "native" | "path">,
  { stack, notes, baseDir }: { readonly stack: AsyncDisposableStack; readonly notes: string[]; readonly baseDir?: string },
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const name of names) {
    const contender = await enter(name, workshop.native, workshop.path(name), baseDir);
    if (contender === undefined) notes.push(`${name} is not installed`);
    else contenders.push(stack.use(contender));
  }
  return contenders;
}

/** The compiler alone. */
export async function enterNone(workshop: Pick<Workshop, "native" | "path">): Promise<Contender> {
  const none = await enter("none", workshop.native, workshop.path("none"));
  if (none === undefined) throw new Error("there is always the compiler");
  return none;
}

class Bare implements Contender {
  readonly name: string;
  readonly launcher: string | undefined;
  readonly env: NodeJS.ProcessEnv;

  constructor(name: string, launcher: string | undefined, env: NodeJS.ProcessEnv) {
    this.name = name;
    this.launcher = launcher;
    this.env = env;
  }

  backgroundCpuMs(): number {
    return 0;
  }

  async reset(): Promise<number> {
    return Promise.resolve(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export class Ccache extends Bare {
  readonly #cache: string;

  constructor(name: string, program: string, directory: string, env: NodeJS.ProcessEnv) {
    const cache = join(directory, "cache");
    const isolated = { CCACHE_DIR: cache, CCACHE_CONFIGPATH: join(directory, "none.conf"), CCACHE_TEMPDIR: join(directory, "temporary") };
    super(name, program, { ...env, ...isolated });
    this.#cache = cache;
  }

  override async reset(): Promise<number> {
    rmSync(this.#cache, { recursive: true, force: true });
    return Promise.resolve(0);
  }
}

class Sccache implements Contender {
  readonly name = "sccache";
  readonly launcher: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #cache: string;
  #server: ChildProcess | undefined;

  static async start(program: string, directory: string, env: NodeJS.ProcessEnv): Promise<Sccache> {
    const cache = join(directory, "cache");
    const settings = { SCCACHE_DIR: cache, SCCACHE_IDLE_TIMEOUT: "0", SCCACHE_SERVER_PORT: String(await freePort()) };
    const contender = new Sccache(program, cache, { ...env, ...settings });
    await contender.#start();
    return contender;
  }

  private constructor(launcher: string, cache: string, env: NodeJS.ProcessEnv) {
    this.launcher = launcher;
    this.env = env;
    this.#cache = cache;
  }

  backgroundCpuMs(): number {
    return this.#server?.pid === undefined ? 0 : cpuMsOf(this.#server.pid);
  }

  async reset(): Promise<number> {
    await this.#stop();
    rmSync(this.#cache, { recursive: true, force: true });
    await this.#start();
    return this.backgroundCpuMs();
  }

  /** In the foreground, as a child: one that daemonizes could be lost. */
  async #start(): Promise<void> {
    const env = { ...this.env, SCCACHE_NO_DAEMON: "1", SCCACHE_START_SERVER: "1" };
    this.#server = spawn(this.launcher, [], { env, stdio: "ignore" });
    await listening("sccache", Number(this.env.SCCACHE_SERVER_PORT), LOOPBACK);
  }

  async #stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

class Cairn implements Contender {
  readonly name = "cairn";
  readonly launcher: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #directory: string;
  readonly #node: CairnNode;

  static async start(native: Native, directory: string, env: NodeJS.ProcessEnv): Promise<Cairn> {
    const contender = new Cairn(native.wrapper, directory, env);
    await contender.#node.start();
    return contender;
  }

  private constructor(launcher: string, directory: string, env: NodeJS.ProcessEnv) {
    this.launcher = launcher;
    this.#directory = directory;
    this.#node = new CairnNode(join(directory, "home"));
    this.env = { ...env, ...this.#node.env };
  }

  backgroundCpuMs(): number {
    return this.#node.cpuMs();
  }

  /** Node's compile cache stays: an empty cache of compiles is common, the first start on a machine is not. */
  async reset(): Promise<number> {
    await this.#node.stop();
    const [code, kept] = [join(this.#node.home, "cache/node"), join(this.#directory, "compile-cache")];
    rmSync(kept, { recursive: true, force: true });
    cpSync(code, kept, { recursive: true });
    rmSync(this.#node.home, { recursive: true });
    mkdirSync(join(this.#node.home, "cache"), { recursive: true, mode: 0o700 });
    cpSync(kept, code, { recursive: true });
    await this.#node.start();
    await sleep(100); // What it does after it listens is part of starting.
    return this.backgroundCpuMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.stop();
  }
}

/** For those who are told a number and cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

/** @throws {Error} naming the program when nobody listens there after some seconds */
export async function listening(program: string, port: number, host: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await listens(port, host)) return;
    await sleep(50); // There is no event to wait for.
  }
  throw new Error(`${program}'s server does not start`);
}

async function listens(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** `--version` of a tool, its first line; undefined where it is not installed. */
export function versionOf(program: string): string | undefined {
  try {
    return execFileSync(program, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")[0];
  } catch {
    return undefined;
  }
}
