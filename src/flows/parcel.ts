/**
 * A compile as it can be done anywhere: the action, and every file that it may read.
 *
 * Knows: in which order that is found out. Does not know: who does it, or whether it is worth it.
 */
import type { Digest } from "../base/index.ts";
import type { CompileAction, Files, ManifestEntry, Toolchains } from "../contracts/index.ts";
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
export async function rooted(
  rootOf: RootOf,
  { question, toolchain }: Understood,
  signal: AbortSignal,
): Promise<Pick<CompileAction, "toolchainRoot">> {
  const toolchainRoot = await rootOf(question.compiler, toolchain.digest, signal);
  return toolchainRoot === undefined ? {} : { toolchainRoot };
}

/** A text that stands for a source: what it is, and what it was made of. */
export interface SentText {
  readonly digest: Digest;
  readonly content: Buffer;
  /** ns since the epoch: what changed later may not be what was read. */
  readonly readFromNs: bigint;
  /** The dependency file that is wanted. */
  readonly dependencies: Buffer;
  /** Files that were entered, as the compiler names them. */
  readonly entered: readonly string[];
}

/** What is to be done, what is needed for it, and to look at what came of it. */
export interface Parcel {
  readonly action: CompileAction;
  readonly inputs: RemoteInputs;
  /** What is sent in place of the source and all that it includes. */
  readonly text?: SentText;
  readonly search: Awaited<ReturnType<typeof searchOf>>;
}

export type Packed =
  | { readonly kind: "packed"; readonly parcel: Parcel }
  | { readonly kind: "local"; readonly reason: LocalReason; readonly detail: string };

/**
 * @param look begun after the compile was asked for
 * @param earlier what an earlier compile of the same read
 */
export async function pack(
  { files, toolchains, facts, rootOf }: ParcelParts,
  understood: Understood,
  look: Look,
  earlier: ManifestEntry | undefined,
  signal: AbortSignal,
): Promise<Packed> {
  const asked = remoteAction(files, understood);
  if (asked.kind === "local") return asked;
  const search = await searchOf(toolchains, understood, signal);
  const found = remoteInputs(facts, look, understood, search, earlier);
  if (found.kind === "local") return found;
  const action = { ...asked.action, ...(await rooted(rootOf, understood, signal)), ...actionInputs(found.inputs) };
  return { kind: "packed", parcel: { action, inputs: found.inputs, search } };
}
