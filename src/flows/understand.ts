/**
 * From a question as it was asked to what it means: which compiler, which source, which options, which key.
 *
 * Knows: the order in which that is found out. Does not know: what compilers or options are.
 */
import { readFileSync } from "node:fs";
import { Generations, limits } from "../base/index.ts";
import {
  keyEnvironment,
  manifestKey,
  type PassReason,
  type Places,
  passAtOnce,
  placeDigest,
  placesAt,
  projectRoot,
  type Reading,
  readInvocation,
  terminalDigest,
} from "../compile/index.ts";
import type { Files, Toolchains } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import { type ProjectPolicy, projectPolicy } from "./project-policy.ts";
import { absolutePath, type CompileQuestion, type Understood } from "./request.ts";

export interface UnderstandParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
}

export type Understanding =
  | { readonly kind: "understood"; readonly understood: Understood }
  | { readonly kind: "pass"; readonly reason: PassReason; readonly detail?: string | undefined };

interface ReadAt {
  readonly places: Places;
  readonly portable: (path: string) => string;
  readonly reading: Reading;
}

/** Of working directories, where the project was that a file was compiled of last. */
const roots = new Generations<string, string>(limits.placesRemembered);

/**
 * @param homeDirectory of the user, which is no project
 * @param before how the same question was understood a moment ago, by what was remembered of files
 */
export async function understand(
  { files, toolchains }: UnderstandParts,
  homeDirectory: string,
  question: CompileQuestion,
  look: Look,
  signal: AbortSignal,
  before?: Understood,
): Promise<Understanding> {
  const { cwd, argv, environment, compiler } = question;
  const passed = passAtOnce(argv);
  if (passed !== undefined) return passed;
  const identified = await toolchains.identify(compiler, environment, signal, look);
  if (identified.kind === "unknown") return { kind: "pass", reason: identified.reason };
  const { toolchain } = identified;

  const rootOf = (path: string): string => projectRoot(path, (at) => !look.absent(at), homeDirectory);
  // Of the source, and of where it is compiled: what a build generates may lie anywhere.
  const project = (root: string): ProjectPolicy =>
    projectPolicy(files, look, `${cwd}/`.startsWith(`${root}/`) ? [root] : [root, rootOf(`${cwd}/.`)]);
  if (before?.toolchain === toolchain && before.projectRoot === rootOf(before.sourcePath))
    return { kind: "understood", understood: { ...before, project: project(before.projectRoot) } };

  const readText = responseReader(files, cwd);
  const read = (at: string): ReadAt => {
    const places = placesAt({ cwd, projectRoot: at });
    const portable = (path: string): string => places.portable(path);
    return { places, portable, reading: readInvocation({ argv, environment, family: toolchain.family }, portable, readText) };
  };
  // Where the project lies is known only once the source is: mostly where it lay for the last one that was compiled there.
  const likely = roots.get(cwd) ?? cwd;
  const first = read(likely);
  if (first.reading.kind === "pass") return first.reading;
  const sourcePath = absolutePath(cwd, first.reading.invocation.source);
  const root = rootOf(sourcePath);
  roots.set(cwd, root);
  const { places, portable, reading } = root === likely ? first : read(root);
  if (reading.kind === "pass") return reading;
  const { invocation } = reading;

  const native =
    invocation.nativeArgs.length === 0 ? "" : await toolchains.native(toolchain, compiler, invocation.nativeArgs, environment, signal);
  if (native === undefined) return { kind: "pass", reason: "unknown_compiler", detail: invocation.nativeArgs.join(" ") };
  const understood: Understood = {
    question,
    toolchain,
    invocation,
    places,
    projectRoot: root,
    project: project(root),
    manifest: manifestKey({ toolchain, invocation, environment, native, nesting: places.nesting }, portable),
    place: placeDigest(cwd, root, environment),
    terminal: terminalDigest(question, environment),
    keyEnvironment: keyEnvironment(environment, portable),
    sourcePath,
  };
  return { kind: "understood", understood };
}

/** Reads response files of a compiler that works in `cwd`. */
export function responseReader(files: Files, cwd: string): (path: string) => string | undefined {
  return (path) => {
    const file = absolutePath(cwd, path);
    const state = files.state(file);
    return state.kind !== "file" || state.size > limits.frameBytes ? undefined : readFileSync(file, "utf8");
  };
}
