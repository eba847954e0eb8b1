/**
 * What the sandbox costs: a real project's units, each compiled by the plain command and as others' compiles are, by turns.
 *
 * Every object must be the plain command's, byte for byte.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Digest, digestOf, type Log, limits } from "../src/base/index.ts";
import type { CompileAction, Executor, Toolchain } from "../src/contracts/index.ts";
import { LocalExecutor, LocalToolchains, SandboxExecutor } from "../src/exec/index.ts";
import { CompilesForOthers } from "../src/flows/index.ts";
import { FileTable, openDatabase } from "../src/store/index.ts";
import { MemoryStore } from "../src/store/memory.ts";
import { compileCommands } from "./compile-commands.ts";
import { Project, type ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { paired, spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const BAR = { must: 5, aim: 2 } as const;
const MIB = 1_048_576;
/** Whoever asks. */
const NOBODY = "";
const PATH = "/usr/bin:/bin";
const LIMITS = {
  cpuMs: 600_000,
  wallMs: 600_000,
  memoryBytes: 8_192 * MIB,
  processes: 64,
  fileBytes: 1_024 * MIB,
  outputBytes: 256 * MIB,
  printedBytes: MIB,
};
const never = new AbortController().signal;
const ways = ["plain", "local", "sandbox"] as const;

interface Unit {
  readonly compiler: string;
  readonly plain: readonly string[];
  readonly cwd: string;
  readonly action: Omit<CompileAction, "toolchain">;
  readonly inputs: number;
}

export async function sandbox(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes = [
    "above: the difference within a pair, median of all units and rounds; inputs were there before, as in any but the first job",
  ];
  for (const name of settings.projects) rows.push(...(await measureProject(settings, name, notes)));
  return { benchmark: "sandbox", rows, notes };
}

async function measureProject(settings: Settings, name: ProjectName, notes: string[]): Promise<Row[]> {
  using workshop = new Workshop();
  chmodSync(workshop.directory, 0o755);
  await using stack = new AsyncDisposableStack();
  const log: Log = { event: () => undefined };
  const database = stack.use(openDatabase({ log, now: Date.now }, { file: workshop.path("index") }));
  const files = new FileTable({ database, now: Date.now });
  const blobs = stack.use(new MemoryStore({ capacityBytes: 1_024 * MIB }));
  const runAs = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
  const options = {
    directory: workshop.path("sandbox"),
    path: process.env.PATH ?? PATH,
    runAs,
    filesBytes: limits.sandbox.filesBytes,
    othersBytes: 2 ** 33,
  };
  const sandboxed = stack.use(new SandboxExecutor({ blobs, files, log }, options));
  const look = await sandboxed.look();
  if (look.kind === "unavailable") {
    notes.push(`no sandbox here: ${look.detail}`);
    return [];
  }
  const project = Project.make(name, workshop.path("project"), settings.coldUnits);
  const units = await unitsOf(project, workshop.path("out"), blobs);
  const toolchains = new LocalToolchains({ files, log });
  const installed = new Map<string, Toolchain>();
  for (const { compiler } of units) {
    const read = await toolchains.identify(compiler, new Map([["PATH", PATH]]), never);
    if (read.kind === "toolchain") installed.set(compiler, read.toolchain);
  }
  const run = (executor: Executor, unit: Unit): Promise<Buffer> =>
    objectOf(new CompilesForOthers({ executor, toolchains }), unit, installed.get(unit.compiler)?.digest ?? "");
  const local = new LocalExecutor({ files });
  const by = {
    plain: (unit: Unit) => plainly(unit),
    local: (unit: Unit) => run(local, unit),
    sandbox: (unit: Unit) => run(sandboxed, unit),
  };

  const samples = new Map(ways.map((way) => [way, [] as number[]]));
  /** Of each unit: what the fastest run in the sandbox took above the fastest plain one; other work on the machine shows less in it. */
  const fastest: number[] = [];
  settings.progress(`${name}: ${units.length} units, ${settings.rounds} rounds`);
  for (const unit of units) {
    const expected = digestOf(await plainly(unit));
    for (const way of ways)
      if (digestOf(await by[way](unit)) !== expected) throw new Error(`${unit.action.source}: another object from ${way}`);
    const measured = await interleave(ways, settings.rounds, async (way) => {
      const startedAt = performance.now();
      await by[way](unit);
      return performance.now() - startedAt;
    });
    for (const way of ways) samples.get(way)?.push(...(measured.get(way) ?? []));
    fastest.push(Math.min(...(measured.get("sandbox") ?? [])) - Math.min(...(measured.get("plain") ?? [])));
  }
  const of = (way: (typeof ways)[number]): number[] => samples.get(way) ?? [];
  const above = (way: (typeof ways)[number], base: (typeof ways)[number]): number[] => paired(of(way), of(base), (l, r) => l - r);
  const title = `${name}, ${units.length} units`;
  return [
    row(`${title}: sandbox above the plain command`, "ms", spread(above("sandbox", "plain")), BAR),
    row(`${title}: the same, fastest run of each unit`, "ms", spread(fastest), BAR),
    row(`${title}: sandbox above the local executor`, "ms", spread(above("sandbox", "local"))),
    row(`${title}: local executor above the plain command`, "ms", spread(above("local", "plain"))),
    row(`${title}: plain command`, "ms", spread(of("plain"))),
    row(`${title}: inputs`, "files", spread(units.map(({ inputs }) => inputs))),
  ];
}

