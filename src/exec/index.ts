/**
 * Exec: running programs and finding out about them.
 *
 * Knows: processes, compilers' ways of telling about themselves.
 * Does not know: caches, peers, what a build is.
 */
export { LocalToolchains } from "./toolchains.ts";
