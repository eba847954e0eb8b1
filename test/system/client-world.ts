/**
 * A world for the compiler wrapper: a built wrapper, a home, a project, fake compilers, and a daemon that says what a test wants.
 *
 * The daemon speaks through src/wire, so a disagreement between the C program and the TypeScript shows here.
 */
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { digestOf } from "../../src/base/index.ts";
import {
  type CompileRequest,
  type DaemonFrame,
  FrameSplitter,
  type HotRecord,
  type RanReport,
  type RecordOutput,
  readWrapperFrame,
  writeDaemonFrame,
  writeHotRecord,
} from "../../src/wire/index.ts";

const clientDirectory = join(import.meta.dirname, "../../client");

/** Builds the wrapper with client/build.sh into a directory of its own; CAIRN_TEST_CC may be a compiler with sanitizers. */
export function buildWrapper(): { path: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "cairn-wrapper-"));
  const path = join(directory, "cairn-cc");
  execFileSync("sh", [join(clientDirectory, "build.sh"), path, process.env.CAIRN_TEST_CC || "cc"], { stdio: "inherit" });
  return { path, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** What a compile ended with. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How the daemon answers a request: frames to send, or nothing at all. */
export type Answer = (request: CompileRequest) => readonly DaemonFrame[] | Buffer | "silence" | "close";

/** MurmurHash3 x86_32, written from its description and not from the C source. */
function murmur3(bytes: Buffer, seed: number): number {
  const rotl = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
  let hash = seed | 0;
  for (let at = 0; at < bytes.length; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), 0xcc9e2d51);
    word = Math.imul(rotl(word, 15), 0x1b873593);
    hash = Math.imul(rotl(hash ^ word, 13), 5) + 0xe6546b64;
  }
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The stat fingerprint of docs/protocol/hot-record.md. */
export function fingerprint(path: string): { fp0: number; fp1: number } {
  const status = statSync(path, { bigint: true });
  const bytes = Buffer.alloc(32);
  [status.ino, status.size, status.mtimeNs, status.ctimeNs].forEach((field, i) => void bytes.writeBigUInt64LE(field, i * 8));
  return { fp0: murmur3(bytes, 0x9747b28c), fp1: murmur3(bytes, 0x5bd1e995) };
}

/** Writes `-o`'s file and logs that it ran; `$FAKE` is shell text that a test adds. */
const fakeCompiler = `#!/bin/sh
echo "$0 $*" >> "$COMPILES"
if [ -n "$FAKE" ]; then eval "$FAKE"; fi
out=
while [ $# -gt 0 ]; do case $1 in -o) out=$2; shift;; esac; shift; done
if [ -n "$out" ]; then rm -f "$out"; echo compiled > "$out"; fi
exit \${FAKE_EXIT:-0}
`;

export class World implements AsyncDisposable {
  readonly directory: string;
  readonly wrapper: string;
  readonly home: string;
  readonly run: string;
  readonly project: string;
  readonly bin: string;
  readonly store: string;
  readonly requests: CompileRequest[] = [];
  readonly reports: RanReport[] = [];
  readonly #compiles: string;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;

  /** @param homeName where the home lies below the world; long ones do not fit into a socket's address */
  constructor(wrapper: string, homeName = "home") {
    this.directory = mkdtempSync(join(tmpdir(), "cairn-world-"));
    this.wrapper = wrapper;
    this.home = join(this.directory, homeName);
    this.run = join(this.home, "run");
    this.project = join(this.directory, "project");
    this.bin = join(this.directory, "bin");
    this.store = join(this.directory, "store");
    this.#compiles = join(this.directory, "compiles.log");
    for (const path of [this.home, this.project, this.bin, this.store]) mkdirSync(path, { recursive: true });
    mkdirSync(this.run, { mode: 0o700 });
    this.program("fakecc", fakeCompiler);
    writeFileSync(join(this.project, "a.c"), "int a;\n");
  }

  /** Puts an executable text on PATH. */
  program(name: string, text: string): string {
    const path = join(this.bin, name);
    writeFileSync(path, text);
    chmodSync(path, 0o755);
    return path;
  }

  /** A directory with the wrapper under a compiler's name, as masquerading puts it first on PATH. */
  masquerade(name: string): string {
    const directory = join(this.directory, "masquerade");
    mkdirSync(directory, { recursive: true });
    symlinkSync(this.wrapper, join(directory, name));
    return directory;
  }

