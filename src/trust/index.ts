/**
 * Trust: whom to believe. Who belongs to a network, who made a result, and whose results are used.
 *
 * Knows: keys, signatures, the rules of membership and of the reader. Does not know: peers, files, clocks, or how statements look as bytes: a codec is given.
 */
export { faultyMost, quorumOf } from "./agreement.ts";
export { AgreementRound, type RoundNews } from "./agreement-round.ts";
export { attest, attestationOf, claimIn, isAttested, isOfCommand, subjectName, verifiedId } from "./attestation.ts";
export {
  type Cosignature,
  cosign,
  type Head,
  isCosigned,
  isHead,
  isSameHead,
  readHead,
  rootOf,
  signHead,
  writeHead,
} from "./checkpoints.ts";
export { latestOf as latestNamed } from "./claims.ts";
export { CompactRange } from "./compact-range.ts";
export { type Attested, type EnvelopeRead, type NotAttested, type Received, readEnvelope } from "./envelope.ts";
export { epochRule } from "./epoch-rule.ts";
export { type Convicted, type EvidenceCodec, type EvidenceRead, evidenceOf, type NoEvidence, readEvidence } from "./evidence.ts";
export { isOfAction, MADE_OF } from "./executed-actions.ts";
export { type ForkEvidenceRead, forkEvidenceOf, isForkEvidence, type NoForkEvidence, readForkEvidence } from "./fork-evidence.ts";
export { compareHead, type Fork, isFork, type KnownLog } from "./forks.ts";
export { type Ballot, Governance } from "./governance.ts";
export { type Doubt, domainsOf, judge, type Reader, takesReceipts } from "./judge.ts";
export { invitationKeyPair, isSigned, type KeyPair, keyPairFromSeed, makeIdentity } from "./keys.ts";
export { type LogEntry, logEntryOf, readLogEntry, writeLogEntry } from "./log-entries.ts";
export { type LogProofRead, type NoLogProof, readLogProof, writeLogProof } from "./log-proof.ts";
export { Members, type MembersParts } from "./members.ts";
export { type Issued, Membership, type MembershipParts, type Merged } from "./membership.ts";
export { type Hash, inclusionProof, isSameHash, leafHash, type ReadNode, rootAt } from "./merkle.ts";
export { claimedSaid, type Fence, Fences, isClaimed, isOwners, keepNames, type NameSaid, nameSaid } from "./names.ts";
export { keepersOfChair } from "./operations.ts";
export { auditUnder, isLaxer, sharingUnder, toolchainsUnder } from "./policy.ts";
export { PROJECT_FILE, type ProjectDemand, readProjectFile } from "./project.ts";
export { askedFor, neededFor } from "./proposals.ts";
export { Proven } from "./proven.ts";
export { isKin, isReceipt, NO_TOOLCHAIN } from "./receipts.ts";
export { Repeats } from "./repeats.ts";
export { type Reproduction, reproduction } from "./reproduced.ts";
export { askingOrder, Reputation, type Weights } from "./reputation.ts";
export {
  isRoundEvidence,
  type NoRoundEvidence,
  type RoundEvidenceRead,
  readRoundEvidence,
  roundEvidenceOf,
} from "./round-evidence.ts";
export { commit, type FalseOpening, Round } from "./rounds.ts";
export { attestationEnvelope, type Envelope, envelopeOf, sealed } from "./sealed.ts";
export {
  admins,
  countedDomain,
  countsFor,
  type Invitation,
  isAdmin,
  isLetInBy,
  type Member,
  nameHolder,
  type Proposal,
  type Refusal,
  type State,
  signerIn,
  signersDomain,
} from "./state.ts";
export { requestToJoin } from "./statements.ts";
export { type Summary, summaryOf } from "./summary.ts";
export {
  type Alone,
  type Answer,
  addsVoice,
  answersOf,
  differingFrom,
  type Finding,
  findingOf,
  outcomeKey,
  voiceOf,
  voter,
} from "./tally.ts";
export { openTiles, readBundle, readTile, TILE_WIDTH, type Tile, tileAt, tileHash, tilePath, tileReader, writeBundle } from "./tiles.ts";
export { HeardHeads, judgeUpdate, type LogUpdate, type Verdict } from "./witness.ts";
export { mayAnybodyWork, type WorkersWord, workersWord } from "./workers-word.ts";
