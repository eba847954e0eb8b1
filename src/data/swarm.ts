/**
 * Large blobs between members, in chunks from several at once: docs/protocol/swarm.md.
 *
 * Knows: what is being fetched, and what is served of it meanwhile. Does not know: which blobs there are; it is told where they lie.
 */
import { CairnError, type Digest, FairTurns, Generations, type Log, limits } from "../base/index.ts";
import type { DataPlane, Fetched, SwarmOrder } from "../contracts/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { type ChunkList, PartFile } from "./part-file.ts";
import { SwarmFetch } from "./swarm-fetch.ts";
import { type ServedBlob, SwarmServer } from "./swarm-server.ts";

export interface SwarmParts {
  readonly plane: DataPlane;
  readonly codec: NetworkCodec;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Where a blob lies, plain and verified; undefined when it is not here. */
  readonly fileOf: (digest: Digest, size: number) => Promise<string | undefined>;
}

export class Swarm {
  readonly #parts: SwarmParts;
  readonly #turns = new FairTurns();
  readonly #fetches = new Map<Digest, SwarmFetch>();
  /** Chunk lists of blobs that are here, by digest. */
  readonly #lists = new Generations<Digest, Promise<ChunkList>>(limits.swarm.listsKept);

  constructor(parts: SwarmParts) {
    this.#parts = parts;
    const server = new SwarmServer({ ...parts, turns: this.#turns, find: (digest, size) => this.#find(digest, size) });
    server.begin();
  }

  /** See BlobSwarm.fetch. */
  async fetch({ digest, size, path, from }: SwarmOrder, signal: AbortSignal): Promise<Fetched> {
    if (this.#fetches.has(digest) || this.#fetches.size >= limits.swarm.fetches || size > limits.blobBytes)
      throw new CairnError("limit-exceeded", { what: "blobs that are fetched at once" });
    const part = await PartFile.grow(path, size);
    const fetching = new SwarmFetch({ ...this.#parts, turns: this.#turns }, digest, part);
    this.#fetches.set(digest, fetching);
    try {
      const fetched = await fetching.run(from, signal);
      if (fetched.kind === "whole" && fetching.list !== undefined) this.#lists.set(digest, Promise.resolve(fetching.list));
      return fetched;
    } finally {
      this.#fetches.delete(digest);
      part.close();
    }
  }

  async #find(digest: Digest, size: number): Promise<ServedBlob | undefined> {
    const fetching = this.#fetches.get(digest);
    if (fetching !== undefined) return fetching.part.size === size ? this.#growing(fetching) : undefined;
    const path = size > limits.blobBytes ? undefined : await this.#parts.fileOf(digest, size);
    return path === undefined ? undefined : this.#whole(digest, await PartFile.whole(path, size));
  }

  /** What has come so far can be had. */
  #growing(fetching: SwarmFetch): ServedBlob {
    fetching.part.hold();
    return {
      part: fetching.part,
      list: () => Promise.resolve(fetching.list),
      listDigest: fetching.listDigest,
      peers: () => fetching.peers,
      release: () => fetching.part.close(),
    };
  }

  #whole(digest: Digest, part: PartFile): ServedBlob {
    return {
      part,
      list: () => {
        const list = this.#lists.get(digest) ?? part.list();
        this.#lists.set(digest, list);
        list.catch(() => this.#lists.delete(digest));
        return list;
      },
      listDigest: undefined,
      peers: () => [],
      release: () => part.close(),
    };
  }
}
