/**
 * Whom a machine's own domain wants put out, while others have yet to agree: nobody has to wait for them with distrust.
 *
 * Knows: what has been said about whom. Does not know: what follows from it on a machine.
 */
import type { Key } from "../base/index.ts";
import { countedDomain, type State } from "./state.ts";

/** A revocation that is said and not in effect. */
interface WaitingRevocation {
  readonly member: Key;
  /** Who have said so; the first is who has said it first. */
  readonly by: ReadonlySet<Key>;
}

/**
 * @param now what is in effect
 * @param intended the same with all that waits for an epoch
 */
function waitingRevocations(now: State, intended: State): WaitingRevocation[] {
  const isMember = (key: Key): boolean => now.members.get(key)?.standing === "active";
  const proposed = [...intended.proposals.values()].flatMap(({ what, accepted }) =>
    what.kind === "revoke" && isMember(what.member) ? [{ member: what.member, by: accepted }] : [],
  );
  const heldBack = [...intended.members.values()].flatMap(({ key, standing, endedBy, agreedBy = [] }) =>
    standing === "revoked" && endedBy !== undefined && isMember(key) ? [{ member: key, by: new Set([endedBy, ...agreedBy]) }] : [],
  );
  return [...proposed, ...heldBack];
}

/** Peer keys of those that somebody of this machine's own domain wants put out. */
export function accusedBy(self: Key, now: State, intended: State): ReadonlySet<Key> {
  const own = countedDomain(now, self);
  const isOwn = (key: Key): boolean => countedDomain(now, key) === own;
  return new Set(waitingRevocations(now, intended).flatMap(({ member, by }) => ([...by].some(isOwn) ? [member] : [])));
}
