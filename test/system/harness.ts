/**
 * Real nodes for tests: a home in a temporary directory, the real daemon, the real compiler wrapper, real compilers.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { homeFrom } from "../../src/base/index.ts";
import { sandboxPlace } from "../../src/daemon/sandbox-home.ts";

export const checkout: string = join(import.meta.dirname, "../..");

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Env = Readonly<Record<string, string | undefined>>;

/** Runs a program to its end; never throws for what it does. */
export async function run(file: string, args: readonly string[], options: { cwd: string; env?: Env }): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      { cwd: options.cwd, env: { ...process.env, ...options.env }, maxBuffer: 64 * 1024 * 1024, timeout: 120_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

/** A directory of its own below the system's temporary one, gone when the test ends. */
export function temporaryDirectory(name: string): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), `cairn-${name}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

let built: Promise<string> | undefined;

/** The compiler wrapper, built once a test process. */
export async function wrapper(): Promise<string> {
  built ??= (async () => {
    const directory = mkdtempSync(join(tmpdir(), "cairn-wrapper-"));
    process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, "cairn-cc");
    const ran = await run("sh", [join(checkout, "client/build.sh"), path], { cwd: checkout });
    assert.equal(ran.code, 0, ran.stderr);
    return path;
  })();
  return built;
}

export type Counters = Readonly<Record<string, number>>;

/** One node: a home and a daemon that serves it. */
export class TestNode implements AsyncDisposable {
  readonly home: string;
  readonly client: string;
  readonly #directory: Disposable;
  readonly #env: Env;
  readonly #within: readonly string[];
  readonly #logTo: string | undefined;
  #daemon: ChildProcess | undefined;
  #log = "";
  #logFile: LogFile | undefined;

  /**
   * @param within a command that runs the command behind it somewhere else, such as in a network namespace
   * @param logTo a file that outlives the node, for what its daemons log
   */
  static async start(name: string, env: Env = {}, within: readonly string[] = [], logTo?: string): Promise<TestNode> {
    const directory = temporaryDirectory(name);
    const node = new TestNode(directory, await wrapper(), { env, within, logTo });
    await node.startDaemon();
    return node;
  }

  private constructor(
    directory: { path: string } & Disposable,
    client: string,
    { env, within, logTo }: { readonly env: Env; readonly within: readonly string[]; readonly logTo: string | undefined },
  ) {
    this.#directory = directory;
    this.#env = env;
    this.#within = within;
    this.#logTo = logTo;
    this.home = join(directory.path, "home");
    this.client = client;
    mkdirSync(this.home, { mode: 0o700 });
  }

  get pid(): number {
    const pid = this.#daemon?.pid;
    assert.ok(pid !== undefined, "the daemon runs");
    return pid;
  }

  get env(): Env {
    return { CAIRN_HOME: this.home, CAIRN_NO_AUTOSTART: "1", ...this.#env };
  }

  /** @param env for this run only */
  async startDaemon(env: Env = {}): Promise<void> {
    const [file, ...args] = [...this.#within, process.execPath, join(checkout, "bin/daemon.js")];
    this.#logFile?.[Symbol.dispose]();
    this.#logFile = new LogFile(this.#logTo);
    this.#log = "";
    const daemon = spawn(file, args, {
      env: { ...process.env, ...this.env, ...env },
      stdio: ["ignore", "ignore", this.#logFile.descriptor],
    });
    this.#daemon = daemon;
    let ended: string | undefined;
    daemon.once("error", (error) => {
      ended = String(error);
    });
    daemon.once("exit", (code) => {
      ended = String(code);
    });
    while (!this.#readLog().includes('"daemon.listening"')) {
      if (ended !== undefined) throw new Error(`the daemon ended with ${ended}: ${this.#readLog()}`);
      await sleep(5);
    }
  }

  /** What the daemon that runs, or ran last, has logged of one event: all that it had when it last told anybody anything is there. */
  events(name: string): Record<string, unknown>[] {
    // What comes last may be half a line yet, and what comes first half of one that was let go of.
    const whole = this.#readLog().split("\n").slice(0, -1);
    const lines = whole.filter((line) => line.startsWith("{") && line.includes(`"event":"${name}"`));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Ends the daemon and waits for it. */
  async stopDaemon(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill(signal);
    await ended;
  }

  async cc(compiler: string, args: readonly string[], options: { cwd: string; env?: Env }): Promise<Ran> {
    return run(this.client, [compiler, ...args], { cwd: options.cwd, env: { ...this.env, ...options.env } });
  }

  async control(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: join(this.home, "run/control.sock"), method, path }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(JSON.parse(text) as Record<string, unknown>));
      });
      asked.on("error", reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Of a door for build tools; the daemon answers before all of them are open. */
  async doorPort(name: string): Promise<number> {
    for (let tries = 0; tries < 3_000; tries++) {
      const { doors } = (await this.control("GET", "/status")) as { doors: { door: string; port: number; open: boolean }[] };
      const door = doors.find((one) => one.door === name);
      if (door?.open === true) return door.port;
      await sleep(20);
    }
    assert.fail(`the door ${name} did not open`);
  }

  async counters(): Promise<Counters> {
    return (await this.control("GET", "/stats")).counters as Counters;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDaemon();
    this.#logFile?.[Symbol.dispose]();
    this.#logFile = undefined;
    // A daemon that was killed has left it, outside its home where this is root.
    const { directory, own } = sandboxPlace(homeFrom(this.env, this.home));
    const names = existsSync(directory) ? readdirSync(directory).filter((name) => name.startsWith(own)) : [];
    for (const name of names) rmSync(join(directory, name), { recursive: true, force: true });
    this.#directory[Symbol.dispose]();
  }

  /** @returns what is kept of what the daemon has logged up to now */
  #readLog(): string {
    this.#log += this.#logFile?.read() ?? "";
    if (this.#log.length > 1_000_000) this.#log = this.#log.slice(-100_000);
    return this.#log;
  }
}

