/**
 * What a machine may sign of a compile that it has executed for somebody else: nothing that it was told, only what follows from what ran.
 *
 * The request is read again, and has to lead to exactly the compile that ran. What was read, and looked for in vain, is examined as after an own
 * compile, over a view in which nothing exists but what the compiler saw; where it looks for headers, and whether its place matters, the compiler
 * is asked again behind the same walls. Everything here leans to "no": then nobody signs.
 *
 * Knows: what must hold. Does not know: keys, who asks, how the view comes about.
 */
import { posix } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Digest } from "../base/index.ts";
import {
  actionKey,
  type Invocation,
  keyEnvironment,
  manifestKey,
  namedBy,
  passAtOnce,
  placeDigest,
  placesAt,
  probeLanguage,
  readInvocation,
  remoteCommand,
  terminalDigest,
} from "../compile/index.ts";
import type {
  CompileAction,
  CompileRequest,
  Executor,
  ExecutorAction,
  Files,
  ManifestEntry,
  SearchPaths,
  StoredResult,
  Toolchain,
  WorkerOutcome,
} from "../contracts/index.ts";
import { outputsOf, resultOf } from "./ingest.ts";
import { Absences, Glance, Look } from "./look.ts";
import { inPieces } from "./pieces.ts";
import { NO_PROJECT } from "./project-policy.ts";
import { tellsPlace } from "./prove-place.ts";
import { sentEnvironment } from "./remote-action.ts";
import { localeFiles } from "./remote-messages.ts";
import { judge } from "./remote-result.ts";
import { absolutePath, type CompileQuestion, hasHeaders, isOfSystem, NO_SEARCH, type Understood } from "./request.ts";
import { SourceFacts } from "./source-facts.ts";

/** What an action sees of files. */
export interface View extends Files, Disposable {
  /** The path without links. */
  readonly real: (path: string) => string;
  /** Somebody has looked for what only that place has. */
  readonly touchesMount: boolean;
}

export interface WitnessParts {
  readonly sandbox: Executor & {
    /** The action's inputs are held. @returns undefined when it cannot be had */
    view(action: ExecutorAction, signal: AbortSignal): Promise<View | undefined>;
  };
  /** Where a compiler that was asked with `-v` says that it looks for headers; undefined where its text may be somebody else's. */
  readonly searchIn: (text: string) => SearchPaths | undefined;
}

type Done = Extract<WorkerOutcome, { kind: "done" }>;

/** A compile that was executed here. */
export interface Executed {
  readonly asked: CompileAction & { readonly request: CompileRequest };
  /** What ran. */
  readonly action: ExecutorAction;
  readonly done: Done;
}

export type Seen =
  | { readonly kind: "seen"; readonly manifest: string; readonly entry: ManifestEntry; readonly result: StoredResult }
  | { readonly kind: "unclear"; readonly why: string };

/** What was asked, before it is known what it is called. */
type Request = Omit<Understood, "manifest" | "search" | "native">;

/** What the compiler says when it is asked again. */
interface Told {
  readonly search: SearchPaths;
  /** The preprocessed source. */
  readonly text: string;
}

const OUTPUT = "object";
const CONTROL = /\p{Cc}/u;
const HEADER_DIRECTORY = /^-(?:I|isystem|iquote|idirafter)/;

