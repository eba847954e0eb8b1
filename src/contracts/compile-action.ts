/**
 * A compile as one machine asks another for it: not a command line but what is wanted, so that nothing else can be said.
 */
import type { Digest } from "../base/index.ts";
import type { ActionLimits, ActionRefusal, InputFile } from "./executor.ts";
import type { CompilerEnvironment } from "./toolchains.ts";

export interface CompileAction {
  /** One that this machine has, by content. */
  readonly toolchain: Digest;
  /** Of its pack: which of several with that content. Unset: who asks does not say. */
  readonly toolchainRoot?: Digest;
  /** What shapes the code, in order; neither source nor mode nor anything about outputs. */
  readonly options: readonly string[];
  /** As the compiler is to name it. */
  readonly source: string;
  readonly mode: CompileMode;
  /** The dependency file that is wanted: what it lists, and the target that it names, as make reads it. */
  readonly dependencies: { readonly headers: "all" | "user"; readonly target: string; readonly phony: boolean } | undefined;
  readonly environment: ReadonlyMap<string, string>;
  readonly cwd: string;
  /** None of them may be executed. */
  readonly inputs: readonly Omit<InputFile, "executable">[];
  readonly directories: readonly string[];
  readonly limits: ActionLimits;
  /** Set where who compiles it is to sign what comes of it. */
  readonly request?: CompileRequest;
}

/** What is written: preprocessed text is asked for by who wants to know where two compiles part ways. */
export type CompileMode = "preprocessed" | "assembly" | "object";

/** The request that a compile comes from: by what it says, and what it reads, its result is looked for. */
export interface CompileRequest {
  /** Of the command line, after the compiler's name. */
  readonly words: readonly string[];
  readonly environment: CompilerEnvironment;
  /** Of the project, as the asker has it. A name: nothing is looked for there. */
  readonly root: string;
}

/** Why a compile is not done for others, beside what speaks against any action. */
export type CompileRefusal =
  | ActionRefusal
  | "toolchain_unknown" // This machine has no such compiler, or nobody approved it.
  | "response_file" // A word that compilers replace by the content of a file.
  | "plugin" // Code that the compiler would load.
  | "other_program" // An option that chooses programs or files with further options.
  | "output_option" // An option that says what is written where.
  | "mode_option" // An option that says what kind of run it is.
  | "linker_option" // Nothing is linked.
  | "profile" // Profiles and coverage name files by directories that differ here.
  | "machine_dependent" // -march=native and its like mean another processor here.
  | "nested_option" // An option for the assembler, the preprocessor, the front end or LLVM that is not known to be harmless.
  | "unknown_option"
  | "bad_source" // A source that is an option, standard input, or in no language that is compiled for others.
  | "environment"; // A variable, or a value of one, that is not known to be harmless.
