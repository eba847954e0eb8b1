/**
 * `npm run hostile`: the corpus of hostile actions against the sandbox of this machine.
 *
 *     npm run hostile                    all walls stand
 *     npm run hostile -- --without net   one of them is taken away, to see which rows notice; `arguments`: nobody looks at them
 *
 * Knows: how a row is run and judged. Does not know: what attacks and walls there are.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Digest, digestOf, type Log, limits } from "../../src/base/index.ts";
import type {
  ActionLimits,
  CompileAction,
  ExecutorAction,
  GeneralAction,
  InputFile,
  Installed,
  Left,
  WorkerOutcome,
} from "../../src/contracts/index.ts";
import { MemberBounds } from "../../src/daemon/member-bounds.ts";
import { Worker } from "../../src/daemon/worker.ts";
import { LocalToolchains, SandboxExecutor, workPlaces } from "../../src/exec/index.ts";
import { CompilesForOthers, type OthersOutcome } from "../../src/flows/index.ts";
import { FileTable, openDatabase } from "../../src/store/index.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { type MembersAsk, TAKEN_OVER } from "./hostile-actions.ts";
import { BaitWatch } from "./hostile-bait.ts";
import { type Bait, type CompileAsk, corpus, PROGRAM, PROJECT, type Row } from "./hostile-corpus.ts";
import { type Wall, walls, withoutWall } from "./hostile-walls.ts";

const MIB = 1_048_576;
/** Who attacks: nothing here depends on it. */
const SOMEBODY = "";
/** What is installed, by a name of its own. */
const SYSTEM = digestOf("what is installed");
/** What all processes of a member's action may hold in memory together. */
const HELD_BYTES = 512 * MIB;
const COMPILERS = { gcc: ["/usr/bin/gcc"], clang: ["/usr/bin/clang-19", "/usr/bin/clang-14", "/usr/bin/clang"] } as const;
const REFERENCE = "int answer(void) { return 42; }\n";
const LIMITS: ActionLimits = {
  cpuMs: 10_000,
  wallMs: 30_000,
  memoryBytes: 4_096 * MIB,
  processes: 32,
  fileBytes: 64 * MIB,
  outputBytes: 64 * MIB,
  printedBytes: MIB,
};

export interface Verdict {
  readonly row: Row;
  /** What came of it, for people. */
  readonly end: string;
  /** Undefined: refused or contained as it must be. */
  readonly trouble: string | undefined;
}

type Input = InputFile;
type Outcome = OthersOutcome | WorkerOutcome;

/** The machine that is attacked, and everything that must not be touched. */
export class HostileWorld implements AsyncDisposable {
  readonly rows: readonly Row[];
  readonly bait: Bait;
  readonly #watch: BaitWatch;
  readonly #sandbox: SandboxExecutor;
  readonly #compiles: CompilesForOthers;
  readonly #worker: Worker;
  readonly #installed: ReadonlyMap<string, Installed>;
  readonly #store: MemoryStore;
  readonly #token: string;
  readonly #program: Digest;
  readonly #stack: AsyncDisposableStack;
  #reference: string | undefined;
  /** Rows that have run since the last honest job. */
  #unchecked = 0;

