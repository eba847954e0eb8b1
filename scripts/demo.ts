/**
 * `npm run demo`: LevelDB and Snappy, some 70 C++ files that came with the dependencies, compiled by g++ alone, through an empty
 * cache, through a full one, and in a second checkout at another path. Every object is compared with g++'s own.
 *
 * Knows: the command line of Cairn and of g++. Does not know: anything inside Cairn; this is what a stranger would type.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..");
const WORK = join(ROOT, ".cairn", "demo");
const PROJECT = join(ROOT, "node_modules/classic-level/deps");
const CAIRN = join(ROOT, "bin/cairn");

/** Written for other systems, or for an interface that this copy of LevelDB no longer has. */
const LEFT_OUT =
  /port-libuv|snappy_unittest|snappy-test|\/(memenv_test|db_test|fault_injection_test|corruption_test|c|db_bench|recovery_test)\.cc$/;
const FLAGS = [
  ..."-std=c++17 -O2 -DNDEBUG -DSNAPPY=1 -DLEVELDB_PLATFORM_POSIX=1 -DOS_LINUX=1".split(" "),
  ..."-Ileveldb/leveldb-1.20 -Ileveldb/leveldb-1.20/include -Isnappy/linux -Isnappy/snappy".split(" "),
];

interface Phase {
  readonly name: string;
  readonly about: string;
  readonly checkout: "one" | "two";
  readonly cached: boolean;
}

const PHASES: readonly Phase[] = [
  { name: "g++ alone", about: "no cache", checkout: "one", cached: false },
  { name: "Cairn, cold", about: "the cache is empty", checkout: "one", cached: true },
  { name: "Cairn, warm", about: "the same again, from nothing", checkout: "one", cached: true },
  { name: "second checkout", about: "the same sources at another path", checkout: "two", cached: true },
];

interface Measured {
  readonly phase: Phase;
  readonly wallMs: number;
  /** Compilers, wrappers and the daemon. */
  readonly cpuMs: number;
  readonly counters: Readonly<Record<string, number>>;
}

class Interrupted extends Error {}

const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CAIRN_") || name === "CAIRN_NODE")),
  CAIRN_HOME: join(WORK, "home"),
  NO_COLOR: "1",
};
const running = new Set<ChildProcess>();
const stop = new AbortController();

/** @returns what the command line printed as JSON */
async function cairn(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(CAIRN, [...args, "--json"], { env: environment });
  return JSON.parse(stdout) as Record<string, unknown>;
}

function sources(): string[] {
  return globSync("**/*.cc", { cwd: PROJECT })
    .filter((file) => !LEFT_OUT.test(`/${file}`))
    .toSorted();
}

function compile(command: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "ignore", "inherit"] });
    running.add(child);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      running.delete(child);
      if (code === 0) resolve();
      else reject(stop.signal.aborted ? new Interrupted() : new Error(`${command.join(" ")} ended with ${code ?? signal}`));
    });
  });
}

