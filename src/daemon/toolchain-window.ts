/**
 * How much is fetched for members in a while: all of them together, and one of them.
 *
 * Knows: bytes and times. Does not know: what is fetched.
 */
import { type Key, limits } from "../base/index.ts";

const { windowMs, windowBytes, windowBytesOfMember } = limits.toolchains;

export class FetchWindow {
  readonly #now: () => number;
  #taken: readonly { readonly member: Key; readonly bytes: number; readonly atMs: number }[] = [];

  constructor({ now }: { readonly now: () => number }) {
    this.#now = now;
  }

  /** @returns whether so much may be fetched for that member now; it counts then */
  take(member: Key, bytes: number): boolean {
    const atMs = this.#now();
    const taken = this.#taken.filter((one) => atMs - one.atMs < windowMs);
    const sum = (some: typeof taken): number => some.reduce((all, one) => all + one.bytes, bytes);
    const fits = sum(taken) <= windowBytes && sum(taken.filter((one) => one.member === member)) <= windowBytesOfMember;
    this.#taken = fits ? [...taken, { member, bytes, atMs }] : taken;
    return fits;
  }
}
