/**
 * What sharing needs of a network that runs: other members' shelves, this node's signature, and the reader's rule.
 */
import { type Digest, type DirectoryKind, type Key, type Log, limits, type SharingPolicy } from "../base/index.ts";
import type { BlobSwarm, Directory, Exchange, FrameLanes, LocalStore, ResultIndex, SharedResult, Shelf } from "../contracts/index.ts";
import { AskingDirectory, type Candidate, Keep, MeshDirectory, type Network, RendezvousDirectory, Share } from "../net/index.ts";
import { attest, isAttested, judge, type KeyPair, type Members } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { AttestationDesk, type AttestationStore } from "./attestation-desk.ts";
import { Keeper } from "./keeper.ts";
import { type GrowingStore, LargeBlobs } from "./large-blobs.ts";
import { presentMembers } from "./present.ts";
import { type ReplicationFacts, Replicator, type ReplicatorParts } from "./replicator.ts";
import type { Judged, SharingNetwork, Unsigned } from "./sharing.ts";

/** What copies are kept in, and when there is time for them. */
export interface LocalCopies {
  readonly store: GrowingStore &
    Pick<LocalStore, "writeVerified"> & { hasRoom(bytes: number): boolean; sizeOf(digest: Digest): number | undefined };
  readonly index: Pick<ResultIndex, "add">;
  /** Whether nobody builds here. */
  readonly isQuiet: () => boolean;
}

export interface NetworkSharingParts {
  readonly network: Network;
  readonly members: Members;
  readonly codec: NetworkCodec;
  readonly attestationKeys: KeyPair;
  readonly shelf: KeptShelf;
  /** What this node knows of all members' attestations. */
  readonly known: AttestationStore;
  readonly local: LocalCopies;
  readonly swarm: BlobSwarm;
  readonly lanes: FrameLanes;
  readonly log: Log;
  /** No member is known to have results of a request. */
  readonly missed: (manifest: Digest) => void;
  /** Called when results are gone that may have been served before. */
  readonly recalled: () => void;
}

/** A shelf that this node fills. */
export interface KeptShelf extends Shelf, Disposable {
  /** Requests with signed results after this one, in order. */
  manifestsAfter(manifest: Digest, most: number): readonly Digest[];
  put(shared: readonly SharedResult[]): number;
  ofAction(action: Digest): readonly SharedResult[];
  ofOutput(blob: Digest): readonly SharedResult[];
  /** Forgets what nobody but these signers vouches for. @returns how many results */
  recall(signers: ReadonlySet<Key>, signal: AbortSignal): Promise<number>;
}

export interface NetworkSharingOptions {
  readonly policy: SharingPolicy;
  /** Members that are to have what this node makes; 0: nothing is copied. */
  readonly copies: number;
  /** `auto`: by the size of the network. */
  readonly directory: DirectoryKind | "auto";
}

export class NetworkSharing implements SharingNetwork, Disposable {
  readonly share: Share;
  /** The same, but for large blobs. */
  readonly exchange: Exchange;
  readonly directory: Directory;
  readonly #replicator: Replicator;
  readonly #keeper: Keeper;
  readonly #desk: AttestationDesk;
  readonly #parts: NetworkSharingParts;
  readonly #policy: SharingPolicy;
  readonly #stop = new AbortController();
  /** Signers whose results have been recalled. */
  #recalled: ReadonlySet<Key> = new Set();
  #recalling: Promise<void> = Promise.resolve();

