/**
 * A compile as it can be done anywhere: the action, and every file that it may read.
 *
 * Knows: in which order that is found out. Does not know: who does it, or whether it is worth it.
 */
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
 * @param earlier what an earlier compile of the same read
 */
export async function pack(
  { files, toolchains, facts }: ParcelParts,
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
  return { kind: "packed", parcel: { action: { ...asked.action, ...actionInputs(found.inputs) }, inputs: found.inputs, search } };
}
