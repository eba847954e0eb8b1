/**
 * Receipts: "a tool has left these bytes at one of my doors". Nobody says that anything was executed, so a receipt is no voice in what comes of an
 * action, neither for a result nor against one; it is taken from machines of the reader's own trust domain, or from nobody.
 *
 * Knows: what marks a receipt, and whose are taken. Does not know: doors, or whether a signature holds.
 */
import type { Key } from "../base/index.ts";
import type { ResultOutput, SharedResult } from "../contracts/index.ts";
import type { Member, State } from "./state.ts";

/** Says in a statement what kind of statement it is: not SLSA's provenance, for nothing is claimed to have been built. */
export const RECEIPT_TYPE = "urn:cairn:received:1";
/** Stands where an execution names its compiler. */
export const NO_TOOLCHAIN: string = "0".repeat(64);
/** What doors are called. */
const DOOR = /^[a-z][a-z0-9-]{0,31}$/;
/** The other outputs are counted. */
const NUMBER = /^[1-9][0-9]{0,3}$/;

export function isReceipt(outputs: readonly Pick<ResultOutput, "role">[]): boolean {
  return outputs.some(({ role }) => role === "received");
}

/** Whether all that a receipt does not speak of is left empty, so that nothing travels under its signature which that does not cover. */
export function isReceiptShaped({
  outputs,
  compileMs,
  cpuMs,
  execution: { toolchain, startedAtMs, endedAtMs },
}: Pick<SharedResult["result"], "outputs" | "compileMs" | "cpuMs"> & Pick<SharedResult, "execution">): boolean {
  const hasNames = outputs.every(({ path }, at) => (at === 0 ? DOOR.test(path) : NUMBER.test(path)));
  const isBlank = toolchain === NO_TOOLCHAIN && startedAtMs === endedAtMs && compileMs === 0 && cpuMs === 0;
  return hasNames && isBlank && outputs.every(({ role, template }) => role === "received" && !template);
}

/** Whether a member is of the reader's trust domain, by an epoch: who was let in a moment ago may be several at once. */
export function isKin({ self, state }: { readonly self: Key; readonly state: State }, member: Member): boolean {
  return member.domain === state.members.get(self)?.domain && member.epoch !== undefined;
}
