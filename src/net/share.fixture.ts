/**
 * Sharing between real nodes for tests: shelves in memory, results that hold together, members that lie.
 */
import type { TestContext } from "node:test";
import { CairnError, type Digest, digestOf, type Key } from "../base/index.ts";
import type { FrameChannel, FrameLanes, FrameListener, SharedResult, Shelf, Wish } from "../contracts/index.ts";
import type { ShareFrame } from "../wire/index.ts";
import { codec, founded, join, type Node, start, until } from "./network.fixture.ts";
import { MemoryAttestations } from "./set.fixture.ts";
import { SHARE, Share } from "./share.ts";
import { channelOf } from "./share-channel.ts";

export class MemoryShelf implements Shelf {
  readonly stored: Map<Digest, SharedResult[]> = new Map<Digest, SharedResult[]>();
  readonly blobs: Map<Digest, Uint8Array> = new Map<Digest, Uint8Array>();
  readonly #listeners: ((added: readonly Digest[], removed: readonly Digest[]) => void)[] = [];

  manifests(): readonly Digest[] {
    return [...this.stored.keys()];
  }

  onChange(listener: (added: readonly Digest[], removed: readonly Digest[]) => void): void {
    this.#listeners.push(listener);
  }

  results(manifest: Digest): readonly SharedResult[] {
    return this.stored.get(manifest) ?? [];
  }

  following(manifest: Digest, most: number): readonly Digest[] {
    const all = [...this.stored.keys()];
    return all.slice(all.indexOf(manifest) + 1).slice(0, most);
  }

  async blob(digest: Digest): Promise<Uint8Array | undefined> {
    return this.blobs.get(digest);
  }

