/**
 * A node for tests that break things: its daemon can be killed, stopped, started again and hear forged frames; its home can be ruined.
 * Everything is real: processes, sockets, compilers.
 *
 * Knows: homes, processes, frames from the asking side. Does not know: which faults there are.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ByteWriter, protocolVersion } from "../../src/wire/index.ts";
import { checkout, type Env, type Ran, run, temporaryDirectory, wrapper, writeFiles } from "./harness.ts";

/** A daemon's process, from its start to its end. */
export interface Daemon {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves when it listens; rejects when it ends before. */
  readonly listening: Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** What it has logged so far, at most the last MiB. */
  log(): string;
}

/** Node's compiled code, shared by all daemons of this process: their homes are all new. */
let compiledCode: string | undefined;

function compiledCodeDirectory(): string {
  if (compiledCode === undefined) {
    const directory = mkdtempSync(join(tmpdir(), "cairn-code-"));
    process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
    compiledCode = directory;
  }
  return compiledCode;
}

/** @param through a command that becomes the daemon */
function startDaemon(env: Env, through: readonly string[] = []): Daemon {
  const [program, ...args] = [...through, process.execPath, join(checkout, "bin/daemon.js")];
  const child = spawn(program, args, {
    env: { ...process.env, NODE_COMPILE_CACHE: compiledCodeDirectory(), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  const listening = new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
      if (log.includes('"daemon.listening"')) resolve();
      if (log.length > 1_000_000) log = log.slice(-500_000);
    });
    void ended.then(({ code, signal }) => reject(new Error(`the daemon ended with ${code ?? signal}: ${log}`)));
  });
  listening.catch(() => undefined); // Not everybody waits for it.
  assert.ok(child.pid !== undefined);
  return { process: child, pid: child.pid, listening, ended, log: () => log };
}

export class BreakableNode implements AsyncDisposable {
  readonly directory: string;
  readonly client: string;
  readonly #directory: Disposable;
  readonly #env: Env;
  #daemons: Daemon[] = [];
  home: string;

  /** @param homeName where the home lies below the node's directory */
  static async make(name: string, options: { homeName?: string; env?: Env } = {}): Promise<BreakableNode> {
    const node = new BreakableNode(temporaryDirectory(name), await wrapper(), options.homeName ?? "home", options.env ?? {});
    mkdirSync(node.home, { recursive: true, mode: 0o700 });
    mkdirSync(node.project);
    return node;
  }

  private constructor(directory: { path: string } & Disposable, client: string, homeName: string, env: Env) {
    this.#directory = directory;
    this.directory = realpathSync(directory.path);
    this.client = client;
    this.home = join(this.directory, homeName);
    this.#env = env;
  }

  get project(): string {
    return join(this.directory, "project");
  }

  get env(): Env {
    return { CAIRN_HOME: this.home, CAIRN_NO_AUTOSTART: "1", ...this.#env };
  }

  get daemon(): Daemon {
    const daemon = this.#daemons.at(-1);
    assert.ok(daemon !== undefined, "a daemon was started");
    return daemon;
  }

  /** Starts another daemon; does not wait for it. */
  start(env: Env = {}, through: readonly string[] = []): Daemon {
    const daemon = startDaemon({ ...this.env, ...env }, through);
    this.#daemons = [...this.#daemons.filter(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null), daemon];
    return daemon;
  }

  async up(env: Env = {}): Promise<Daemon> {
    const daemon = this.start(env);
    await daemon.listening;
    return daemon;
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.daemon.process.kill(signal);
    await this.daemon.ended;
  }

  async cc(args: readonly string[], options: { cwd?: string; env?: Env; compiler?: string } = {}): Promise<Ran> {
    const cwd = options.cwd ?? this.project;
    return run(this.client, [options.compiler ?? "gcc", ...args], { cwd, env: { ...this.env, ...options.env } });
  }

  /** Compiles `name` and holds the object and all that was said against what the compiler alone does. */
  async sameAsCompiler(name: string, options: { env?: Env; args?: readonly string[] } = {}): Promise<void> {
    const object = name.replace(/\.\w+$/, ".o");
    const args = ["-c", name, "-o", object, ...(options.args ?? [])];
    const plain = await run("gcc", args, { cwd: this.project });
    const expected = existsSync(join(this.project, object)) ? readFileSync(join(this.project, object)) : undefined;
    rmSync(join(this.project, object), { force: true });
    const ran = await this.cc(args, options.env === undefined ? {} : { env: options.env });
    const actual = existsSync(join(this.project, object)) ? readFileSync(join(this.project, object)) : undefined;
    assert.deepEqual(ran, plain);
    assert.deepEqual(actual, expected, `${name}: another object than the compiler's`);
  }

  /** The same as often as it takes until it is stored: on a machine that is very busy the wrapper may not wait for the daemon. */
  async untilStored(name: string): Promise<void> {
    const stored = async (): Promise<number> => (await this.counters()).stored ?? 0;
    const before = await stored();
    await eventually(`${name} is stored`, async () => {
      await this.sameAsCompiler(name);
      return (await stored()) > before;
    });
    assert.equal(await stored(), before + 1, this.daemon.log());
  }

  write(files: Readonly<Record<string, string>>): void {
    writeFiles(this.project, files);
  }

  /** Asks the control socket. */
  async control(method: string, path: string, body = ""): Promise<{ status: number; body: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: join(this.home, "run/control.sock"), method, path, agent: false }, (response) => {
        let said = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          said += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(said) as Record<string, unknown> }));
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }

  async counters(): Promise<Record<string, number>> {
    return (await this.control("GET", "/stats")).body.counters as Record<string, number>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process: child, ended } of this.#daemons) {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    }
    this.#directory[Symbol.dispose]();
  }
}

