/**
 * What tools keep here through doors: opaque bytes under a key of theirs. Nobody here made them, and nobody says that this machine did.
 * The bytes are blobs like all others; they come and go as streams, for they may be larger than what fits in memory.
 */
import type { Digest } from "../base/index.ts";

/** How an action of a build tool ran on this machine. */
export interface ActionRun {
  /** Of its command, and of the directory of its inputs. */
  readonly command: Digest;
  readonly inputRoot: Digest;
  /** Of what is installed here, which it may have read. */
  readonly installed: Digest;
  /** ms since the epoch */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** ms */
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface DoorEntry {
  readonly blob: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  /** What the tool said beside the bytes and wants to hear again. */
  readonly meta: Readonly<Record<string, string>>;
  /** When it came, ms since the epoch. */
  readonly at: number;
  /** How this machine has made it itself. Told when it is kept, and not kept with it. */
  readonly ran?: ActionRun;
  /** What the machine is called where a tool has left it; undefined: it was left here. */
  readonly from?: string;
}

export interface DoorEntries {
  /**
   * What lies under a key of a door; undefined also where its blob cannot be had.
   *
   * @param door whose keys these are, such as `bazel-ac`
   */
  find(door: string, key: string, signal: AbortSignal): Promise<DoorEntry | undefined>;
  /**
   * Keeps an entry whose blob is in the store.
   *
   * @param replace whether other bytes under the same key give way; without it they stay, and so does what was said beside them
   * @throws {CairnError} `limit-exceeded`, `home-unwritable`, `index-corrupt`; nothing has changed then
   */
  keep(door: string, key: string, entry: DoorEntry, replace: boolean): "kept" | "same" | "differs";
  /** @returns whether there was one */
  forget(door: string, key: string): boolean;
}

/** What is known of bytes before they come. */
export interface Expected {
  readonly digest?: Digest;
  readonly size?: number;
}

/** `other`: they are not what was expected; `large`: there are more of them than may be kept. Nothing is stored then. */
export type Received = { readonly kind: "kept"; readonly digest: Digest; readonly size: number } | { readonly kind: "other" | "large" };

/** A part of a blob. */
export interface Range {
  readonly from: number;
  /** To the end of the blob at most. */
  readonly length: number;
}

/** A blob that is open to be read, also when it is removed meanwhile. Reading it to its end closes it, as does disposing of it. */
export interface Sending extends AsyncDisposable {
  /** Of the whole blob. */
  readonly size: number;
  /**
   * To be read once, or not at all. Fails before its last bytes where the blob turns out to be damaged, and the blob is gone then:
   * what has come to its end was whole.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** So many bytes before each piece, in the same memory, are for whoever reads it to write to. */
  readonly roomBytes: number;
}

/** Blobs as streams, with little of them in memory at any time. */
export interface BlobStreams {
  /**
   * Keeps what comes, hashed while it comes. On any error nothing is stored.
   *
   * @throws what `source` throws; {CairnError} `home-unwritable`; the signal's reason
   */
  receive(source: AsyncIterable<Uint8Array>, expected: Expected, limitBytes: number, signal: AbortSignal): Promise<Received>;
  /** Undefined where the blob is not here. A range is verified with the whole blob before its first byte, or was a few minutes ago. */
  send(digest: Digest, range: Range | undefined, signal: AbortSignal): Promise<Sending | undefined>;
}
