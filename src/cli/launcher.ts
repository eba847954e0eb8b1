/**
 * The compiler wrapper on this machine: builds it when it is missing or its sources have changed, and lays its names beside it.
 *
 *     <bin>/cairn-cc            the wrapper
 *     <bin>/cairn-cc.sources    digest of the sources it was built from
 *     <bin>/compilers/gcc …     a link to it for each compiler that PATH has
 *     <bin>/start               starts a daemon in the background; the wrapper calls it
 *
 * Knows: files and the build script. Does not know: what the wrapper does.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import {
  CairnError,
  compilersDirectory,
  digestOf,
  type Environment,
  findCompilers,
  findOnPath,
  makeDirectories,
  shellWord,
  systemCode,
} from "../base/index.ts";
import { fullDisk } from "./full-disk.ts";

export interface LauncherParts {
  readonly binDir: string;
  /** Directory of the package or checkout. */
  readonly root: string;
  readonly env: Environment;
}

export interface Launcher {
  /** Path of the wrapper. */
  readonly path: string;
  /** The masquerading names. */
  readonly compilersDir: string;
  readonly compilers: readonly string[];
  /** Whether it was built just now. */
  readonly built: boolean;
}

const BUILD_DEADLINE_MS = 60_000;
const BUILD_TEXT_BYTES = 1_048_576;

export type ClientState = "current" | "outdated" | "missing";

export function wrapperPath(binDir: string): string {
  return join(binDir, "cairn-cc");
}

export function clientState({ binDir, root }: Pick<LauncherParts, "binDir" | "root">): ClientState {
  if (!existsSync(wrapperPath(binDir))) return "missing";
  return readOptional(stampPath(binDir)) === sourcesDigest(root) ? "current" : "outdated";
}

/**
 * Makes everything that is missing, quickly when nothing is.
 * Every file appears by rename, so compiles that run meanwhile see the old one or the new one.
 * @throws {CairnError} client-unbuildable with the compiler's words; home-unwritable
 */
export async function layLauncher(parts: LauncherParts, signal: AbortSignal): Promise<Launcher> {
  const { binDir, root, env } = parts;
  const compilersDir = compilersDirectory(binDir);
  try {
    makeDirectories(compilersDir);
    const built = clientState(parts) !== "current";
    if (built) await buildClient(parts, signal);
    writeStart(join(binDir, "start"), root);
    const compilers = layLinks(compilersDir, env);
    return { path: wrapperPath(binDir), compilersDir, compilers, built };
  } catch (error) {
    if (error instanceof CairnError) throw error;
    throw new CairnError("home-unwritable", { path: binDir, system: systemCode(error) ?? "" }, error);
  }
}

async function buildClient({ binDir, root, env }: LauncherParts, signal: AbortSignal): Promise<void> {
  const digest = sourcesDigest(root);
  // In a directory of its own: the wrapper knows by its name that it is the wrapper.
  const workshop = mkdtempSync(join(binDir, ".build-"));
  const fresh = wrapperPath(workshop);
  try {
    await runBuildScript([join(root, "client", "build.sh"), fresh, realCompiler(env, binDir)], env, signal).catch((error: unknown) => {
      throw fullDisk(binDir, tmpdir()) ?? error;
    });
    renameSync(fresh, wrapperPath(binDir));
    replaceFile(stampPath(binDir), digest, 0o600);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
}

/** A C compiler that is not the wrapper under another name. */
function realCompiler(env: Environment, binDir: string): string {
  for (const name of ["cc", "gcc", "clang"]) {
    const path = findOnPath(name, env, compilersDirectory(binDir));
    if (path !== undefined) return path;
  }
  throw new CairnError("client-unbuildable", { why: "PATH has no C compiler (cc, gcc or clang)" });
}

function runBuildScript(command: readonly string[], env: Environment, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env, timeout: BUILD_DEADLINE_MS, maxBuffer: BUILD_TEXT_BYTES, signal };
    execFile("/bin/sh", command, options, (error, stdout, stderr) => {
      if (error === null) return resolve();
      const lines = `${stderr}\n${stdout}`.split("\n").filter((line) => line.trim() !== "");
      const why =
        lines.find((line) => /\berror\b/i.test(line)) ?? lines[0] ?? `its build ended with ${error.code ?? error.signal ?? "an error"}`;
      reject(new CairnError("client-unbuildable", { why: why.trim() }, error));
    });
  });
}

/** Digest of everything in client/ that a build reads. */
function sourcesDigest(root: string): string {
  const directory = join(root, "client");
  const names = readdirSync(directory).filter((name) => /\.(c|h|sh)$/.test(name) && !/(^|[._-])test/.test(name));
  return digestOf(
    names
      .toSorted()
      .map((name) => `${name} ${digestOf(readFileSync(join(directory, name)))}\n`)
      .join(""),
  );
}

function stampPath(binDir: string): string {
  return join(binDir, "cairn-cc.sources");
}

/**
 * A name for each compiler that exists, and none for those that do not:
 * a build that looks for clang must not find one that cannot run.
 */
function layLinks(directory: string, env: Environment): string[] {
  const wanted = findCompilers(env, directory).map(({ name }) => name);
  const target = join("..", "cairn-cc");
  for (const name of wanted) {
    const link = join(directory, name);
    if (linkTarget(link) === target) continue;
    const fresh = freshName(link);
    symlinkSync(target, fresh);
    renameSync(fresh, link);
  }
  const keep = new Set(wanted);
  for (const name of readdirSync(directory)) if (!keep.has(name) && !name.startsWith(".")) rmSync(join(directory, name), { force: true });
  return wanted;
}

/**
 * The wrapper runs this when no daemon listens. Which home it is for follows from the wrapper's own environment,
 * so nothing about it is written down here; the Node.js of today is, because a build may have another PATH.
 */
function writeStart(path: string, root: string): void {
  const text = [
    "#!/bin/sh",
    "# Starts a Cairn daemon in the background and returns at once. Written by `cairn launcher`.",
    `if [ -z "\${CAIRN_NODE:-}" ] && [ -x ${shellWord(process.execPath)} ]; then`,
    `  CAIRN_NODE=${shellWord(process.execPath)}`,
    "  export CAIRN_NODE",
    "fi",
    "unset CAIRN_SESSION CAIRN_DEPTH",
    `${shellWord(join(root, "bin", "cairn"))} up --json </dev/null >/dev/null 2>&1 &`,
    "",
  ].join("\n");
  if (readOptional(path) !== text) replaceFile(path, text, 0o700);
}

function replaceFile(path: string, text: string, mode: number): void {
  const fresh = freshName(path);
  writeFileSync(fresh, text, { mode });
  chmodSync(fresh, mode);
  renameSync(fresh, path);
}

/** A name beside `path` that nobody else takes, to be renamed to it. */
function freshName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // Missing or unreadable: then it is written anew.
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
