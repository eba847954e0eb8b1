/**
 * Which headers a compiler looked for and did not find on its way to those it read: the compile changes when one appears.
 *
 * Knows: the order in which gcc and clang look, from the directives of every input. Where it is not certain which way the
 * compiler went it takes all of them: one absence too many is harmless.
 * Does not know: which conditionals held, what a directory holds (asks `exists`).
 */
import type { SearchPaths } from "../contracts/index.ts";
import type { Include, SourceScan } from "./scan.ts";
import { boundChains, type Chain, chainOf, normal, type Search, type Spot } from "./search-chain.ts";

export interface LookupArgs {
  /** The main source, as the compiler was given it. */
  readonly source: string;
  /** Names given with -include and -imacros. */
  readonly forcedIncludes: readonly string[];
  /** Paths of everything that was read, as the compiler named them in the dependency file. */
  readonly inputs: readonly string[];
  /** The scan of one of `inputs`. */
  readonly scans: (path: string) => SourceScan | undefined;
  /** The same object for the same search path spares work. */
  readonly search: SearchPaths;
  /** Options name directories for #embed. */
  readonly embedDirectories: boolean;
  /** Working directory, absolute. */
  readonly cwd: string;
  /** Whether there is anything at a path; relative ones are relative to `cwd`. */
  readonly exists: (path: string) => boolean;
}

export interface Lookups {
  /** Paths that must stay absent. */
  readonly absent: readonly string[];
  /** Paths beside `inputs` that bear on the result: precompiled headers, what __has_include found, second copies under #pragma once. */
  readonly present: readonly string[];
  /** A directory for headers was missing when the compiler began, and is not any more: where the compiler looked cannot be told. */
  readonly appeared: boolean;
  /** A __has_include or #embed asks for a name that only the preprocessor knows, or looks for it in more places: absences may be missing. */
  readonly unknown: boolean;
}

/** Where the compiler looked. All paths keep the form (absolute, relative) in which the compiler names them. */
export function absentLookups(args: LookupArgs): Lookups {
  const walk = new Walk(args);
  for (const name of args.forcedIncludes) walk.forced(name);
  for (const input of args.inputs) {
    const scan = args.scans(input);
    if (scan === undefined) continue;
    walk.file(input, scan);
  }
  walk.unexplained();
  boundChains();
  return { absent: walk.absent, present: walk.present, appeared: walk.appeared, unknown: walk.unknown };
}

let walks = 0;

/** What a walk notes on spots. */
const Notes = { input: 1, explained: 2, asked: 4, exists: 8, absent: 16, present: 32 } as const;

/** What a walk notes on searches: the ways in which it has followed them. */
const Ways = { plain: 1, main: 2, probe: 4 } as const;

/** Runs from its beginning to its end without anything in between: its notes lie on spots that all walks along its chain share. */
class Walk {
  /** Each path once. */
  readonly absent: string[] = [];
  readonly present: string[] = [];
  unknown = false;
  appeared = false;
  readonly #id = ++walks;
  readonly #args: LookupArgs;
  readonly #source: string;
  readonly #inputs: readonly Spot[];
  #once = false; // Some files may have been left out as second copies of others, whatever their names.
  readonly #chain: Chain;
  readonly #unresolved: Search[] = [];
  readonly #computedIn: Set<string> = new Set(); // Directories of files with computed includes.
  #mainComputes = false; // The source has one: a precompiled header may have been taken by way of it.

