/**
 * Who has results of a request, in a network too large for everybody to hear everybody's summary: told to the members responsible for a part
 * of all manifests, and asked of them after a miss, so that the next requests are none.
 *
 * All of it happens beside builds. A build that misses here compiles; meanwhile a member is found that has what it missed, this node links
 * with it, and from then on that member's summary answers, without a question.
 * Knows: parts of all manifests, what waits to be told or asked. Does not know: links, results.
 */
import { type Digest, type Key, type Log, limits } from "../base/index.ts";
import { idOfRegion, REGIONS } from "./overlay-ids.ts";
import type { Found, OverlayNode } from "./overlay-node.ts";
import type { Contact } from "./overlay-table.ts";
import { type Prefix, prefixOf } from "./share-prefixes.ts";

export interface OverlayDirectoryParts<Address> {
  readonly node: OverlayNode<Address>;
  readonly network: Digest;
  /** All requests that this node has results of. */
  readonly manifests: () => readonly Digest[];
  /** A member has something that was missed here. */
  readonly call: (provider: Key) => void;
  readonly isLinked: (key: Key) => boolean;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

interface Region<Address> {
  /** To be told. */
  readonly provided: Set<Prefix>;
  /** To be asked about. */
  readonly wanted: Set<Prefix>;
  responsible: readonly Contact<Address>[];
  /** When they were looked up; 0 when they were not. */
  at: number;
}

const { provideAgainMs, providedAtOnce, provideLingerMs, regionMs, wantAgainMs, wantedAtOnce, wantedWaiting } = limits.overlay;
/** Of the 64 bits of a prefix, those that do not tell its region. */
const REST_BITS = 64n - BigInt(Math.log2(REGIONS));

export class OverlayDirectory<Address> {
  readonly #parts: OverlayDirectoryParts<Address>;
  readonly #regions: readonly Region<Address>[] = Array.from({ length: REGIONS }, () => ({
    provided: new Set<Prefix>(),
    wanted: new Set<Prefix>(),
    responsible: [],
    at: 0,
  }));
  /** Misses that were asked about since then. */
  readonly #asked = new Set<Prefix>();
  #askedSince = 0;
  #toldAllAt = Number.NEGATIVE_INFINITY;
  #pendingSince: number | undefined;
  #isBusy = false;
  #asksNext = false;

  constructor(parts: OverlayDirectoryParts<Address>) {
    this.#parts = parts;
  }

  /** This node has results of these now. */
  provide(manifests: readonly Digest[]): void {
    if (manifests.length === 0) return;
    this.#pendingSince ??= this.#parts.now();
    for (const manifest of manifests) {
      const prefix = prefixOf(manifest);
      this.#regionOf(prefix).provided.add(prefix);
    }
  }

  /** Nobody that this node is linked with has results of this. */
  want(manifest: Digest): void {
    const prefix = prefixOf(manifest);
    if (this.#asked.has(prefix) || this.#asked.size >= wantedWaiting) return;
    this.#asked.add(prefix);
    this.#regionOf(prefix).wanted.add(prefix);
  }

  /** To be called now and then: tells, or asks, what waits for one region. */
  look(): void {
    const { now, manifests } = this.#parts;
    if (now() - this.#askedSince > wantAgainMs) {
      this.#askedSince = now();
      this.#asked.clear();
    }
    if (now() - this.#toldAllAt > provideAgainMs) {
      this.#toldAllAt = now();
      this.provide(manifests());
    }
    if (this.#isBusy) return;
    const wanted = this.#fullest(({ wanted: waiting }) => waiting.size);
    const provided = this.#due() ? this.#fullest((region) => region.provided.size) : undefined;
    // In turn, where there are both: a long build asks for long.
    this.#asksNext = provided === undefined || (wanted !== undefined && !this.#asksNext);
    if (wanted !== undefined && this.#asksNext) return this.#ask(wanted);
    if (provided !== undefined) return this.#tell(provided);
    return undefined;
  }

  /** Whether what was made has waited for long enough to be told. */
  #due(): boolean {
    if (this.#regions.every(({ provided }) => provided.size === 0)) this.#pendingSince = undefined;
    return this.#pendingSince !== undefined && this.#parts.now() - this.#pendingSince >= provideLingerMs;
  }

  #fullest(size: (region: Region<Address>) => number): number | undefined {
    const sizes = this.#regions.map((region, at) => ({ at, size: size(region) }));
    const [most] = sizes.toSorted((a, b) => b.size - a.size);
    return most === undefined || most.size === 0 ? undefined : most.at;
  }

  #ask(at: number): void {
    const wanted = this.#take(this.#regions[at]?.wanted, wantedAtOnce);
    this.#reach(at, wanted, [], ({ providers, questions }) => {
      const counts = new Map<Key, Set<Prefix>>();
      for (const { key, manifests } of providers) {
        const has = counts.get(key) ?? new Set();
        counts.set(key, has);
        for (const prefix of manifests) if (wanted.includes(prefix)) has.add(prefix);
      }
      const fresh = [...counts].filter(([key, has]) => has.size > 0 && !this.#parts.isLinked(key));
      const [best] = fresh.toSorted(([, a], [, b]) => b.size - a.size);
      this.#parts.log.event("info", "overlay.asked", {
        wanted: wanted.length,
        questions,
        providers: fresh.length,
        peer: best?.[0] ?? null,
      });
      if (best !== undefined) this.#parts.call(best[0]);
    });
  }

  #tell(at: number): void {
    const provided = this.#take(this.#regions[at]?.provided, providedAtOnce);
    this.#reach(at, [], provided, ({ responsible }) => {
      this.#parts.log.event("debug", "overlay.told", { provided: provided.length, members: responsible.length });
    });
  }

  /** Asks or tells those responsible; they are looked up first, if they were not lately. */
  #reach(at: number, wanted: readonly Prefix[], provided: readonly Prefix[], done: (found: Found<Address>) => void): void {
    const { node, network, now } = this.#parts;
    const region = this.#regions[at];
    if (region === undefined) return;
    this.#isBusy = true;
    const target = idOfRegion(network, at);
    const finish = (found: Found<Address>): void => {
      this.#isBusy = false;
      if (found.responsible.length === 0) region.at = 0;
      done(found);
    };
    const tell = (): void => node.askAll(region.responsible, { target: undefined, wanted, provided }, finish);
    if (region.at > 0 && now() - region.at < regionMs) return tell();
    return node.find(target, wanted, (found) => {
      region.responsible = found.responsible;
      region.at = now();
      if (provided.length > 0) tell();
      else finish(found);
    });
  }

  #take(waiting: Set<Prefix> | undefined, most: number): Prefix[] {
    const taken = [...(waiting ?? [])].slice(0, most);
    for (const prefix of taken) waiting?.delete(prefix);
    return taken;
  }

  #regionOf(prefix: Prefix): Region<Address> {
    const region = this.#regions[Number(prefix >> REST_BITS)];
    if (region === undefined) throw new RangeError("a prefix has 64 bits");
    return region;
  }
}
