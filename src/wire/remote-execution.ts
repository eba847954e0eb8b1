/**
 * The Remote Execution API as bytes and back: schema/remote-execution.proto and schema/bytestream.proto.
 *
 * Knows: methods, messages, what names a blob. Does not know: connections, or what is answered.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, protoInt64, toBinary } from "@bufbuild/protobuf";
import { anyPack, type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Digest, digestOf, isDigest } from "../base/index.ts";
import {
  QueryWriteStatusRequestSchema,
  QueryWriteStatusResponseSchema,
  ReadRequestSchema,
  ReadResponseSchema,
  WriteRequestSchema,
  WriteResponseSchema,
} from "./generated/bytestream_pb.ts";
import { PreconditionFailureSchema, StatusSchema } from "./generated/google-rpc_pb.ts";
import {
  type Action,
  ActionResultSchema,
  ActionSchema,
  BatchReadBlobsRequestSchema,
  BatchReadBlobsResponseSchema,
  BatchUpdateBlobsRequestSchema,
  BatchUpdateBlobsResponseSchema,
  type Command,
  CommandSchema,
  Compressor_Value,
  DigestFunction_Value,
  type Directory,
  DirectorySchema,
  ExecuteOperationMetadataSchema,
  ExecuteRequestSchema,
  ExecuteResponseSchema,
  type ExecutionStage_Value,
  FindMissingBlobsRequestSchema,
  FindMissingBlobsResponseSchema,
  GetActionResultRequestSchema,
  GetCapabilitiesRequestSchema,
  GetTreeRequestSchema,
  GetTreeResponseSchema,
  OperationSchema,
  type Digest as RemoteDigest,
  ServerCapabilitiesSchema,
  SymlinkAbsolutePathStrategy_Value,
  type Tree,
  TreeSchema,
  UpdateActionResultRequestSchema,
  WaitExecutionRequestSchema,
} from "./generated/remote-execution_pb.ts";
import { invalid } from "./message-fields.ts";

export type { WriteRequest as RemoteWrite } from "./generated/bytestream_pb.ts";
export type { ActionResult as RemoteResult } from "./generated/remote-execution_pb.ts";
export { Compressor_Value as Compressor, ExecutionStage_Value as ExecutionStage } from "./generated/remote-execution_pb.ts";
export type { Action as RemoteAction, Command as RemoteCommand, Directory as RemoteDirectory, RemoteDigest };

/** A blob as clients of this interface name it. */
export interface BlobName {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What there is none of lies everywhere. */
export const EMPTY: BlobName = { digest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", size: 0 };

/** @returns undefined where it names no blob by its SHA-256 */
export function readName(message: Pick<RemoteDigest, "hash" | "sizeBytes"> | undefined): BlobName | undefined {
  if (message === undefined || !isDigest(message.hash) || message.sizeBytes < 0n) return undefined;
  const size = Number(message.sizeBytes);
  if (!Number.isSafeInteger(size) || (size === 0) !== (message.hash === EMPTY.digest)) return undefined;
  return { digest: message.hash, size };
}

export function nameOf(bytes: Uint8Array): BlobName {
  return { digest: digestOf(bytes), size: bytes.length };
}

export function digestMessage({ digest, size }: BlobName): { hash: string; sizeBytes: bigint } {
  return { hash: digest, sizeBytes: protoInt64.parse(size) };
}

/** A method of gRPC: where it is, which sides say many things, and what they say as bytes and back. */
export interface RpcMethod<Request, RequestInit, Response, ResponseInit> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: RequestInit) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (response: ResponseInit) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

type Rpc<Request extends DescMessage, Response extends DescMessage> = RpcMethod<
  MessageShape<Request>,
  MessageInitShape<Request>,
  MessageShape<Response>,
  MessageInitShape<Response>
>;

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function rpc<Request extends DescMessage, Response extends DescMessage>(
  path: string,
  request: Request,
  response: Response,
  responseStream = false,
): Rpc<Request, Response> {
  return {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: (message) => bufferOf(toBinary(request, create(request, message))),
    requestDeserialize: (bytes) => fromBinary(request, bytes),
    responseSerialize: (message) => bufferOf(toBinary(response, create(response, message))),
    responseDeserialize: (bytes) => fromBinary(response, bytes),
  };
}

/** A part of a blob; as many bytes before it as `roomBytes` says may be written to. */
export interface ReadChunk {
  readonly data?: Uint8Array;
  readonly roomBytes?: number;
}

const remote = "/build.bazel.remote.execution.v2";
const stream = "/google.bytestream.ByteStream";

export const capabilities: { readonly GetCapabilities: Rpc<typeof GetCapabilitiesRequestSchema, typeof ServerCapabilitiesSchema> } = {
  GetCapabilities: rpc(`${remote}.Capabilities/GetCapabilities`, GetCapabilitiesRequestSchema, ServerCapabilitiesSchema),
};

export const actionCache: {
  readonly GetActionResult: Rpc<typeof GetActionResultRequestSchema, typeof ActionResultSchema>;
  readonly UpdateActionResult: Rpc<typeof UpdateActionResultRequestSchema, typeof ActionResultSchema>;
} = {
  GetActionResult: rpc(`${remote}.ActionCache/GetActionResult`, GetActionResultRequestSchema, ActionResultSchema),
  UpdateActionResult: rpc(`${remote}.ActionCache/UpdateActionResult`, UpdateActionResultRequestSchema, ActionResultSchema),
};

export const contents: {
  readonly FindMissingBlobs: Rpc<typeof FindMissingBlobsRequestSchema, typeof FindMissingBlobsResponseSchema>;
  readonly BatchUpdateBlobs: Rpc<typeof BatchUpdateBlobsRequestSchema, typeof BatchUpdateBlobsResponseSchema>;
  readonly BatchReadBlobs: Rpc<typeof BatchReadBlobsRequestSchema, typeof BatchReadBlobsResponseSchema>;
  readonly GetTree: Rpc<typeof GetTreeRequestSchema, typeof GetTreeResponseSchema>;
} = {
  FindMissingBlobs: rpc(
    `${remote}.ContentAddressableStorage/FindMissingBlobs`,
    FindMissingBlobsRequestSchema,
    FindMissingBlobsResponseSchema,
  ),
  BatchUpdateBlobs: rpc(
    `${remote}.ContentAddressableStorage/BatchUpdateBlobs`,
    BatchUpdateBlobsRequestSchema,
    BatchUpdateBlobsResponseSchema,
  ),
  BatchReadBlobs: rpc(`${remote}.ContentAddressableStorage/BatchReadBlobs`, BatchReadBlobsRequestSchema, BatchReadBlobsResponseSchema),
  GetTree: rpc(`${remote}.ContentAddressableStorage/GetTree`, GetTreeRequestSchema, GetTreeResponseSchema, true),
};

export const byteStream: {
  readonly Read: RpcMethod<
    MessageShape<typeof ReadRequestSchema>,
    MessageInitShape<typeof ReadRequestSchema>,
    MessageShape<typeof ReadResponseSchema>,
    ReadChunk
  >;
  readonly Write: Rpc<typeof WriteRequestSchema, typeof WriteResponseSchema>;
  readonly QueryWriteStatus: Rpc<typeof QueryWriteStatusRequestSchema, typeof QueryWriteStatusResponseSchema>;
} = {
  Read: {
    ...rpc(`${stream}/Read`, ReadRequestSchema, ReadResponseSchema, true),
    responseSerialize: ({ data = new Uint8Array(), roomBytes = 0 }) => readChunk(data, roomBytes),
  },
  Write: { ...rpc(`${stream}/Write`, WriteRequestSchema, WriteResponseSchema), requestStream: true },
  QueryWriteStatus: rpc(`${stream}/QueryWriteStatus`, QueryWriteStatusRequestSchema, QueryWriteStatusResponseSchema),
};

export const execution: {
  readonly Execute: Rpc<typeof ExecuteRequestSchema, typeof OperationSchema>;
  readonly WaitExecution: Rpc<typeof WaitExecutionRequestSchema, typeof OperationSchema>;
} = {
  Execute: rpc(`${remote}.Execution/Execute`, ExecuteRequestSchema, OperationSchema, true),
  WaitExecution: rpc(`${remote}.Execution/WaitExecution`, WaitExecutionRequestSchema, OperationSchema, true),
};

/** What this node can do; `batchBytes`: the most that one batch may have. */
export function capabilitiesOf({
  batchBytes,
  executes,
}: {
  readonly batchBytes: number;
  readonly executes: boolean;
}): MessageInitShape<typeof ServerCapabilitiesSchema> {
  return {
    cacheCapabilities: {
      digestFunctions: [DigestFunction_Value.SHA256],
      actionCacheUpdateCapabilities: { updateEnabled: true },
      maxBatchTotalSizeBytes: BigInt(batchBytes),
      symlinkAbsolutePathStrategy: SymlinkAbsolutePathStrategy_Value.ALLOWED,
      supportedCompressors: [Compressor_Value.ZSTD],
      supportedBatchUpdateCompressors: [Compressor_Value.ZSTD],
    },
    executionCapabilities: { digestFunction: DigestFunction_Value.SHA256, execEnabled: executes },
    deprecatedApiVersion: { major: 2 },
    lowApiVersion: { major: 2 },
    highApiVersion: { major: 2, minor: 3 },
  };
}

/** A ReadResponse: field 10, length-delimited. The library takes four times as long, and these are all the bytes there are. */
function readChunk(data: Uint8Array, roomBytes: number): Buffer {
  const head = [0x52];
  for (let length = data.length; ; length >>>= 7) {
    if (length < 0x80) {
      head.push(length);
      break;
    }
    head.push((length & 0x7f) | 0x80);
  }
  if (roomBytes < head.length) return Buffer.concat([Uint8Array.from(head), data]);
  const whole = Buffer.from(data.buffer, data.byteOffset - head.length, head.length + data.length);
  whole.set(head);
  return whole;
}

/** A message that lies in a blob. @throws {CairnError} frame-invalid */
function parse<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    throw invalid(schema.name);
  }
}

