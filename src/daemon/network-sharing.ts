/**
 * What sharing needs of a network that runs: other members' shelves, this node's signature, and the reader's rule.
 */
import type { Digest, Key, Log } from "../base/index.ts";
import type { SharedResult, SharingPolicy, Shelf } from "../contracts/index.ts";
import { type Network, Share } from "../net/index.ts";
import { attest, isAttested, judge, type KeyPair, type Members } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import type { SharingNetwork, Unsigned } from "./sharing.ts";

export interface NetworkSharingParts {
  readonly network: Network;
  readonly members: Members;
  readonly codec: NetworkCodec;
  readonly attestationKeys: KeyPair;
  readonly shelf: KeptShelf;
  readonly log: Log;
  /** Called when results are gone that may have been served before. */
  readonly recalled: () => void;
}

/** A shelf that this node fills. */
export interface KeptShelf extends Shelf, Disposable {
  put(shared: readonly SharedResult[]): number;
  ofAction(action: Digest): readonly SharedResult[];
  ofOutput(blob: Digest): readonly SharedResult[];
  /** Forgets what nobody but these signers vouches for. @returns how many results */
  recall(signers: ReadonlySet<Key>, signal: AbortSignal): Promise<number>;
}

export class NetworkSharing implements SharingNetwork, Disposable {
  readonly exchange: Share;
  readonly #parts: NetworkSharingParts;
  readonly #policy: SharingPolicy;
  readonly #stop = new AbortController();
  /** Signers whose results have been recalled. */
  #recalled: ReadonlySet<Key> = new Set();
  #recalling: Promise<void> = Promise.resolve();

  static async start(parts: NetworkSharingParts, policy: SharingPolicy): Promise<NetworkSharing> {
    const exchange = await Share.start({ ...parts, now: () => performance.now() });
    const sharing = new NetworkSharing(parts, exchange, policy);
    parts.members.onChange(() => sharing.#recallSoon());
    sharing.#recallSoon(); // What a crash had left.
    return sharing;
  }

  private constructor(parts: NetworkSharingParts, exchange: Share, policy: SharingPolicy) {
    this.#parts = parts;
    this.exchange = exchange;
    this.#policy = policy;
  }

  get shelf(): KeptShelf {
    return this.#parts.shelf;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.exchange[Symbol.dispose]();
  }

  sign(unsigned: Unsigned): SharedResult | undefined {
    const { attestationKeys, members } = this.#parts;
    return attest(attestationKeys, members.network, unsigned);
  }

  judge(shared: SharedResult): ReturnType<SharingNetwork["judge"]> {
    const { state, self, network } = this.#parts.members;
    if (state === undefined) return { kind: "refused", why: "no-members-known" };
    // First what costs little.
    const verdict = judge({ policy: this.#policy, self, state }, shared.execution.signer);
    if (verdict.kind === "refused") return verdict;
    return isAttested(network, shared) ? verdict : { kind: "refused", why: "signature" };
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
