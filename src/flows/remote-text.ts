/**
 * A compile whose files cannot all be named, or be laid out elsewhere, as one text: the preprocessor runs here, over the files that are here, and what
 * it makes of them is compiled elsewhere.
 *
 * Knows: what is sent, and what was read for it. Does not know: when that is worth it, what comes of it.
 */
import { digestOf, limits } from "../base/index.ts";
import { preprocessorArgs, readIncludedText, textArgs, textObstacle } from "../compile/index.ts";
import type { Files, ManifestEntry, Toolchains } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import { type Packed, type RootOf, rooted, type SentText } from "./parcel.ts";
import { remoteAction } from "./remote-action.ts";
import { actionInputs, textInputs } from "./remote-inputs.ts";
import { absolutePath, searchOf, type Understood } from "./request.ts";
import type { SourceFacts } from "./source-facts.ts";
import { responseReader } from "./understand.ts";

export interface TextParts {
  readonly files: Files;
  readonly toolchains: Pick<Toolchains, "searchPaths" | "included">;
  readonly rootOf: RootOf;
}

/** Whether a compile might be sent so. */
export function mayBeText({ invocation, toolchain }: Understood): boolean {
  return textObstacle(invocation, toolchain) === undefined;
}

/** @param look begun after the compile was asked for */
export async function packText(
  { files, toolchains, rootOf }: TextParts,
  understood: Understood,
  look: Look,
  signal: AbortSignal,
): Promise<Packed> {
  const { question, invocation, toolchain } = understood;
  const asked = remoteAction(files, understood);
  if (asked.kind === "local") return asked;
  const { request: _, dependencies, ...action } = asked.action; // Who compiles a text cannot say what it is the result of.
  const obstacle = textObstacle(invocation, toolchain);
  if (obstacle !== undefined || dependencies === undefined) return local(obstacle ?? invocation.language);
  const search = await searchOf(toolchains, understood, signal);
  const readFromNs = BigInt(Date.now()) * 1_000_000n;
  const args = preprocessorArgs(question.argv, responseReader(files, understood), textArgs(invocation.family, dependencies));
  const made = await toolchains.included(question.compiler, args, question.cwd, question.environment, signal);
  if (made === undefined) return local("the preprocessor has something to say");
  const read = readIncludedText(made.text, invocation.family);
  if (read.kind === "none") return local(read.why);
  if (read.text.length > limits.work.contentBytes) return local("its size");
  const digest = digestOf(read.text);
  const inputs = textInputs(look, understood, search, { digest, bytes: read.text.length });
  if (inputs === undefined) return { kind: "local", reason: "links", detail: invocation.source };
  const root = await rooted(rootOf, understood, signal);
  const text: SentText = { digest, content: read.text, readFromNs, dependencies: made.dependencies, entered: read.entered };
  return {
    kind: "packed",
    parcel: { action: { ...action, ...root, dependencies: undefined, ...actionInputs(inputs) }, inputs, search, text },
  };
}

/** The first file of those that were read in which something stands that the text does not repeat. */
export function unrepeatedIn(
  facts: SourceFacts,
  { invocation, places, question }: Understood,
  { inputs }: ManifestEntry,
): string | undefined {
  if (invocation.family !== "gcc") return undefined;
  return inputs
    .map(({ path, digest }) => ({ name: absolutePath(question.cwd, places.resolve(path)), digest }))
    .find(({ name, digest }) => facts.scan(name, digest)?.unrepeated !== false)?.name;
}

function local(detail: string): Packed {
  return { kind: "local", reason: "not_as_text", detail };
}
