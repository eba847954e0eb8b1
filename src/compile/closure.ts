/**
 * Which files a compile may read, before it has run: every header that an include in any branch leads to.
 *
 * Knows: the order in which gcc and clang look. Conditions are not evaluated, so it is too much rather than too little; where macros name
 * headers it guesses. Whoever uses it must compare what was really read.
 * Does not know: what the files contain (asks for scans).
 */
import { Generations, limits } from "../base/index.ts";
import type { SearchPaths } from "../contracts/index.ts";
import type { HeaderMacro } from "./header-macros.ts";
import type { Include, SourceScan } from "./scan.ts";
import { boundChains, type Chain, chainOf, normal } from "./search-chain.ts";

export interface ClosureArgs {
  /** The main source, as the compiler is given it. */
  readonly source: string;
  /** Names given with -include and -imacros. */
  readonly forcedIncludes: readonly string[];
  /** Names of headers that macros of the command line stand for. */
  readonly macros: readonly HeaderMacro[];
  /** Read for certain, as an earlier compile was. */
  readonly known: readonly string[];
  readonly search: SearchPaths;
  readonly files: ClosureFiles;
}

/** Paths are as the compiler would name them. */
export interface ClosureFiles {
  /** Stands for the content; undefined where there is no file. */
  readonly content: (path: string) => string | undefined;
  readonly scan: (path: string) => SourceScan | undefined;
  /** Macros that this file defines as names of headers. */
  readonly macros: (path: string) => readonly HeaderMacro[];
}

/** What one content at one path leads to directly. */
interface Step {
  readonly content: string;
  readonly found: readonly string[];
  /** Includes of what a macro names. */
  readonly computed: readonly Include[];
}

const steps = new Generations<string, Step>(limits.closureStepsRemembered, ({ found }) => 1 + found.length);

/** Forgets where headers were found: one has appeared before another. */
export function forgetClosures(): void {
  steps.clear();
}

/** @returns files as the compiler would name them, the source first; undefined where there are more than are taken */
export function closureOf(args: ClosureArgs): readonly string[] | undefined {
  const walk = new Walk(args);
  walk.add(args.source);
  for (const path of args.known) walk.add(path);
  for (const name of args.forcedIncludes) walk.directive({ form: "quote", next: false, name }, "");
  walk.directive({ form: "angle", next: false, name: "stdc-predef.h" }, ""); // gcc includes it before all others.
  const isWhole = walk.finish();
  boundChains();
  return isWhole ? [...walk.files] : undefined;
}

class Walk {
  readonly files: Set<string> = new Set();
  readonly #args: ClosureArgs;
  readonly #chain: Chain;
  readonly #waiting: string[] = [];
  readonly #computed = new Map<string, { readonly include: Include; readonly directory: string }>();
  readonly #macros = new Map<string, Set<HeaderMacro>>();
  /** Files whose macros are not known yet. */
  #unread: string[] = [];

  constructor(args: ClosureArgs) {
    this.#args = args;
    this.#chain = chainOf(args.search);
    for (const macro of args.macros) this.#define(macro);
  }

  /** False when there is no such file. */
  add(path: string): boolean {
    const plain = normal(path);
    if (this.files.has(plain)) return true;
    if (this.#args.files.content(plain) === undefined) return false;
    this.files.add(plain);
    this.#waiting.push(plain);
    this.#unread.push(plain);
    return true;
  }

  /** @returns the files that it may mean */
  directive(include: Include, directory: string): readonly string[] {
    const { candidates } = this.#chain.search(include, directory);
    if (include.next) return candidates.filter(({ path }) => this.add(path)).map(({ path }) => path); // Where the search begins is not known.
    const first = candidates.find(({ path }) => this.add(path));
    return first === undefined ? [] : [first.path];
  }

  /** False when there are too many. */
  finish(): boolean {
    do {
      for (let path = this.#waiting.pop(); path !== undefined; path = this.#waiting.pop()) {
        if (this.files.size > limits.inputs) return false;
        this.#follow(path);
      }
      this.#compute();
      this.#standBefore();
    } while (this.#waiting.length > 0);
    return true;
  }

  #follow(path: string): void {
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    const step = this.#step(path, directory);
    for (const include of step.computed) this.#computed.set(`${include.next}${directory}\0${include.name}`, { include, directory });
  }

  #step(path: string, directory: string): Step {
    const { content, scan } = this.#args.files;
    const now = content(path) ?? "";
    const key = `${this.#chain.id} ${path}`;
    const known = steps.get(key);
    if (known?.content === now && known.found.every((found) => this.add(found))) return known;
    const { includes = [], probes = [], embeds = [], incbin = [] } = scan(path) ?? {};
    const found = [...includes, ...embeds].filter(isNamed).flatMap((include) => this.directive(include, directory));
    // It is asked whether there is one anywhere: all of them count.
    for (const probe of probes.filter(isNamed)) found.push(...this.directive({ ...probe, next: true }, directory));
    for (const name of incbin) if (this.add(name)) found.push(name);
    const step = { content: now, found, computed: includes.filter((include) => !isNamed(include)) };
    steps.set(key, step);
    return step;
  }

  /** What macros can stand for, wherever they are defined. */
  #compute(): void {
    if (this.#computed.size === 0) return;
    for (const path of this.#unread) for (const macro of this.#args.files.macros(path)) this.#define(macro);
    this.#unread = [];
    for (const { include, directory } of this.#computed.values())
      for (const { form, header } of this.#macros.get(include.name) ?? [])
        this.directive({ form, next: include.next, name: header }, directory);
  }

  /** What a macro may have named was looked for in other directories first: what is there decides where it was found. */
  #standBefore(): void {
    if (this.#computed.size === 0) return;
    const first = [...new Set([...this.#computed.values()].map(({ directory }) => directory))];
    for (const known of this.#args.known)
      for (const { path } of this.#chain.earlier(this.#chain.spot(normal(known)), first) ?? []) this.add(path);
  }

  #define(macro: HeaderMacro): void {
    const known = this.#macros.get(macro.name);
    if (known === undefined) this.#macros.set(macro.name, new Set([macro]));
    else known.add(macro);
  }
}

function isNamed(include: Include): boolean {
  return include.form !== "computed";
}