export class Witness {
  readonly #parts: WitnessParts;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
  }

  /** @param facts of contents, whoever has sent them @throws {Error} of the system, or the signal's reason */
  async look(executed: Executed, facts: Facts, signal: AbortSignal): Promise<Seen> {
    const { asked, action, done } = executed;
    if (done.exitCode !== 0 || action.toolchain === undefined) return unclear("failed");
    const request = understandAgain(asked, action.toolchain, action.program);
    if (typeof request === "string") return unclear(request);
    const own = await this.#ownSearch(executed, request.invocation, signal);
    if (own === undefined) return unclear("its own search for headers");
    const understood = { ...request, search: own, native: "", manifest: manifestAgain(request, own) };
    using view = await this.#parts.sandbox.view(action, signal);
    if (view === undefined) return unclear("no view");
    const told = await this.#ask(executed, understood.invocation, signal);
    if (typeof told === "string") return unclear(told);
    if (isShadowed(understood, told.search)) return unclear("its place is one of the system's");
    const sources = facts.over(view);
    await inPieces(asked.inputs, ({ path, digest }) => sources.scan(path, digest));
    const look = new Look(new Glance({ files: view, absences: new Absences() }), asked.cwd);
    if (!isPlain(understood.question, done, look)) return unclear("messages");
    const files = new Map(asked.inputs.map(({ path, digest }) => [path, digest]));
    const inputs = { files, paths: new Map(), directories: asked.directories, names: [], bytes: 0, sizes: new Map() };
    const judged = await judge(sources, { understood, inputs, search: told.search, real: (path) => view.real(path) }, done, look);
    if (judged.kind === "bad") return unclear(`${judged.reason} ${judged.detail}`);
    if (view.touchesMount) return unclear("a place of the sandbox");
    const { finding, report } = judged;
    const entry = settled(finding.entry, understood, told.text);
    // Whether that is another name for it was for the asker's machine to say, and compilers write it down.
    if (entry.place !== undefined && (asked.request.environment.get("PWD") ?? asked.cwd) !== asked.cwd) return unclear("working directory");
    return { kind: "seen", manifest: understood.manifest, entry, result: resultOf(outputsOf(understood, finding), report) };
  }

  /** Where the compiler looks for headers unasked, among the directories that the request has brought. */
  async #ownSearch({ action }: Executed, invocation: Invocation, signal: AbortSignal): Promise<SearchPaths | undefined> {
    if (!hasHeaders(invocation)) return NO_SEARCH;
    const words = ["-x", probeLanguage(invocation.language), "-E", "-v", "/dev/null", "-o", { output: OUTPUT }];
    const environment = new Map([["LC_ALL", "C"]]);
    const told = await this.#parts.sandbox.run({ ...action, environment, arguments: words, outputs: [OUTPUT] }, signal);
    return told.kind === "done" && told.exitCode === 0 ? this.#parts.searchIn(told.stderr.toString("utf8")) : undefined;
  }

  /** Of a source that is preprocessed already nothing is looked for. */
  async #ask({ asked, action }: Executed, invocation: Invocation, signal: AbortSignal): Promise<Told | string> {
    const environment = new Map([...action.environment, ["LC_ALL", "C"]]);
    const words = ["-E", "-P", "-v", "-o", { output: OUTPUT }, ...asked.options, asked.source];
    const again = await this.#parts.sandbox.run({ ...action, environment, arguments: words, outputs: [OUTPUT] }, signal);
    if (again.kind !== "done" || again.exitCode !== 0) return "not preprocessed";
    const text = again.outputs[0]?.content.toString("utf8");
    const search = hasHeaders(invocation) ? this.#parts.searchIn(again.stderr.toString("utf8")) : NO_SEARCH;
    return text === undefined || search === undefined ? "its search for headers" : { text, search };
  }
}

/** What is known of contents that others have sent: each is looked at once. */
export class Facts {
  #view: Pick<Files, "content"> | undefined;
  readonly #facts = new SourceFacts({ files: { content: (path, digest) => this.#view?.content(path, digest) } });

  /** With the contents that `view` has, until it is asked for another. */
  over(view: Pick<Files, "content">): SourceFacts {
    this.#view = view;
    return this.#facts;
  }
}

function unclear(why: string): Seen {
  return { kind: "unclear", why };
}

/** The request as it was read by who asks, from its own words. @returns why it does not lead to what ran */
function understandAgain(
  asked: CompileAction & { readonly request: CompileRequest },
  toolchain: Toolchain,
  compiler: string,
): Request | string {
  const { request, cwd } = asked;
  const { words, environment, root } = request;
  const argv = [compiler, ...words];
  if ([...words, ...environment.values(), cwd, root].some((text) => CONTROL.test(text))) return "characters";
  if (!root.startsWith("/") || posix.normalize(`${root}/`) !== (root === "/" ? root : `${root}/`)) return "root";
  const places = placesAt({ cwd, projectRoot: root });
  const portable = (path: string): string => places.portable(path);
  if (passAtOnce(argv) !== undefined) return "words";
  const reading = readInvocation({ argv, environment, family: toolchain.family }, portable, () => undefined);
  if (reading.kind === "pass") return reading.reason;
  const { invocation } = reading;
  // Of headers of the system that its list leaves out nobody knows by which names they were read.
  if (invocation.nativeArgs.length + invocation.responseFiles.length > 0 || invocation.depfile?.headers === "user") return "options";
  const against = otherThan(asked, argv, invocation);
  if (against !== undefined) return against;
  const question = questionOf(asked, argv);
  return {
    question,
    toolchain,
    invocation,
    places,
    projectRoot: root,
    project: NO_PROJECT,
    place: placeDigest(cwd, root, environment),
    terminal: terminalDigest(question, environment),
    keyEnvironment: keyEnvironment(environment, portable),
    sourcePath: absolutePath(cwd, invocation.source),
    responses: new Map(),
  };
}

