/**
 * Names under which members announce themselves on a local network, which only members can recognise.
 *
 * A tag is a keyed hash of who announces and when; its key is the network's id, which only members and those who are invited know.
 * Strangers see that some machine runs Cairn, not which network it belongs to, nor, for longer than a window, that it is the same one.
 * Knows: keys and time windows. Does not know: how tags travel. See docs/protocol/discovery.md.
 */
import { createHmac } from "node:crypto";
import { type Digest, type Key, limits } from "../base/index.ts";

const PURPOSE = "cairn mdns 1";
const TAG_DIGITS = 32;

/** The longest time for which a tag stays the same: two clocks that are wrong by as much as they may be are one window apart at most. */
const WINDOW_MS = 2 * limits.clockErrorMs;

export interface TagsParts {
  readonly network: Digest;
  /** Members that may be recognised. */
  readonly members: () => readonly Key[];
  /** ms, time of day */
  readonly wallClock: () => number;
}

export class MdnsTags {
  readonly #parts: TagsParts;
  #table: ReadonlyMap<string, Key> = new Map();
  #window = Number.NaN;

  constructor(parts: TagsParts) {
    this.#parts = parts;
  }

  /** What a member is called now. */
  of(key: Key): string {
    return this.#tag(key, this.#now());
  }

  /** The member that is called so, by its clock, which may be wrong. */
  who(tag: string): Key | undefined {
    if (this.#window !== this.#now()) this.#build();
    return this.#table.get(tag);
  }

  /** Others belong to the network now. */
  forget(): void {
    this.#window = Number.NaN;
  }

  #now(): number {
    return Math.floor(this.#parts.wallClock() / WINDOW_MS);
  }

  /** 3 µs a member and window. */
  #build(): void {
    const window = this.#now();
    const near = [window - 1, window, window + 1];
    this.#table = new Map(this.#parts.members().flatMap((key) => near.map((at) => [this.#tag(key, at), key] as const)));
    this.#window = window;
  }

  #tag(key: Key, window: number): string {
    const hash = createHmac("sha256", Buffer.from(this.#parts.network, "hex"));
    return hash.update(`${PURPOSE}\0${window}\0${key}`).digest("hex").slice(0, TAG_DIGITS);
  }
}