  /** @param without a wall that is missing */
  static async open(without: Wall | undefined): Promise<HostileWorld> {
    await using stack = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), "cairn-hostile-"));
    chmodSync(directory, 0o755);
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const log: Log = { event: () => undefined };
    const store = stack.use(new MemoryStore({ capacityBytes: 512 * MIB }));
    const database = stack.use(openDatabase({ log, now: Date.now }, { file: join(directory, "index") }));
    const files = new FileTable({ database, now: Date.now });
    const token = randomBytes(12).toString("hex");
    const runAs = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
    const watch = stack.use(await BaitWatch.lay(join(directory, "bait"), token, runAs));

    const home = join(directory, "sandbox");
    const shim = join(directory, "bin");
    mkdirSync(shim);
    const path = without === undefined ? (process.env.PATH ?? "") : withoutWall(without, shim, watch.directory);
    const sandbox = stack.use(
      new SandboxExecutor(
        { blobs: store, files, log },
        { directory: home, path, runAs, filesBytes: limits.sandbox.filesBytes, othersBytes: 2 ** 33 },
      ),
    );
    const program = join(directory, "hostile");
    const source = join(import.meta.dirname, "hostile-program.c");
    execFileSync("cc", ["-O1", "-static", "-s", "-pthread", source, "-o", program], { stdio: ["ignore", "inherit", "inherit"] });
    const toolchains = new LocalToolchains({ files, log });
    const installed = new Map<string, Installed>();
    for (const [name, candidates] of Object.entries(COMPILERS)) {
      const compiler = candidates.find((candidate) => existsSync(candidate));
      if (compiler === undefined) continue;
      const read = await toolchains.identify(compiler, new Map([["PATH", "/usr/bin:/bin"]]), new AbortController().signal);
      if (read.kind === "toolchain") installed.set(name, { compiler, toolchain: read.toolchain });
    }
    const made = { sandbox, toolchains, installed, store, token, watch, program: await store.write(readFileSync(program)) };
    return new HostileWorld(made, join(home, "files", digestOf(REFERENCE)), stack.move());
  }

  private constructor(
    made: {
      sandbox: SandboxExecutor;
      toolchains: LocalToolchains;
      installed: ReadonlyMap<string, Installed>;
      store: MemoryStore;
      token: string;
      watch: BaitWatch;
      program: Digest;
    },
    othersFile: string,
    stack: AsyncDisposableStack,
  ) {
    this.#sandbox = made.sandbox;
    this.#installed = made.installed;
    this.#store = made.store;
    this.#token = made.token;
    this.#watch = made.watch;
    this.#program = made.program;
    this.#stack = stack;
    this.#compiles = new CompilesForOthers({ executor: made.sandbox, toolchains: made.toolchains });
    this.#worker = workerOf(made.sandbox, this.#compiles);
    const { directory, tcpPort, udpPort, abstractName, process } = made.watch;
    this.bait = { directory, othersFile, tcpPort, udpPort, abstractName, process };
    this.rows = corpus(this.bait).filter(({ by }) => by === "none" || made.installed.has(by));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** Why this machine has no sandbox; undefined: it has. */
  async lack(): Promise<string | undefined> {
    const look = await this.#sandbox.look();
    return look.kind === "unavailable" ? `${look.reason}: ${look.detail}` : undefined;
  }

  /** @param unseen compiles' arguments are not looked at @param every after so many that have run comes an honest job */
  async attack(row: Row, unseen: boolean, every = 1): Promise<Verdict> {
    const outcome = await this.#run(row, unseen);
    const end = describe(outcome);
    const known = Buffer.from(leftBy(outcome)).toString("latin1");
    const isSigned = "voucher" in outcome && (await outcome.voucher) !== undefined;
    const expected = unseen && row.ask.kind === "compile" ? "contained" : row.expect;
    const touched = await this.#watch.touched();
    const troubleIn = (): string | undefined => {
      if (known.includes(this.#token)) return "the secret was read";
      if (known.includes("touched")) return "it says that it touched something";
      if (touched !== undefined) return `touched: ${touched}`;
      if (outcome.kind === "unavailable") return `the worker is out of order: ${outcome.detail}`;
      if (outcome.kind === "refused" && outcome.reason !== expected) return `refused as ${outcome.reason}`;
      if (outcome.kind !== "refused" && expected !== "contained") return "not refused";
      if (row.ask.kind === "action" && (row.ask.isSigned ?? isSigned) !== isSigned) return isSigned ? "it was signed" : "it was not signed";
      return expected === row.expect && row.end?.test(end) === false ? "another end than expected" : undefined;
    };
    // Nothing has run where it was refused.
    if (outcome.kind !== "refused") this.#unchecked++;
    return { row, end, trouble: troubleIn() ?? (this.#unchecked < every ? undefined : await this.#afterwards()) };
  }

  /** An honest job after it: the same result as ever. */
  async #afterwards(): Promise<string | undefined> {
    this.#unchecked = 0;
    const outcome = await this.#compiles.compile(
      await this.#compileAction({ text: REFERENCE }, "gcc", LIMITS),
      SOMEBODY,
      new AbortController().signal,
    );
    if (outcome.kind !== "done" || outcome.exitCode !== 0) return `the next job: ${describe(outcome)}`;
    const result = outcome.outputs.map(({ name, content }) => `${name} ${digestOf(content)}`).join(" ");
    this.#reference ??= result;
    return result === this.#reference ? undefined : "the next job's result differs";
  }

  async #run({ ask, by, limits, outputs = [] }: Row, unseen: boolean): Promise<Outcome> {
    const signal = new AbortController().signal;
    const within = { ...LIMITS, ...limits };
    if (ask.kind === "action") return this.#act(ask, within, signal);
    if (ask.kind === "program") {
      const action = { program: PROGRAM, arguments: ask.args, environment: new Map<string, string>(), toolchain: undefined };
      const inputs = [await this.#input(`${PROJECT}/a.c`, REFERENCE), this.#hostile(PROGRAM)];
      return this.#sandbox.run(
        { ...action, cwd: PROJECT, inputs, directories: [this.bait.directory], outputs, limits: within, heldBytes: HELD_BYTES },
        signal,
      );
    }
    const compile = await this.#compileAction(ask, by, within);
    if (ask.kind === "compile" && !unseen) return this.#compiles.compile(compile, SOMEBODY, signal);
    return this.#sandbox.run(this.#unseen(compile, ask, by), signal);
  }

  /** As a member would ask for it. */
  async #act(
    { script, leaves = [], links = {}, named = {} }: MembersAsk,
    limits: ActionLimits,
    signal: AbortSignal,
  ): Promise<WorkerOutcome> {
    const { inputs: root } = workPlaces;
    const at = (path: string): string => `${root}/${path}`;
    const lost = Object.entries(named).map(([path, digest]) => ({ path: at(path), digest, executable: false }));
    const action: GeneralAction = {
      system: SYSTEM,
      program: "/bin/sh",
      arguments: ["-c", script],
      environment: new Map([["PATH", "/usr/bin:/bin"]]),
      cwd: at("project"),
      inputs: [await this.#input(at("project/a.c"), REFERENCE), this.#hostile(at(TAKEN_OVER)), ...lost],
      directories: [],
      work: { root, outputs: leaves, links: Object.entries(links).map(([path, target]) => ({ path: at(path), target })) },
      limits,
      command: { name: "sh", programs: [], variables: [], signed: true },
    };
    const bring = (wanted: readonly Digest[]): Promise<readonly Digest[]> => Promise.resolve(wanted); // What is not here nobody has.
    return this.#worker.act(SOMEBODY, action, bring, signal);
  }

  async #compileAction(ask: CompileAsk, by: Row["by"], limits: ActionLimits): Promise<CompileAction> {
    const { options = [], text = "int x;\n", source = "a.c", environment = {}, inputs = {}, target, lost, toolchain } = ask;
    const files: Omit<Input, "executable">[] = [];
    for (const [path, content] of Object.entries(inputs)) files.push(await this.#input(path, content));
    if (!(`${PROJECT}/${source}` in inputs) && /^[\w.]+$/.test(source)) files.push(await this.#input(`${PROJECT}/${source}`, text));
    if (lost !== undefined) files.push({ path: lost, digest: digestOf(lost) });
    return {
      toolchain: toolchain ?? this.#installed.get(by)?.toolchain.digest ?? "",
      options,
      source,
      mode: "object",
      dependencies: { headers: "all", target: target ?? "a.o", phony: false },
      environment: new Map(Object.entries(environment)),
      cwd: PROJECT,
      inputs: files,
      directories: [this.bait.directory, "/usr/include"],
      limits,
    };
  }

  /** As if nobody had looked at the arguments, with the hostile program among the inputs. */
  #unseen(compile: CompileAction, ask: CompileAsk, by: Row["by"]): ExecutorAction {
    const installed = this.#installed.get(by);
    const programs = [PROGRAM, ...(ask.programs ?? [])].map((path) => this.#hostile(path));
    const { options, source, environment, cwd, directories, limits } = compile;
    return {
      program: installed?.compiler ?? "",
      arguments: [...options, "-c", "-o", { output: "object" }, source],
      environment: new Map([["PATH", "/usr/bin"], ...environment]),
      toolchain: installed?.toolchain,
      inputs: [...compile.inputs.map((input) => ({ ...input, executable: false })), ...programs],
      outputs: ["object"],
      cwd,
      directories,
      limits,
    };
  }

  async #input(path: string, content: string): Promise<Input> {
    return { path, digest: await this.#store.write(Buffer.from(content)), executable: false };
  }

  #hostile(path: string): Input {
    return { path, digest: this.#program, executable: true };
  }
}

/** A worker that has a slot for everybody, and signs whatever may be signed. */
function workerOf(sandbox: SandboxExecutor, compiles: CompilesForOthers): Worker {
  const signature = { placed: false, startedAtMs: 0, endedAtMs: 0, signature: new Uint8Array() };
  return new Worker({
    compiles,
    sandbox,
    vouchers: { hasRoom: () => false, add: async () => undefined, sign: async () => signature },
    witness: async () => undefined,
    share: { slots: () => 1, withheld: () => undefined },
    bounds: new MemberBounds(() => performance.now(), { workMemberSlots: 100, workMemberSeconds: 0, workMemberWhen: "wanted" }),
    admits: () => true,
    actsFor: () => true,
    systems: () => [SYSTEM],
    lack: async () => undefined,
    toolchains: () => [],
    memoryBytes: HELD_BYTES,
    log: { event: () => undefined },
    now: () => performance.now(),
  });
}

function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case "busy":
    case "lost":
      return outcome.kind;
    case "refused":
    case "unavailable":
      return `${outcome.kind} ${outcome.reason} ${outcome.detail}`;
    case "killed":
      return `killed ${outcome.limit}`;
    case "done": {
      const plain = outcome.outputs.filter(({ executable }) => executable).map(({ name }) => `plain ${name}`);
      const strange = "strange" in outcome ? outcome.strange : [];
      const others = (outcome.left ?? []).map(({ kind, path }) => `left ${kind} ${path}`);
      const left = [...plain, ...strange.map((name) => `strange ${name}`), ...others].join(" ");
      return `done ${outcome.exitCode} ${left} ${outcome.stdout.toString("latin1")} ${outcome.stderr.toString("latin1")}`.trim();
    }
  }
}

