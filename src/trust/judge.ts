/**
 * Whom this node believes: the rule of the reader.
 *
 * Knows: policy, and who belongs to the network. Does not know: signatures; they were checked before (attestation.ts).
 */
import type { Key, SharingPolicy } from "../base/index.ts";
import type { Member, State } from "./state.ts";

/** Who judges, and by what. */
export interface Reader {
  readonly policy: SharingPolicy;
  /** The reader's own peer key. */
  readonly self: Key;
  readonly state: State;
}

export type Verdict =
  | { readonly kind: "believed"; readonly member: Member }
  | { readonly kind: "refused"; readonly why: "stranger" | "revoked" | "left" | "policy" | "other-domain" };

/**
 * Whether a result is believed that bears the signature of `signer`, an attestation key.
 *
 * Every result that was not made just now by this process is judged here and nowhere else: where several domains must agree, the
 * keys of all who signed the same result will come in here together.
 */
export function judge({ policy, self, state }: Reader, signer: Key): Verdict {
  const member = signerIn(state, signer);
  if (member === undefined) return { kind: "refused", why: "stranger" };
  if (member.standing !== "active") return { kind: "refused", why: member.standing };
  if (member.key === self) return { kind: "believed", member };
  if (policy === "self") return { kind: "refused", why: "policy" };
  const own = state.members.get(self)?.domain;
  if (policy === "team" && member.domain !== own) return { kind: "refused", why: "other-domain" };
  return { kind: "believed", member };
}

/** The member whose attestation key that is or was; undefined for one that no member ever had. */
export function signerIn(state: State, signer: Key): Member | undefined {
  return signersOf(state).get(signer);
}

/** Members by their attestation keys. A state that is seen outside its room does not change any more. */
const signers = new WeakMap<State, ReadonlyMap<Key, Member>>();

function signersOf(state: State): ReadonlyMap<Key, Member> {
  const known = signers.get(state);
  if (known !== undefined) return known;
  const made = new Map([...state.members.values()].map((member) => [member.attestationKey, member]));
  signers.set(state, made);
  return made;
}
