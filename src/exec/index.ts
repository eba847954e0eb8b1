/**
 * Exec: running programs and finding out about them.
 *
 * Knows: processes, compilers' ways of telling about themselves.
 * Does not know: caches, peers, what a build is.
 */
export { LocalExecutor } from "./local.ts";
export { SandboxExecutor, type SandboxParts } from "./sandbox.ts";
export type { RunAs } from "./sandbox-process.ts";
export type { SandboxOptions } from "./sandbox-setup.ts";
export { LocalToolchains } from "./toolchains.ts";
