/**
 * A compile as another machine is asked for it; or the name of the reason why it is done here.
 *
 * Knows: what of a request bears on its result. Does not know: inputs, members, whether it is worth it.
 */
import { lstatSync } from "node:fs";
import { limits } from "../base/index.ts";
import { objection, type RemoteObstacle, remoteCommand } from "../compile/index.ts";
import type { CompileAction, CompileRefusal, CompileRequest, Files } from "../contracts/index.ts";
import { levelIn } from "./kinds.ts";
import { type CompileQuestion, hasHeaders, type Understood } from "./request.ts";
import { responseReader } from "./understand.ts";

/** Why a compile is not sent to others. */
export type LocalReason =
  | RemoteObstacle
  | CompileRefusal
  | "links"
  | "too_many_inputs"
  | "precompiled_header"
  | "failed_before"
  | "not_listed";

export type RemoteAction =
  | { readonly kind: "action"; readonly action: Omit<CompileAction, "inputs" | "directories"> }
  | { readonly kind: "local"; readonly reason: LocalReason; readonly detail: string };

/** What bears on a result or a message, and can be said to another machine. */
const SENT = ["LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "GCC_COLORS", "SOURCE_DATE_EPOCH"];

/**
 * What bears on nothing but programs, whose content is the toolchain's, on messages at a terminal, which are not taken from others, or
 * on other kinds of output. A variable that is neither here nor above keeps a compile here.
 */
const NOT_SENT = new Set(
  `PATH LD_LIBRARY_PATH LD_PRELOAD LD_AUDIT TERM TERM_URLS COLORTERM GCC_URLS NO_COLOR CLICOLOR CLICOLOR_FORCE FORCE_COLOR TZ COLUMNS PWD LC_COLLATE LC_NUMERIC
   LC_TIME ZERO_AR_DATE GCOV_PREFIX GCOV_PREFIX_STRIP LLVM_PROFILE_FILE CLANG_CRASH_DIAGNOSTICS_DIR`.split(/\s+/),
);

export function remoteAction(files: Files, understood: Understood): RemoteAction {
  const { question, invocation, toolchain } = understood;
  const read = remoteCommand(question.argv, invocation, responseReader(files, understood), hasHeaders(invocation));
  if (read.kind === "local") return read;
  const { asked } = read;
  const place = question.environment.get("PWD");
  if (place !== undefined && place !== question.cwd && isSamePlace(place, question.cwd))
    return { kind: "local", reason: "working_directory", detail: place };
  const environment = sentEnvironment(question);
  if (typeof environment === "string") return { kind: "local", reason: "environment", detail: environment };
  const against = objection({ ...asked, environment }, toolchain.family);
  if (against !== undefined) return { kind: "local", ...against };
  return {
    kind: "action",
    action: {
      ...asked,
      environment,
      cwd: question.cwd,
      toolchain: toolchain.digest,
      limits: limits.remote.action,
      ...(isSignable(understood) && { request: requestOf(understood) }),
    },
  };
}

/** The variables that a compile elsewhere gets; or the name of one that keeps it here. */
export function sentEnvironment({ cwd, environment }: Pick<CompileQuestion, "cwd" | "environment">): Map<string, string> | string {
  const place = environment.get("PWD");
  const sent = new Map(place === cwd ? [["PWD", place]] : []);
  for (const [name, value] of environment) {
    if (SENT.includes(name)) sent.set(name, value);
    else if (!NOT_SENT.has(name)) return name;
  }
  return sent;
}

/** Whether who compiles it could understand the request by itself: see witness.ts. */
function isSignable({ invocation }: Understood): boolean {
  return invocation.responseFiles.length === 0 && invocation.nativeArgs.length === 0 && invocation.depfile?.headers !== "user";
}

/** Programs that PATH leads to are the toolchain's content, and where they lie is nobody else's business. */
function requestOf({ question, projectRoot }: Understood): CompileRequest {
  const environment = new Map([...question.environment].filter(([name]) => name !== "PATH"));
  return { words: question.argv.slice(1), environment, root: projectRoot };
}

/** A name for the working directory that compilers take from PWD. */
function isSamePlace(one: string, other: string): boolean {
  if (!one.startsWith("/")) return false;
  const [first, second] = [`${one}/.`, `${other}/.`].map((path) => {
    try {
      return lstatSync(path, { throwIfNoEntry: false });
    } catch {
      return undefined; // Not to be entered, for a compiler neither.
    }
  });
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}

/** Language and optimization level, by which members are compared: `c++ -O2`. */
export function kindOf({ invocation }: Understood): string {
  return `${invocation.language} ${levelIn(invocation.keyArgs) ?? "-O0"}`;
}
