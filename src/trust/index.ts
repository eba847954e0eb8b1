/**
 * Trust: whom to believe. Who belongs to a network, who made a result, and whose results are used.
 *
 * Knows: keys, signatures, the rules of membership and of the reader. Does not know: peers, files, clocks, or how statements look as bytes: a codec is given.
 */
export { attest, attestationOf, isAttested, subjectName, verifiedId } from "./attestation.ts";
export { type Attested, type Envelope, type EnvelopeRead, envelopeOf, type NotAttested, readEnvelope, type Subject } from "./envelope.ts";
export { type EpochRule, genesisDomainDecides } from "./epoch-rule.ts";
export { judge, type Reader, signerIn, type Verdict } from "./judge.ts";
export { invitationKeyPair, isSigned, type KeyPair, keyPairFromSeed, makeIdentity } from "./keys.ts";
export { Members, type MembersParts } from "./members.ts";
export { type Issued, Membership, type MembershipParts, type Merged } from "./membership.ts";
export { keepNames, type NameSaid, nameSaid } from "./names.ts";
export { admins, type Invitation, isAdmin, type Member, type Refusal, type State } from "./state.ts";
export { requestToJoin } from "./statements.ts";
