/**
 * Flows: the rivers. So far one: builds, for compilers.
 *
 * Knows: the order of things. Does not know: bytes, sockets, databases.
 */
export { type Answer, CompileFlow, type CompileOptions, type CompileParts } from "./compile.ts";
export type { Difference } from "./differences.ts";
export { CompilesForOthers, type CompilesForOthersParts, type OthersOutcome } from "./for-others.ts";
export { partGifts } from "./givers.ts";
export type { Outcome } from "./own-compiles.ts";
export type { Placement, PlannedOutput, Validity } from "./plan.ts";
export type { Helpers } from "./remote.ts";
export type { CompileQuestion, RunReport } from "./request.ts";
export { type Counts, Statistics } from "./statistics.ts";
