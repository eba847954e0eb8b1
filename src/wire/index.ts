/**
 * Wire: bytes to values and back.
 *
 * Knows: frames of the compile socket, hot records, the canonical encoding behind keys, messages of the network.
 * Does not know: sockets, files, what any of it is for.
 */
import type { TaskCodec } from "../contracts/index.ts";

export type { RangeVerdict, SetFrame, SetRange } from "./attestation-set.ts";
export { ByteWriter } from "./bytes.ts";
export { type Canonical, canonicalDigest } from "./canonical.ts";
export {
  type AskReason,
  askReasons,
  type CompileRequest,
  type DaemonFrame,
  FrameSplitter,
  movableKey,
  protocolVersion,
  type RanReport,
  readWrapperFrame,
  requestKey,
  type WrapperFrame,
  writeDaemonFrame,
} from "./compile-socket.ts";
export type { Capacity, GossipFrame, Presence } from "./gossip.ts";
export { type LoggedHit, readHitsLog } from "./hits-log.ts";
export {
  type HotRecord,
  hotRecordStartBytes,
  isMovableRecord,
  type MovableRecord,
  type RecordAbsence,
  type RecordInput,
  type RecordOutput,
  readHotRecordBlobs,
  readMovableOrigin,
  writeHotRecord,
  writeMovableRecord,
} from "./hot-record.ts";
export type { KeepItem, KeepTree, KeepVerdict } from "./keep.ts";
export type { Hello, HelloAnswer, MemberFrame } from "./member-link.ts";
export type { NamesFrame } from "./names.ts";
export type { PunchFrame, RelayFrame } from "./paths.ts";
export type { ReachFrame } from "./reach.ts";
export type {
  BlobName,
  RemoteAction,
  RemoteCommand,
  RemoteDigest,
  RemoteDirectory,
  RemoteResult,
  RemoteWrite,
  ResponseInit,
  ResultInit,
} from "./remote-execution.ts";
export type { Answer, BlobPiece, Question, SetCarrier, ShareFrame, SummaryFrame, WantedBlob } from "./share.ts";
export { ShareSplitter } from "./share-splitter.ts";
export type { SwarmGive, SwarmWant } from "./swarm.ts";
export type { ToolchainPack, ToolchainQuestion } from "./toolchains.ts";
export type { Codec, Directory, Root, TreeEntry } from "./tree.ts";
export type { WorkDone, WorkEnd, WorkFrame, WorkPiece } from "./work.ts";

/** The messages of the network; see network.ts. */
export type NetworkCodec = typeof import("./network.ts");

/** Loads the protobuf library (some 50 ms and 3 MB), which only members of a network need. */
export function loadNetworkCodec(): Promise<NetworkCodec> {
  return import("./network.ts");
}

/** Names and nodes of trees; see tree.ts. */
export type TreeCodec = typeof import("./tree.ts");

/** Loads the libraries for CIDs and CBOR, which only those need who put or get something. */
export function loadTreeCodec(): Promise<TreeCodec> {
  return import("./tree.ts");
}

/** The Remote Execution API; see remote-execution.ts. */
export type RemoteCodec = typeof import("./remote-execution.ts");

/** Loads the protobuf library for a door that is not there unless somebody wants it. */
export function loadRemoteCodec(): Promise<RemoteCodec> {
  return import("./remote-execution.ts");
}

/** Outcomes of tasks, with the same library; see task.ts. */
export function loadTaskCodec(): Promise<TaskCodec> {
  return import("./task.ts");
}
