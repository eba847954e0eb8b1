/**
 * Sharing: signs what this node executes and puts it on the shelf; asks other members, judges what they say, and brings results here.
 *
 * Knows: which part does what, and in which order. Does not know: files, compilers, whom to believe, or how members talk.
 */
import { setImmediate } from "node:timers/promises";
import { type Digest, type Log, limits } from "../base/index.ts";
import type {
  Exchange,
  Execution,
  LocalStore,
  ManifestEntry,
  Offer,
  ResultIndex,
  SharedResult,
  Sharing,
  StoredResult,
} from "../contracts/index.ts";
import type { SharingPolicy } from "./config.ts";

/** What a network does for it while this node is in one. Loaded with the network's libraries; see network-runtime.ts. */
export interface SharingNetwork {
  readonly exchange: Exchange;
  readonly shelf: { put(shared: readonly SharedResult[]): number };
  /** Undefined where the result is too large to travel. */
  sign(unsigned: Unsigned): SharedResult | undefined;
  /** Whether the reader's rule admits it. */
  judge(shared: SharedResult): { readonly kind: "believed" } | { readonly kind: "refused"; readonly why: string };
}

/** What this node has executed. */
export type Unsigned = Omit<SharedResult, "execution" | "signature"> & { readonly execution: Omit<Execution, "signer"> };

export interface SharingParts {
  readonly store: LocalStore;
  readonly index: ResultIndex;
  readonly log: Log;
  /** Undefined while this node is in no network. */
  readonly network: () => SharingNetwork | undefined;
}

/** Members that are asked for one request: a miss must not wait for many. */
const ASKED_MOST = 3;

export class SharingService implements Sharing, AsyncDisposable {
  readonly #parts: SharingParts;
  readonly #asks: boolean;
  readonly #unsigned: Unsigned[] = [];
  #signing: Promise<void> | undefined;

  constructor(parts: SharingParts, options: { readonly policy: SharingPolicy }) {
    this.#parts = parts;
    this.#asks = options.policy !== "self";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#signing;
  }

  executed(manifest: Digest, entry: ManifestEntry, result: StoredResult, execution: Omit<Execution, "signer">): void {
    if (this.#parts.network() === undefined || this.#unsigned.length >= limits.unsignedResults) return;
    this.#unsigned.push({ manifest, entry, result, execution });
    this.#signing ??= this.#sign()
      .catch((error: unknown) => this.#parts.log.event("warn", "sharing.not-signed", { error: String(error) }))
      .finally(() => {
        this.#signing = undefined;
      });
  }

  async find(manifest: Digest, signal: AbortSignal): Promise<Offer[]> {
    const network = this.#parts.network();
    if (network === undefined || !this.#asks) return [];
    const holders = network.exchange.whoHas(manifest);
    for (const holder of holders.slice(0, ASKED_MOST)) {
      const offered = await network.exchange.results(holder, manifest, signal);
      const believed = offered.filter((shared) => shared.manifest === manifest && this.#isBelieved(network, shared));
      const from = [holder, ...holders.filter((other) => other !== holder)];
      if (believed.length > 0) return believed.map((shared) => ({ shared, from }));
    }
    return [];
  }

  async bring({ shared, from }: Offer, signal: AbortSignal): Promise<{ complete: boolean; bytes: number }> {
    const { store, index, log } = this.#parts;
    const network = this.#parts.network();
    if (network === undefined) return { complete: false, bytes: 0 };
    const wanted: { digest: Digest; size: number }[] = [];
    for (const { digest, size } of shared.result.outputs) if (!(await store.has(digest))) wanted.push({ digest, size });
    let bytes = 0;
    const take = async (digest: Digest, content: Uint8Array): Promise<void> => {
      bytes += content.length;
      const written = await store.write(content, signal);
      if (written !== digest) throw new Error(`a blob that is not ${digest} was handed over`);
    };
    const missing = wanted.length === 0 ? [] : await network.exchange.blobs(from, wanted, take, signal);
    const { manifest, entry, result } = shared;
    if (missing.length === 0) {
      index.add(manifest, entry, result, new Map());
      network.shelf.put([shared]);
    }
    log.event("debug", "sharing.brought", { action: entry.action, from: from[0] ?? "", bytes, missing: missing.length });
    return { complete: missing.length === 0, bytes };
  }

  #isBelieved(network: SharingNetwork, shared: SharedResult): boolean {
    const verdict = network.judge(shared);
    if (verdict.kind === "believed") return true;
    const { action } = shared.entry;
    this.#parts.log.event("info", "sharing.refused", { signer: shared.execution.signer, action, why: verdict.why });
    return false;
  }

  /** One at a time, and whoever asks something comes first. */
  async #sign(): Promise<void> {
    for (let next = this.#unsigned.shift(); next !== undefined; next = this.#unsigned.shift()) {
      await setImmediate();
      const network = this.#parts.network();
      const shared = network?.sign(next);
      if (shared !== undefined) network?.shelf.put([shared]);
    }
  }
}
