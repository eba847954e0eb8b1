/**
 * A directory, an index of files and blobs in memory, and a sandbox among them where this machine has one.
 *
 * @see executors.test.ts
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Digest, digestOf, type Log } from "../base/index.ts";
import type { BlobRead, ExecutorAction, Toolchain } from "../contracts/index.ts";
import { FileTable, openDatabase } from "../store/index.ts";
import { SandboxExecutor } from "./sandbox.ts";
import type { RunAs } from "./sandbox-process.ts";
import { LocalToolchains } from "./toolchains.ts";

export const log: Log = { event: () => undefined };
export const PATH = "/usr/bin:/bin";
export const COMPILER = "/usr/bin/gcc";
export const runAs: RunAs | undefined = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
export const never: globalThis.AbortSignal = new AbortController().signal;

/** Blobs in memory. */
export class Contents {
  readonly #blobs = new Map<string, Buffer>();

  write(bytes: Buffer): string {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return digest;
  }

  read(digest: string): Promise<BlobRead> {
    const bytes = this.#blobs.get(digest);
    return Promise.resolve(bytes === undefined ? { kind: "miss" } : { kind: "hit", bytes });
  }
}

export interface Ground extends AsyncDisposable {
  readonly directory: string;
  readonly files: FileTable;
  readonly store: Contents;
}

export function ground(): Ground {
  const directory = mkdtempSync(join(tmpdir(), "cairn-executor-"));
  chmodSync(directory, 0o755);
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const database = stack.use(openDatabase({ log, now: Date.now }, { file: join(directory, "index") }));
  const store = new Contents();
  return { directory, store, files: new FileTable({ database, now: Date.now }), [Symbol.asyncDispose]: async () => stack.disposeAsync() };
}

/** @returns undefined, and the test is skipped, where there can be none */
export async function sandboxOn(
  t: TestContext,
  on: Ground,
  filesBytes: number = 2 ** 30,
  othersBytes: number = 2 ** 33,
): Promise<SandboxExecutor | undefined> {
  const sandbox = new SandboxExecutor(
    { blobs: on.store, files: on.files, log },
    { directory: join(on.directory, "sandbox"), path: process.env.PATH ?? PATH, runAs, filesBytes, othersBytes },
  );
  const look = await sandbox.look();
  if (look.kind === "walled") return sandbox;
  t.skip(`no sandbox here: ${look.reason}: ${look.detail}`);
  await sandbox[Symbol.asyncDispose]();
  return undefined;
}

/** How this machine compiles; undefined, and the test is left out, where it does not. */
export async function toolchainOn(t: TestContext, on: Ground): Promise<Toolchain | undefined> {
  const read = await new LocalToolchains({ files: on.files, log }).identify(COMPILER, new Map([["PATH", PATH]]), never);
  if (read.kind === "toolchain") return read.toolchain;
  t.skip(`no compiler at ${COMPILER}`);
  return undefined;
}

/** A job that preprocesses a text. */
export function preprocess(on: Ground, toolchain: Toolchain | undefined, text: string, more: Partial<ExecutorAction> = {}): ExecutorAction {
  return {
    program: COMPILER,
    arguments: ["-E", "-P", "a.c"],
    environment: new Map([["PATH", PATH]]),
    cwd: "/project",
    toolchain,
    inputs: [{ path: "/project/a.c", digest: on.store.write(Buffer.from(text)), executable: false }],
    directories: [],
    outputs: [],
    limits: {
      cpuMs: 9_000,
      wallMs: 60_000,
      memoryBytes: 2 ** 32,
      processes: 16,
      fileBytes: 2 ** 24,
      outputBytes: 2 ** 24,
      printedBytes: 2 ** 20,
    },
    ...more,
  };
}

/** A job whose program, of this content, waits until it is killed, and was called with the directory. */
export function waiting(directory: string, digest: Digest): ExecutorAction {
  return {
    program: "/project/waits",
    arguments: [directory],
    environment: new Map(),
    cwd: "/project",
    toolchain: undefined,
    inputs: [{ path: "/project/waits", digest, executable: true }],
    directories: [],
    outputs: [],
    limits: {
      cpuMs: 60_000,
      wallMs: 60_000,
      memoryBytes: 2 ** 30,
      processes: 8,
      fileBytes: 4_096,
      outputBytes: 4_096,
      printedBytes: 4_096,
    },
  };
}
