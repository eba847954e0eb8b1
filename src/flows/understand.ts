/**
 * From a question as it was asked to what it means: which compiler, which source, which options, which key.
 *
 * Knows: the order in which that is found out. Does not know: what compilers or options are.
 */
import { type Digest, Generations, limits } from "../base/index.ts";
import {
  keyEnvironment,
  manifestKey,
  type PassReason,
  type Places,
  passAtOnce,
  placeDigest,
  placesAt,
  probeLanguage,
  projectRoot,
  type Reading,
  readInvocation,
  terminalDigest,
} from "../compile/index.ts";
import type { Files, Toolchains } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import { type ProjectPolicy, projectPolicy } from "./project-policy.ts";
import { absolutePath, type CompileQuestion, hasHeaders, NO_SEARCH, type Understood } from "./request.ts";

export interface UnderstandParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
}

export type Understanding =
  | { readonly kind: "understood"; readonly understood: Understood }
  | { readonly kind: "pass"; readonly reason: PassReason; readonly detail?: string | undefined };

type ReadText = (path: string) => string | undefined;

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
  // Of the source, and of where it is compiled: what a build generates may lie anywhere, and one project within another.
  const project = (root: string): ProjectPolicy => projectPolicy(files, look, [root, rootOf(`${cwd}/.`)]);
  if (before?.toolchain === toolchain && before.projectRoot === rootOf(before.sourcePath) && isAsRead(before, look))
    return { kind: "understood", understood: { ...before, project: project(before.projectRoot) } };

  const responses = new Responses(files, look, cwd);
  const read = (at: string): ReadAt => {
    const places = placesAt({ cwd, projectRoot: at });
    const portable = (path: string): string => places.portable(path);
    const reading = readInvocation({ argv, environment, family: toolchain.family }, portable, responses.readText);
    return { places, portable, reading: responses.changed ?? reading };
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
  const search = hasHeaders(invocation)
    ? await toolchains.ownSearch(toolchain, compiler, probeLanguage(invocation.language), environment, signal)
    : NO_SEARCH;
  const understood: Understood = {
    question,
    toolchain,
    invocation,
    places,
    projectRoot: root,
    search,
    native,
    project: project(root),
    manifest: manifestKey({ toolchain, invocation, environment, search, native, nesting: places.nesting, cwd }, portable),
    place: placeDigest(cwd, root, environment),
    terminal: terminalDigest(question, environment),
    keyEnvironment: keyEnvironment(environment, portable),
    sourcePath,
    responses: responses.read,
  };
  return { kind: "understood", understood };
}

/** Whether response files still hold what the command was understood by. */
export function isAsRead({ responses }: Pick<Understood, "responses">, look: Look): boolean {
  return [...responses].every(([path, digest]) => {
    const state = look.state(path);
    return state.kind === "file" && state.digest === digest;
  });
}

/** The response files of a command that was understood, as they were then: what was written there since is another command's. */
export function responseReader(files: Files, { question, responses }: Pick<Understood, "question" | "responses">): ReadText {
  return (path) => {
    const digest = responses.get(path);
    return digest && files.content(absolutePath(question.cwd, path), digest)?.toString("utf8");
  };
}

/** Response files of a command that is being understood: what is read is what the look has seen, for that is what is watched later. */
class Responses {
  readonly #files: Files;
  readonly #look: Look;
  readonly #cwd: string;
  readonly read: Map<string, Digest> = new Map();
  /** Set once one of them was written anew meanwhile: what the options are is not known. */
  changed: Extract<Reading, { kind: "pass" }> | undefined;

  constructor(files: Files, look: Look, cwd: string) {
    this.#files = files;
    this.#look = look;
    this.#cwd = cwd;
  }

  readonly readText: ReadText = (path) => {
    const state = this.#look.state(path);
    if (state.kind !== "file" || state.size > limits.frameBytes) return undefined;
    const content = this.#files.content(absolutePath(this.#cwd, path), state.digest);
    if (content === undefined) this.changed ??= { kind: "pass", reason: "response_file", detail: path };
    else this.read.set(path, state.digest);
    return content?.toString("utf8");
  };
}
