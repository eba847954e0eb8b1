/**
 * Flows: the rivers. So far one: builds, for compilers.
 *
 * Knows: the order of things. Does not know: bytes, sockets, databases.
 */
export { Actions } from "./actions.ts";
export { Checkouts, type Elsewhere, type Unit } from "./checkouts.ts";
export { type Answer, CompileFlow, type CompileOptions, type CompileParts, type Foresee, type Ready } from "./compile.ts";
export type { Difference } from "./differences.ts";
export type { Next, Prepared, PreparedUse } from "./expected-units.ts";
export { CompilesForOthers, type CompilesForOthersParts, type Looked, type OthersOutcome } from "./for-others.ts";
export { partGifts } from "./givers.ts";
export { type MovedHit, rememberMoved } from "./moved-hits.ts";
export { isOfItsAction } from "./others.ts";
export type { Outcome } from "./own-compiles.ts";
export type { Placement, PlannedOutput, Validity } from "./plan.ts";
export type { ProjectPolicy } from "./project-policy.ts";
export type { Helpers } from "./remote.ts";
export type { CompileQuestion, RunReport } from "./request.ts";
export { type Counts, Statistics } from "./statistics.ts";
export { type TaskAnswered, TaskFlow, type TaskKept, type TaskParts, type TaskReport } from "./task.ts";
export { isOfTask } from "./task-history.ts";
export type { SandboxWish, TaskQuestion } from "./task-question.ts";
export type { TaskVerdict, TaskVerified } from "./task-verifying.ts";
export { type WitnessedTask, witnessTask } from "./task-witness.ts";
export type { Verdict, Verified } from "./verifying.ts";
export { type Executed, Facts, Witness } from "./witness.ts";
