/**
 * Exec: running programs and finding out about them.
 *
 * Knows: processes, compilers' ways of telling about themselves.
 * Does not know: caches, peers, what a build is.
 */

export { readOnlyHeaderSearch } from "./compiler-text.ts";
export { type Elf, readElf } from "./elf.ts";
export { LocalExecutor } from "./local.ts";
export { processorHere } from "./processor.ts";
export { installedProgram, Programs } from "./programs.ts";
export { SandboxExecutor, type SandboxParts } from "./sandbox.ts";
export { isKept as isSandboxPlace, workPlaces } from "./sandbox-plan.ts";
export type { RunAs } from "./sandbox-process.ts";
export type { SandboxOptions } from "./sandbox-setup.ts";
export type { SandboxView } from "./sandbox-view.ts";
export { type Ground, groundHere, type Laid, type LaidFile, layOut, toolchainDigest } from "./toolchain-layout.ts";
export { LocalToolchains } from "./toolchains.ts";
