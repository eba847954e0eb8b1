/**
 * Who is served next when more is asked of a node than it can send: those who have given more get more, and nobody gets nothing.
 *
 * A member weighs 1, and up to 4 when it has given this node more than it took; of two who always ask, each is served in proportion to its
 * weight (stride scheduling; Waldspurger and Weihl, 1995). Knows: bytes. Does not know: what is in them.
 */
import { Generations } from "./generations.ts";
import type { Key } from "./membership.ts";

const EXTRA_WEIGHT = 3;
/** Members whose accounts are kept. */
const ACCOUNTS = 1_024;

interface Account {
  given: number;
  taken: number;
  /** Where it stands: who stands lowest is next. */
  pass: number;
}

export class FairTurns {
  readonly #accounts = new Generations<Key, Account>(ACCOUNTS);
  /** Where the last one stood who was served: who comes anew begins there, and has nothing to catch up. */
  #pass = 0;

  /** A member has given this node so many bytes. */
  earn(key: Key, bytes: number): void {
    this.#account(key).given += bytes;
  }

  /** Who of those that wait is next. */
  next(waiting: Iterable<Key>): Key | undefined {
    let [first, lowest]: [Key | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    for (const key of waiting) {
      const pass = Math.max(this.#account(key).pass, this.#pass);
      if (pass < lowest) [first, lowest] = [key, pass];
    }
    return first;
  }

  /** A member is sent so many bytes. */
  use(key: Key, bytes: number): void {
    const account = this.#account(key);
    this.#pass = Math.max(account.pass, this.#pass);
    account.pass = this.#pass + bytes / weight(account);
    account.taken += bytes;
  }

  #account(key: Key): Account {
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const account = { given: 0, taken: 0, pass: this.#pass };
    this.#accounts.set(key, account);
    return account;
  }
}

function weight({ given, taken }: Account): number {
  return given === 0 ? 1 : 1 + EXTRA_WEIGHT * (given / (given + taken));
}
