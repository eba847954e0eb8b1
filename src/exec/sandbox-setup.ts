/**
 * What a sandbox needs before anything can run in it: bubblewrap, the first process, the filter, a directory; and a first run that
 * shows whether the walls stand on this machine. Whatever is missing has a name.
 *
 * Knows: where programs lie, how the first process is built. Does not know: actions.
 */
import { accessSync, chmodSync, chownSync, constants, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, isAbsolute, join } from "node:path";
import { limits, systemCode, systemReason } from "../base/index.ts";
import type { ExecutorLack, Files } from "../contracts/index.ts";
import { type Blobs, SandboxFiles } from "./sandbox-files.ts";
import { systemCallFilter } from "./sandbox-filter.ts";
import { buildInit } from "./sandbox-init.ts";
import { basePlan, type Entries } from "./sandbox-plan.ts";
import { type BubblewrapOptions, type RunAs, runBubblewrap } from "./sandbox-process.ts";
import { SandboxRoot } from "./sandbox-root.ts";
import { type SystemView, systemView } from "./sandbox-system.ts";
import { SandboxToolchains } from "./sandbox-toolchain.ts";

/** What is there once all of it is. */
export interface SandboxSetup {
  readonly bubblewrap: BubblewrapOptions;
  readonly files: SandboxFiles;
  readonly toolchains: SandboxToolchains;
  /** What every root contains. */
  readonly base: Entries;
  /** The same with what is installed on this machine. */
  readonly system: SystemView;
  /** For people: which walls there are. */
  readonly walls: string;
}

export type Lack = { readonly kind: "unavailable"; readonly reason: ExecutorLack; readonly detail: string };

export interface SandboxOptions {
  /** Of its own; what is in it is removed. */
  readonly directory: string;
  /** Marks a new directory as in use, before it gets its name; undefined: nobody looks for directories that are not. */
  readonly hold?: (directory: string) => void;
  /** Where bwrap is looked for. */
  readonly path: string;
  /** Must be set where the daemon is root. */
  readonly runAs: RunAs | undefined;
  /** Contents of inputs that are kept although no job needs them now. */
  readonly filesBytes: number;
  /** What jobs of others may hold in memory together. */
  readonly othersBytes: number;
  /** Directory for what is built once and outlives this process; undefined: it is built each time. */
  readonly keep?: string;
}

export interface SetupParts {
  /** Where the contents of inputs come from. */
  readonly blobs: Blobs;
  /** What this machine's files contain: toolchains are copied by content. */
  readonly files: Files;
}

/** @throws the signal's reason when it is aborted, and nothing else */
export async function setUp(parts: SetupParts, options: SandboxOptions, signal: AbortSignal): Promise<SandboxSetup | Lack> {
  const [filter, strict] = [false, true].map((isStrict) =>
    process.platform === "linux" ? systemCallFilter(process.arch, isStrict) : undefined,
  );
  if (filter === undefined || strict === undefined) return lack("platform", `${process.platform} on ${process.arch}`);
  const program = findProgram("bwrap", options.path);
  if (program === undefined) return lack("sandbox_missing", "bubblewrap is not installed");
  try {
    const { directory, runAs } = options;
    makePlace(options);
    const bubblewrap = { program, filter: join(directory, "filter"), strictFilter: join(directory, "filter-strict"), runAs };
    writeFileSync(bubblewrap.filter, filter, { mode: 0o444 });
    writeFileSync(bubblewrap.strictFilter, strict, { mode: 0o444 });
    return await setUpIn(parts, options, bubblewrap, signal);
  } catch (error) {
    signal.throwIfAborted();
    return lack(
      "workspace",
      `${pathOf(error) ?? options.directory}: ${systemCode(error) === undefined ? String(error) : systemReason(error)}`,
    );
  }
}

