/**
 * What a machine may sign of a command that it has executed for another: nothing that it was told, only what follows from what ran.
 *
 * The command's task is put together from what was sent with it, and has to lead to exactly the action that ran; then its key says nothing else
 * than the action did, and what is installed is what was found here. Everything here leans to "no": then nobody signs. No I/O.
 */
import { isDeepStrictEqual } from "node:util";
import type { Digest } from "../base/index.ts";
import type { GeneralAction, TaskCodec, TaskSystem } from "../contracts/index.ts";
import type { Done } from "./actions.ts";
import { membersAction } from "./general-unit.ts";
import { isWhole } from "./task-placing.ts";
import { sandboxedAction, taskBehind, toolsDigest } from "./task-question.ts";
import { keyed, type MadeTask, resultOf } from "./task-results.ts";
import { leftBy, type TaskRunsOptions } from "./task-runs.ts";

export interface WitnessedTask extends MadeTask {
  readonly manifest: Digest;
  readonly toolchain: Digest;
}

/**
 * @param installed as it was found here after the command had run
 * @param system what members call that; undefined where two machines cannot be told apart. What ran beside a name of its owner's is not compared
 * @returns undefined where nothing is to be signed
 */
export function witnessTask(
  codec: TaskCodec,
  ran: { readonly action: GeneralAction; readonly done: Done; readonly installed: TaskSystem; readonly system: Digest | undefined },
  { places }: TaskRunsOptions,
): WitnessedTask | undefined {
  const { action, done, installed, system } = ran;
  const { command } = action;
  if (command?.signed !== true || !installed.isTold || system === undefined) return undefined;
  const task = taskBehind(action, command, installed, places);
  // With the bounds that all commands have at members: they are in no key, and within tighter ones a program may leave less and exit with 0.
  const again = membersAction(sandboxedAction(task, places), system, command);
  if (!isDeepStrictEqual(again, action) || !haveTheirContents(action, places)) return undefined;
  const { exitCode, stdout, stderr, used } = done;
  const left = leftBy(done);
  if (!isWhole(task, { exitCode, left })) return undefined;
  const key = task.keys.sandboxed;
  const run = { startedAtMs: 0, endedAtMs: Math.round(used.wallMs), cpuMs: used.cpuMs ?? used.wallMs };
  const { entry, result } = resultOf(codec, keyed(task, key), { exitCode, stdout, stderr, left }, run);
  return { manifest: key, entry, result, toolchain: toolsDigest(task) };
}

/** Programs that go along are what they are said to be; those that are installed have been looked at. */
function haveTheirContents({ inputs, command }: GeneralAction, { inputs: root }: { readonly inputs: string }): boolean {
  const digests = new Map(inputs.map(({ path, digest }) => [path, digest]));
  return (command?.programs ?? []).every(({ place, digest }) => place.startsWith("/") || digests.get(`${root}/${place}`) === digest);
}
