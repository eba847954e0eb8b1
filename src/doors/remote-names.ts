/**
 * Names of blobs in the byte stream of the Remote Execution API.
 *
 *     blobs/{hash}/{size}                                             what is read
 *     compressed-blobs/zstd/{hash}/{size}
 *     uploads/{uuid}/blobs/{hash}/{size}                              what is written; anything may follow
 *     uploads/{uuid}/compressed-blobs/zstd/{hash}/{size}
 *
 * each after the name of an instance, of any number of parts, or without one. Knows: text. Does not know: blobs.
 */
import type { BlobName, RemoteCodec } from "../wire/index.ts";

export interface StreamName {
  /** What the client calls this attempt to write; undefined: it reads. */
  readonly upload: string | undefined;
  readonly isCompressed: boolean;
  readonly blob: BlobName;
}

const MOST_CHARACTERS = 1_024;
const SIZE = /^(?:0|[1-9][0-9]{0,15})$/;

/** @returns undefined where it is no such name, or names another digest function or compression than are taken here */
export function readStreamName(text: string, codec: Pick<RemoteCodec, "readName">): StreamName | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  const parts = text.split("/");
  const at = parts.findIndex((part) => part === "uploads" || part === "blobs" || part === "compressed-blobs");
  const isUpload = parts[at] === "uploads";
  const upload = isUpload ? parts[at + 1] : undefined;
  if (at < 0 || upload === "") return undefined;
  const [kind, ...rest] = parts.slice(isUpload ? at + 2 : at);
  const isCompressed = kind === "compressed-blobs";
  if (!isCompressed && kind !== "blobs") return undefined;
  if (isCompressed && rest.shift() !== "zstd") return undefined;
  const [hash = "", size = "", ...more] = rest;
  if (!SIZE.test(size) || (!isUpload && more.length > 0)) return undefined;
  const blob = codec.readName({ hash, sizeBytes: BigInt(size) });
  return blob === undefined ? undefined : { upload, isCompressed, blob };
}