/** Which file was to be written, where the system says so; of a copy it names that one as `dest`. */
function pathOf(error: unknown): string | undefined {
  const { dest, path } = error as { readonly dest?: unknown; readonly path?: unknown };
  return [dest, path].find((one) => typeof one === "string");
}

/** Closed to everybody but this process and who runs jobs: others' sources lie there. */
function makePlace({ directory, runAs, hold }: SandboxOptions): void {
  const making = join(dirname(directory), `.${basename(directory)}`); // Nobody looks there for a directory that is not held.
  for (const path of [directory, making]) rmSync(path, { recursive: true, force: true });
  mkdirSync(making, { recursive: true, mode: 0o700 });
  chmodSync(making, runAs === undefined ? 0o700 : 0o710);
  if (runAs !== undefined) chownSync(making, -1, runAs.gid);
  hold?.(making);
  renameSync(making, directory);
}

async function setUpIn(
  parts: SetupParts,
  { directory, filesBytes, keep }: SandboxOptions,
  bubblewrap: BubblewrapOptions,
  signal: AbortSignal,
): Promise<SandboxSetup | Lack> {
  const init = await buildInit(join(directory, "init"), keep, signal);
  if (init.kind === "failed") return lack("init_missing", firstLine(init.trouble));
  const files = new SandboxFiles(parts, { directory: join(directory, "files"), capacityBytes: filesBytes });
  await files.adopt(join(directory, "init"), init.digest, true, signal); // And never released.
  const base = basePlan(init.digest).entries;
  const walls = await lookAtWalls(bubblewrap, files, base, join(directory, "probe"), signal);
  if (typeof walls !== "string") return walls;
  const toolchains = new SandboxToolchains({ files: parts.files, kept: files }, base, signal);
  return { bubblewrap, files, toolchains, base, system: systemView(base), walls };
}

/** It holds next to nothing. */
const PROBE_BYTES = 268_435_456;

/** Runs the first process inside, which tells what it finds around itself. */
async function lookAtWalls(
  bubblewrap: BubblewrapOptions,
  files: SandboxFiles,
  base: Entries,
  directory: string,
  signal: AbortSignal,
): Promise<string | Lack> {
  const root = new SandboxRoot({ files }, directory);
  await root.layOut(base, signal);
  const run = { root: directory, mounts: [], writableBytes: 1_048_576, environment: new Map<string, string>(), words: ["walls"] };
  const end = await runBubblewrap(
    bubblewrap,
    { ...run, reportBytes: limits.sandbox.troubleBytes, wallMs: limits.sandbox.probeMs, memoryBytes: PROBE_BYTES, isStrict: true },
    signal,
  );
  rmSync(directory, { recursive: true, force: true });
  if (end.kind !== "ended") return lack("sandbox_failed", end.kind);
  if (end.code !== 0) return lackOf(firstLine(end.trouble), directory);
  const found = /^alone 1 filtered 1 closed 1 landlock (\d+)$/m.exec(end.report.toString("latin1"));
  if (found === null) return lack("sandbox_failed", firstLine(end.report.toString("latin1")));
  const abi = Number(found[1]);
  return `bubblewrap, a filter of system calls${abi > 0 ? `, Landlock (ABI ${abi})` : "; this kernel has no Landlock"}`;
}

/** From what bubblewrap says to what is missing. */
function lackOf(trouble: string, directory: string): Lack {
  if (/unknown option/i.test(trouble)) return lack("sandbox_missing", `bubblewrap is too old: ${trouble}`);
  if (/uid map|gid map|new namespace|user namespace|Operation not permitted|loopback/i.test(trouble))
    return lack("user_namespaces", trouble);
  if (trouble.includes(directory)) return lack("workspace", trouble);
  return lack("sandbox_failed", trouble);
}

function lack(reason: ExecutorLack, detail: string): Lack {
  return { kind: "unavailable", reason, detail };
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => line.trim() !== "") ?? "";
}

function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((directory) => isAbsolute(directory))
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
