/**
 * The action cache of the Remote Execution API: results under the digest of their action, given only while all that they name is here.
 *
 * Knows: what a result names. Does not know: connections, or who made a result.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, type Key, limits } from "../base/index.ts";
import type { DoorEntries, DoorEntry } from "../contracts/index.ts";
import type { BlobName, RemoteCodec, RemoteResult } from "../wire/index.ts";
import type { RemoteBlobs, RemoteStore } from "./remote-blobs.ts";
import { RemoteFailure } from "./remote-failure.ts";

export interface RemoteResultsParts {
  readonly entries: DoorEntries;
  readonly store: Pick<RemoteStore, "writeVerified">;
  readonly blobs: Pick<RemoteBlobs, "name" | "bytes" | "isHere">;
  readonly codec: RemoteCodec;
  readonly now: () => number;
}

/** What a client would like to have along with a result. */
export interface Inline {
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface FoundResult {
  readonly result: RemoteResult;
  /** See {@link DoorEntry.from}. */
  readonly from: string | undefined;
}

/** A blob that a result names; `path`: of an output that is a file. */
export interface NamedBlob extends BlobName {
  readonly path?: string;
}

export type MadeBy = Pick<DoorEntry, "ran"> & { readonly by?: Key | undefined };

/** Results of Bazel are the same by whichever door they come. */
const DOOR = "bazel-ac";
const { resultBytes, treeBytes, inlineBytes, stepsAtOnce } = limits.remoteExecution;

export class RemoteResults {
  readonly #parts: RemoteResultsParts;

  constructor(parts: RemoteResultsParts) {
    this.#parts = parts;
  }

  /** @returns undefined where there is none, or something that it names is not here */
  async find(instance: string, action: BlobName, inline: Inline, signal: AbortSignal): Promise<FoundResult | undefined> {
    const { entries, blobs } = this.#parts;
    const entry = await entries.find(DOOR, keyOf(instance, action), signal);
    if (entry === undefined) return undefined;
    if (entry.size > resultBytes) return undefined;
    const bytes = await blobs.bytes({ digest: entry.blob, size: entry.size }, resultBytes, signal);
    if (bytes === undefined) return undefined;
    const result = await this.#whole(bytes, signal);
    if (result === undefined) return undefined;
    if (inline.stdout) result.stdoutRaw = (await this.#printed(result.stdoutDigest, signal)) ?? result.stdoutRaw;
    if (inline.stderr) result.stderrRaw = (await this.#printed(result.stderrDigest, signal)) ?? result.stderrRaw;
    return { result, from: entry.from };
  }

  /**
   * Keeps a result in the place of whatever was there.
   *
   * @param made `by`: the member that did the action; `ran`: how this machine has; neither where a client brings it
   * @throws {RemoteFailure} invalidArgument, resourceExhausted; {CairnError} as {@link DoorEntries.keep}
   */
  async keep(instance: string, action: BlobName, result: RemoteResult, made: MadeBy = {}): Promise<void> {
    const { entries, store, codec, now } = this.#parts;
    this.#names(result);
    const bytes = codec.writeResult(result);
    if (bytes.length > resultBytes) throw new RemoteFailure("resourceExhausted", `a result may have ${resultBytes} bytes`);
    const blob = codec.nameOf(bytes);
    await store.writeVerified(blob.digest, bytes);
    const { by, ran } = made;
    const entry = { blob: blob.digest, size: blob.size, meta: by === undefined ? {} : { by }, at: now() };
    entries.keep(DOOR, keyOf(instance, action), ran === undefined ? entry : { ...entry, ran }, true);
  }

  /** Whether bytes are no result, or one of which all is here. */
  async isWholeOrOther(bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    try {
      return await this.isWhole(this.#parts.codec.readResult(bytes), signal);
    } catch (error) {
      if (isOther(error)) return true;
      throw error;
    }
  }

  /** Blobs that a result names, as far as they can be told to others; none of what is no result, and undefined where one is not here. */
  async blobsIn(bytes: Uint8Array, signal: AbortSignal): Promise<readonly NamedBlob[] | undefined> {
    const names: NamedBlob[] = [];
    let looked = 0;
    try {
      for await (const name of this.#named(this.#parts.codec.readResult(bytes), signal)) {
        if (name === undefined || !this.#parts.blobs.isHere(name)) return undefined;
        if (names.length <= limits.doors.namedBlobs) names.push(name);
        if (++looked % stepsAtOnce === 0) await otherWork(undefined, { signal });
      }
    } catch (error) {
      if (!isOther(error)) throw error;
      return [];
    }
    return names;
  }

  /** Other tools may keep under such a key, by HTTP, what is no result at all. */
  async #whole(bytes: Uint8Array, signal: AbortSignal): Promise<RemoteResult | undefined> {
    try {
      const result = this.#parts.codec.readResult(bytes);
      return (await this.isWhole(result, signal)) ? result : undefined;
    } catch (error) {
      if (isOther(error)) return undefined;
      throw error;
    }
  }

  /** Whether all that a result names is here; it stays for a while then. @throws {CairnError} frame-invalid; {RemoteFailure} */
  async isWhole(result: RemoteResult, signal: AbortSignal): Promise<boolean> {
    let looked = 0;
    for await (const name of this.#named(result, signal)) {
      if (name === undefined || !this.#parts.blobs.isHere(name)) return false;
      if (++looked % stepsAtOnce === 0) await otherWork(undefined, { signal });
    }
    return true;
  }

  /** All that a result names, down to the files of its trees, and each tree after those; undefined where a tree is not here. */
  async *#named(result: RemoteResult, signal: AbortSignal): AsyncGenerator<NamedBlob | undefined> {
    const { blobs, codec } = this.#parts;
    const { files, trees } = this.#names(result);
    yield* files;
    for (const tree of trees) {
      const bytes = await blobs.bytes(tree, treeBytes, signal);
      if (bytes === undefined) {
        yield undefined;
        return;
      }
      const { root, children } = codec.readTree(bytes);
      for (const directory of [root, ...children]) for (const { digest } of directory?.files ?? []) yield blobs.name(digest);
      yield tree;
    }
  }

  /** @throws {RemoteFailure} invalidArgument where something names no blob */
  #names(result: RemoteResult): { readonly files: readonly NamedBlob[]; readonly trees: readonly BlobName[] } {
    const { blobs } = this.#parts;
    const printed = [result.stdoutDigest, result.stderrDigest].filter((digest) => digest !== undefined);
    return {
      files: [
        ...result.outputFiles.map(({ path, digest }) => ({ ...blobs.name(digest), path })),
        ...printed.map((digest) => blobs.name(digest)),
      ],
      trees: result.outputDirectories.map(({ treeDigest }) => blobs.name(treeDigest)),
    };
  }

  async #printed(digest: RemoteResult["stdoutDigest"], signal: AbortSignal): Promise<Uint8Array | undefined> {
    if (digest === undefined) return undefined;
    const name = this.#parts.blobs.name(digest);
    return name.size > inlineBytes ? undefined : this.#parts.blobs.bytes(name, inlineBytes, signal);
  }
}

/** Whether it says that what was read is no result. */
function isOther(error: unknown): boolean {
  return error instanceof RemoteFailure || (error instanceof CairnError && error.code === "frame-invalid");
}

function keyOf(instance: string, { digest }: BlobName): string {
  return instance === "" ? digest : `${instance}/${digest}`;
}
