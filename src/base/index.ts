/**
 * Base: the words everything else is written in.
 *
 * Knows: digests, errors, limits, the log, bounded memory, where a home is, the statements of a network.
 * Does not know: anything that happens.
 */
export type { AgreementFrame, Certificate, Decision, Said, Vote, VoteKind } from "./agreement.ts";
export { Allowance, type AllowanceLimits } from "./allowance.ts";
export { type AttemptLimits, Attempts } from "./attempts.ts";
export { type AttestationId, attestationId, ID_TIME_DIGITS, LAST_BOUND } from "./attestation-id.ts";
export { compilersDirectory, type FoundCompiler, findCompilers, findOnPath } from "./compilers.ts";
export {
  type Config,
  type ConfigValue,
  checkSetting,
  type DirectoryKind,
  type DoorsShare,
  type Hours,
  loadConfig,
  type PlacementPattern,
  readHalfLife,
  readHours,
  type SharingPolicy,
  settingNames,
  settingUnknown,
  type ToolchainsAccept,
  type WorkCircle,
} from "./config.ts";
export { brief, type Digest, digestAside, digestOf, isDigest, withBriefDigests } from "./digest.ts";
export { makeDirectories } from "./directories.ts";
export { isLoopback, readDoorListen } from "./doors.ts";
export { ed25519FromSeed } from "./ed25519.ts";
export { entryHash } from "./entry-hash.ts";
export {
  CairnError,
  type ErrorCode,
  type Facts,
  systemCode,
  systemReason,
  systemWords,
} from "./errors.ts";
export { FairTurns } from "./fair-turns.ts";
export { Generations } from "./generations.ts";
export { type Environment, type Home, homeFrom } from "./home.ts";
export { limits } from "./limits.ts";
export { type Listen, type ListenAt, readListen } from "./listen.ts";
export { type Level, type Log, lineLog, silentLog } from "./log.ts";
export {
  type Epoch,
  type Genesis,
  type Have,
  type Host,
  type Identity,
  type InvitationLine,
  isName,
  type JoinRequest,
  type Key,
  type NetworkPolicy,
  type Operation,
  type Statement,
} from "./membership.ts";
export { isFitRoot, ROOT_MARK, withoutRoot, withRoot } from "./moving.ts";
export type { NameRecord, NameToken, SignedName } from "./names.ts";
export { orAborted } from "./or-aborted.ts";
export { giveBack, ownBytes } from "./own-bytes.ts";
export { asError, reasonOf } from "./reasons.ts";
export { Refusals } from "./refusals.ts";
export { shellWord } from "./shell-word.ts";
export { parseSize } from "./sizes.ts";
export { readStaticPeers, type StaticPeer, usualPort } from "./static-peers.ts";
export { Turns } from "./turns.ts";