  /** Listens and answers every request with `answer`. */
  async listen(answer: Answer): Promise<void> {
    await this.silence();
    const server = createServer((socket) => this.#serve(socket, answer));
    this.#server = server;
    const path = join(this.run, "cairn.sock");
    rmSync(path, { force: true });
    // A long path is bound through a shorter one, as the daemon does it.
    const cwd = process.cwd();
    process.chdir(this.run);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen("cairn.sock", resolve);
      });
    } finally {
      process.chdir(cwd);
    }
    if (!existsSync(path)) throw new Error(`not listening at ${path}`);
  }

  #serve(socket: Socket, answer: Answer): void {
    const splitter = new FrameSplitter();
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      for (const { type, payload } of splitter.push(chunk)) {
        const frame = readWrapperFrame(type, payload);
        if (frame.kind === "ran") {
          this.reports.push(frame.report);
          socket.write(writeDaemonFrame({ kind: "stored", taken: true }));
          continue;
        }
        this.requests.push(frame.request);
        const answered = answer(frame.request);
        if (answered === "close") socket.destroy();
        else if (Buffer.isBuffer(answered)) socket.end(answered);
        else if (answered !== "silence") for (const each of answered) socket.write(writeDaemonFrame(each));
      }
    });
  }

  /** Says something to all who are connected. */
  say(frame: DaemonFrame): void {
    for (const socket of this.#connections) socket.write(writeDaemonFrame(frame));
  }

  /** Stops listening. */
  async silence(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  environment(changes: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const path = `${this.bin}:/usr/bin:/bin`;
    // PWD, because a shell between us and the wrapper would set it. A wrapper frees nothing: it ends soon enough.
    return {
      PATH: path,
      PWD: this.project,
      LANG: "C",
      CAIRN_HOME: this.home,
      CAIRN_NO_AUTOSTART: "1",
      ASAN_OPTIONS: "detect_leaks=0",
      COMPILES: this.#compiles,
      ...changes,
    };
  }

  /** Runs `command` (the wrapper where it is left out) in `cwd` (the project). `shown` is called when it has printed a message. */
  async start(
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; command?: string; cwd?: string; umask?: number; shown?: () => void } = {},
  ): Promise<Ended> {
    const command = options.command ?? this.wrapper;
    const masked = options.umask === undefined ? undefined : `umask ${options.umask.toString(8)}; exec "$0" "$@"`;
    const cwd = options.cwd ?? this.project;
    const child = spawn(masked === undefined ? command : "/bin/sh", masked === undefined ? args : ["-c", masked, command, ...args], {
      cwd,
      env: this.environment({ PWD: cwd, ...options.env }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      stderr.push(chunk);
      options.shown?.();
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) =>
        resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
      );
    });
  }

  /** The request that the wrapper makes of these arguments. */
  async requestOf(args: readonly string[], env: NodeJS.ProcessEnv = {}, command?: string): Promise<CompileRequest> {
    await this.listen(() => [{ kind: "pass", reason: "test" }]);
    this.requests.length = 0;
    await this.start(args, command === undefined ? { env } : { env, command });
    await this.silence();
    const request = this.requests.pop();
    if (request === undefined) throw new Error("the wrapper asked nobody");
    this.requests.length = 0;
    this.forgetCompiles();
    return request;
  }

  /** Puts content into the store and tells it as an output. */
  blob(path: string, content: Uint8Array | string, mode: RecordOutput["mode"] = "replace"): RecordOutput {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    const file = this.blobPath(digest);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
    return { path, mode, crc32: crc32(bytes), size: bytes.length, digest, content: undefined };
  }

  blobPath(digest: string): string {
    return join(this.store, digest.slice(0, 2), digest.slice(2));
  }

  /** An input of the project as it is now. */
  input(path: string): { path: string; fp0: number; fp1: number } {
    return { path, ...fingerprint(join(this.project, path)) };
  }

  record(key: string, changes: Partial<HotRecord> = {}): Buffer {
    const bytes = writeHotRecord({
      key,
      validated: false,
      compileMs: 1234,
      storeDirectory: this.store,
      inputs: [this.input("a.c")],
      absences: [],
      outputs: [this.blob("a.o", "from the store\n")],
      stdout: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
      ...changes,
    });
    if (bytes === undefined) throw new Error("not a record");
    return bytes;
  }

  /** Leaves a hot record for a request, as the daemon does. */
  leave(key: string, bytes: Uint8Array): void {
    const path = join(this.run, "hot", key.slice(0, 2), key.slice(2));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes, { mode: 0o600 });
  }

  /** Lines of what the fake compilers were called with. */
  compiles(): string[] {
    return existsSync(this.#compiles) ? readFileSync(this.#compiles, "utf8").trimEnd().split("\n") : [];
  }

  forgetCompiles(): void {
    rmSync(this.#compiles, { force: true });
    rmSync(join(this.project, "a.o"), { force: true });
  }

  output(path = "a.o"): string {
    return readFileSync(join(this.project, path), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.silence();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
