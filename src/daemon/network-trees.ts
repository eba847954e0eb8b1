/**
 * Copies of what is pinned, in a network that runs: what this node wants of members, and what members want of it.
 */
import { type Digest, Generations, type Key, type Log, limits } from "../base/index.ts";
import { Keep, type Network, pinOffers } from "../net/index.ts";
import type { Pin, Pins } from "../store/index.ts";
import { type KeepTree, type KeepVerdict, loadTreeCodec, type NetworkCodec } from "../wire/index.ts";
import { type Claim, CODECS, type KeptTrees, type TreeName } from "./kept-trees.ts";
import type { PinnedResults, ResultNamed } from "./pinned-results.ts";
import type { RecordMembers } from "./record-members.ts";
import { TreeCopies } from "./tree-copies.ts";
import type { TreeNetwork } from "./tree-fetch.ts";
import { TreeKeeper, type TreeKeeperParts } from "./tree-keeper.ts";

/** What of this machine takes part. */
export interface LocalTrees {
  readonly store: TreeKeeperParts["store"];
  readonly pins: Pick<Pins, "hold" | "list" | "settle">;
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
  readonly record: RecordMembers;
  readonly domainOf: (key: Key) => string;
  /** Whether a member is in good standing. */
  readonly isActive: (key: Key) => boolean;
  readonly trees: TreeNetwork;
  readonly results: PinnedResults;
  readonly local: LocalTrees;
  readonly codec: NetworkCodec;
  readonly log: Log;
}

