/**
 * What directories hold, remembered for as long as their stat identity is unchanged: docs/protocol/hot-record.md says how it is digested.
 */
import { readdirSync } from "node:fs";
import { digestOf, Generations, limits } from "../base/index.ts";
import type { Fingerprint, Listing } from "../contracts/index.ts";

interface Known extends Fingerprint {
  /** Undefined where there is too much to list. */
  readonly listing: Listing | undefined;
}

const END = Buffer.alloc(1);

export class ListedDirectories {
  readonly #fingerprint: (path: string) => Fingerprint | undefined;
  readonly #known = new Generations<string, Known>(limits.listingsRemembered, ({ listing }) => 1 + (listing?.names.size ?? 0));

  /** @param fingerprint of a directory; both words 0 where its stat cannot be believed */
  constructor(fingerprint: (path: string) => Fingerprint | undefined) {
    this.#fingerprint = fingerprint;
  }

  find(path: string): Listing | undefined {
    const before = this.#fingerprint(path);
    if (before === undefined || (before.fp0 === 0 && before.fp1 === 0)) return undefined;
    const known = this.#known.get(path);
    if (known !== undefined && isSame(known, before)) return known.listing;
    const listing = read(path);
    const after = this.#fingerprint(path);
    if (after === undefined || !isSame(after, before)) return undefined;
    this.#known.set(path, { ...before, listing });
    return listing;
  }
}

function isSame(one: Fingerprint, other: Fingerprint): boolean {
  return one.fp0 === other.fp0 && one.fp1 === other.fp1;
}

function read(path: string): Listing | undefined {
  let names: Buffer[];
  try {
    names = readdirSync(path, { encoding: "buffer" });
  } catch {
    return undefined; // A file, or one's that may not be read.
  }
  if (names.length > limits.listedNames) return undefined;
  const bytes = names.toSorted((one, other) => Buffer.compare(one, other)).flatMap((name) => [name, END]);
  return { digest: digestOf(Buffer.concat(bytes)), names: new Set(names.map((name) => name.toString("utf8"))) };
}
