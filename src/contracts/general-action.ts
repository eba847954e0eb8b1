/**
 * An action of a build tool as one machine asks another to run it: any program over declared inputs, beside what is installed there.
 */
import type { Digest } from "../base/index.ts";
import type { ActionLimits, ActionWork, ExecutorAction, ExecutorOutcome, InputFile } from "./executor.ts";

export interface GeneralAction {
  /** What is installed where it may run: the same for machines whose operators gave them the same name. */
  readonly system: Digest;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly inputs: readonly Omit<InputFile, "bytes">[];
  readonly directories: readonly string[];
  readonly work: ActionWork;
  readonly limits: ActionLimits;
  /** Of a command of `cairn exec`: what the rest does not say of it. */
  readonly command?: SentCommand;
}

/** By this a worker tells whether it has the very programs, and under which key somebody looks for what came of it. */
export interface SentCommand {
  /** As it was called. */
  readonly name: string;
  /** The command's own, and those that its first line leads to: see TaskProgram. */
  readonly programs: readonly SentProgram[];
  /** Names of the variables that were declared. */
  readonly variables: readonly string[];
  /** Whether the worker's signature is wanted. */
  readonly signed: boolean;
}

export interface SentProgram {
  /** Absolute where it is installed; else below the directory that all inputs lie in. */
  readonly place: string;
  readonly digest: Digest;
  /** It goes along, and is none of the command's inputs. */
  readonly brought: boolean;
}

/** Runs what this machine's own build tools ask for, here or elsewhere. */
export interface ActionRunner {
  /**
   * @param began called when it runs somewhere, and waits no more; at most once
   * @throws the signal's reason when it is aborted; nothing of the action runs for long then
   */
  run(action: ExecutorAction, signal: AbortSignal, began: () => void): Promise<ExecutorOutcome>;
}
