/**
 * A channel: frames between this node and a member, each with its length in four bytes before it.
 *
 * It hides what carries them: a stream of the link with that member, or a connection of the data plane that another thread holds.
 */
import type { Digest, Key } from "../base/index.ts";

export interface FrameChannel {
  readonly key: Key;
  readonly isOpen: boolean;
  /**
   * Sends a frame, which has its length in front. Its memory may be given away: nobody looks at it afterwards.
   *
   * @returns whether another frame may follow at once; if not, `drained` is called when it may
   */
  send(frame: Uint8Array): boolean;
  /** Calls the listener from now on, and not before this returns. `ended` is called once, and nothing after it. */
  listen(listener: FrameListener): void;
  end(why: string): void;
}

export type BlobDigests = readonly (Digest | undefined)[];

export interface FrameListener {
  /**
   * Without the length. The bytes are the listener's.
   *
   * @param digests where the channel has hashed what came: by piece of a frame of blobs, the SHA-256 of the blob that ends with it, if all of
   * that blob came in one answer
   */
  frame(bytes: Uint8Array, digests?: BlobDigests): void;
  drained(): void;
  /** The other side sends what is no frame. */
  broken(why: string): void;
  ended(why: string): void;
}

/** Channels beside the links: for those who have much to say to each other. */
export interface FrameLanes {
  /** Another channel to a member, if a straight way leads there. @throws {CairnError} peer-absent, data-refused, limit-exceeded */
  open(key: Key): Promise<FrameChannel>;
  /** `accept` is given those that members open. */
  onOpened(accept: (channel: FrameChannel) => void): void;
}
