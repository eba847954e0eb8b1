/**
 * Nodes that keep their copies of the set of attestations equal, in one process: the network's own code, with simulated links and clocks.
 *
 * Each node is a machine of its own: what it computes is measured and takes it that long, while the others go on. A link takes a while, and
 * so many bytes at a time.
 */
import type { AttestationId, Key } from "../../src/base/index.ts";
import type { Admission, AttestationSet, IdRanges } from "../../src/contracts/index.ts";
import type { Checked } from "../../src/daemon/attestation-desk.ts";
import { SetSync } from "../../src/net/set-sync.ts";
import type { SetTalk } from "../../src/net/set-talk.ts";
import { BoundedIds } from "../../src/store/index.ts";
import type { NetworkCodec } from "../../src/wire/index.ts";

export interface SetWorldParts {
  readonly codec: NetworkCodec;
  /** What becomes of an attestation that came from elsewhere. */
  readonly check: (bytes: Uint8Array) => Checked;
  readonly random: () => number;
}

export interface SetWorldOptions {
  readonly latencyMs: number;
  readonly bytesPerMs: number;
}

const BOUNDS = { most: 200_000, perSigner: 100_000 };
const LOOK_MS = 1_000;

interface Happening {
  readonly at: number;
  readonly node: SetNode;
  readonly what: () => void;
}

export class SetWorld {
  readonly nodes: SetNode[] = [];
  /** Bytes of all frames. */
  bytes = 0;
  frames = 0;
  readonly parts: SetWorldParts;
  readonly #options: SetWorldOptions;
  readonly #happenings: Happening[] = [];

  constructor(parts: SetWorldParts, options: SetWorldOptions) {
    this.parts = parts;
    this.#options = options;
  }

  add(key: Key): SetNode {
    const node = new SetNode(this, key);
    this.nodes.push(node);
    return node;
  }

  /** What a node is to do; at the same time, in the order in which it was said. */
  later(node: SetNode, at: number, what: () => void): void {
    const list = this.#happenings;
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((list[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    list.splice(low, 0, { at, node, what });
  }

  send(from: SetNode, to: SetNode, frame: Uint8Array): void {
    this.bytes += frame.length;
    this.frames++;
    const { latencyMs, bytesPerMs } = this.#options;
    const begun = Math.max(from.now(), from.freeAt.get(to.key) ?? 0);
    const sent = begun + frame.length / bytesPerMs;
    from.freeAt.set(to.key, sent);
    this.later(to, sent + latencyMs, () => to.receive(from.key, frame));
  }

  /** Lets things happen until `isOver`, or nothing more happens before `mostMs`. */
  run(mostMs: number, isOver: () => boolean): void {
    for (let next = this.#happenings.pop(); next !== undefined && next.at <= mostMs; next = this.#happenings.pop()) {
      next.node.live(next.at, next.what);
      if (isOver()) return;
    }
  }
}

export class SetNode implements AttestationSet {
  readonly key: Key;
  /** Until when each link is busy with what was sent. */
  readonly freeAt: Map<Key, number> = new Map<Key, number>();
  cpuMs = 0;
  readonly #world: SetWorld;
  readonly #bounded = new BoundedIds(BOUNDS);
  readonly #bodies = new Map<AttestationId, Uint8Array>();
  readonly #listeners: ((ids: readonly AttestationId[]) => void)[] = [];
  readonly #talks = new Map<Key, SetTalk>();
  readonly #pumping = new Set<Key>();
  readonly #sync: SetSync;
  #busyUntil = 0;
  #living: { readonly since: number; readonly began: number } | undefined;

  constructor(world: SetWorld, key: Key) {
    this.#world = world;
    this.key = key;
    this.#sync = new SetSync({ self: key, set: this, now: () => this.now(), random: world.parts.random });
    this.#look();
  }

  get ids(): IdRanges {
    return this.#bounded.ids;
  }

  bodies(ids: readonly AttestationId[]): Uint8Array[] {
    return ids.flatMap((id) => this.#bodies.get(id) ?? []);
  }

  onOwn(listener: (ids: readonly AttestationId[]) => void): void {
    this.#listeners.push(listener);
  }

  admit(attestations: readonly Uint8Array[], done: (admission: Admission) => void): void {
    const checked = attestations.map((bytes) => this.#world.parts.check(bytes));
    const good = checked.flatMap((one) => (one.kind === "good" ? [one.attestation] : []));
    for (const { id, signer, bytes } of good) this.put(id, signer, bytes);
    const forged = checked.filter(({ kind }) => kind === "forged").length;
    done({ kept: good.length, forged, unwelcome: checked.length - good.length - forged });
  }

  put(id: AttestationId, signer: Key, bytes: Uint8Array): void {
    this.#bodies.set(id, bytes);
    this.#bounded.add(id, signer);
  }

  /** This node has made it, and says so. */
  attest(id: AttestationId, signer: Key, bytes: Uint8Array): void {
    this.put(id, signer, bytes);
    for (const listener of this.#listeners) listener([id]);
  }

  /** ms of simulated time */
  now(): number {
    const living = this.#living;
    return living === undefined ? this.#busyUntil : living.since + cpuNowMs() - living.began;
  }

  /** Does something, which takes as long as it takes. */
  live(at: number, what: () => void): void {
    const since = Math.max(at, this.#busyUntil);
    const began = cpuNowMs();
    this.#living = { since, began };
    what();
    const tookMs = cpuNowMs() - began;
    this.#living = undefined;
    this.cpuMs += tookMs;
    this.#busyUntil = since + tookMs;
  }

  link(other: SetNode): void {
    const ready = (): void => {
      if (this.#pumping.has(other.key)) return;
      this.#pumping.add(other.key);
      this.#world.later(this, this.now(), () => this.#pump(other));
    };
    const offend = (why: string): never => {
      throw new Error(`${other.key} is said to offend: ${why}`);
    };
    this.#talks.set(other.key, this.#sync.opened(other.key, { ready, offend }));
    this.#sync.look();
  }

  receive(from: Key, frame: Uint8Array): void {
    const { codec } = this.#world.parts;
    const carrier = codec.decodeShareFrame(frame.subarray(codec.SHARE_LENGTH_BYTES));
    if (carrier.kind === "set") this.#talks.get(from)?.heard(codec.decodeSetFrame(carrier.bytes));
  }

  #pump(other: SetNode): void {
    this.#pumping.delete(other.key);
    const { codec } = this.#world.parts;
    const talk = this.#talks.get(other.key);
    for (let frame = talk?.next(); frame !== undefined; frame = talk?.next())
      this.#world.send(this, other, codec.encodeSetCarrier(codec.encodeSetFrame(frame)));
  }

  #look(): void {
    this.#sync.look();
    this.#world.later(this, this.now() + LOOK_MS, () => this.#look());
  }
}

/** CPU time of this process: others that keep the machine busy do not make a node slower. */
function cpuNowMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
