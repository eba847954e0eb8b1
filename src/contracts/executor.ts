/**
 * Executor: runs one action and tells what came of it.
 * Implementations: on this machine as it is (own work), in a sandbox (others' work). A peer is none: what it says has to be examined, and this
 * machine may compile meanwhile (docs/decisions/0036-compiles-elsewhere.md).
 */
import type { Digest, Key } from "../base/index.ts";
import type { Toolchain } from "./toolchains.ts";

/** A file that the program may read. */
export interface InputFile {
  /** Absolute and normal: no `.`, `..`, empty part or link in it. */
  readonly path: string;
  readonly digest: Digest;
  readonly executable: boolean;
  /** Of its content, where that is known: what is large is not read into memory. */
  readonly bytes?: number;
}

/** For programs that write beside their inputs, as those of build tools do. */
export interface ActionWork {
  /** The directory that all inputs lie below. The program sees it at another place, in which it may write. */
  readonly root: string;
  /** Files, directories or links that the program may leave: normal paths below the root, without a slash in front. */
  readonly outputs: readonly string[];
  /** Links among the inputs. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

/** What a program has left below its root, at an output or in one that is a directory. */
export type Left =
  | { readonly kind: "file"; readonly path: string; readonly content: Buffer; readonly executable: boolean }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** A word of the command line; where an output lies is for the executor to say. */
export type Argument = string | { readonly output: string };

/**
 * What one action may use; more ends it. A sandbox keeps all of them; who runs a user's own work may keep only `wallMs`,
 * `outputBytes` (of what is left at the end) and `printedBytes`.
 */
export interface ActionLimits {
  /** Processor time of one process; whole seconds count. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Address space of one process. */
  readonly memoryBytes: number;
  /** Processes and threads at once. */
  readonly processes: number;
  /** One file. */
  readonly fileBytes: number;
  /** All outputs together; as much again of temporary files. */
  readonly outputBytes: number;
  /** Standard output and standard error, each. */
  readonly printedBytes: number;
}

export interface ExecutorAction {
  /** The absolute path of the program, which the toolchain or an input brings, and its arguments. */
  readonly program: string;
  readonly arguments: readonly Argument[];
  readonly environment: ReadonlyMap<string, string>;
  /** Absolute. It exists when the program starts, like all of `directories`. */
  readonly cwd: string;
  /** Of this machine; undefined: the inputs bring everything. */
  readonly toolchain: Toolchain | undefined;
  readonly inputs: readonly InputFile[];
  /** Directories that exist besides those of inputs. Absolute and normal. */
  readonly directories: readonly string[];
  /** Files that the program may leave: plain names without directories. */
  readonly outputs: readonly string[];
  /** Instead of plain outputs; who has no other place to work in refuses it. */
  readonly work?: ActionWork;
  /** Of an action with a place to work in: called with what it prints while it runs, where that can be had; the outcome has all of it. */
  readonly show?: (stream: "stdout" | "stderr", bytes: Buffer) => void;
  /** Whether it may read and run what is installed on this machine. */
  readonly usesSystem?: boolean;
  readonly limits: ActionLimits;
  /**
   * What all its processes may hold in memory together, by its sandbox, which then refuses memory that is no process' own; undefined: as much as the
   * addresses of one.
   */
  readonly heldBytes?: number;
}

export interface OutputFile {
  readonly name: string;
  readonly content: Buffer;
  readonly executable: boolean;
}

/** What a run took; undefined: nobody could tell. */
export interface Usage {
  readonly wallMs: number;
  /** Of all processes. */
  readonly cpuMs: number | undefined;
  /** Of the largest process. */
  readonly residentBytes: number | undefined;
}

/** Why an action is not run, by a name for each reason; the detail names what is meant. */
export type ActionRefusal =
  | "bad_path" // A path is not absolute and normal, is kept for the executor, or is longer than this machine takes.
  | "bad_argument" // An argument, variable or name has a zero byte in it, or names an output that is not declared.
  | "input_conflict" // Two inputs, or an input and the toolchain, want the same place.
  | "input_missing" // The content of an input is not to be had.
  | "too_much"; // More inputs, directories, arguments, variables, or larger limits than are taken.

/** Which limit ended a run. `output`: what it wrote or printed; `files`: how many files it made; `memory`: what all its processes held. */
export type ActionLimit = "wall" | "cpu" | "file_size" | "output" | "files" | "memory";

/** Why this machine runs nothing in this way, now or ever. */
export type ExecutorLack =
  | "platform" // Not Linux, or a processor for which there is no filter of system calls.
  | "sandbox_missing" // bubblewrap is not installed, or too old.
  | "user_namespaces" // The system lets ordinary users make no namespaces; AppArmor often is why.
  | "init_missing" // What runs first inside could not be built.
  | "workspace" // The directory of the sandbox cannot be made or filled, or not be reached by who runs jobs.
  | "memory_taken" // Others' jobs held too much together, and this was the youngest of them.
  | "sandbox_failed" // It started, and did not do what it must.
  | "stopping";

export type ExecutorOutcome =
  | {
      readonly kind: "done";
      /** 128 and the signal's number where a signal ended it. */
      readonly exitCode: number;
      readonly stdout: Buffer;
      readonly stderr: Buffer;
      /** Those declared outputs that it left as plain files. */
      readonly outputs: readonly OutputFile[];
      /** Declared outputs that it left as something else: a link, a pipe, a second name of another file. */
      readonly strange: readonly string[];
      /** Of an action with a place to work in; directories stand before what is in them. */
      readonly left?: readonly Left[];
      readonly used: Usage;
      /** A limit that it came near, which it may have run into and taken no notice of: with other limits it might have made something else. */
      readonly near?: ActionLimit | "processes";
      /** The member that did it; unset where this machine has. */
      readonly by?: Key;
    }
  | { readonly kind: "refused"; readonly reason: ActionRefusal; readonly detail: string }
  | { readonly kind: "killed"; readonly limit: ActionLimit; readonly used: Usage }
  | { readonly kind: "unavailable"; readonly reason: ExecutorLack; readonly detail: string };

export interface Executor {
  /** Never throws for what an action does. @throws the signal's reason when it is aborted; nothing of the action runs then any more */
  run(action: ExecutorAction, signal: AbortSignal): Promise<ExecutorOutcome>;
}