/** @throws {CairnError} frame-invalid, like all that follow */
export function readResult(bytes: Uint8Array): MessageShape<typeof ActionResultSchema> {
  return parse(ActionResultSchema, bytes);
}

export function writeResult(result: MessageInitShape<typeof ActionResultSchema>): Buffer {
  return bufferOf(toBinary(ActionResultSchema, create(ActionResultSchema, result)));
}

export function readAction(bytes: Uint8Array): Action {
  return parse(ActionSchema, bytes);
}

export function readCommand(bytes: Uint8Array): Command {
  return parse(CommandSchema, bytes);
}

export function readDirectory(bytes: Uint8Array): Directory {
  return parse(DirectorySchema, bytes);
}

export function readTree(bytes: Uint8Array): Tree {
  return parse(TreeSchema, bytes);
}

export function writeDirectory(directory: MessageInitShape<typeof DirectorySchema>): Buffer {
  return bufferOf(toBinary(DirectorySchema, create(DirectorySchema, directory)));
}

export function writeTree(tree: MessageInitShape<typeof TreeSchema>): Buffer {
  return bufferOf(toBinary(TreeSchema, create(TreeSchema, tree)));
}

export type ResultInit = MessageInitShape<typeof ActionResultSchema>;
export type ResponseInit = Exclude<MessageInitShape<typeof ExecuteResponseSchema>, MessageShape<typeof ExecuteResponseSchema>>;

/** How far an execution is, and what came of it when it has ended. */
export function operationOf(
  name: string,
  action: BlobName,
  stage: ExecutionStage_Value,
  response: ResponseInit | undefined,
): MessageInitShape<typeof OperationSchema> {
  const metadata = create(ExecuteOperationMetadataSchema, { stage, actionDigest: digestMessage(action) });
  return {
    name,
    metadata: anyPack(ExecuteOperationMetadataSchema, metadata),
    done: response !== undefined,
    ...(response === undefined ? {} : { response: anyPack(ExecuteResponseSchema, create(ExecuteResponseSchema, response)) }),
  };
}

/** A google.rpc.Status that names blobs which a client has to upload. */
export function missingStatus(code: number, message: string, blobs: readonly BlobName[]): Uint8Array {
  const violations = blobs.map(({ digest, size }) => ({ type: "MISSING", subject: `blobs/${digest}/${size}` }));
  const failure = anyPack(PreconditionFailureSchema, create(PreconditionFailureSchema, { violations }));
  return toBinary(StatusSchema, create(StatusSchema, { code, message, details: [failure] }));
}

/** @param atMs since the epoch */
export function timestamp(atMs: number): Timestamp {
  return timestampFromMs(atMs);
}
