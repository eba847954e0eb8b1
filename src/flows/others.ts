/**
 * Results that others have executed: is there one for this request, and may it be used here?
 *
 * Knows: what must fit before anything of it is fetched. Does not know: who is believed; what is offered has been judged.
 */
import type { Digest } from "../base/index.ts";
import { actionKey } from "../compile/index.ts";
import type { Offer, Sharing } from "../contracts/index.ts";
import { compare } from "./find.ts";
import type { Look } from "./look.ts";
import type { From } from "./remembered.ts";
import type { Understood } from "./request.ts";

/** A result of somebody else that is here now. */
export interface Brought {
  readonly action: Digest;
  readonly from: From;
}

/**
 * Looks among the offers for one that is true of the files as they are now, and brings it here.
 * Costs nothing where nobody has anything.
 */
export async function bringFromOthers(
  sharing: Sharing,
  look: Look,
  understood: Understood,
  signal: AbortSignal,
): Promise<Brought | undefined> {
  const began = performance.now();
  for (const offer of await sharing.find(understood.manifest, signal)) {
    const { entry, execution } = offer.shared;
    if (!fits(understood, offer) || compare(look, understood, entry).differences.length > 0) continue;
    const { complete, bytes } = await sharing.bring(offer, signal);
    if (!complete) continue;
    return { action: entry.action, from: { signer: execution.signer, bytes, tookMs: Math.round(performance.now() - began) } };
  }
  return undefined;
}

/** Whether an offer is about this very request: its outputs are written where this request's would be, and nowhere else. */
function fits({ manifest, invocation, places }: Understood, { shared }: Offer): boolean {
  const { entry, result } = shared;
  const wanted = invocation.outputs.map(({ path, role }) => `${role} ${places.portable(path)}`);
  const given = result.outputs.map(({ path, role }) => `${role} ${path}`);
  return (
    shared.manifest === manifest &&
    !entry.presumed &&
    entry.action === actionKey(manifest, entry.place, entry.terminal, entry.inputs) &&
    entry.inputs[0]?.path === places.portable(invocation.source) &&
    wanted.toSorted().join("\n") === given.toSorted().join("\n") &&
    result.outputs.every(({ role, template }) => !template || role === "depfile")
  );
}
