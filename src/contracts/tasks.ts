/**
 * Tasks: commands with declared inputs and outputs, as `cairn exec` runs them.
 */
import type { Digest } from "../base/index.ts";

/** What a task has left at an output, or in one that is a directory. Paths are normal and below the project's root. */
export type TaskLeft =
  | { readonly kind: "file"; readonly path: string; readonly executable: boolean; readonly content: Uint8Array }
  /** A file whose content is a blob of its own. */
  | { readonly kind: "apart"; readonly path: string; readonly executable: boolean; readonly digest: Digest; readonly size: number }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

export interface TaskOutcome {
  readonly exitCode: number;
  /** A directory stands before what is in it. */
  readonly left: readonly TaskLeft[];
  /** Both empty where they are in the result itself. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** Outcomes as bytes and back; a blob of its own holds them. */
export interface TaskCodec {
  readonly encodeTaskOutcome: (outcome: TaskOutcome) => Uint8Array;
  /** @throws {CairnError} frame-invalid: larger than one may be, or none */
  readonly decodeTaskOutcome: (bytes: Uint8Array) => TaskOutcome;
}

/** What runs when a command is called, by content. */
export interface TaskProgram {
  /** As it was found: absolute. */
  readonly path: string;
  /** `system`: what is installed for all; `project`: below the root, at this path; `own`: elsewhere. */
  readonly where: "system" | "project" | "own";
  readonly digest: Digest;
}

export interface TaskSystem {
  readonly digest: Digest;
  /** Whether other machines that are installed alike have the same digest, and no others. */
  readonly isTold: boolean;
}

export interface TaskPrograms {
  /**
   * The program of a command, and those that it names in its first line if it is a script, the command's own first.
   *
   * @param path directories in which names are looked for, as PATH has them
   * @returns undefined where there is none
   */
  find(
    name: string,
    at: { readonly cwd: string; readonly root: string; readonly path: string },
    signal: AbortSignal,
  ): Promise<readonly TaskProgram[] | undefined>;
  /**
   * What is installed on this machine besides.
   *
   * @param isFresh whether what was seen a little while ago is not enough
   */
  installed(signal: AbortSignal, isFresh?: boolean): Promise<TaskSystem>;
}

/** Commands of which not always the same comes; outlives the process. */
export interface CommandMarks {
  /** What differed, as it was noted; undefined of a command that may be shared. */
  why(command: Digest): string | undefined;
  /** @param at ms since the epoch */
  add(command: Digest, why: string, at: number): void;
  delete(command: Digest): void;
}
