/**
 * Trust: whom to believe. So far: who belongs to a network.
 *
 * Knows: keys, signatures, the rules of membership. Does not know: peers, files, clocks, or how statements look as bytes: a codec is given.
 */
export { type EpochRule, genesisDomainDecides } from "./epoch-rule.ts";
export { invitationKeyPair, isSigned, type KeyPair, keyPairFromSeed, makeIdentity } from "./keys.ts";
export { Members, type MembersParts } from "./members.ts";
export { type Issued, Membership, type MembershipParts, type Merged } from "./membership.ts";
export { admins, type Invitation, isAdmin, type Member, type Refusal, type State } from "./state.ts";
export { requestToJoin } from "./statements.ts";
