/**
 * Two machines in one process, as far as toolchains need them: stores, compilers, and members' questions answered by a call.
 *
 * @see toolchain-service.test.ts
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Digest, type Key, limits, silentLog, type ToolchainsAccept } from "../base/index.ts";
import type { CompileAction } from "../contracts/index.ts";
import { LocalToolchains } from "../exec/index.ts";
import { DiskStore, FileTable, openDatabase, Pins } from "../store/index.ts";
import { ToolchainService } from "./toolchain-service.ts";

export const never: AbortSignal = new AbortController().signal;
export const PATH = "/usr/bin:/bin";

export interface Machine extends AsyncDisposable {
  readonly directory: string;
  readonly store: DiskStore;
  readonly pins: Pins;
  readonly files: FileTable;
  readonly toolchains: LocalToolchains;
  readonly service: ToolchainService;
  /** Ends the service and begins another one with what is on the disk. */
  again(): Promise<Machine>;
}

/** As far as others hear of it. */
export interface Member {
  readonly store: Pick<DiskStore, "sizeOf" | "read">;
  readonly service: Pick<ToolchainService, "offer">;
}

export interface MachineOptions {
  readonly accept?: ToolchainsAccept;
  readonly capacityBytes?: number;
  /** ms since the epoch */
  readonly now?: () => number;
  readonly isQuiet?: () => boolean;
  /** PATH of the daemon; empty: no compilers lie on it. */
  readonly searched?: string;
  /** What members can be asked; none by default. */
  readonly members?: ReadonlyMap<Key, Member>;
  /** Members of another domain. */
  readonly strangers?: ReadonlySet<Key>;
  /** Toolchains that the network has approved. */
  readonly approved?: ReadonlySet<Digest>;
}

export function machine(options: MachineOptions = {}): Machine {
  const directory = mkdtempSync(join(tmpdir(), "cairn-toolchain-"));
  chmodSync(directory, 0o755);
  return machineIn(directory, options);
}

function machineIn(directory: string, options: MachineOptions): Machine {
  const { accept = "domain", capacityBytes = 2 ** 31, now = Date.now, isQuiet = (): boolean => true, searched = "" } = options;
  const stack = new AsyncDisposableStack();
  let isKept = false;
  stack.defer(() => {
    if (!isKept) rmSync(directory, { recursive: true, force: true });
  });
  const log = silentLog;
  const database = stack.use(openDatabase({ log, now }, { file: join(directory, "index") }));
  const pins = Pins.open({ log }, { file: join(directory, "pins.json") });
  mkdirSync(join(directory, "cas"), { recursive: true });
  const isPinned = (digest: Digest): boolean => pins.holdsBlob(digest);
  const store = stack.use(
    DiskStore.open({ log, now, database, isPinned }, { directory: join(directory, "cas"), capacityBytes: 2 ** 32, rawBytes: 2 ** 32 }),
  );
  const files = new FileTable({ database, now });
  const toolchains = new LocalToolchains({ files, log });
  const service = stack.use(
    new ToolchainService(
      {
        toolchains,
        files,
        store,
        pins,
        log,
        network: () => networkOf(options),
        isQuiet,
        now,
        env: { PATH: searched },
        prepare: () => Promise.resolve(),
        changed: () => undefined,
      },
      { file: join(directory, "toolchains.json"), capacityBytes, accept },
    ),
  );
  const again = async (): Promise<Machine> => {
    isKept = true;
    await stack.disposeAsync();
    return machineIn(directory, options);
  };
  return { directory, store, pins, files, toolchains, service, again, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function networkOf({
  members = new Map(),
  strangers = new Set(),
  approved = new Set(),
}: MachineOptions): ReturnType<ConstructorParameters<typeof ToolchainService>[0]["network"]> {
  return {
    isOfOwnDomain: (key) => !strangers.has(key),
    accepts: (own) => own,
    approved: () => [...approved],
    ask: async (key, question) => members.get(key)?.service.offer(question, never),
    trees: {
      isMember: () => true,
      holders: (blobs) => {
        const holding = (digest: Digest): { key: Key; size: number }[] =>
          [...members].flatMap(([key, { store }]) => {
            const size = store.sizeOf(digest);
            return size === undefined ? [] : [{ key, size }];
          });
        return Promise.resolve(new Map(blobs.map((digest) => [digest, holding(digest)])));
      },
      exchange: {
        blobs: async (from, wanted, take) => {
          const missing: Digest[] = [];
          for (const { digest } of wanted) {
            const read = await members.get(from[0] ?? "")?.store.read(digest);
            if (read?.kind === "hit") await take(digest, read.bytes);
            else missing.push(digest);
          }
          return missing;
        },
      },
    },
  };
}

/** What another machine would be asked for `options source`, and what this machine's compiler makes of it. */
export async function compileOf(
  on: Machine,
  compiler: string,
  options: readonly string[],
  source: string,
): Promise<{ readonly action: CompileAction; readonly expected: Buffer }> {
  const cwd = dirname(source);
  const object = join(on.directory, "expected.o");
  execFileSync(compiler, [...options, "-c", "-o", object, source], { cwd, env: { PATH } });
  const listed = execFileSync(compiler, [...options, "-E", "-M", source], { cwd, env: { PATH }, encoding: "utf8" });
  const paths = listed.replace(/^[^:]*:/, "").split(/[\s\\]+/);
  const inputs = [];
  for (const path of new Set(paths.filter((one) => one !== "").map((one) => resolve(cwd, one))))
    inputs.push({ path, digest: await on.store.write(readFileSync(path)) });
  const most = { cpuMs: 60_000, wallMs: 60_000, memoryBytes: 2 ** 33, processes: 32, fileBytes: 2 ** 26, outputBytes: 2 ** 26 };
  const action: CompileAction = {
    toolchain: await identified(on, compiler),
    options,
    source,
    mode: "object",
    dependencies: undefined,
    environment: new Map(),
    cwd,
    inputs,
    directories: ["/usr/include"].filter((path) => existsSync(path)),
    limits: { ...most, printedBytes: limits.capturedBytes },
  };
  return { action, expected: readFileSync(object) };
}

const PRETENDER = `#include <stdio.h>
#include <string.h>
int main(int count, char **words) {
  const char *word = count > 1 ? words[1] : "";
  if (strcmp(word, "-v") == 0) fprintf(stderr, "Target: x86_64-linux-gnu\\ngcc version VERSION\\n");
  if (strncmp(word, "-print-prog-name=", 17) == 0) puts(word + 17);
  return 0;
}
`;

/** A small program that says it is a gcc, in a directory of its own; another one for each version. @returns its path */
export function pretender(directory: string, version: string): string {
  mkdirSync(directory, { recursive: true });
  const [source, path] = [join(directory, "gcc.c"), join(directory, "gcc")];
  writeFileSync(source, PRETENDER.replace("VERSION", version));
  execFileSync("/usr/bin/gcc", ["-o", path, source], { env: { PATH } });
  return path;
}

/** @returns the digest by which a job names it */
export async function identified(on: Machine, compiler: string): Promise<Digest> {
  const read = await on.toolchains.identify(compiler, new Map([["PATH", PATH]]), never);
  if (read.kind !== "toolchain") throw new Error(`${compiler}: ${read.reason}`);
  return read.toolchain.digest;
}
