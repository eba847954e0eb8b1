/**
 * What a member is asked to do, as messages and back: compiles and general actions.
 *
 * Knows: the bounds of every field. Does not know: frames, whether an action is harmless.
 */
import { type Digest, limits } from "../base/index.ts";
import type { ActionLimits, CompileAction, CompileRequest, GeneralAction, SentCommand } from "../contracts/index.ts";
import type {
  WorkAction as WorkActionMessage,
  WorkActionSchema,
  WorkCommand as WorkCommandMessage,
  WorkGeneral as WorkGeneralMessage,
  WorkGeneralSchema,
  WorkRequest as WorkRequestMessage,
} from "./generated/work_pb.ts";
import { bytesOf, hexOf, type Init, invalid, list } from "./message-fields.ts";

const LIMIT_NAMES = ["cpuMs", "wallMs", "memoryBytes", "processes", "fileBytes", "outputBytes", "printedBytes"] as const;
const DIGEST_BYTES = 32;
/** Stands among the options so that workers that do not know of the field refuse it, and make no object in place of the text. */
const PREPROCESS = "-E";
const { work } = limits;

export function actionMessage(action: CompileAction, along: ReadonlyMap<Digest, Uint8Array>): Init<typeof WorkActionSchema> {
  const { toolchain, toolchainRoot = "", options, source, mode, dependencies, cwd, directories, request } = action;
  return {
    toolchain: bytesOf(toolchain),
    toolchainRoot: bytesOf(toolchainRoot),
    options: mode === "preprocessed" ? [PREPROCESS, ...options] : [...options],
    source,
    assembly: mode === "assembly",
    preprocessed: mode === "preprocessed",
    ...(dependencies === undefined
      ? {}
      : { dependencies: { user: dependencies.headers === "user", target: dependencies.target, phony: dependencies.phony } }),
    cwd,
    directories: [...directories],
    ...commonMessage(action, along),
    ...(request && { request: { words: [...request.words], environment: variables(request.environment), root: request.root } }),
  };
}

export function generalMessage(action: GeneralAction, along: ReadonlyMap<Digest, Uint8Array>): Init<typeof WorkGeneralSchema> {
  const { system, program, arguments: words, cwd, inputs, directories, work: place, command } = action;
  return {
    system: bytesOf(system),
    program,
    arguments: [...words],
    cwd,
    executable: inputs.flatMap(({ executable }, at) => (executable ? [at] : [])),
    directories: [...directories],
    root: place.root,
    outputs: [...place.outputs],
    links: place.links.map(({ path, target }) => ({ path, target })),
    ...commonMessage(action, along),
    ...(command && {
      command: {
        name: command.name,
        programs: command.programs.map(({ place: at, digest, brought }) => ({ place: at, digest: bytesOf(digest), brought })),
        variables: [...command.variables],
        signed: command.signed,
      },
    }),
  };
}

function variables(environment: ReadonlyMap<string, string>): { name: string; value: string }[] {
  return [...environment].map(([name, value]) => ({ name, value }));
}

/** What both kinds say in the same way. */
function commonMessage(
  { environment, inputs, limits: wanted }: Pick<CompileAction, "environment" | "inputs" | "limits">,
  along: ReadonlyMap<Digest, Uint8Array>,
) {
  return {
    environment: variables(environment),
    paths: inputs.map(({ path }) => path),
    digests: bytesOf(inputs.map(({ digest }) => digest).join("")),
    limits: Object.fromEntries(LIMIT_NAMES.map((name) => [name, BigInt(wanted[name])])),
    along: [...along].map(([digest, bytes]) => ({ input: inputs.findIndex((input) => input.digest === digest), bytes })),
  };
}