  static async start(parts: NetworkSharingParts, options: NetworkSharingOptions): Promise<NetworkSharing> {
    const desk = new AttestationDesk(parts);
    const share = await Share.start({ ...parts, attestations: desk, now: () => performance.now() });
    const sharing: NetworkSharing = new NetworkSharing(parts, { share, desk }, options, (to, items) => keep.offer(to, items));
    const keep = await Keep.start({ ...parts, take: (from, items) => sharing.#keeper.take(from, items) });
    parts.network.onPeers(({ kind, key }) => sharing.#replicator[kind](key));
    parts.members.onChange(() => sharing.#recallSoon());
    sharing.#replicator.begin();
    sharing.#recallSoon(); // What a crash had left.
    return sharing;
  }

  private constructor(
    parts: NetworkSharingParts,
    { share, desk }: { readonly share: Share; readonly desk: AttestationDesk },
    options: NetworkSharingOptions,
    offer: ReplicatorParts["offer"],
  ) {
    const { members, shelf, log, local } = parts;
    const { policy, copies } = options;
    this.#parts = parts;
    this.share = share;
    const exchange = new LargeBlobs({ exchange: share, swarm: parts.swarm, store: local.store, log });
    this.exchange = exchange;
    this.directory = this.#directoryOf(options);
    this.#desk = desk;
    this.#policy = policy;
    const isBelieved = (shared: SharedResult): boolean => this.judge(shared).kind === "believed";
    this.#keeper = new Keeper({ ...local, exchange, shelf, isBelieved, hasRoom: (bytes) => copies > 0 && local.store.hasRoom(bytes), log });
    this.#replicator = new Replicator(
      {
        self: members.self,
        present: () => presentMembers(members, parts.network),
        whoHas: (manifest) => exchange.whoHas(manifest),
        shelf,
        offer,
        isQuiet: local.isQuiet,
        log,
        now: () => performance.now(),
      },
      { copies },
    );
  }

  #directoryOf({ directory, copies }: NetworkSharingOptions): Directory {
    const { members, network, known } = this.#parts;
    const whoHas = (manifest: Digest): readonly Key[] => this.exchange.whoHas(manifest);
    const mesh = new MeshDirectory({ whoHas });
    const present = (): Candidate[] => presentMembers(members, network);
    const isAttested = (manifest: Digest): boolean => known.knows(manifest);
    const rendezvous = new RendezvousDirectory({ self: members.self, whoHas, isAttested, present }, { copies });
    // Members may come and go: who chooses is asked each time.
    const isLarge = (): boolean => members.others().length > limits.peers;
    const chosen = (): Directory => (directory === "rendezvous" || (directory === "auto" && isLarge()) ? rendezvous : mesh);
    const inner: Directory = { find: (manifest, signal) => chosen().find(manifest, signal) };
    return new AskingDirectory({ inner, missed: this.#parts.missed });
  }

  /** What was done about copies since the start. */
  get copies(): ReplicationFacts {
    return this.#replicator.facts;
  }

  /** How many attestations this node knows. */
  get attestations(): number {
    return this.#desk.ids.size;
  }

  get shelf(): KeptShelf {
    return this.#parts.shelf;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#replicator[Symbol.dispose]();
    this.#keeper[Symbol.dispose]();
    this.share[Symbol.dispose]();
    this.#desk[Symbol.dispose]();
  }

  sign(unsigned: Unsigned): SharedResult | undefined {
    const { attestationKeys, members } = this.#parts;
    return attest(attestationKeys, members.network, unsigned);
  }

  keep(made: readonly SharedResult[]): void {
    this.shelf.put(made);
    this.#desk.attested(made);
    for (const { manifest } of made) this.#replicator.made(manifest);
  }

  admit(signer: Key): Judged {
    const { state, self } = this.#parts.members;
    return state === undefined ? { kind: "refused", why: "no-members-known" } : judge({ policy: this.#policy, self, state }, signer);
  }

  judge(shared: SharedResult): Judged {
    const verdict = this.admit(shared.execution.signer); // First what costs little.
    if (verdict.kind === "refused" || isAttested(this.#parts.members.network, shared)) return verdict;
    return { kind: "refused", why: "signature" };
  }

  /** What members signed who were revoked is not used any more. */
  #recallSoon(): void {
    const members = [...(this.#parts.members.state?.members.values() ?? [])];
    const revoked = new Set(members.filter(({ standing }) => standing === "revoked").map(({ attestationKey }) => attestationKey));
    if ([...revoked].every((signer) => this.#recalled.has(signer))) return;
    this.#recalled = revoked;
    this.#recalling = this.#recalling.then(() => this.#recall(revoked)).catch(() => undefined); // This node stops.
  }

  async #recall(signers: ReadonlySet<Key>): Promise<void> {
    const forgotten = await this.shelf.recall(signers, this.#stop.signal);
    this.#parts.log.event("info", "sharing.recalled", { signers: signers.size, forgotten });
    if (forgotten > 0) this.#parts.recalled();
  }
}
