/**
 * Contracts: the seams, types only. Rooms that may not see each other meet here.
 */

export type {
  Admission,
  Attestation,
  AttestationSet,
  IdRanges,
  KnownAttestation,
  RangeSum,
} from "./attestation-set.ts";
export type { BlobSwarm, Fetched, SwarmOrder, WholeBlob } from "./blob-swarm.ts";
export type { CompileAction, CompileMode, CompileRefusal, CompileRequest } from "./compile-action.ts";
export type { DataPath, DataPlane, DataRequest, DataStream, DataVerdict } from "./data-plane.ts";
export type { Directory } from "./directory.ts";
export type { Discovery } from "./discovery.ts";
export type { ActionRun, BlobStreams, DoorEntries, DoorEntry, Expected, Range, Received, Sending } from "./doors.ts";
export type {
  ActionLimit,
  ActionLimits,
  ActionRefusal,
  ActionWork,
  Argument,
  Executor,
  ExecutorAction,
  ExecutorLack,
  ExecutorOutcome,
  InputFile,
  Left,
  OutputFile,
  Usage,
} from "./executor.ts";
export type { FileState, Files, Fingerprint, Listing, Listings } from "./files.ts";
export type { BlobDigests, FrameChannel, FrameLanes, FrameListener } from "./frame-channel.ts";
export type { ActionRunner, GeneralAction, SentCommand, SentProgram } from "./general-action.ts";
export type { Gossip } from "./gossip.ts";
export type { LogAnswer, LogFork, LogQuestion, SignedCheckpoint } from "./logs.ts";
export type { MembershipCodec, Redeemed, Roster, SavedPeers, SignedBytes, Standing } from "./network.ts";
export type { Capacity, OwnCapacity, Placed, PlacedOutcome, PlacedWhy, Placement, Slots, Unit } from "./placement.ts";
export type { Able, PlacementFrame, PlacementQuestion } from "./placement-talk.ts";
export type { Observation, Reputations } from "./reputation.ts";
export type {
  HistoryRow,
  ManifestEntry,
  ManifestInput,
  Origin,
  PortablePath,
  ResultIndex,
  ResultOutput,
  StoredResult,
  Tokens,
} from "./results.ts";
export type { Commitment, Opening, RoundDecline, RoundFrame, RoundQuestion } from "./rounds.ts";
export type { Exchange, Execution, ExpectedResult, Given, Offer, SharedResult, Sharing, Shelf, Wish, WordOf } from "./sharing.ts";
export type { BlobRead, LocalStore, PlainBlob, Store } from "./store.ts";
export type { CommandMarks, TaskCodec, TaskLeft, TaskOutcome, TaskProgram, TaskPrograms, TaskSystem } from "./tasks.ts";
export type {
  CompilerEnvironment,
  Installed,
  SearchPaths,
  SeenFiles,
  Supplied,
  Toolchain,
  ToolchainLayout,
  ToolchainOffer,
  ToolchainRead,
  ToolchainSummary,
  ToolchainSupply,
  Toolchains,
} from "./toolchains.ts";
export type { BringContents, Row, Voucher, WorkDesk, WorkerOutcome, Workers } from "./workers.ts";
