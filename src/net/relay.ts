/**
 * Relay: joins two members of this network that cannot reach each other, on this node's account and within its limits.
 *
 * It sees bytes that only the two can read. Nobody else can ask: streams come from members only, and lead to members that this node is
 * linked with. docs/protocol/paths.md.
 * Knows: who may have a circuit. Does not know: what goes over it.
 */
import { type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { NetworkCodec, RelayFrame } from "../wire/index.ts";
import { type Frames, framesOf } from "./frames.ts";
import type { Link } from "./link.ts";
import type { MemberStream, OpenStream } from "./member-stream.ts";
import type { Routes } from "./routes.ts";
import type { Shares } from "./shares.ts";
import { splice } from "./splice.ts";

/** Asked by who looks for somebody. */
export const RELAY = "/cairn/relay/1";
/** Opened by the relay to who is looked for. */
export const CIRCUIT = "/cairn/circuit/1";

export interface RelayParts {
  readonly linkWith: (key: Key) => Link | undefined;
  readonly open: OpenStream;
  readonly routes: Routes;
  readonly shares: Shares;
  readonly codec: NetworkCodec;
  readonly log: Log;
}

export interface RelayOptions {
  /** At once; 0: this node does not relay. */
  readonly circuits: number;
}

type Judged = { readonly kind: "reached"; readonly rttMs: number; readonly relays: number } | { kind: "refused"; reason: string };

export class Relay {
  readonly #parts: RelayParts;
  /** Circuits that run, by who asked for them. */
  readonly #circuits = new Map<Key, number>();
  readonly #most: { readonly all: number; readonly perMember: number };

  constructor(parts: RelayParts, { circuits }: RelayOptions) {
    this.#parts = parts;
    this.#most = { all: circuits, perMember: circuitsPerMember(circuits) };
  }

  /** Answers one question of a member. Nothing throws: what goes wrong ends the stream. */
  async serve(asked: MemberStream): Promise<void> {
    const frames = framesOf(asked.stream, limits.pathFrameBytes);
    try {
      await this.#answer(asked, frames);
    } catch (error) {
      this.#parts.log.event("debug", "relay.failed", { peer: asked.key, why: reasonOf(error) });
      frames.abort("failed");
    }
  }

  async #answer(asked: MemberStream, frames: Frames): Promise<void> {
    const { codec } = this.#parts;
    const bytes = await frames.read(limits.pathStepMs);
    if (bytes === undefined) return;
    const frame = codec.decodeRelayFrame(bytes);
    if (frame.kind !== "reach") return frames.abort("malformed");
    const judged = this.#judge(asked, frame.target);
    if (judged.kind === "reached" && frame.connect) return this.#connect(asked, frames, frame.target, judged.relays);
    await frames.write(codec.encodeRelayFrame(judged), limits.pathStepMs);
    await frames.close(limits.pathStepMs);
  }

  #judge({ key, connection }: MemberStream, target: Key): Judged {
    const link = this.#parts.linkWith(target);
    const { routes } = this.#parts;
    // A way back through who asks is no way.
    if (link === undefined || target === key || link.facts.via === key) return { kind: "refused", reason: "absent" };
    const relays = routes.of(connection).relays + link.facts.relays + 1;
    if (relays > limits.relaysInRow) return { kind: "refused", reason: "too-far" };
    const all = [...this.#circuits.values()].reduce((sum, count) => sum + count, 0);
    const isFull = all >= this.#most.all || (this.#circuits.get(key) ?? 0) >= this.#most.perMember;
    return isFull ? { kind: "refused", reason: "full" } : { kind: "reached", rttMs: link.facts.usualRttMs ?? 0, relays };
  }

  async #connect(asked: MemberStream, frames: Frames, target: Key, relays: number): Promise<void> {
    const { key } = asked;
    this.#count(key, 1);
    try {
      const { codec, open } = this.#parts;
      const onward = framesOf((await open(target, CIRCUIT, limits.pathStepMs)).stream, limits.pathFrameBytes);
      try {
        await onward.write(codec.encodeRelayFrame({ kind: "call", from: key, relays }), limits.pathStepMs);
        const bytes = await onward.read(limits.pathStepMs);
        const answer: RelayFrame = bytes === undefined ? { kind: "refused", reason: "absent" } : codec.decodeRelayFrame(bytes);
        await frames.write(codec.encodeRelayFrame(answer), limits.pathStepMs);
        if (answer.kind !== "reached") return await frames.close(limits.pathStepMs);
        await this.#run(key, target, frames, onward);
      } finally {
        onward.abort("over"); // Unless it has ended, and then this does nothing.
      }
    } finally {
      this.#count(key, -1);
    }
  }

  async #run(from: Key, to: Key, frames: Frames, onward: Frames): Promise<void> {
    const { log, shares } = this.#parts;
    let bytes = 0;
    const pace = (more: number): number => {
      bytes += more;
      return shares.use(from, more);
    };
    log.event("info", "relay.opened", { from, to });
    await splice(frames.release(), onward.release(), { pace, idleMs: limits.circuitIdleMs });
    log.event("info", "relay.closed", { from, to, bytes });
  }

  #count(key: Key, change: 1 | -1): void {
    const count = (this.#circuits.get(key) ?? 0) + change;
    if (count === 0) this.#circuits.delete(key);
    else this.#circuits.set(key, count);
  }
}

/** So many members can all be linked with each other through this node alone: n of them need n (n - 1) / 2 circuits. */
function circuitsPerMember(circuits: number): number {
  return Math.min(limits.circuitsPerMember, Math.ceil(Math.sqrt(2 * circuits)) + 1);
}
