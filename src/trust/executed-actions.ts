/**
 * Actions of build tools that a machine has executed itself, in its sandbox: results like those of commands, which others may use as their policy says.
 *
 * Knows: what marks one, and what it says of that from which it was made. Does not know: doors, sandboxes, or how to find out what is installed.
 */
import type { Attestation, ManifestInput, ResultOutput } from "../contracts/index.ts";
import { NO_TOOLCHAIN } from "./receipts.ts";

export const ACTION_TYPE = "urn:cairn:action:1";
/** What an action is made of, in this order: the first names the next two by their digests; what is installed it may have read as well. */
export const MADE_OF = ["action", "command", "input-root", "installed"] as const;
/** What doors are called, and blobs that are no file by a name; files have their paths below the working directory. */
const NAME = /^(?:[a-z][a-z0-9-]{0,31}|[1-9][0-9]{0,3}|\0C\/.+)$/s;

export function isOfAction(outputs: readonly Pick<ResultOutput, "role">[]): boolean {
  return outputs.some(({ role }) => role === "executed");
}

/** Whether it says all of what it must, and nothing beside it which its signature does not cover. */
export function isActionShaped(
  { outputs, execution }: Pick<Attestation, "outputs" | "execution">,
  dependencies: readonly ManifestInput[] | undefined,
): boolean {
  const isMade = dependencies?.length === MADE_OF.length && dependencies.every(({ path }, at) => path === MADE_OF[at]);
  const isLeft = outputs.every(({ path, role, template }) => NAME.test(path) && role === "executed" && !template);
  return isMade && isLeft && execution.toolchain === NO_TOOLCHAIN;
}
