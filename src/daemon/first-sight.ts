/**
 * A look at this machine's compilers before anybody compiles: hashing what they consist of takes most of a second the first time, and a
 * build of which others have every result would wait for nothing else. And members ask for work those alone that are known to have the compiler.
 *
 * Knows: which names on PATH are those of compilers, and which are usual. Does not know: what a compiler is.
 */
import { basename } from "node:path";
import { type Environment, findCompilers, type Log, limits } from "../base/index.ts";
import type { Toolchains } from "../contracts/index.ts";

/** Builds begin with these: they are looked at first, and whoever builds meanwhile needs them. */
const USUAL: readonly string[] = ["cc", "c++", "gcc", "g++", "clang", "clang++"];

export interface FirstSightParts {
  readonly toolchains: Pick<Toolchains, "identify">;
  readonly log: Log;
  /** Of the daemon, whose PATH is that of whoever started it. */
  readonly env: Environment;
  /** Whether nobody builds. */
  readonly isQuiet: () => boolean;
  /** Called each time that one more is known. */
  readonly looked: () => void;
  /** Steady clock, ms. */
  readonly now: () => number;
}

export class FirstSight {
  readonly #usual: Looks;
  readonly #others: Looks;

  /** @param options.except the directory in which names of compilers lead to Cairn */
  constructor(parts: FirstSightParts, { except }: { readonly except: string }) {
    const onPath = (areUsual: boolean): string[] => compilersOn(parts.env, except).filter((path) => isUsual(path) === areUsual);
    this.#usual = new Looks({ ...parts, isQuiet: () => true }, () => onPath(true));
    this.#others = new Looks(parts, () => onPath(false));
  }

  /** Looks once at each that it understands, now and then at others; what is found is kept with the digests of files. */
  async look(signal: AbortSignal): Promise<void> {
    await this.lookAtUsual(signal);
    await this.#others.look(signal);
  }

  /** The same for those alone for which somebody may wait. */
  lookAtUsual(signal: AbortSignal): Promise<void> {
    return this.#usual.look(signal);
  }
}

/** At some compilers, one after the other. */
class Looks {
  readonly #parts: FirstSightParts;
  readonly #find: () => string[];
  /** Those that nobody has looked at. */
  #left: string[] | undefined;
  /** Those that nobody understood, and when they are looked at again. */
  #unclear: string[] = [];
  #againAt = 0;
  #looking: Promise<void> | undefined;

  constructor(parts: FirstSightParts, find: () => string[]) {
    this.#parts = parts;
    this.#find = find;
  }

  look(signal: AbortSignal): Promise<void> {
    this.#looking ??= this.#look(signal).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { toolchains, log, env, isQuiet, looked, now } = this.#parts;
    const began = now();
    this.#left ??= this.#find();
    if (began >= this.#againAt) this.#left.push(...this.#unclear.splice(0));
    const environment = new Map(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
    let understood = 0;
    while (isQuiet()) {
      const compiler = this.#left.shift();
      if (compiler === undefined) break;
      const read = await toolchains.identify(compiler, environment, signal);
      this.#againAt = now() + limits.compilerAgainMs;
      if (read.kind === "unknown" && read.reason === "unknown_compiler") this.#unclear.push(compiler);
      else {
        understood++;
        looked();
      }
    }
    if (understood > 0) log.event("info", "toolchain.first-sight", { compilers: understood, tookMs: Math.round(now() - began) });
  }
}

/** The first of each name, usual ones first. Several names may lead to one program: what a driver is called is part of what it is. */
function compilersOn(env: Environment, except: string): string[] {
  const all = findCompilers(env, except).map(({ path }) => path);
  return [...all.filter(isUsual), ...all.filter((path) => !isUsual(path))].slice(0, limits.compilersLooked);
}

function isUsual(path: string): boolean {
  return USUAL.includes(basename(path));
}