/** Every unit's command, taken apart into what another machine would be asked. */
async function unitsOf(project: Project, out: string, blobs: MemoryStore): Promise<Unit[]> {
  mkdirSync(out);
  const units: Unit[] = [];
  for (const { words, cwd } of compileCommands(project)) units.push(await unitOf(words, cwd, join(out, String(units.length)), blobs));
  return units;
}

async function unitOf(words: readonly string[], cwd: string, out: string, blobs: MemoryStore): Promise<Unit> {
  const [called = "", ...rest] = words;
  const compiler = execFileSync("sh", ["-c", 'command -v "$0"', called], { encoding: "utf8" }).trim();
  const options: string[] = [];
  let source = "";
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (["-o", "-MF", "-MT"].includes(word)) at++;
    else if (/\.(c|cc|cpp)$/.test(word)) source = word;
    else if (word !== "-c" && word !== "-MD") options.push(word);
  }
  const listed = execFileSync(compiler, [...options, "-M", source], { cwd, encoding: "utf8", maxBuffer: 2 ** 26 });
  const paths = listed
    .replace(/^[^:]*:/, "")
    .split(/[\s\\]+/)
    .filter((path) => path !== "");
  const inputs: { path: string; digest: Digest }[] = [];
  for (const path of new Set(paths.map((one) => resolve(cwd, one)))) inputs.push({ path, digest: await blobs.write(readFileSync(path)) });
  const searched = options.flatMap((word, at) => (word.startsWith("-I") ? [word.slice(2) || (options[at + 1] ?? "")] : []));
  const directories = [...searched.map((path) => resolve(cwd, path)), "/usr/include", dirname(resolve(cwd, source))];
  return {
    compiler,
    plain: [...options, "-c", "-o", out, "-MD", "-MF", `${out}.d`, "-MT", "unit", source],
    cwd,
    inputs: inputs.length,
    action: {
      options,
      source,
      mode: "object",
      dependencies: { headers: "all", target: "unit", phony: false },
      environment: new Map(),
      cwd,
      inputs,
      directories: directories.filter((path) => existsSync(path)),
      limits: LIMITS,
    },
  };
}

async function plainly({ compiler, plain, cwd }: Unit): Promise<Buffer> {
  const child = spawn(compiler, plain, { cwd, env: { PATH }, stdio: "ignore" });
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`${compiler} ${plain.join(" ")}: ${child.exitCode}`);
  return readFileSync(plain[plain.indexOf("-o") + 1] ?? "");
}

async function objectOf(compiles: CompilesForOthers, { action }: Unit, toolchain: Digest): Promise<Buffer> {
  const outcome = await compiles.compile({ ...action, toolchain }, NOBODY, never);
  const object = outcome.kind === "done" ? outcome.outputs.find(({ name }) => name === "object") : undefined;
  if (object === undefined) throw new Error(`${action.source}: ${JSON.stringify(outcome).slice(0, 500)}`);
  return object.content;
}