/** Compiles all files, as many at once as there are processors. */
async function build(
  files: readonly string[],
  wrapper: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  done: () => void,
): Promise<void> {
  for (const directory of new Set(files.map((file) => dirname(file)))) mkdirSync(join(cwd, "build", directory), { recursive: true });
  const queue = files.values();
  const worker = async (): Promise<void> => {
    for (const file of queue) {
      if (stop.signal.aborted) throw new Interrupted();
      const object = join("build", `${file}.o`);
      await compile([...wrapper, "g++", ...FLAGS, "-MD", "-MF", `${object}.d`, "-c", file, "-o", object], cwd, env);
      done();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** User and system time of a process and of the children it has waited for; proc(5), fields 14 to 17, in 1/100 s. */
function cpuMs(pid: number | "self"): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

class Progress {
  readonly #total: number;
  readonly #phase: Phase;
  readonly #began: number = performance.now();
  #count = 0;
  #told = 0;

  constructor(phase: Phase, total: number) {
    this.#phase = phase;
    this.#total = total;
    if (!process.stdout.isTTY) process.stdout.write(`${phase.name} (${phase.about})\n`);
    this.#show();
  }

  step(): void {
    this.#count++;
    this.#show();
  }

  end(): void {
    if (process.stdout.isTTY) process.stdout.write("\n");
  }

  #show(): void {
    const seconds = `${((performance.now() - this.#began) / 1000).toFixed(1)} s`;
    const share = this.#count / this.#total;
    if (process.stdout.isTTY) {
      const bar = "━".repeat(Math.round(share * 24)).padEnd(24, "─");
      process.stdout.write(
        `\r\x1b[K${this.#phase.name.padEnd(16)} ${bar} ${String(this.#count).padStart(3)}/${this.#total}  ${seconds}  ${this.#phase.about}`,
      );
    } else if (share >= this.#told + 0.25) {
      this.#told = Math.floor(share * 4) / 4;
      process.stdout.write(`  ${this.#count} of ${this.#total} files, ${seconds}\n`);
    }
  }
}

async function measure(phase: Phase, files: readonly string[], wrapper: string, daemon: number): Promise<Measured> {
  const cwd = join(WORK, phase.checkout);
  rmSync(join(cwd, "build"), { recursive: true, force: true });
  const session = randomBytes(8).toString("hex");
  const env = phase.cached ? { ...environment, CAIRN_SESSION: session } : environment;
  const progress = new Progress(phase, files.length);
  const before = cpuMs("self") + cpuMs(daemon);
  const began = performance.now();
  try {
    await build(files, phase.cached ? [wrapper] : [], cwd, env, () => progress.step());
  } finally {
    progress.end();
  }
  const wallMs = performance.now() - began;
  const used = cpuMs("self") + cpuMs(daemon) - before;
  const counters = phase.cached ? ((await cairn("stats", "--session", session)).counters as Record<string, number>) : {};
  return { phase, wallMs, cpuMs: used, counters };
}

/** @returns names of outputs that differ from the compiler's own */
function differing(files: readonly string[], checkout: string): string[] {
  return files
    .flatMap((file) => [`${file}.o`, `${file}.o.d`])
    .filter((name) => !readFileSync(join(WORK, "reference", name)).equals(readFileSync(join(WORK, checkout, "build", name))));
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 9_995 ? 2 : 1)} s`;
}

function closingTable(measured: readonly Measured[]): string[] {
  const [plain] = measured;
  const rows = [["", "wall", "CPU", "hits", "misses", "saved", "speed-up"]];
  for (const { phase, wallMs, cpuMs: used, counters } of measured) {
    const at = (name: string): number => counters[name] ?? 0;
    const hits = Math.max(at("hit_local") + at("hit_daemon"), at("hit_direct")) + at("hit_equivalent");
    const cached = phase.cached ? [String(hits), String(at("miss")), seconds(at("saved_ms"))] : ["", "", ""];
    const factor = plain === undefined || !phase.cached ? "" : `${(plain.wallMs / wallMs).toFixed(plain.wallMs / wallMs < 9.95 ? 2 : 0)} ×`;
    rows.push([phase.name, seconds(wallMs), seconds(used), ...cached, factor]);
  }
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("   ")
      .trimEnd(),
  );
}

async function demonstrate(): Promise<void> {
  const files = sources();
  process.stdout.write(`Cairn compiles LevelDB and Snappy: ${files.length} C++ files, ${availableParallelism()} at a time, four times.\n`);
  process.stdout.write("The first two take as long as g++ does. Before them: two checkouts, the wrapper, a daemon.\n\n");
  for (const checkout of ["one", "two"]) cpSync(PROJECT, join(WORK, checkout), { recursive: true });
  const wrapper = String((await cairn("launcher")).path);
  const daemon = Number((await cairn("up")).pid);

  const measured: Measured[] = [];
  const wrong: string[] = [];
  for (const phase of PHASES) {
    measured.push(await measure(phase, files, wrapper, daemon));
    if (phase.cached) wrong.push(...differing(files, phase.checkout).map((name) => `${phase.name}: ${name}`));
    else renameSync(join(WORK, phase.checkout, "build"), join(WORK, "reference"));
  }
  process.stdout.write(`\n${closingTable(measured).join("\n")}\n\n`);
  process.stdout.write("wall: by the clock. CPU: of all processes, the daemon's too. saved: what g++ had taken for the hits.\n");
  if (wrong.length > 0) throw new Error(`these outputs are not what g++ writes:\n  ${wrong.join("\n  ")}`);
  const compared = measured.filter(({ phase }) => phase.cached).length * files.length;
  process.stdout.write(`All ${compared} objects and their dependency files are byte for byte those of g++ alone.\n`);
}

async function cleanUp(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  // There is no daemon to stop when the demonstration failed before it started one; then this says so and that is all.
  await cairn("down").catch(() => undefined);
  rmSync(WORK, { recursive: true, force: true });
  if (existsSync(dirname(WORK)) && readdirSync(dirname(WORK)).length === 0) rmdirSync(dirname(WORK));
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    process.exitCode = code;
    stop.abort();
    for (const child of running) child.kill("SIGTERM");
  });
}

await cleanUp(); // An earlier run may have been killed.
mkdirSync(WORK, { recursive: true, mode: 0o700 });
try {
  await demonstrate();
  process.stdout.write(`Nothing is left running; ${relative(process.cwd(), WORK) || WORK} is removed.\n`);
  process.stdout.write("Next: your own project in two minutes, in README.md.\n");
} catch (error) {
  process.exitCode ??= 1;
  if (!stop.signal.aborted) process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
} finally {
  await cleanUp();
}