function manifestAgain({ toolchain, invocation, question, places }: Request, search: SearchPaths): Digest {
  const { environment } = question;
  const asked = { toolchain, invocation, environment, search, native: "", nesting: places.nesting, cwd: question.cwd };
  return manifestKey(asked, (path) => places.portable(path));
}

/** Who asks is at no terminal: what was printed for one is not taken. */
function questionOf({ cwd, request }: CompileAction & { readonly request: CompileRequest }, argv: readonly string[]): CompileQuestion {
  const screen = { stderrIsTerminal: false, stdoutIsTerminal: false, columns: 0 };
  return { key: "", why: "no-record", session: "", ...screen, cwd, compiler: argv[0] ?? "", argv, environment: request.environment };
}

/** @returns how the words lead to another compile than the one that ran */
function otherThan(
  asked: CompileAction & { readonly request: CompileRequest },
  argv: readonly string[],
  invocation: Invocation,
): string | undefined {
  const read = remoteCommand(argv, invocation, () => undefined, hasHeaders(invocation));
  if (read.kind === "local") return read.reason;
  const { options, source, mode, dependencies } = asked;
  if (!isDeepStrictEqual(read.asked, { options, source, mode, dependencies })) return "another command";
  const environment = sentEnvironment({ cwd: asked.cwd, environment: asked.request.environment });
  return isDeepStrictEqual(environment, asked.environment) ? undefined : "another environment";
}

/**
 * Whether a header that the compiler finds by itself could be taken for one of the project's, or the other way round: in another checkout the
 * project's lie elsewhere, and those of the compiler do not.
 */
function isShadowed({ question, projectRoot, invocation }: Understood, { quote, angle, missing, duplicates }: SearchPaths): boolean {
  const places = [question.cwd, projectRoot];
  if (duplicates.length > 0 || places.some((place) => isOfSystem(`${place}/`))) return true;
  const named = new Set(namedBy(invocation.searchArgs, HEADER_DIRECTORY));
  const own = [...quote, ...angle, ...missing].filter((directory) => !named.has(directory)).map((path) => posix.normalize(`${path}/`));
  return own.some((directory) => places.some((place) => isWithin(directory, `${place}/`) || isWithin(`${place}/`, directory)));
}

/** Everything lies in `/`, which is no place. */
function isWithin(path: string, directory: string): boolean {
  return directory !== "//" && directory !== "/" && path.startsWith(directory);
}

/** Whether messages are those of the language that the request speaks, as far as that can be told by what was sent. */
function isPlain({ environment }: CompileQuestion, { stdout, stderr }: Done, look: Look): boolean {
  if (stdout.length + stderr.length === 0) return true;
  if (environment.has("GCC_URLS")) return false;
  const isSpoken = ["LC_ALL", "LC_MESSAGES", "LC_CTYPE", "LANG"].some((name) => !["", "C", "POSIX"].includes(environment.get(name) ?? ""));
  return !isSpoken || (localeFiles(environment, look) ?? []).length > 0;
}

/** An entry of which it is known whether it is for one place only. */
function settled(entry: ManifestEntry, understood: Understood, text: string): ManifestEntry {
  if (!entry.presumed) return entry;
  return tellsPlace(understood, text) ? { ...entry, presumed: false } : withoutPlace(understood.manifest, entry);
}

/** The same result, which is one for every place. */
export function withoutPlace(manifest: string, entry: ManifestEntry): ManifestEntry {
  const action = actionKey(manifest, undefined, entry.terminal, entry.inputs);
  return { ...entry, action, place: undefined, presumed: false };
}
