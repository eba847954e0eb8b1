/**
 * Large blobs in chunks, from several members at once.
 */
import type { Digest, Key } from "../base/index.ts";

/** What is to be fetched, and where to. */
export interface SwarmOrder {
  readonly digest: Digest;
  readonly size: number;
  /** A file that grows there; an earlier attempt is gone on with. */
  readonly path: string;
  /** Members that may have some of it. */
  readonly from: readonly Key[];
}

/** The bytes of a blob, as they were verified. */
export interface WholeBlob {
  readonly digest: Digest;
  readonly size: number;
  /** CRC-32 (zlib's). */
  readonly crc32: number;
}

/** What lies at the order's path: the blob, or what has come of it. */
export type Fetched =
  /** `received`: bytes that members gave; what an earlier attempt had brought is not among them. */
  { readonly kind: "whole"; readonly blob: WholeBlob; readonly received: number } | { readonly kind: "missing"; readonly why: string };

export interface BlobSwarm {
  /**
   * Fetches a blob into a file; meanwhile others are given what has come.
   *
   * @throws {CairnError} limit-exceeded; the signal's reason; a system error where the file cannot be written
   */
  fetch(order: SwarmOrder, signal: AbortSignal): Promise<Fetched>;
  /** Members are given chunks of the blobs for which this names a plain, verified file. */
  serveFrom(fileOf: (digest: Digest, size: number) => Promise<string | undefined>): void;
}
