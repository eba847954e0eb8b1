/**
 * What a compiler command line asks for, as a value; and the refusal to say so.
 */
import type { PassReason } from "./pass-reasons.ts";

export type Language =
  | "c"
  | "c++"
  | "objective-c"
  | "objective-c++"
  | "preprocessed-c"
  | "preprocessed-c++"
  | "preprocessed-objective-c"
  | "preprocessed-objective-c++"
  | "assembler"
  | "assembler-with-cpp";

export interface Invocation {
  readonly family: "gcc" | "clang";
  /** As given. */
  readonly source: string;
  readonly language: Language;
  /** -c, -S, -fsyntax-only */
  readonly mode: "object" | "assembly" | "syntax";
  /** -o, or the name that the compiler chooses in the working directory; undefined for `syntax`. */
  readonly output: string | undefined;
  /**
   * Exactly the files that the compiler will write, the main output first, the dependency file last. As the compiler names them.
   * `object`: what was there is unlinked first; `written` and `depfile`: it is overwritten in place, and keeps mode and links.
   */
  readonly outputs: readonly { readonly path: string; readonly role: "object" | "written" | "depfile" }[];
  /** The dependency file that the user asked for; `user`: system headers are left out (-MMD). */
  readonly depfile: { readonly path: string; readonly headers: "all" | "user" } | undefined;
  /** Files named by options whose content is an input, as given. `optional`: the compiler looks for it and may do without. */
  readonly inputFiles: readonly { readonly path: string; readonly optional: boolean }[];
  /** Response files that were expanded, as given. Their content decides what the request means. */
  readonly responseFiles: readonly string[];
  /** -include and -imacros, in order, as given. */
  readonly forcedIncludes: readonly string[];
  /** What identifies the compile, in order: everything that can change a byte of an output or message, but for the dependency file. */
  readonly keyArgs: readonly string[];
  /** What prefix maps replace that is a place of the checkout, portable. */
  readonly mapped: readonly string[];
  /** What can change the dependency file, or messages about it. */
  readonly depfileArgs: readonly string[];
  /** Arguments that bear on where headers are found, literally, ending with `-x <language>`: for probing the compiler. */
  readonly searchArgs: readonly string[];
  /** -march=native and the like: what must be asked of the compiler. */
  readonly nativeArgs: readonly string[];
  /** Line and column numbers can reach an output. */
  readonly lineInfo: boolean;
  /** The content of a source file, or a checksum of it, can reach an output: any change counts. */
  readonly contentInfo: boolean;
  /** White space and comments can change messages. */
  readonly layoutInfo: boolean;
  /** Names of places can reach an output in a form that cannot be found by searching it for them. */
  readonly hidesPaths: boolean;
  /** -D and -U in order, joined: `-DNDEBUG`. */
  readonly defines: readonly string[];
}

export type Reading = { readonly kind: "compile"; readonly invocation: Invocation } | Passed;

export interface Passed {
  readonly kind: "pass";
  readonly reason: PassReason;
  /** The option or file in question. */
  readonly detail?: string;
}