  put(...results: SharedResult[]): void {
    for (const shared of results) this.stored.set(shared.manifest, [shared]);
    for (const listener of this.#listeners)
      listener(
        results.map(({ manifest }) => manifest),
        [],
      );
  }

  remove(manifest: Digest): void {
    this.stored.delete(manifest);
    for (const listener of this.#listeners) listener([], [manifest]);
  }

  /** @returns what to ask for */
  hold(bytes: Uint8Array): { digest: Digest; size: number } {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }
}

/** Nothing besides results. */
export const ALONE: Wish = { alongBytes: 0, have: [], following: 0 };

export function resultOf(name: string): SharedResult {
  const digest = digestOf(name);
  return {
    manifest: digest,
    entry: {
      action: digestOf(`action ${name}`),
      place: undefined,
      presumed: false,
      terminal: undefined,
      inputs: [{ path: `\0P/${name}.c`, digest }],
      absent: [],
    },
    result: {
      outputs: [{ path: `\0C/${name}.o`, digest, size: 5, role: "object", template: false }],
      stdout: "",
      stderr: "",
      compileMs: 10,
      cpuMs: 9,
    },
    execution: { signer: "ab".repeat(32), toolchain: "cd".repeat(32), startedAtMs: 1, endedAtMs: 2 },
    signature: Buffer.alloc(64, 7),
  };
}

/** Bytes that are the same for the same seed and do not compress. */
export function noise(seed: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(length);
  let state = seed * 2 + 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export interface Sharer {
  readonly node: Node;
  readonly key: string;
  readonly shelf: MemoryShelf;
  readonly attestations: MemoryAttestations;
  readonly share: Share;
}

/** Lanes in memory between those who share such a street. */
export class Street {
  readonly #accepting = new Map<Key, (channel: FrameChannel) => void>();
  /** Both ends of each lane so far. */
  readonly lanes: FrameChannel[] = [];
  /** Sent over all of them. */
  frames = 0;

  lanesOf(self: Key): FrameLanes {
    return {
      open: async (key) => {
        const accept = this.#accepting.get(key);
        if (accept === undefined) throw new CairnError("peer-absent", { why: "no lane leads there" });
        const [here, there] = [new MemoryChannel(key, this), new MemoryChannel(self, this)];
        [here.other, there.other] = [there, here];
        this.lanes.push(here, there);
        accept(there);
        return here;
      },
      onOpened: (accept) => void this.#accepting.set(self, accept),
    };
  }
}

class MemoryChannel implements FrameChannel {
  readonly key: Key;
  other: MemoryChannel | undefined;
  isOpen = true;
  #listener: FrameListener | undefined;

  readonly #street: Street;

  constructor(key: Key, street: Street) {
    this.key = key;
    this.#street = street;
  }

  send(frame: Uint8Array): boolean {
    this.#street.frames++;
    const whole = Buffer.from(frame.subarray(codec.SHARE_LENGTH_BYTES));
    setImmediate(() => this.other?.isOpen === true && this.other.#listener?.frame(whole));
    return this.isOpen;
  }

  listen(listener: FrameListener): void {
    this.#listener = listener;
  }

  end(why: string): void {
    for (const channel of [this, this.other]) {
      if (channel?.isOpen !== true) continue;
      channel.isOpen = false;
      channel.#listener?.ended(why);
    }
  }
}

export async function sharer(
  t: TestContext,
  node: Node,
  shelf: MemoryShelf = new MemoryShelf(),
  lanes: FrameLanes = new Street().lanesOf(node.members.self),
  shelfFor: (member: Key) => Shelf = () => shelf,
): Promise<Sharer> {
  const log = { event: (_level: string, name: string, facts = {}) => void node.events.push({ name, facts }) };
  const attestations = new MemoryAttestations();
  const share = await Share.start({
    network: node.network,
    shelf,
    shelfFor,
    attestations,
    codec,
    log,
    lanes,
    now: () => performance.now(),
  });
  t.after(() => share[Symbol.dispose]());
  return { node, key: node.members.self, shelf, attestations, share };
}

/** Members that are all linked with each other. */
export async function nodes(t: TestContext, count: number): Promise<Node[]> {
  const first = await start(t, 1, founded(1));
  const all = [first];
  while (all.length < count) all.push(await join(t, all.length + 1, first));
  await until(t, () => all.every(({ network }) => network.peers().filter(({ state }) => state === "connected").length === count - 1));
  return all;
}

/** Members that share with each other. */
export async function sharers(t: TestContext, count: number): Promise<Sharer[]> {
  const all = await Promise.all((await nodes(t, count)).map((node) => sharer(t, node)));
  await until(t, () => all.every(({ share }) => share.facts().length === count - 1));
  return all;
}

export interface Liar {
  readonly key: string;
  /** Its channels so far, the last one last. */
  readonly channels: FrameChannel[];
  /** Reasons for which they have ended. */
  readonly ends: string[];
}

/**
 * A member that speaks the protocol with one other, and says what it likes.
 *
 * @param begun when a channel with somebody is there
 * @param heard when a frame has come
 */
export async function liar(
  t: TestContext,
  node: Node,
  to: string,
  heard: (frame: ShareFrame, channel: FrameChannel) => void,
  begun: (channel: FrameChannel) => void = () => undefined,
): Promise<Liar> {
  const lying: Liar = { key: node.members.self, channels: [], ends: [] };
  const adopt = (channel: FrameChannel): void => {
    if (channel.key !== to) return;
    lying.channels.push(channel);
    channel.listen({
      frame: (bytes) => heard(codec.decodeShareFrame(bytes), channel),
      drained: () => undefined,
      broken: () => undefined,
      ended: (why) => void lying.ends.push(why),
    });
    begun(channel);
  };
  if (node.members.self > to) await node.network.serve(SHARE, 2, (stream) => adopt(channelOf(stream)));
  else {
    const open = async (): Promise<void> => adopt(channelOf(await node.network.open(to, SHARE, 5_000)));
    await open().catch(async () => {
      await until(t, () => node.network.connected(to));
      await open();
    });
  }
  return lying;
}
