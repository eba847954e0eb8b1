/**
 * Which commands are anything for members, as what they are asked for, and what of theirs is of use.
 *
 * Knows: the rule. Does not know: members, how an action travels.
 */
import type { Digest } from "../base/index.ts";
import type { ExecutorAction, Sharing, TaskSystem } from "../contracts/index.ts";
import type { Sent, StaysWhy } from "./actions.ts";
import { inputsOf, membersAction } from "./general-unit.ts";
import { kindOfCommand } from "./kinds.ts";
import { missingOutputs, oddity } from "./task-outputs.ts";
import { sentCommand, type TaskQuestion, type UnderstoodTask } from "./task-question.ts";
import type { TaskDone } from "./task-results.ts";

export interface PlacingParts {
  readonly sharing: Pick<Sharing, "mayHelp">;
  /** Whether this node is in a network. */
  readonly hasNetwork: () => boolean;
  /** What members must have installed to be asked for a command; undefined: nobody can tell. */
  readonly alike: (installed: TaskSystem) => Digest | undefined;
}

/** What is known of a command besides. */
export interface Foreknown {
  /** What it took the last time, ms. */
  readonly costMs: number | undefined;
  /** Not always the same came of it. */
  readonly isUnshared: boolean;
}

/** As members are asked for a command, or why they are not. */
export function forMembers(parts: PlacingParts, task: UnderstoodTask, action: ExecutorAction, known: Foreknown): Sent | StaysWhy {
  const { question, installed, project, keys } = task;
  if (question.here) return "asked";
  if (!parts.hasNetwork()) return "alone";
  if (known.isUnshared) return "unshared";
  if (!parts.sharing.mayHelp(undefined)) return "policy";
  if (!parts.sharing.mayHelp(project)) return "project-policy";
  const system = parts.alike(installed);
  if (system === undefined) return "system-unknown";
  const asked = membersAction(action, system, sentCommand(task, installed.isTold));
  if (asked === undefined) return "too-large";
  return {
    asked,
    unit: {
      key: keys.sandboxed,
      kind: kindOf(question),
      costMs: known.costMs,
      ...inputsOf(action),
      toolchain: system,
      platform: "",
      isGeneral: true,
    },
  };
}

/** What names its tests runs them. */
function kindOf({ command, named, outputs }: TaskQuestion): string {
  return named.length > 0 ? "test" : kindOfCommand("exec", command, outputs);
}

/** Whether it is what a run of it here would put into the checkout. */
export function isWhole({ question: { outputs } }: UnderstoodTask, { exitCode, left }: Pick<TaskDone, "exitCode" | "left">): boolean {
  return exitCode === 0 && missingOutputs(left, outputs).length === 0 && oddity(left, outputs) === undefined;
}
