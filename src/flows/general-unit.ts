/**
 * An action of a build tool as members are asked for it, and as placement weighs it.
 *
 * Knows: which actions are anything for members, what tells one from another. Does not know: members.
 */
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { ActionLimits, ExecutorAction, GeneralAction, SentCommand, Unit } from "../contracts/index.ts";
import { kindOfCommand } from "./kinds.ts";

const { mostGeneral, inputBytes: mostBytes, contentBytes } = limits.work;

/** Undefined where it is nothing for others: it has no place to work in, or is too large to be sent. */
export function membersAction(action: ExecutorAction, system: Digest, command?: SentCommand): GeneralAction | undefined {
  const { program, arguments: words, environment, cwd, inputs, directories, work, usesSystem = false } = action;
  if (work === undefined || !usesSystem || !isReadable(action)) return undefined;
  if (inputsOf(action).inputBytes > mostBytes || inputs.some(({ bytes = 0 }) => bytes > contentBytes)) return undefined;
  const plain = words.filter((word) => typeof word === "string");
  if (plain.length < words.length) return undefined;
  const sent = inputs.map(({ path, digest, executable }) => ({ path, digest, executable }));
  const asked = { system, program, arguments: plain, environment, cwd, inputs: sent, directories, work, limits: within(action.limits) };
  return command === undefined ? asked : { ...asked, command };
}

/** Members take longer lists for an offence, and end what else is asked of them on the same stream. */
function isReadable({ arguments: words, environment, inputs, directories, work }: ExecutorAction): boolean {
  const { inputs: mostInputs, words: mostWords, variables } = limits.work;
  const { outputs = [], links = [] } = work ?? {};
  if ([inputs, directories, links].some(({ length }) => length > mostInputs)) return false;
  return words.length <= mostWords && environment.size <= variables && outputs.length <= limits.action.workOutputs;
}

/** What it may use there is at most what members let each other use. */
function within(wanted: ActionLimits): ActionLimits {
  const least = (name: keyof ActionLimits): number => Math.min(wanted[name], mostGeneral[name]);
  return {
    cpuMs: least("cpuMs"),
    wallMs: least("wallMs"),
    memoryBytes: least("memoryBytes"),
    processes: least("processes"),
    fileBytes: least("fileBytes"),
    outputBytes: least("outputBytes"),
    printedBytes: least("printedBytes"),
  };
}

export function unitOf(asked: GeneralAction, action: ExecutorAction): Unit {
  const { system, arguments: words, environment, cwd, inputs, work } = asked;
  const text = JSON.stringify([words, [...environment], cwd, inputs, work.outputs, work.links]);
  return {
    key: digestOf(text),
    kind: kindOfCommand("action", words, work.outputs),
    costMs: undefined,
    ...inputsOf(action),
    toolchain: system,
    platform: "",
    isGeneral: true,
  };
}

/** What is to be sent for it, each content once. */
export function inputsOf({ inputs }: ExecutorAction): { readonly inputBytes: number; readonly contents: ReadonlyMap<Digest, number> } {
  const contents = new Map(inputs.map(({ digest, bytes = 0 }) => [digest, bytes]));
  return { inputBytes: [...contents.values()].reduce((sum, bytes) => sum + bytes, 0), contents };
}
