/**
 * Where a compiler looks for a header of a name, in order.
 *
 * Knows: search paths as text. Does not know: what lies there.
 */
import { limits } from "../base/index.ts";
import type { SearchPaths } from "../contracts/index.ts";
import type { Include, SourceScan } from "./scan.ts";

/** A path at which a compiler may look: the same object each time that it is met along one chain, so that notes can be left on it. */
export class Spot {
  readonly path: string;
  /** What the walk has noted that was here last: nothing, for any other. */
  walk = 0;
  notes = 0;
  /** See {@link Chain.earlier}. */
  earlier: Earlier | undefined = undefined;

  constructor(path: string) {
    this.path = path;
  }
}

interface Earlier {
  readonly first: string;
  readonly spots: readonly Spot[] | undefined;
}

/** What the compiler looks for at one directive, wherever that stands in files of one directory. */
export class Search {
  readonly include: Include;
  /** Every path at which the compiler may look, in order. */
  readonly candidates: readonly Spot[];
  /** As of a spot. */
  walk = 0;
  notes = 0;

  constructor(include: Include, candidates: readonly Spot[]) {
    this.include = include;
    this.candidates = candidates;
  }
}

/** The searches of a file, each in the place of its directive; undefined for those that only the preprocessor knows. */
export interface Searches {
  readonly directory: string;
  readonly includes: readonly (Search | undefined)[];
  readonly probes: readonly (Search | undefined)[];
}

/**
 * Where names are looked for along one search path. Thousands of units ask the same of it, so it is remembered: also for the sake of the
 * strings, which are then compared and hashed once.
 */
export class Chain {
  readonly quote: readonly string[];
  readonly angle: readonly string[];
  /** Another one for another search path, and the same again after all was forgotten. */
  readonly id: number;
  readonly #spots = new Map<string, Spot>();
  readonly #searches = new Map<string, Search>();
  readonly #ofScans = new WeakMap<SourceScan, Searches>();

  constructor(search: SearchPaths) {
    this.id = idOf(search);
    const listed = [...search.quote, ...search.angle].map(asDirectory);
    // Wherever they were asked for, were they no copies of others: in front is the safe side.
    const copies = search.duplicates.map(asDirectory).filter((directory) => !listed.includes(directory));
    this.quote = [...copies, ...search.quote.map(asDirectory)];
    this.angle = [...copies, ...search.angle.map(asDirectory)];
  }

  spot(path: string): Spot {
    let spot = this.#spots.get(path);
    if (spot === undefined) {
      spot = new Spot(path);
      this.#spots.set(path, spot);
      remembered += 1;
    }
    return spot;
  }

  /** @param directory of the file that asks */
  search(include: Include, directory: string): Search {
    const { form, next, name } = include;
    const key = form === "quote" ? `${next}"${directory}\0${name}` : `${next}<${name}`;
    let search = this.#searches.get(key);
    if (search === undefined) {
      const plain = normal(name);
      const directories = form === "quote" ? [directory, ...this.quote, ...this.angle] : this.angle;
      const paths = plain.startsWith("/") ? [plain] : directories.map((at) => at + plain);
      search = new Search(
        include,
        paths.map((path) => this.spot(path)),
      );
      this.#searches.set(key, search);
      remembered += 1 + Math.ceil(paths.length / REFERENCES_A_SPOT);
    }
    return search;
  }

  /** @param directory of the file that was scanned */
  searches(scan: SourceScan, directory: string): Searches {
    let searches = this.#ofScans.get(scan);
    if (searches?.directory !== directory) {
      const searchOf = (include: Include): Search | undefined =>
        include.form === "computed" ? undefined : this.search(include, directory);
      searches = { directory, includes: scan.includes.map(searchOf), probes: scan.probes.map(searchOf) };
      this.#ofScans.set(scan, searches);
    }
    return searches;
  }

  /**
   * Wherever a search directory is part of the path, the rest may have been the name: where it would have been looked for before.
   * Undefined when no search directory is.
   * @param first directories that were looked through before all others
   */
  earlier(spot: Spot, first: readonly string[]): readonly Spot[] | undefined {
    const key = first.map((directory) => `${directory}\0`).join(""); // The working directory is "", which is not nothing.
    if (spot.earlier?.first !== key) spot.earlier = { first: key, spots: this.#earlier(spot.path, first) };
    return spot.earlier.spots;
  }

  #earlier(path: string, first: readonly string[]): readonly Spot[] | undefined {
    const directories = [...first, ...this.quote, ...this.angle];
    const found = directories.flatMap((directory, at) => {
      if (!path.startsWith(directory) || (directory === "" && path.startsWith("/"))) return [];
      const name = path.slice(directory.length);
      return [directories.slice(0, at).map((before) => this.spot(before + name))];
    });
    return found.length === 0 ? undefined : found.flat();
  }
}

/** About so many references take the room of a spot. */
const REFERENCES_A_SPOT = 16;

let chainsMade = 0;
const ids = new WeakMap<SearchPaths, number>();
/** Of all chains together: spots, searches, and what those consist of. */
let remembered = 0;

/** As long as somebody holds the search path. */
let chains = new WeakMap<SearchPaths, Chain>();

/** To be asked for again for each walk, which ends with {@link boundChains}. */
export function chainOf(search: SearchPaths): Chain {
  const chain = chains.get(search) ?? new Chain(search);
  chains.set(search, chain);
  return chain;
}

/** What all chains remember is bounded by forgetting it: between walks, so that one that met too much leaves nothing of it. */
export function boundChains(): void {
  if (remembered <= limits.lookupsRemembered) return;
  chains = new WeakMap();
  remembered = 0;
}

function idOf(search: SearchPaths): number {
  const id = ids.get(search) ?? chainsMade++;
  ids.set(search, id);
  return id;
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
