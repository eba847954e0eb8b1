/**
 * Toolchains: what a compiler really is, by the content of everything it executes and loads.
 */
import type { Digest, Key } from "../base/index.ts";
import type { Files } from "./files.ts";

export interface Toolchain {
  readonly family: "gcc" | "clang";
  /** `12.2.0`, `19.1.7` */
  readonly version: string;
  /** x86_64-linux-gnu */
  readonly target: string;
  /** What executes it: `linux-x86_64` */
  readonly platform: string;
  /** All that it can build for, as it calls them, `target` first. Of one that was fetched no more than that is known. */
  readonly targets: readonly string[];
  /** Digest over the name it was called by and the content of all its parts. */
  readonly digest: Digest;
  /** Files whose content is in the digest: driver, cc1*, as, shared libraries, specs. Absolute, links not resolved. */
  readonly files: readonly string[];
  /** Places where a part would be found first if it existed, whatever PATH is (specs, `as` beside cc1, clang configuration). */
  readonly absent: readonly string[];
  /** The same by the PATH of who asked: it is no part of what the toolchain is, and does not travel. */
  readonly earlierOnPath: readonly string[];
  /** Files that only have to be there: by them clang finds the gcc whose headers of C++ it uses. It reads none of them. */
  readonly beside: readonly string[];
  /** Directories of this machine in which another gcc may appear, whose headers clang then prefers. They do not travel either. */
  readonly gccDirectories?: readonly string[];
  /** Set where its files are none of this machine's, but blobs of the store. */
  readonly layout?: ToolchainLayout;
}

/** Each file of a toolchain where it really lies, and the links on the way to it. */
export interface ToolchainLayout {
  /** The topmost directory of its pack (docs/protocol/toolchains.md): equal for the same files at the same places. */
  readonly root: Digest;
  readonly files: readonly { readonly path: string; readonly digest: Digest; readonly size: number; readonly executable: boolean }[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

/** What people are told of a toolchain, and what decides whether a machine can execute it. */
export interface ToolchainSummary {
  readonly family: "gcc" | "clang";
  readonly version: string;
  readonly target: string;
  /** `linux-x86_64` */
  readonly platform: string;
  /** Path of the driver. */
  readonly compiler: string;
}

/** A toolchain that a member has, before anything of it is fetched. */
export interface ToolchainOffer extends ToolchainSummary {
  readonly root: Digest;
  /** All of its files. */
  readonly bytes: number;
}

/** A compiler that jobs of others may use. */
export interface Installed {
  /** Path of the driver. */
  readonly compiler: string;
  readonly toolchain: Toolchain;
}

export type Supplied =
  | { readonly kind: "installed"; readonly installed: Installed }
  /** Not now or not at all; `why` is for people. */
  | { readonly kind: "absent"; readonly why: string };

/** Compilers for others' jobs: this machine's own, and those that members have sent. */
export interface ToolchainSupply {
  /**
   * The compiler that has this content, with its files where the member has them. What is not here may be fetched in the background.
   *
   * @param root of its pack, where the job says which of several it means
   * @throws the signal's reason
   */
  supply(toolchain: Digest, root: Digest | undefined, member: Key, signal: AbortSignal): Promise<Supplied>;
  /** Whether what was supplied may still be run for that member; nobody is asked, and nothing is fetched. */
  mayRun(supplied: Toolchain, member: Key): boolean;
}

export type ToolchainRead =
  | { readonly kind: "toolchain"; readonly toolchain: Toolchain }
  | { readonly kind: "unknown"; readonly reason: "unknown_compiler" | "compiler_is_wrapper" | "configuration_file" };

/** The environment that a wrapper sent, by name. */
export type CompilerEnvironment = ReadonlyMap<string, string>;

export interface SearchPaths {
  /** Directories for `#include "x"` after the includer's own and before `angle`; as the compiler names them. */
  readonly quote: readonly string[];
  readonly angle: readonly string[];
  /** Directories that were asked for and do not exist. */
  readonly missing: readonly string[];
  /** Directories that were asked for and are, by way of links, others of the list; those of the system left out. */
  readonly duplicates: readonly string[];
}

export type SeenFiles = Pick<Files, "state" | "absent">;

export interface Toolchains {
  /**
   * @param compiler path of the driver as found on PATH
   * @param seen files as the asker sees them, who will look at the same ones
   */
  identify(compiler: string, environment: CompilerEnvironment, signal: AbortSignal, seen?: SeenFiles): Promise<ToolchainRead>;
  /**
   * Where this compiler looks for headers.
   * @param args those arguments that bear on it (-I…, -isystem…, --sysroot…, -nostdinc, -m…, -std…, -x language)
   */
  searchPaths(
    toolchain: Toolchain,
    compiler: string,
    args: readonly string[],
    cwd: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<SearchPaths>;
  /**
   * Where this compiler looks for headers when neither options nor variables name places; the place of the compiler where it does not say.
   * @param language as `-x` calls it
   */
  ownSearch(
    toolchain: Toolchain,
    compiler: string,
    language: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<SearchPaths>;
  /** What `-march=native` and the like stand for on this machine: text that belongs into the key. */
  native(
    toolchain: Toolchain,
    compiler: string,
    args: readonly string[],
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /** What the compiler prints when it is run with these `-E` arguments: at most limits.preprocessedBytes. */
  preprocess(
    compiler: string,
    args: readonly string[],
    cwd: string,
    environment: CompilerEnvironment,
    inBackground: boolean,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /**
   * What the compiler prints when it is run with these `-M` arguments, where a dependency file leaves system headers out, or before anything has
   * run: at most limits.probeBytes.
   */
  dependencies(
    compiler: string,
    args: readonly string[],
    cwd: string,
    environment: CompilerEnvironment,
    signal: AbortSignal,
  ): Promise<string | undefined>;
}
