/**
 * Wire: bytes to values and back.
 *
 * Knows: frames of the compile socket, hot records, the canonical encoding behind keys.
 * Does not know: sockets, files, what any of it is for.
 */
export { ByteWriter } from "./bytes.ts";
export { type Canonical, canonicalDigest } from "./canonical.ts";
export {
  type AskReason,
  askReasons,
  type CompileRequest,
  type DaemonFrame,
  FrameSplitter,
  protocolVersion,
  type RanReport,
  readWrapperFrame,
  type WrapperFrame,
  writeDaemonFrame,
} from "./compile-socket.ts";
export {
  type HotRecord,
  type LoggedHit,
  type RecordAbsence,
  type RecordInput,
  type RecordOutput,
  readHitsLog,
  readHotRecordBlobs,
  writeHotRecord,
} from "./hot-record.ts";
