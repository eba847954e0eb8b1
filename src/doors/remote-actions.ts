/**
 * Actions of the Remote Execution API as actions of an executor, and what came of them as results.
 *
 * Knows: commands, trees of inputs, outputs. Does not know: where an action runs, or who waits for it.
 */
import { posix } from "node:path";
import { setImmediate as otherWork } from "node:timers/promises";
import { limits } from "../base/index.ts";
import type { ActionLimits, ActionRun, ExecutorAction, ExecutorOutcome, InputFile, Left } from "../contracts/index.ts";
import type { BlobName, RemoteAction, RemoteCodec, RemoteCommand, RemoteDigest, ResultInit } from "../wire/index.ts";
import type { RemoteBlobs, RemoteStore } from "./remote-blobs.ts";
import { codes, RemoteFailure } from "./remote-failure.ts";

export interface RemoteActionsParts {
  readonly blobs: Pick<RemoteBlobs, "name" | "bytes" | "isHere">;
  readonly store: Pick<RemoteStore, "writeVerified">;
  readonly codec: RemoteCodec;
}

export interface RemoteActionsOptions {
  /** Where the executor takes inputs of actions with a place to work in. */
  readonly root: string;
}

/** An action that can be run. */
export interface Runnable {
  readonly action: ExecutorAction;
  /** Whether its result may be kept, and given to others who want the same. */
  readonly isShared: boolean;
  readonly outputs: readonly Output[];
  /** Digests of its command, and of the directory of its inputs. */
  readonly madeOf: Pick<ActionRun, "command" | "inputRoot">;
}

interface Output {
  /** As the client calls it, below the working directory. */
  readonly name: string;
  /** Below the root of the inputs. */
  readonly path: string;
  readonly isDirectory: boolean;
}

type Done = Extract<ExecutorOutcome, { readonly kind: "done" }>;

const { commandBytes, depth: mostDepth, directoryBytes, missingNamed, inlineBytes, stepsAtOnce, action: most } = limits.remoteExecution;
const MS_PER_S = 1_000;
const NS_PER_MS = 1_000_000;
/** Finds the program, by PATH where it has no slash, as the interface says since 2.3. */
const ENV = "/usr/bin/env";

export class RemoteActions {
  readonly #parts: RemoteActionsParts;
  readonly #root: string;

  constructor(parts: RemoteActionsParts, { root }: RemoteActionsOptions) {
    this.#parts = parts;
    this.#root = root;
  }

