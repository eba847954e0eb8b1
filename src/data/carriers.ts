/**
 * What carries streams to members. The plane tries one after the other.
 */
import type { Duplex } from "node:stream";
import type { Key } from "../base/index.ts";
import type { DataPath, DataStream } from "../contracts/index.ts";

export interface Carrier {
  readonly path: DataPath;
  /** @throws when the member cannot be reached this way, or not before the signal aborts */
  connect(key: Key, signal: AbortSignal): Promise<DataStream>;
}

/** A stream that counts what passes; sockets do. */
export interface CountedDuplex extends Duplex {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export function dataStream(key: Key, path: DataPath, address: string, bytes: CountedDuplex): DataStream {
  return {
    key,
    path,
    address,
    bytes,
    get bytesIn() {
      return bytes.bytesRead;
    },
    get bytesOut() {
      return bytes.bytesWritten;
    },
  };
}
