/**
 * Where a compiler looks for a header of a name, in order.
 *
 * Knows: search paths as text. Does not know: what lies there.
 */
import { Generations, limits } from "../base/index.ts";
import type { SearchPaths } from "../contracts/index.ts";
import type { Include } from "./scan.ts";

/**
 * Where names are looked for along one search path. Thousands of units ask the same of it, so it is remembered: also for the sake of the
 * strings, which are then compared and hashed once.
 */
export class Chain {
  readonly quote: readonly string[];
  readonly angle: readonly string[];
  /** Another one for another search path. */
  readonly id: number = chainsMade++;

  constructor(search: SearchPaths) {
    const listed = [...search.quote, ...search.angle].map(asDirectory);
    // Wherever they were asked for, were they no copies of others: in front is the safe side.
    const copies = search.duplicates.map(asDirectory).filter((directory) => !listed.includes(directory));
    this.quote = [...copies, ...search.quote.map(asDirectory)];
    this.angle = [...copies, ...search.angle.map(asDirectory)];
  }

  /** Every path at which the compiler may look, in order. @param directory of the file that asks */
  candidates({ form, name }: Include, directory: string): readonly string[] {
    const key = form === "quote" ? `${this.id}"${directory}\0${name}` : `${this.id}<${name}`;
    const known = remembered.get(key);
    if (known) return known;
    const plain = normal(name);
    const directories = form === "quote" ? [directory, ...this.quote, ...this.angle] : this.angle;
    const made = plain.startsWith("/") ? [plain] : directories.map((at) => at + plain);
    remembered.set(key, made);
    return made;
  }

  /**
   * Wherever a search directory is part of `path`, the rest may have been the name: where it would have been looked for before.
   * Undefined when no search directory is.
   * @param first directories that were looked through before all others
   */
  earlier(path: string, first: readonly string[]): readonly string[] | undefined {
    const key = [`${this.id}=${path}`, ...first].join("\0");
    const known = remembered.get(key);
    if (known !== undefined) return known ?? undefined;
    const directories = [...first, ...this.quote, ...this.angle];
    const found = directories.flatMap((directory, at) => {
      if (!path.startsWith(directory) || (directory === "" && path.startsWith("/"))) return [];
      const name = path.slice(directory.length);
      return [directories.slice(0, at).map((before) => before + name)];
    });
    const made = found.length === 0 ? undefined : found.flat();
    remembered.set(key, made ?? null);
    return made;
  }
}

let chainsMade = 0;

/** Of all chains together: it is the paths that take room. */
const remembered = new Generations<string, readonly string[] | null>(limits.lookupsRemembered, (paths) => 1 + (paths?.length ?? 0));

/** As long as somebody holds the search path. */
const chains = new WeakMap<SearchPaths, Chain>();

export function chainOf(search: SearchPaths): Chain {
  const chain = chains.get(search) ?? new Chain(search);
  chains.set(search, chain);
  return chain;
}

/** `./` and repeated slashes taken out; `..` stays, for what is before it may be a link. */
export function normal(path: string): string {
  if (!path.includes("./") && !path.includes("//")) return path;
  return path.replace(/\/{2,}/g, "/").replace(/(^|\/)(?:\.\/)+/g, "$1");
}

/** So that directory + name is a path: the working directory becomes nothing at all. */
function asDirectory(directory: string): string {
  const plain = normal(`${directory}/`);
  return directory === "" ? "" : plain;
}
