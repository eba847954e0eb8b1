/**
 * A compile as it can be done anywhere: the action, and every file that it may read.
 *
 * Knows: in which order that is found out. Does not know: who does it, or whether it is worth it.
 */
import type { Digest } from "../base/index.ts";
import type { CompileAction, Files, Toolchains } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import { type LocalReason, remoteAction } from "./remote-action.ts";
import { actionInputs, type RemoteInputs, remoteInputs } from "./remote-inputs.ts";
import { searchOf, type Understood } from "./request.ts";
import type { SourceFacts } from "./source-facts.ts";

export interface ParcelParts {
  readonly files: Files;
  readonly toolchains: Pick<Toolchains, "searchPaths">;
  readonly facts: SourceFacts;
  readonly rootOf: RootOf;
}

/** The root of the pack that a compiler at a path is; undefined where that cannot be told. */
export type RootOf = (compiler: string, toolchain: Digest, signal: AbortSignal) => Promise<Digest | undefined>;

/** Which toolchain is meant, where there are several with its content. */
async function rooted(
  rootOf: RootOf,
  { question, toolchain }: Understood,
  signal: AbortSignal,
): Promise<Pick<CompileAction, "toolchainRoot">> {
  const toolchainRoot = await rootOf(question.compiler, toolchain.digest, signal);
  return toolchainRoot === undefined ? {} : { toolchainRoot };
}

/** What is to be done, what is needed for it, and to look at what came of it. */
export interface Parcel {
  readonly action: CompileAction;
  readonly inputs: RemoteInputs;
  readonly search: Awaited<ReturnType<typeof searchOf>>;
}

export type Packed =
  | { readonly kind: "packed"; readonly parcel: Parcel }
  | { readonly kind: "local"; readonly reason: LocalReason; readonly detail: string };

/**
 * @param look begun after the compile was asked for
 * @param known what it reads for certain, as the compiler names it
 */
export async function pack(
  { files, toolchains, facts, rootOf }: ParcelParts,
  understood: Understood,
  look: Look,
  known: readonly string[],
  signal: AbortSignal,
): Promise<Packed> {
  const asked = remoteAction(files, understood);
  if (asked.kind === "local") return asked;
  const search = await searchOf(toolchains, understood, signal);
  const found = remoteInputs(facts, look, understood, search, known);
  if (found.kind === "local") return found;
  const action = { ...asked.action, ...(await rooted(rootOf, understood, signal)), ...actionInputs(found.inputs) };
  return { kind: "packed", parcel: { action, inputs: found.inputs, search } };
}
