/**
 * A look at this machine's compilers before anybody compiles: hashing what they consist of takes most of a second the first time, and a
 * build of which others have every result would wait for nothing else.
 *
 * Knows: what compilers are usually called. Does not know: when there is time, or what a compiler is.
 */
import { readdirSync, realpathSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Environment, Log } from "../base/index.ts";
import type { Toolchains } from "../contracts/index.ts";

/** `gcc`, `clang++-19`, `x86_64-linux-gnu-g++-12`: what a compiler is called is part of what it is. */
const NAME = /^(?:[\w.]+-)*(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(?:-\d+(?:\.\d+)*)?$/;
const MOST_COMPILERS = 32;

export interface FirstSightParts {
  readonly toolchains: Pick<Toolchains, "identify">;
  readonly log: Log;
  /** Of the daemon, whose PATH is that of whoever started it. */
  readonly env: Environment;
  /** Called when it is known which there are. */
  readonly looked: () => void;
}

export class FirstSight {
  readonly #parts: FirstSightParts;
  #looked: Promise<void> | undefined;

  constructor(parts: FirstSightParts) {
    this.#parts = parts;
  }

  /** Looks once; what is found is kept with the digests of files. */
  look(signal: AbortSignal): Promise<void> {
    this.#looked ??= this.#look(signal);
    return this.#looked;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { toolchains, log, env, looked } = this.#parts;
    const began = performance.now();
    const environment = new Map(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const compilers = compilersOn(env.PATH ?? "");
    for (const compiler of compilers) await toolchains.identify(compiler, environment, signal);
    log.event("info", "toolchain.first-sight", { compilers: compilers.length, tookMs: Math.round(performance.now() - began) });
    looked();
  }
}

/** The first of each name, the plainest names first. */
function compilersOn(path: string): string[] {
  const found = new Map<string, string>();
  for (const directory of path.split(":").filter((one) => isAbsolute(one))) {
    for (const name of namesIn(directory)) {
      const compiler = join(directory, name);
      if (!found.has(name) && realPath(compiler) !== undefined) found.set(name, compiler);
    }
  }
  const names = [...found.keys()].toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return names.slice(0, MOST_COMPILERS).flatMap((name) => found.get(name) ?? []);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => NAME.test(name));
  } catch {
    return [];
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