/** @throws {CairnError} frame-invalid */
export function actionOf(message: WorkActionMessage): { readonly action: CompileAction; readonly along: ReadonlyMap<Digest, Uint8Array> } {
  const { source, assembly, preprocessed, dependencies, cwd, directories, request } = message;
  const inputs = inputsOf(message);
  const options = list(message.options, limits.compilerArguments);
  if (preprocessed && (assembly || options[0] !== PREPROCESS)) throw invalid("preprocessed");
  const action: CompileAction = {
    toolchain: hexOf(message.toolchain, DIGEST_BYTES),
    ...(message.toolchainRoot.length > 0 && { toolchainRoot: hexOf(message.toolchainRoot, DIGEST_BYTES) }),
    options: preprocessed ? options.slice(1) : options,
    source,
    mode: preprocessed ? "preprocessed" : assembly ? "assembly" : "object",
    dependencies: dependencies && {
      headers: dependencies.user ? "user" : "all",
      target: dependencies.target,
      phony: dependencies.phony,
    },
    environment: environmentOf(message),
    cwd,
    inputs,
    directories: list(directories, work.inputs),
    limits: limitsOf(message),
    ...(request && { request: requestOf(request) }),
  };
  return { action, along: alongOf(message, inputs) };
}

/** @throws {CairnError} frame-invalid */
function requestOf(message: WorkRequestMessage): CompileRequest {
  return { words: list(message.words, limits.compilerArguments), environment: environmentOf(message), root: message.root };
}

/** @throws {CairnError} frame-invalid */
export function generalOf(message: WorkGeneralMessage): {
  readonly action: GeneralAction;
  readonly along: ReadonlyMap<Digest, Uint8Array>;
} {
  const { program, arguments: words, cwd, directories, root, outputs, links, command } = message;
  const executable = new Set(list(message.executable, work.inputs));
  const inputs = inputsOf(message).map((input, at) => ({ ...input, executable: executable.delete(at) }));
  if (executable.size > 0) throw invalid("executable");
  const action: GeneralAction = {
    system: hexOf(message.system, DIGEST_BYTES),
    program,
    arguments: list(words, work.words),
    environment: environmentOf(message),
    cwd,
    inputs,
    directories: list(directories, work.inputs),
    work: {
      root,
      outputs: list(outputs, limits.action.workOutputs),
      links: list(links, work.inputs).map(({ path, target }) => ({ path, target })),
    },
    limits: limitsOf(message),
    ...(command && { command: commandOf(command) }),
  };
  return { action, along: alongOf(message, inputs) };
}

/** @throws {CairnError} frame-invalid */
function commandOf({ name, programs, variables, signed }: WorkCommandMessage): SentCommand {
  const read = list(programs, limits.task.programs).map(({ place, digest, brought }) => ({
    place,
    digest: hexOf(digest, DIGEST_BYTES),
    brought,
  }));
  return { name, programs: read, variables: list(variables, limits.task.variables), signed };
}

function inputsOf({
  paths,
  digests,
}: {
  readonly paths: readonly string[];
  readonly digests: Uint8Array;
}): { path: string; digest: Digest }[] {
  if (digests.length !== list(paths, work.inputs).length * DIGEST_BYTES) throw invalid("digests");
  return paths.map((path, at) => ({ path, digest: hexOf(digests.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES), DIGEST_BYTES) }));
}

function environmentOf({ environment }: { readonly environment: readonly { name: string; value: string }[] }): ReadonlyMap<string, string> {
  return new Map(list(environment, limits.action.variables).map(({ name, value }) => [name, value]));
}

function alongOf(
  { along }: { readonly along: readonly { readonly input: number; readonly bytes: Uint8Array }[] },
  inputs: readonly { readonly digest: Digest }[],
): ReadonlyMap<Digest, Uint8Array> {
  const contents = new Map<Digest, Uint8Array>();
  let left: number = work.alongBytes;
  for (const { input, bytes } of along) {
    const digest = inputs[input]?.digest;
    left -= bytes.length;
    if (digest === undefined || contents.has(digest) || left < 0) throw invalid("along");
    contents.set(digest, bytes);
  }
  return contents;
}

function limitsOf({ limits: wanted }: { readonly limits?: Readonly<Record<keyof ActionLimits, bigint>> | undefined }): ActionLimits {
  if (wanted === undefined) throw invalid("limits");
  const { cpuMs, wallMs, memoryBytes, processes, fileBytes, outputBytes, printedBytes } = wanted;
  return {
    cpuMs: numberOf(cpuMs),
    wallMs: numberOf(wallMs),
    memoryBytes: numberOf(memoryBytes),
    processes: numberOf(processes),
    fileBytes: numberOf(fileBytes),
    outputBytes: numberOf(outputBytes),
    printedBytes: numberOf(printedBytes),
  };
}

/** @throws {CairnError} frame-invalid */
export function numberOf(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid("number");
  return Number(value);
}
