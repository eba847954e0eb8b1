/**
 * Results of Bazel that came by HTTP: given only while all that they name is here, or Bazel would go without what it was told it has. What lies
 * under such a key and is no result is some other tool's, and given as it is.
 *
 * Knows: which entries these are. Does not know: what a result names; see remote-results.ts.
 */
import { type Digest, limits } from "../base/index.ts";
import type { DoorEntries, DoorEntry } from "../contracts/index.ts";
import { loadRemoteCodec } from "../wire/index.ts";
import { RemoteBlobs, type RemoteStore } from "./remote-blobs.ts";
import { type NamedBlob, RemoteResults } from "./remote-results.ts";

/** Under what name entries of Bazel are kept, by whichever door they come. */
const DOOR = "bazel-ac";

export interface BazelResultsParts {
  readonly store: RemoteStore;
  readonly entries: DoorEntries;
  /** ms since the epoch */
  readonly now: () => number;
}

export class BazelResults {
  readonly #parts: BazelResultsParts;
  /** The protobuf library is loaded when the first result is asked for. */
  #results: Promise<RemoteResults> | undefined;

  constructor(parts: BazelResultsParts) {
    this.#parts = parts;
  }

  /** Whether an entry of a door may be given. */
  async isGivable(door: string, entry: DoorEntry, signal: AbortSignal): Promise<boolean> {
    if (door !== DOOR || entry.size > limits.remoteExecution.resultBytes) return true;
    const read = await this.#parts.store.read(entry.blob, signal);
    this.#results ??= this.#load();
    return read.kind === "hit" && (await (await this.#results).isWholeOrOther(read.bytes, signal));
  }

  /** Blobs that an entry of a door names, all of which are here, as far as they can be told to others; undefined where one is not. */
  async named(door: string, entry: DoorEntry, signal: AbortSignal): Promise<readonly NamedBlob[] | undefined> {
    if (door !== DOOR || entry.size > limits.remoteExecution.resultBytes) return [];
    const read = await this.#parts.store.read(entry.blob, signal);
    this.#results ??= this.#load();
    return read.kind === "hit" ? (await this.#results).blobsIn(read.bytes, signal) : undefined;
  }

  /** What an action's message names as its command and the root of its inputs; undefined where it is not here, or is none. */
  async madeOf(action: Digest, signal: AbortSignal): Promise<{ readonly command: Digest; readonly inputRoot: Digest } | undefined> {
    const { store } = this.#parts;
    if ((store.sizeOf(action) ?? 0) > limits.remoteExecution.commandBytes) return undefined;
    const read = await store.read(action, signal);
    if (read.kind !== "hit") return undefined;
    const codec = await loadRemoteCodec();
    try {
      const { commandDigest, inputRootDigest } = codec.readAction(read.bytes);
      const [command, inputRoot] = [codec.readName(commandDigest), codec.readName(inputRootDigest)];
      return command && inputRoot && { command: command.digest, inputRoot: inputRoot.digest };
    } catch {
      return undefined; // Somebody calls something an action that is none.
    }
  }

  async #load(): Promise<RemoteResults> {
    const codec = await loadRemoteCodec();
    return new RemoteResults({ ...this.#parts, blobs: new RemoteBlobs({ store: this.#parts.store, codec }), codec });
  }
}
