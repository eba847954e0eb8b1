/**
 * Whose attestation key it is, in words.
 */
import { CairnError } from "../base/index.ts";
import { textIn } from "./answers.ts";
import type { Context } from "./context.ts";

/** What the daemon knows of a signer; undefined where none answers, or it is in another network. */
export type Known = { readonly name: string; readonly domain: string; readonly standing: string } | undefined;

/** Digits of a key that people are shown. */
const SHOWN = 16;

/** Undefined where nobody can tell: no daemon, no network, another network. */
export async function signerOf(
  { control }: Context,
  { signer, network }: { readonly signer: string; readonly network: string },
  signal: AbortSignal,
): Promise<Known> {
  try {
    const known = await control.get("/signer", { key: signer, network }, signal);
    const [name, domain, standing] = [textIn(known, "name"), textIn(known, "domain"), textIn(known, "standing")];
    return standing === "" ? undefined : { name, domain, standing };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CairnError) return undefined;
    throw error;
  }
}

export function who(key: string, signer: Known): string {
  if (signer === undefined) return `attestation key ${key.slice(0, SHOWN)}…`;
  if (signer.standing === "unknown") return `${signer.name}, attestation key ${key.slice(0, SHOWN)}…`;
  const standing = signer.standing === "active" ? "" : `, ${signer.standing}`;
  return `${signer.name} (${signer.domain}${standing}), attestation key ${key.slice(0, SHOWN)}…`;
}