/** Waits until something holds that nobody announces. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, mostMs = 20_000): Promise<void> {
  for (let waitedMs = 0; !(await holds()); waitedMs += 20) {
    assert.ok(waitedMs < mostMs, `never: ${what}`);
    await sleep(20);
  }
}

/** Every file below a directory, relative; none where there is no directory. */
export function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
}

/** The asking side of the compile socket, for those who want to know what the wrapper keeps to itself, or to lie. */
export interface Question {
  readonly cwd: string;
  readonly compiler: string;
  readonly argv: readonly string[];
  readonly environment?: readonly string[];
  readonly version?: number;
}

function text(writer: ByteWriter, value: string): void {
  writer.text32(value);
}

export function frameOf(type: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(payload.length);
  header.writeUInt8(type, 4);
  return Buffer.concat([header, payload]);
}

export function compileFrame(question: Question): Buffer {
  const asked = new ByteWriter(512);
  asked.u8(0).u8(0).u16(0);
  text(asked, question.cwd);
  text(asked, question.compiler);
  for (const list of [question.argv, question.environment ?? []]) {
    asked.u32(list.length);
    for (const each of list) text(asked, each);
  }
  const key = createHash("sha256").update(asked.view()).digest();
  const whole = new ByteWriter(512);
  whole
    .u16(question.version ?? protocolVersion)
    .u8(0)
    .u8(0)
    .bytes(key)
    .u64(0n)
    .bytes(asked.view());
  return frameOf(0x01, whole.view());
}

export interface Report {
  readonly job: bigint;
  readonly waitStatus?: number;
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  readonly steadyNs?: bigint;
  readonly dependencies?: string;
}

export function ranFrame(report: Report): Buffer {
  const writer = new ByteWriter(512);
  const startNs = report.startNs ?? 0n;
  const endNs = report.endNs ?? startNs;
  writer
    .u64(report.job)
    .u32(report.waitStatus ?? 0)
    .u64(startNs)
    .u64(endNs)
    .u64(report.steadyNs ?? endNs - startNs)
    .u64(0n)
    .u32(0);
  for (const each of ["", "", report.dependencies ?? ""]) text(writer, each);
  return frameOf(0x02, writer.view());
}

export interface Heard {
  readonly type: number;
  readonly payload: Buffer;
}

export const heard = { working: 0x80, done: 0x81, run: 0x82, pass: 0x83, stored: 0x84, refused: 0x85 } as const;

/** One connection to the compile socket. */
export class Asker implements Disposable {
  readonly socket: Socket;
  /** Resolves when the daemon has closed the connection, or it never came about. */
  readonly closed: Promise<void>;
  #bytes = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on("error", () => undefined);
    this.socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.once("close", () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  send(...frames: readonly Uint8Array[]): this {
    for (const frame of frames) this.socket.write(frame);
    return this;
  }

  /** The next frame that says something, or undefined when the connection ended. */
  async next(): Promise<Heard | undefined> {
    for (;;) {
      const frame = this.#take();
      if (frame !== undefined && frame.type !== heard.working) return frame;
      if (frame !== undefined) continue;
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(): Heard | undefined {
    if (this.#bytes.length < 5) return undefined;
    const length = this.#bytes.readUInt32LE(0);
    if (this.#bytes.length < 5 + length) return undefined;
    const frame = { type: this.#bytes.readUInt8(4), payload: this.#bytes.subarray(5, 5 + length) };
    this.#bytes = this.#bytes.subarray(5 + length);
    return frame;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** The job and the arguments of a RUN frame. */
export function readRun(frame: Heard): { job: bigint; args: string[] } {
  assert.equal(frame.type, heard.run, `not RUN but 0x${frame.type.toString(16)}: ${frame.payload.toString("latin1")}`);
  const args: string[] = [];
  let at = 11;
  for (let count = frame.payload.readUInt16LE(9); count > 0; count--) {
    const length = frame.payload.readUInt32LE(at);
    args.push(frame.payload.subarray(at + 4, at + 4 + length).toString());
    at += 4 + length;
  }
  return { job: frame.payload.readBigUInt64LE(0), args };
}

/** A small generator of numbers, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