const MS = 1_000;
const { askS, leaseMs, ownLookAtOnce, unsignedMs, wholeMs, trees: mostTrees } = limits.treeCopies;

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
    const talk = { network, codec, log, take: keeper.take.bind(keeper) };
    const trees = await Keep.start({ ...talk, dialect: pinOffers(codec, "trees") });
    const results = await Keep.start({ ...talk, dialect: pinOffers(codec, "results") });
    const offer = async (to: Key, offers: readonly KeepTree[]): Promise<readonly KeepVerdict[]> => {
      if (!parts.record.call(to)) return offers.map(() => "busy");
      return (offers[0]?.codec === "result" ? results : trees).offer(to, offers);
    };
    return new NetworkTrees(parts, options, keeper, offer);
  }

  private constructor(
    parts: NetworkTreesParts,
    options: { readonly copies: number },
    keeper: TreeKeeper,
    offer: (to: Key, trees: readonly KeepTree[]) => Promise<readonly KeepVerdict[]>,
  ) {
    const { local, network, record } = parts;
    const wanted = new Wanted(parts);
    const superfluous = (tree: TreeName, pinner: Key, why: string): void => local.kept.unclaim(tree, pinner, why);
    const now = (): number => performance.now();
    this.#keeper = keeper;
    this.#kept = local.kept;
    this.copies = new TreeCopies(
      {
        ...parts,
        ...local,
        present: () => record.present(),
        isLinked: (key: Key) => network.connected(key),
        trees: () => wanted.list(),
        offer,
        superfluous,
        now,
      },
      options,
    );
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

export type WantedParts = Pick<NetworkTreesParts, "local" | "id" | "self" | "results" | "isActive"> & {
  readonly record: Pick<RecordMembers, "present">;
};

/** What is to be at other members, too. */
export class Wanted {
  readonly #local: LocalTrees;
  readonly #network: Digest;
  readonly #self: Key;
  readonly #results: PinnedResults;
  readonly #isActive: (key: Key) => boolean;
  readonly #isPresent: (key: Key) => boolean;
  /** Whose results are pinned or kept; and when nobody had signed one, ms, monotonic. */
  readonly #requests = new Generations<Digest, { readonly named: ResultNamed | undefined; readonly atMs: number }>(
    2 * (limits.pins + mostTrees),
  );
  /** How far what is pinned has been looked at. */
  #looks = new Map<string, Look>();
  /** Blobs that may be looked at still, this time. */
  #mayLook = 0;

  constructor({ local, id, self, results, isActive, record }: WantedParts) {
    this.#local = local;
    this.#network = id;
    this.#self = self;
    this.#results = results;
    this.#isActive = isActive;
    this.#isPresent = (key) => record.present().some((one) => one.key === key);
  }

  list(): KeepTree[] {
    const { pins, kept } = this.#local;
    this.#mayLook = ownLookAtOnce;
    const pinned = pins.list().map((pin) => this.#settled(pin));
    const looks = this.#looks;
    this.#looks = new Map();
    for (const { root, kind } of pinned) {
      const look = looks.get(`${kind} ${root}`);
      if (look !== undefined) this.#looks.set(`${kind} ${root}`, look);
    }
    const own = pinned.flatMap((pin): KeepTree[] => {
      const bytes = this.#bytesOf(pin);
      const named = bytes === undefined ? undefined : this.#named(pin.root, CODECS[pin.kind]);
      return bytes === undefined || named === undefined ? [] : [{ ...named, bytes, leaseS: leaseMs / MS, pinner: this.#self }];
    });
    const codecs = new Map(own.map(({ digest, codec }) => [digest, codec]));
    const others = kept.list().flatMap(({ root, codec, network, bytes, claims }): KeepTree[] => {
      if (network !== this.#network || codecs.get(root) === codec) return [];
      // Whoever else wants it says so to others itself.
      const [longest] = claims.filter(({ pinner }) => pinner !== this.#self).toSorted((a, b) => b.untilMs - a.untilMs);
      const leaseS = longest === undefined ? 0 : Math.floor((longest.untilMs - Date.now()) / MS);
      const named = this.#named(root, codec);
      if (longest === undefined || named === undefined) return [];
      return [{ ...named, bytes, leaseS: Math.max(askS, leaseS), pinner: longest.pinner }];
    });
    return [...own, ...others, ...this.#over(codecs)];
  }

  /** What is kept for longer than its time, as long as who has pinned it, and who has told of that, are members: each of those is asked. */
  #over(own: ReadonlyMap<Digest, TreeName["codec"]>): KeepTree[] {
    const { kept } = this.#local;
    const isGone = ({ from, pinner }: Claim): boolean => pinner === this.#self || !this.#isActive(pinner) || !this.#isActive(from);
    return kept.over().flatMap((tree): KeepTree[] => {
      const { root, codec, network, bytes, claims } = tree;
      if (network !== this.#network || own.get(root) === codec) return [];
      if (claims.some(isGone)) kept.drop(tree, isGone, "no member any more");
      const pinners = claims.filter((claim) => !isGone(claim)).map(({ pinner }) => pinner);
      const pinner = pinners.find(this.#isPresent) ?? pinners[0];
      const named = pinner === undefined ? undefined : this.#named(root, codec);
      return pinner === undefined || named === undefined ? [] : [{ ...named, bytes, leaseS: askS, pinner }];
    });
  }

  /** Undefined for a result that nobody has signed: members would not believe it. */
  #named(root: Digest, codec: TreeName["codec"]): Pick<KeepTree, "digest" | "codec" | "manifest"> | undefined {
    if (codec !== "result") return { digest: root, codec };
    const named = this.#signedAs(root, []);
    return named === undefined ? undefined : { digest: root, codec, manifest: named.manifest };
  }

  /** A pin by what has been signed by now. It is written down: once the result is lost, nobody knows it any more. */
  #settled(pin: Pin): Pin {
    const named = pin.kind === "result" ? this.#signedAs(pin.root, pin.blobs) : undefined;
    if (named === undefined || (named.action === pin.root && named.manifest === pin.manifest)) return pin;
    const settled = { ...pin, root: named.action, manifest: named.manifest };
    this.#local.pins.settle(pin.root, settled);
    return settled;
  }

  /** @param blobs of a pin, whose result may be signed as another action */
  #signedAs(root: Digest, blobs: readonly Digest[]): ResultNamed | undefined {
    const known = this.#requests.get(root);
    const now = performance.now();
    if (known !== undefined && (known.named !== undefined || now - known.atMs < unsignedMs)) return known.named;
    const action = this.#results.pinned(root) === undefined ? this.#results.settledAs(blobs) : root;
    const manifest = action === undefined ? undefined : this.#results.pinned(action)?.manifest;
    const named = action === undefined || manifest === undefined ? undefined : { action, manifest };
    this.#requests.set(root, { named, atMs: now });
    return named;
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