/** Everything that leaves the machine. */
function leftBy(outcome: Outcome): Buffer {
  if (outcome.kind !== "done") return Buffer.alloc(0);
  const { stdout, stderr, outputs, left = [] } = outcome;
  const contents = left.flatMap((one: Left) => (one.kind === "file" ? [one.content] : []));
  return Buffer.concat([stdout, stderr, ...outputs.map(({ content }) => content), ...contents]);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { without: { type: "string" }, only: { type: "string" }, verbose: { type: "boolean" } } });
  const wall = walls.find((name) => name === values.without);
  const unseen = values.without === "arguments";
  if (values.without !== undefined && wall === undefined && !unseen) {
    process.stderr.write(`--without takes one of ${[...walls, "arguments"].join(", ")}\n`);
    return 2;
  }
  await using world = await HostileWorld.open(wall);
  const lack = await world.lack();
  if (lack !== undefined) {
    process.stdout.write(`the sandbox declines: ${lack}\n`);
    return 1;
  }
  const only = new RegExp(values.only ?? "");
  const troubled: Verdict[] = [];
  const rows = world.rows.filter(({ name }) => only.test(name));
  for (const row of rows) {
    const verdict = await world.attack(row, unseen);
    if (values.verbose) process.stdout.write(`${row.threat} ${row.name}: ${verdict.end.slice(0, 160).replaceAll("\n", " | ")}\n`);
    if (verdict.trouble === undefined) continue;
    troubled.push(verdict);
    process.stdout.write(`${row.threat} ${row.name}: ${verdict.trouble}: ${verdict.end.slice(0, 200)}\n`);
  }
  process.stdout.write(`${rows.length} hostile actions, ${rows.length - troubled.length} refused or contained\n`);
  return troubled.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();
