/**
 * All that stands on protobuf, behind one dynamic import: a node that is in no network neither waits nor pays for it.
 */

export { decodeAgreementFrame, encodeAgreementFrame, encodeVoteBody } from "./agreement.ts";
export { decodeAttestation, encodeAttestation } from "./attestation.ts";
export { decodeSetFrame, encodeSetFrame } from "./attestation-set.ts";
export {
  decodeDataAnswer,
  decodeDataOpen,
  decodeDataPort,
  encodeDataAnswer,
  encodeDataOpen,
  encodeDataPort,
} from "./data-plane.ts";
export { decodeGossipMessage, decodePresence, encodeGossipBody, encodeGossipMessage, encodePresence } from "./gossip.ts";
export { decodeHoldersAnswer, decodeHoldersQuestion, encodeHoldersAnswer, encodeHoldersQuestion } from "./holders.ts";
export {
  decodeKeepAnswer,
  decodeKeepOffer,
  decodeKeepTrees,
  encodeKeepAnswer,
  encodeKeepOffer,
  encodeKeepTrees,
} from "./keep.ts";
export {
  decodeLogAnswer,
  decodeLogFork,
  decodeLogHeads,
  decodeLogQuestion,
  encodeLogAnswer,
  encodeLogFork,
  encodeLogHeads,
  encodeLogQuestion,
} from "./log.ts";
export {
  decodeHello,
  decodeHelloAnswer,
  decodeMemberFrame,
  encodeHello,
  encodeHelloAnswer,
  encodeMemberFrame,
} from "./member-link.ts";
export {
  decodeSigned,
  decodeStatement,
  encodeJoinRequestBody,
  encodeSigned,
  encodeStatement,
  readInvitationLine,
  writeInvitationLine,
} from "./membership.ts";
export { decodeNamesFrame, decodeSignedName, encodeNameRecord, encodeNamesFrame, encodeSignedName } from "./names.ts";
export {
  decodeOverlayAnswer,
  decodeOverlayQuestion,
  decodeSignedAddresses,
  encodeMemberAddresses,
  encodeOverlayAnswer,
  encodeOverlayQuestion,
  encodeSignedAddresses,
} from "./overlay.ts";
export {
  decodePunchFrame,
  decodeRelayFrame,
  decodeSeen,
  encodePunchFrame,
  encodeRelayFrame,
  encodeSeen,
} from "./paths.ts";
export {
  decodeCoordinatorLease,
  decodePlacementFrame,
  decodeWorkCapacity,
  encodeCoordinatorLease,
  encodePlacementFrame,
  encodeWorkCapacity,
} from "./placement.ts";
export { decodeReachFrame, encodeReachFrame } from "./reach.ts";
export { decodeRoundFrame, encodeRoundFrame } from "./round.ts";
export {
  decodeShareFrame,
  encodeBlobs,
  encodeQuestion,
  encodeResults,
  encodeSetCarrier,
  encodeSummary,
  isBlobs,
  SHARE_LENGTH_BYTES,
} from "./share.ts";
export { decodeSharedResult, encodeSharedResult } from "./shared-result.ts";
export { decodeSwarmGive, decodeSwarmWant, encodeSwarmGive, encodeSwarmWant } from "./swarm.ts";
export {
  decodeToolchainAnswer,
  decodeToolchainPack,
  decodeToolchainQuestion,
  encodeToolchainAnswer,
  encodeToolchainPack,
  encodeToolchainQuestion,
} from "./toolchains.ts";
export {
  decodeWorkFrame,
  encodeWorkAct,
  encodeWorkAlive,
  encodeWorkAsk,
  encodeWorkCancel,
  encodeWorkEnd,
  encodeWorkGive,
  encodeWorkMore,
  encodeWorkVoucher,
  encodeWorkWant,
} from "./work.ts";
export { decodeWorkLeft, encodeWorkLeft } from "./work-left.ts";