  /**
   * @throws {RemoteFailure} failedPrecondition, with the blobs that are missing; invalidArgument, resourceExhausted
   */
  async read(name: BlobName, signal: AbortSignal): Promise<Runnable> {
    const { codec } = this.#parts;
    const action = codec.readAction(await this.#bytes(name, signal));
    const commandName = this.#parts.blobs.name(action.commandDigest);
    const command = codec.readCommand(await this.#bytes(commandName, signal));
    const inputs = new Inputs(this.#parts, this.#root, signal);
    const inputRoot = this.#parts.blobs.name(action.inputRootDigest);
    await inputs.enter(inputRoot, this.#root, 0);
    if (inputs.missing.length > 0) throw this.#absent(inputs.missing);
    const madeOf = { command: commandName.digest, inputRoot: inputRoot.digest };
    return { ...this.#runnable(action, command, inputs), madeOf };
  }

  async #bytes(name: BlobName, signal: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#parts.blobs.bytes(name, commandBytes, signal);
    if (bytes === undefined) throw this.#absent([name]);
    return bytes;
  }

  #absent(missing: readonly BlobName[]): RemoteFailure {
    const message = `${missing.length} blobs of this action are not here`;
    return new RemoteFailure("failedPrecondition", message, this.#parts.codec.missingStatus(codes.failedPrecondition, message, missing));
  }

  #runnable(action: RemoteAction, command: RemoteCommand, inputs: Inputs): Omit<Runnable, "madeOf"> {
    const [program = ""] = command.arguments;
    if (program === "" || program.includes("=") || program.startsWith("-")) throw invalid("this command has no program");
    const directory = normal(command.workingDirectory);
    const outputs = outputsOf(command, directory);
    const wallMs = timeoutMs(action);
    return {
      isShared: !action.doNotCache,
      outputs,
      action: {
        program: ENV,
        arguments: command.arguments,
        environment: new Map(command.environmentVariables.map(({ name, value }) => [name, value])),
        cwd: directory === "" ? this.#root : `${this.#root}/${directory}`,
        toolchain: undefined,
        inputs: inputs.files,
        directories: inputs.directories,
        outputs: [],
        work: { root: this.#root, outputs: outputs.map(({ path }) => path), links: inputs.links },
        usesSystem: true,
        limits: { ...most, wallMs, cpuMs: Math.min(most.cpuMs, wallMs * 64) } satisfies ActionLimits,
      },
    };
  }

  /** What a client hears of a run that has ended; what it left is in the store then. @throws {CairnError} home-unwritable, limit-exceeded */
  async result({ outputs }: Runnable, done: Done): Promise<ResultInit> {
    const left = new Map((done.left ?? []).map((one) => [one.path, one]));
    const trees = new Trees(this.#parts.codec, (bytes) => this.#kept(bytes), left.values());
    const [stdout, stderr] = [await this.#printed(done.stdout), await this.#printed(done.stderr)];
    const outputFiles: { path: string; digest: DigestInit; isExecutable: boolean }[] = [];
    const outputDirectories: { path: string; treeDigest: DigestInit }[] = [];
    const outputSymlinks: { path: string; target: string }[] = [];
    // Clients older than 2.1 look in these.
    const fileLinks: typeof outputSymlinks = [];
    const directoryLinks: typeof outputSymlinks = [];
    for (const { name, path, isDirectory } of outputs) {
      const found = left.get(path);
      if (found?.kind === "file") outputFiles.push({ path: name, digest: await this.#kept(found.content), isExecutable: found.executable });
      else if (found?.kind === "directory") outputDirectories.push({ path: name, treeDigest: await trees.digest(path) });
      else if (found !== undefined) {
        const link = { path: name, target: found.target };
        for (const list of [outputSymlinks, isDirectory ? directoryLinks : fileLinks]) list.push(link);
      }
    }
    return {
      outputFiles,
      outputDirectories,
      outputSymlinks,
      outputFileSymlinks: fileLinks,
      outputDirectorySymlinks: directoryLinks,
      exitCode: done.exitCode,
      stdoutRaw: stdout.raw,
      stderrRaw: stderr.raw,
      ...(stdout.digest === undefined ? {} : { stdoutDigest: stdout.digest }),
      ...(stderr.digest === undefined ? {} : { stderrDigest: stderr.digest }),
    };
  }

  async #printed(bytes: Buffer): Promise<{ readonly raw: Uint8Array; readonly digest: DigestInit | undefined }> {
    return bytes.length <= inlineBytes ? { raw: bytes, digest: undefined } : { raw: new Uint8Array(), digest: await this.#kept(bytes) };
  }

  async #kept(bytes: Buffer): Promise<DigestInit> {
    const { codec, store } = this.#parts;
    const name = codec.nameOf(bytes);
    if (name.size > 0) await store.writeVerified(name.digest, bytes);
    return codec.digestMessage(name);
  }
}

type DigestInit = ReturnType<RemoteCodec["digestMessage"]>;

type DirectoryInit = Parameters<RemoteCodec["writeDirectory"]>[0];

/** The directories that one action has left; each is told once, however many names it goes by. */
class Trees {
  readonly #codec: RemoteCodec;
  readonly #keep: (bytes: Buffer) => Promise<DigestInit>;
  /** By the directory that they are in. */
  readonly #inside = new Map<string, Left[]>();
  readonly #digests = new Map<string, DigestInit>();
  #steps = 0;

  constructor(codec: RemoteCodec, keep: (bytes: Buffer) => Promise<DigestInit>, left: Iterable<Left>) {
    this.#codec = codec;
    this.#keep = keep;
    for (const one of left) {
      const parent = posix.dirname(one.path);
      const beside = this.#inside.get(parent);
      if (beside === undefined) this.#inside.set(parent, [one]);
      else beside.push(one);
    }
  }

  /** A directory with all that is in it, as one message; what is equal is in it once. */
  async digest(path: string): Promise<DigestInit> {
    const before = this.#digests.get(path);
    if (before !== undefined) return before;
    const children = new Map<string, DirectoryInit>();
    const root = await this.#directory(path, children);
    const digest = await this.#keep(this.#codec.writeTree({ root, children: [...children.values()] }));
    this.#digests.set(path, digest);
    return digest;
  }

  /** @param children where those go that are below it, by their digests */
  async #directory(path: string, children: Map<string, DirectoryInit>): Promise<DirectoryInit> {
    const files = [];
    const directories = [];
    const symlinks = [];
    for (const one of (this.#inside.get(path) ?? []).toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
      if (++this.#steps % stepsAtOnce === 0) await otherWork();
      const name = posix.basename(one.path);
      if (one.kind === "file") files.push({ name, digest: await this.#keep(one.content), isExecutable: one.executable });
      else if (one.kind === "link") symlinks.push({ name, target: one.target });
      else {
        const inner = await this.#directory(one.path, children);
        const digest = this.#codec.digestMessage(this.#codec.nameOf(this.#codec.writeDirectory(inner)));
        children.set(digest.hash, inner);
        directories.push({ name, digest });
      }
    }
    return { files, directories, symlinks };
  }
}

/** The inputs of one action, gathered directory by directory. */
class Inputs {
  readonly files: InputFile[] = [];
  readonly directories: string[] = [];
  readonly links: { readonly path: string; readonly target: string }[] = [];
  readonly missing: BlobName[] = [];
  readonly #parts: RemoteActionsParts;
  readonly #signal: AbortSignal;
  readonly #root: string;

  constructor(parts: RemoteActionsParts, root: string, signal: AbortSignal) {
    this.#parts = parts;
    this.#root = root;
    this.#signal = signal;
  }

  /** @throws {RemoteFailure} invalidArgument, resourceExhausted */
  async enter(name: BlobName, path: string, depth: number): Promise<void> {
    const { blobs, codec } = this.#parts;
    if (depth > mostDepth) throw new RemoteFailure("resourceExhausted", `inputs may have ${mostDepth} levels of directories`);
    const bytes = await blobs.bytes(name, directoryBytes, this.#signal);
    if (bytes === undefined) return this.#miss(name);
    const directory = codec.readDirectory(bytes);
    if (path !== this.#root) this.#count(this.directories, path);
    for (const file of directory.files) this.#file(`${path}/${part(file.name)}`, file.digest, file.isExecutable);
    for (const { name: link, target } of directory.symlinks) this.#count(this.links, { path: `${path}/${part(link)}`, target });
    for (const { name: inner, digest } of directory.directories) await this.enter(blobs.name(digest), `${path}/${part(inner)}`, depth + 1);
  }

  #file(path: string, digest: RemoteDigest | undefined, executable: boolean): void {
    const name = this.#parts.blobs.name(digest);
    if (!this.#parts.blobs.isHere(name)) this.#miss(name);
    this.#count(this.files, { path, digest: name.digest, executable, bytes: name.size });
  }

  #miss(name: BlobName): void {
    if (this.missing.length < missingNamed && !this.missing.some(({ digest }) => digest === name.digest)) this.missing.push(name);
  }

  #count<T>(list: T[], one: T): void {
    list.push(one);
    if (this.files.length + this.directories.length + this.links.length > limits.action.inputs)
      throw new RemoteFailure("resourceExhausted", `an action may have ${limits.action.inputs} inputs`);
  }
}

/** A name in a directory. @throws {RemoteFailure} invalidArgument where it would lead elsewhere */
function part(name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) throw invalid("a name in a directory is none");
  return name;
}

/** @throws {RemoteFailure} invalidArgument where it leads out */
function normal(path: string): string {
  const clean = posix.normalize(path === "" ? "." : path).replace(/\/$/, "");
  if (clean.startsWith("/") || clean === ".." || clean.startsWith("../") || clean.includes("\0"))
    throw invalid("a path leads out of the inputs");
  return clean === "." ? "" : clean;
}

function outputsOf(command: RemoteCommand, directory: string): Output[] {
  const { outputPaths, outputFiles, outputDirectories } = command;
  const named = (name: string, isDirectory: boolean): Output => {
    const path = normal(posix.join(directory, name));
    if (name === "" || path === "") throw invalid("the whole of a working directory is no output here");
    return { name, path, isDirectory };
  };
  // Since 2.1 the one stands for the two, and who sets all means that.
  if (outputPaths.length > 0) return outputPaths.map((name) => named(name, outputDirectories.includes(name)));
  return [...outputFiles.map((name) => named(name, false)), ...outputDirectories.map((name) => named(name, true))];
}

/** @throws {RemoteFailure} invalidArgument where it is longer than this node lets anything run */
function timeoutMs({ timeout }: RemoteAction): number {
  if (timeout === undefined) return most.wallMs;
  const ms = Number(timeout.seconds) * MS_PER_S + Math.ceil(timeout.nanos / NS_PER_MS);
  if (ms < 1 || ms > most.wallMs) throw invalid(`an action may run for ${most.wallMs / MS_PER_S} s`);
  return ms;
}

function invalid(message: string): RemoteFailure {
  return new RemoteFailure("invalidArgument", message);
}
