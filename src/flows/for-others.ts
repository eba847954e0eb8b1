/**
 * Compiles that others ask for: looked at, turned into an action whose paths are this machine's choice, and run behind walls.
 *
 * Knows: the order of it. Does not know: who asks, how the executor keeps its promise.
 */
import { dirname } from "node:path";
import type { Key } from "../base/index.ts";
import { objection } from "../compile/index.ts";
import type {
  Argument,
  CompileAction,
  CompileMode,
  CompileRefusal,
  Executor,
  ExecutorAction,
  ExecutorOutcome,
  Installed,
  ToolchainSupply,
} from "../contracts/index.ts";

export interface CompilesForOthersParts {
  readonly executor: Executor;
  readonly toolchains: ToolchainSupply;
}

type Refused = { readonly kind: "refused"; readonly reason: CompileRefusal; readonly detail: string };

export type OthersOutcome = Exclude<ExecutorOutcome, { kind: "refused" }> | Refused;

export type Looked = { readonly kind: "harmless"; readonly action: ExecutorAction } | Refused;

/** What the outputs are called, whatever who asks calls them. */
const OBJECT = "object";
const DEPENDENCIES = "dependencies";
const MODES: Readonly<Record<CompileMode, string>> = { preprocessed: "-E", assembly: "-S", object: "-c" };

export class CompilesForOthers {
  readonly #parts: CompilesForOthersParts;

  constructor(parts: CompilesForOthersParts) {
    this.#parts = parts;
  }

  /** Its outputs are `object` and, where it is wanted, `dependencies`. @param member who asks */
  async compile(asked: CompileAction, member: Key, signal: AbortSignal): Promise<OthersOutcome> {
    const looked = await this.look(asked, member, signal);
    return looked.kind === "refused" ? looked : this.#parts.executor.run(looked.action, signal);
  }

  /** Whether it is harmless, and what is to be run then. @param member who asks */
  async look(asked: CompileAction, member: Key, signal: AbortSignal): Promise<Looked> {
    const { toolchain, toolchainRoot } = asked;
    const supplied = await this.#parts.toolchains.supply(toolchain, toolchainRoot, member, signal);
    if (supplied.kind === "absent") return { kind: "refused", reason: "toolchain_unknown", detail: supplied.why };
    const { installed } = supplied;
    const against = objection(asked, installed.toolchain.family);
    if (against !== undefined) return { kind: "refused", ...against };
    return { kind: "harmless", action: actionOf(asked, installed) };
  }

  /** Why what was harmless may not run any more: its toolchain has been withdrawn meanwhile. @param member who asks */
  withdrawn({ toolchain }: Pick<ExecutorAction, "toolchain">, member: Key): Refused | undefined {
    if (toolchain !== undefined && this.#parts.toolchains.mayRun(toolchain, member)) return undefined;
    return { kind: "refused", reason: "toolchain_unknown", detail: "withdrawn" };
  }
}

/** What is to be run: paths and names of outputs are ours. */
export function actionOf(asked: CompileAction, { compiler, toolchain }: Pick<Installed, "compiler" | "toolchain">): ExecutorAction {
  const { options, mode, source, dependencies, environment, cwd, inputs, directories, limits } = asked;
  const depfile = dependencies === undefined ? [] : depfileArguments(dependencies);
  return {
    program: compiler,
    // Ours first: an option that took the word after it could take none of them.
    arguments: [MODES[mode], "-o", { output: OBJECT }, ...depfile, ...options, source],
    // Where the driver finds the assembler.
    environment: new Map([...environment, ["PATH", [...new Set(toolchain.files.map((file) => dirname(file)))].join(":")]]),
    cwd,
    toolchain,
    inputs: inputs.map((input) => ({ ...input, executable: false })),
    directories,
    outputs: dependencies === undefined ? [OBJECT] : [OBJECT, DEPENDENCIES],
    limits,
  };
}

function depfileArguments({ headers, target, phony }: NonNullable<CompileAction["dependencies"]>): Argument[] {
  return [headers === "all" ? "-MD" : "-MMD", "-MF", { output: DEPENDENCIES }, "-MT", target, ...(phony ? ["-MP"] : [])];
}