  constructor(args: LookupArgs) {
    this.#args = args;
    this.#source = normal(args.source);
    this.#chain = chainOf(args.search);
    this.#inputs = args.inputs.map((input) => this.#chain.spot(normal(input)));
    for (const input of this.#inputs) this.#note(input, Notes.input);
    for (const directory of args.search.missing) {
      const spot = this.#chain.spot(normal(directory));
      if (this.#exists(spot)) this.appeared = true;
      else this.#isAbsent(spot);
    }
  }

  /** As if included at the top of the source, but looked for in the working directory first. */
  forced(name: string): void {
    this.#include(this.#chain.search({ form: "quote", next: false, name }, ""), true);
    // clang takes `name.pch` beside the name as it was given.
    this.#precompiled(`${normal(name)}.pch`);
  }

  file(input: string, scan: SourceScan): void {
    const path = normal(input);
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const main = path === this.#source;
    if (scan.once) this.#once = true;
    const { includes, probes } = this.#chain.searches(scan, directory);
    for (const search of includes) {
      if (search === undefined) {
        this.#computedIn.add(directory);
        this.#mainComputes ||= main;
      } else if (this.#isFirst(search, main ? Ways.main : Ways.plain)) this.#include(search, main);
    }
    for (const search of probes) {
      if (search === undefined) this.unknown = true;
      else if (this.#isFirst(search, Ways.probe)) this.#probe(search);
    }
    for (const embed of scan.embeds) this.#embed(embed, directory);
  }

  /** Also of __has_embed, which asks whether there is a file, and whether it is empty. clang 19 looks beside the includer, then where it works. */
  #embed({ form, name }: Include, directory: string): void {
    const path = normal(name);
    const isAbsolute = path.startsWith("/");
    if (form === "computed" || (this.#args.embedDirectories && !isAbsolute)) this.unknown = true;
    const paths = isAbsolute ? [path] : form === "quote" ? [directory + path, path] : [];
    for (const at of paths) {
      const spot = this.#chain.spot(at);
      if (this.#has(spot, Notes.input)) this.#note(spot, Notes.explained);
      else this.#absence(spot);
    }
  }

  /** @param precompilable a precompiled header may have been taken instead */
  #include(search: Search, precompilable: boolean): void {
    const { candidates, include } = search;
    const isInput = (spot: Spot): boolean => this.#has(spot, Notes.input);
    // With `next` the search began somewhere in the middle: what was found is the last input of that name at the latest.
    const found = include.next ? candidates.findLastIndex(isInput) : candidates.findIndex(isInput);
    if (found === -1) {
      this.#unresolved.push(search);
      if (precompilable) for (const { path } of candidates) this.#maybePrecompiled(this.#chain.spot(`${path}.gch`));
      return;
    }
    for (let at = 0; at <= found; at++) {
      const candidate = candidates[at];
      if (candidate === undefined) return;
      if (precompilable) this.#precompiled(`${candidate.path}.gch`);
      if (isInput(candidate)) this.#note(candidate, Notes.explained);
      else this.#absence(candidate);
    }
  }

  /** The first file decides; what exists may be a directory, which is passed over: only an input ends the search for certain. */
  #probe({ candidates, include }: Search): void {
    for (const candidate of candidates) {
      if (!this.#has(candidate, Notes.input)) this.#absence(candidate);
      else if (!include.next) return;
    }
  }

  /**
   * Inputs that no directive leads to: computed includes, what the compiler includes by itself, names that the compiler shortened.
   * Then any directive that seemed skipped may have been followed.
   */
  unexplained(): void {
    const computedIn = [...this.#computedIn];
    let doubtful = false;
    for (const input of this.#inputs) {
      if (input.path === this.#source) continue;
      if (this.#mainComputes) this.#precompiled(`${input.path}.gch`);
      if (this.#has(input, Notes.explained)) {
        // A computed include may have led here as well, by another way.
        if (computedIn.length > 0) this.#explainByPlace(input, computedIn);
        continue;
      }
      const placed = this.#explainByPlace(input, computedIn);
      if (!placed || (computedIn.length === 0 && !input.path.endsWith("/stdc-predef.h"))) doubtful = true;
    }
    for (const { candidates } of this.#unresolved) {
      // A copy that #pragma once or #import recognised was read and is not named as a dependency.
      if (doubtful || this.#once) this.#follow(candidates);
    }
  }

  /** False when no search directory is part of the path. */
  #explainByPlace(input: Spot, computedIn: readonly string[]): boolean {
    const earlier = this.#chain.earlier(input, computedIn);
    earlier?.forEach((spot) => {
      if (this.#mainComputes) this.#precompiled(`${spot.path}.gch`);
      if (!this.#has(spot, Notes.input)) this.#absence(spot);
    });
    return earlier !== undefined;
  }

  #follow(candidates: readonly Spot[]): void {
    const found = candidates.findIndex((candidate) => this.#exists(candidate));
    const existing = candidates[found];
    if (existing === undefined) return; // Skipped: had the compiler looked, it would have failed.
    for (const candidate of candidates.slice(0, found)) this.#isAbsent(candidate);
    this.#isPresent(existing);
  }

  #precompiled(path: string): void {
    const spot = this.#chain.spot(path);
    if (!this.#maybePrecompiled(spot)) this.#isAbsent(spot);
  }

  /** gcc takes `name.gch` even where there is no `name`. */
  #maybePrecompiled(spot: Spot): boolean {
    if (!this.#exists(spot)) return false;
    this.#isPresent(spot);
    return true;
  }

  /** A directory of that name does not stop the search, but a file in its place would; a file was perhaps never looked for. */
  #absence(spot: Spot): void {
    if (this.#has(spot, Notes.absent)) return;
    if (this.#exists(spot)) this.#isPresent(spot);
    else this.#isAbsent(spot);
  }

  #isAbsent(spot: Spot): void {
    if (this.#has(spot, Notes.absent)) return;
    this.#note(spot, Notes.absent);
    this.absent.push(spot.path);
  }

  #isPresent(spot: Spot): void {
    if (this.#has(spot, Notes.present)) return;
    this.#note(spot, Notes.present);
    this.present.push(spot.path);
  }

  #exists(spot: Spot): boolean {
    if (!this.#has(spot, Notes.asked)) this.#note(spot, Notes.asked | (this.#args.exists(spot.path) ? Notes.exists : 0));
    return this.#has(spot, Notes.exists);
  }

  #isFirst(search: Search, way: number): boolean {
    if (this.#has(search, way)) return false;
    this.#note(search, way);
    return true;
  }

  #has(at: Noted, note: number): boolean {
    return at.walk === this.#id && (at.notes & note) !== 0;
  }

  #note(at: Noted, notes: number): void {
    at.notes = at.walk === this.#id ? at.notes | notes : notes;
    at.walk = this.#id;
  }
}

/** Of a spot or a search. */
interface Noted {
  walk: number;
  notes: number;
}
