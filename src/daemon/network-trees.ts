/**
 * Copies of what is pinned as a file or directory, in a network that runs: what this node wants of members, and what members want of it.
 */
import { type Digest, type Key, type Log, limits } from "../base/index.ts";
import { type Candidate, Keep, type Network, treeOffers } from "../net/index.ts";
import type { Pin, Pins } from "../store/index.ts";
import { type KeepTree, type KeepVerdict, loadTreeCodec, type NetworkCodec } from "../wire/index.ts";
import type { KeptTrees, TreeName } from "./kept-trees.ts";
import { TreeCopies } from "./tree-copies.ts";
import type { TreeNetwork } from "./tree-fetch.ts";
import { TreeKeeper, type TreeKeeperParts } from "./tree-keeper.ts";

/** What of this machine takes part. */
export interface LocalTrees {
  readonly store: TreeKeeperParts["store"];
  readonly pins: Pick<Pins, "hold" | "list">;
  readonly kept: KeptTrees;
  /** Whether nobody builds here. */
  readonly isQuiet: () => boolean;
  /** Of the store. */
  readonly capacityBytes: number;
}

export interface NetworkTreesParts {
  readonly network: Network;
  readonly self: Key;
  readonly id: Digest;
  readonly present: () => readonly Candidate[];
  readonly domainOf: (key: Key) => string;
  readonly trees: TreeNetwork;
  readonly local: LocalTrees;
  readonly codec: NetworkCodec;
  readonly log: Log;
}

const MS = 1_000;
const { leaseMs, ownLookAtOnce, wholeMs } = limits.treeCopies;

export class NetworkTrees implements Disposable {
  readonly copies: TreeCopies;
  readonly #keeper: TreeKeeper;
  readonly #kept: KeptTrees;

  /** @param options.copies how many members are to have each; 0: none, and none are kept for others */
  static async start(parts: NetworkTreesParts, options: { readonly copies: number }): Promise<NetworkTrees> {
    const { network, id, local, codec, log } = parts;
    local.kept.only(options.copies > 0 ? id : undefined);
    const keeps = { ...parts, ...local, codec: await loadTreeCodec(), network: id, now: Date.now };
    const keeper = new TreeKeeper(keeps, { capacityBytes: local.capacityBytes, keeps: options.copies > 0 });
    const keep = await Keep.start({ network, codec, log, dialect: treeOffers(codec), take: keeper.take.bind(keeper) });
    return new NetworkTrees(parts, options, keeper, keep.offer.bind(keep));
  }

  private constructor(
    parts: NetworkTreesParts,
    options: { readonly copies: number },
    keeper: TreeKeeper,
    offer: (to: Key, trees: readonly KeepTree[]) => Promise<readonly KeepVerdict[]>,
  ) {
    const { local, id, network } = parts;
    const wanted = new Wanted(local, id, parts.self);
    const superfluous = (tree: TreeName): void => local.kept.remove(tree, "others have it");
    const now = (): number => performance.now();
    this.#keeper = keeper;
    this.#kept = local.kept;
    this.copies = new TreeCopies({ ...parts, ...local, trees: () => wanted.list(), offer, superfluous, now }, options);
    network.onPeers(() => this.copies.peersChanged());
    this.copies.begin();
  }

  /** This node is no member any more. */
  letGo(): void {
    this.#keeper[Symbol.dispose]();
    this.#kept.only(undefined);
  }

  [Symbol.dispose](): void {
    this.copies[Symbol.dispose]();
    this.#keeper[Symbol.dispose]();
  }
}

interface Look {
  /** That are here, the first of them, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
  /** Something is missing: when it is looked for again, ms, monotonic. */
  readonly notBefore: number;
}

/** What is to be at other members, too. */
class Wanted {
  readonly #local: LocalTrees;
  readonly #network: Digest;
  readonly #self: Key;
  /** How far what is pinned has been looked at. */
  #looks = new Map<string, Look>();
  /** Blobs that may be looked at still, this time. */
  #mayLook = 0;

  constructor(local: LocalTrees, network: Digest, self: Key) {
    this.#local = local;
    this.#network = network;
    this.#self = self;
  }

  list(): KeepTree[] {
    const { pins, kept } = this.#local;
    this.#mayLook = ownLookAtOnce;
    const pinned = pins.list();
    const looks = this.#looks;
    this.#looks = new Map();
    for (const { root, kind } of pinned) {
      const look = looks.get(`${kind} ${root}`);
      if (look !== undefined) this.#looks.set(`${kind} ${root}`, look);
    }
    const own = pinned.flatMap((pin): KeepTree[] => {
      const bytes = pin.kind === "result" ? undefined : this.#bytesOf(pin); // Signed results are copied by the replicator.
      if (bytes === undefined) return [];
      return [{ digest: pin.root, codec: pin.kind === "tree" ? "directory" : "raw", bytes, leaseS: leaseMs / MS, pinner: this.#self }];
    });
    const codecs = new Map(own.map(({ digest, codec }) => [digest, codec]));
    const others = kept.list().flatMap(({ root, codec, network, bytes, claims }): KeepTree[] => {
      if (network !== this.#network || codecs.get(root) === codec) return [];
      // Whoever else wants it says so to others itself.
      const [longest] = claims.filter(({ pinner }) => pinner !== this.#self).toSorted((a, b) => b.untilMs - a.untilMs);
      const leaseS = longest === undefined ? 0 : Math.floor((longest.untilMs - Date.now()) / MS);
      return longest !== undefined && leaseS > 0 ? [{ digest: root, codec, bytes, leaseS, pinner: longest.pinner }] : [];
    });
    return [...own, ...others];
  }

  /** Undefined while something of it is missing: members could not have it from here. A large one is looked at bit by bit. */
  #bytesOf(pin: Pin): number | undefined {
    let { blobs, bytes, notBefore } = this.#looks.get(`${pin.kind} ${pin.root}`) ?? { blobs: 0, bytes: 0, notBefore: 0 };
    if (performance.now() < notBefore) return undefined;
    for (; blobs < pin.blobs.length && this.#mayLook > 0; blobs++, this.#mayLook--) {
      const size = this.#local.store.sizeOf(pin.blobs[blobs] ?? "");
      if (size === undefined) {
        this.#mayLook--;
        notBefore = performance.now() + wholeMs;
        break;
      }
      bytes += size;
    }
    this.#looks.set(`${pin.kind} ${pin.root}`, { blobs, bytes, notBefore });
    return blobs === pin.blobs.length ? bytes : undefined;
  }
}
