/**
 * A look at this machine's compilers before anybody compiles: hashing what they consist of takes most of a second the first time, and a
 * build of which others have every result would wait for nothing else.
 *
 * Knows: what compilers are usually called. Does not know: when there is time, or what a compiler is.
 */
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type Environment, type Log, limits } from "../base/index.ts";
import type { Toolchains } from "../contracts/index.ts";

const NAMES = ["cc", "c++", "gcc", "g++", "clang", "clang++"] as const;

export interface FirstSightParts {
  readonly toolchains: Pick<Toolchains, "identify">;
  readonly log: Log;
  /** Of the daemon, whose PATH is that of whoever started it. */
  readonly env: Environment;
  /** Called each time that one more is known. */
  readonly looked: () => void;
  /** Steady clock, ms. */
  readonly now: () => number;
}

export class FirstSight {
  readonly #parts: FirstSightParts;
  /** Those that nobody has looked at, or nobody understood. */
  #left: readonly string[] | undefined;
  #nextAt = 0;
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: FirstSightParts) {
    this.#parts = parts;
  }

  /** Looks once at each that it understands, now and then at others; what is found is kept with the digests of files. */
  look(signal: AbortSignal): Promise<void> {
    this.#left ??= compilersOn(this.#parts.env.PATH ?? "");
    if (this.#left.length > 0 && this.#parts.now() >= this.#nextAt) {
      this.#nextAt = Number.POSITIVE_INFINITY;
      this.#looking = this.#look(this.#left, signal);
    }
    return this.#looking;
  }

  async #look(compilers: readonly string[], signal: AbortSignal): Promise<void> {
    const { toolchains, log, env, looked, now } = this.#parts;
    const began = now();
    const environment = new Map(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const left: string[] = [];
    for (const compiler of compilers) {
      const read = await toolchains.identify(compiler, environment, signal);
      if (read.kind === "unknown" && read.reason === "unknown_compiler") left.push(compiler);
      else looked();
    }
    this.#left = left;
    this.#nextAt = now() + limits.compilerAgainMs;
    const understood = compilers.length - left.length;
    if (understood > 0) log.event("info", "toolchain.first-sight", { compilers: understood, tookMs: Math.round(now() - began) });
  }
}

/** The first of each name. Several names may lead to one program: what a driver is called is part of what it is. */
function compilersOn(path: string): string[] {
  const directories = path.split(":").filter((directory) => isAbsolute(directory));
  const found: string[] = [];
  for (const name of NAMES) {
    for (const directory of directories) {
      const compiler = join(directory, name);
      if (!existsSync(compiler)) continue;
      found.push(compiler);
      break;
    }
  }
  return found;
}
