/**
 * A look at this machine's compilers before anybody compiles: hashing what they consist of takes most of a second the first time, and a
 * build of which others have every result would wait for nothing else.
 *
 * Knows: what compilers are usually called. Does not know: when there is time, or what a compiler is.
 */
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Environment, Log } from "../base/index.ts";
import type { Toolchains } from "../contracts/index.ts";

const NAMES = ["cc", "c++", "gcc", "g++", "clang", "clang++"] as const;

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
