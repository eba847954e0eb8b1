/**
 * Which headers a compiler looked for and did not find on its way to those it read: the compile changes when one appears.
 *
 * Knows: the order in which gcc and clang look, from the directives of every input. Where it is not certain which way the
 * compiler went it takes all of them: one absence too many is harmless.
 * Does not know: which conditionals held, what a directory holds (asks `exists`).
 */
import type { SearchPaths } from "../contracts/index.ts";
import type { Include, SourceScan } from "./scan.ts";
import { type Chain, chainOf, normal } from "./search-chain.ts";

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
  /** A __has_include or #embed asks for a name that only the preprocessor knows: absences may be missing. */
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
  return { absent: [...walk.absent], present: [...walk.present], appeared: walk.appeared, unknown: walk.unknown };
}

class Walk {
  readonly absent: Set<string> = new Set();
  readonly present: Set<string> = new Set();
  unknown = false;
  appeared = false;
  readonly #args: LookupArgs;
  readonly #source: string;
  readonly #inputs: Set<string>;
  #once = false; // Some files may have been left out as second copies of others, whatever their names.
  readonly #chain: Chain;
  readonly #explained: Set<string> = new Set();
  readonly #unresolved: (readonly string[])[] = [];
  readonly #computedIn: Set<string> = new Set(); // Directories of files with computed includes.
  readonly #done: Set<string> = new Set();
  readonly #known: Map<string, boolean> = new Map();

  constructor(args: LookupArgs) {
    this.#args = args;
    this.#source = normal(args.source);
    this.#inputs = new Set(args.inputs.map(normal));
    this.#chain = chainOf(args.search);
    for (const directory of args.search.missing) {
      if (this.#exists(normal(directory))) this.appeared = true;
      else this.absent.add(normal(directory));
    }
  }

  /** As if included at the top of the source, but looked for in the working directory first. */
  forced(name: string): void {
    const candidates = this.#chain.candidates({ form: "quote", next: false, name }, "");
    this.#include(candidates, false, true);
    // clang takes `name.pch` beside the name as it was given.
    this.#precompiled(`${normal(name)}.pch`);
  }

  file(input: string, scan: SourceScan): void {
    const path = normal(input);
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const main = path === this.#source;
    if (scan.once) this.#once = true;
    for (const include of scan.includes) this.#directive(include, directory, main);
    for (const probe of scan.probes) this.#probe(probe, directory);
    for (const embed of scan.embeds) this.#embed(embed, directory);
  }

  #directive(include: Include, directory: string, main: boolean): void {
    if (include.form === "computed") {
      this.#computedIn.add(directory);
      return;
    }
    if (this.#isDone(`${main ? "m" : ""}${include.next ? "n" : ""}`, include, directory)) return;
    this.#include(this.#chain.candidates(include, directory), include.next, main);
  }

  /** Looked for beside the includer; where else, options tell that are not known here: what lies there counts as unexplained. */
  #embed(embed: Include, directory: string): void {
    if (embed.form === "computed") this.unknown = true;
    else if (embed.form === "quote") this.#include(this.#chain.candidates(embed, directory), false, false);
  }

  #isDone(kind: string, { form, name }: Include, directory: string): boolean {
    const key = form === "quote" ? `${kind}"${directory}\0${name}` : `${kind}<${name}`;
    if (this.#done.has(key)) return true;
    this.#done.add(key);
    return false;
  }

  /**
   * @param next the search began somewhere in the middle: what was found is the last input of that name at the latest
   * @param precompilable a precompiled header may have been taken instead
   */
  #include(candidates: readonly string[], next: boolean, precompilable: boolean): void {
    const isInput = (path: string): boolean => this.#inputs.has(path);
    const found = next ? candidates.findLastIndex(isInput) : candidates.findIndex(isInput);
    if (found === -1) {
      this.#unresolved.push(candidates);
      if (precompilable) for (const candidate of candidates) this.#maybePrecompiled(`${candidate}.gch`);
      return;
    }
    for (let at = 0; at <= found; at++) {
      const candidate = candidates[at] ?? "";
      if (precompilable) this.#precompiled(`${candidate}.gch`);
      if (this.#inputs.has(candidate)) this.#explained.add(candidate);
      else this.#absence(candidate);
    }
  }

  /** The first file decides; what exists may be a directory, which is passed over: only an input ends the search for certain. */
  #probe(probe: Include, directory: string): void {
    if (probe.form === "computed") {
      this.unknown = true;
      return;
    }
    if (this.#isDone(`p${probe.next ? "n" : ""}`, probe, directory)) return;
    const candidates = this.#chain.candidates(probe, directory);
    for (const candidate of candidates) {
      if (this.#inputs.has(candidate)) {
        if (!probe.next) return;
      } else if (this.#exists(candidate)) this.present.add(candidate);
      else this.absent.add(candidate);
    }
  }

  /**
   * Inputs that no directive leads to: computed includes, what the compiler includes by itself, names that the compiler shortened.
   * Then any directive that seemed skipped may have been followed.
   */
  unexplained(): void {
    let doubtful = false;
    for (const input of this.#inputs) {
      if (input === this.#source) continue;
      if (this.#explained.has(input)) {
        // A computed include may have led here as well, by another way.
        if (this.#computedIn.size > 0) this.#explainByPlace(input);
        continue;
      }
      const placed = this.#explainByPlace(input);
      if (!placed || (this.#computedIn.size === 0 && !input.endsWith("/stdc-predef.h"))) doubtful = true;
    }
    for (const candidates of this.#unresolved) {
      // A copy that #pragma once or #import recognised was read and is not named as a dependency.
      if (doubtful || this.#once) this.#follow(candidates);
    }
  }

  /** False when no search directory is part of the path. */
  #explainByPlace(input: string): boolean {
    const earlier = this.#chain.earlier(input, [...this.#computedIn]);
    for (const path of earlier ?? []) if (!this.#inputs.has(path)) this.#absence(path);
    return earlier !== undefined;
  }

  #follow(candidates: readonly string[]): void {
    const found = candidates.findIndex((candidate) => this.#exists(candidate));
    const existing = candidates[found];
    if (existing === undefined) return; // Skipped: had the compiler looked, it would have failed.
    for (const candidate of candidates.slice(0, found)) this.absent.add(candidate);
    this.present.add(existing);
  }

  #precompiled(path: string): void {
    if (!this.#maybePrecompiled(path)) this.absent.add(path);
  }

  /** gcc takes `name.gch` even where there is no `name`. */
  #maybePrecompiled(path: string): boolean {
    if (!this.#exists(path)) return false;
    this.present.add(path);
    return true;
  }

  /** A directory of that name does not stop the search, but a file in its place would; a file was perhaps never looked for. */
  #absence(path: string): void {
    if (this.#exists(path)) this.present.add(path);
    else this.absent.add(path);
  }

  #exists(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const exists = this.#args.exists(path);
    this.#known.set(path, exists);
    return exists;
  }
}