/**
 * What a daemon logs to. What a pipe brings may come after an answer that the daemon gave later; a file has at once what was written to it.
 */
class LogFile implements Disposable {
  readonly descriptor: number;
  readonly #chunk = Buffer.alloc(65_536);
  readonly #decoder = new StringDecoder("utf8");
  #offset: number;

  /** @param path of a file that is added to; without one it has no name, and goes with the last who has it open */
  constructor(path?: string) {
    using directory = temporaryDirectory("log");
    this.descriptor = openSync(path ?? join(directory.path, "log"), "a+", 0o600);
    this.#offset = fstatSync(this.descriptor).size;
  }

  /** What has been written since this was asked last. */
  read(): string {
    let text = "";
    for (;;) {
      const bytes = readSync(this.descriptor, this.#chunk, 0, this.#chunk.length, this.#offset);
      if (bytes === 0) return text;
      this.#offset += bytes;
      text += this.#decoder.write(this.#chunk.subarray(0, bytes));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.descriptor);
  }
}

/** Times and sizes, and what comes of earlier compiles in some quiet moment or other: looked at again, or signed by who has done it. */
const NOT_OF_NOW = /_(?:ms|us|bytes)$|^verif(?:ied$|y_)|^place_(?:free|matters)$|^built_elsewhere_signed$/;

/** What changed between two readings of the counters, {@link NOT_OF_NOW} left out. */
export function counted(before: Counters, after: Counters): Record<string, number> {
  const changes: Record<string, number> = {};
  for (const [name, value] of Object.entries(after)) {
    const change = value - (before[name] ?? 0);
    if (change !== 0 && !NOT_OF_NOW.test(name)) changes[name] = change;
  }
  return changes;
}

/** Files become old enough for their times to be believed. */
export async function age(): Promise<void> {
  await sleep(30);
}

export function writeFiles(directory: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
}

export interface Snapshot {
  readonly [name: string]: { readonly content: Buffer; readonly mode: number };
}

/** Every regular file below a directory. */
export function snapshot(directory: string): Snapshot {
  const files: Record<string, { content: Buffer; mode: number }> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[path.slice(directory.length + 1)] = { content: readFileSync(path), mode: statSync(path).mode & 0o777 };
  }
  return files;
}
