/**
 * Results that depend on where their checkout lies by nothing but their messages: a warning names its source, and a build gives sources by their
 * absolute paths. In another checkout the same compiler prints the same, with that checkout's name instead.
 *
 * Knows: when that is certain, of another checkout that asks and of every one ahead. Does not know: how entries are found. Everything here leans to
 * "no": then the compiler runs.
 */
import { normalize } from "node:path";
import { type Digest, Generations, limits, ROOT_MARK } from "../base/index.ts";
import { actionKey, placeDigest, placesAt } from "../compile/index.ts";
import type {
  Files,
  LocalStore,
  ManifestEntry,
  ManifestInput,
  ResultIndex,
  Sharing,
  StoredResult,
  Toolchains,
} from "../contracts/index.ts";
import { isBoundElsewhere } from "./bond.ts";
import { inPieces } from "./pieces.ts";
import { isSpelledOtherwise, namesPlace } from "./prove-place.ts";
import { readRemembered } from "./remembered.ts";
import { absolutePath, isOfSystem, placesOf, searchOf, shortensByChance, type Understood } from "./request.ts";
import type { PathAndDigest, SourceFacts } from "./source-facts.ts";
import { responseReader } from "./understand.ts";

export interface MovedMessagesParts {
  readonly files: Files;
  readonly toolchains: Toolchains;
  readonly store: LocalStore;
  readonly index: ResultIndex;
  readonly sharing: Pick<Sharing, "isOthers">;
  readonly facts: SourceFacts;
  /** Whether the files are still those of an entry. */
  readonly isStill: (understood: Understood, entry: ManifestEntry) => boolean;
}

/** An entry, and what it leads to. */
export interface Printed {
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
}

/** Base64. */
export type Messages = Pick<StoredResult, "stdout" | "stderr">;

/** The names of a place, in an order that is the same for each. */
type Names = readonly [cwd: string, projectRoot: string, pwd: string];

/**
 * Messages of a certain width, with paths in a form of their own, without links or shortened by what they have in common with the working directory
 * (clang's remarks), in the order of their paths, or about directories.
 */
const SHAPES_MESSAGES =
  /^-(?:f(?:message-length|diagnostics-(?:format|add-output|parseable|absolute-paths|generate-patch)|no-diagnostics-show)|R|Wmissing-include-dirs)/;
/** What may stand before a path, so that it begins there: nothing, what is no part of a name, a change of colour, an opening quote in UTF-8. */
const BEFORE = /(?:^|[^\w/.~+\-\x80-\xff]|\p{Cc}\[[\d;]*[Km]|\xe2\x80[\x98\x9c])$/u;
/** The same behind it. */
const BEHIND = /^(?:$|[^\w.~+\-\x80-\xff]|\xe2\x80[\x99\x9d])/;
/** Whatever of it {@link BEFORE} has to see. */
const BEFORE_MOST = 16;

export class MovedMessages {
  readonly #parts: MovedMessagesParts;
  readonly #places = new Generations<Digest, Names | null>(limits.messagePlacesRemembered);
  /** Actions whose source was seen not to name its place. */
  readonly #free = new Generations<Digest, true>(limits.proofsWaiting);
  /** Actions that nothing else binds to the place to which they belong, and how that was called then. */
  readonly #unbound = new Generations<Digest, string>(limits.proofsWaiting);

  constructor(parts: MovedMessagesParts) {
    this.#parts = parts;
  }

  /** Somebody compiles there. */
  saw(understood: Understood): void {
    if (!this.#places.get(understood.place)) this.#places.set(understood.place, namesOf(understood));
  }

  /**
   * The same for the place of a request, whose files are those of the entry: as this takes a while, they have to be looked at again.
   * @returns undefined where the compiler has to run
   */
  async move(understood: Understood, printed: Printed, signal: AbortSignal): Promise<Printed | undefined> {
    const { entry, result } = printed;
    if (!this.#mayMove(understood, entry)) return undefined;
    const from = this.#placeOf(understood, entry);
    const moves = from && movesBetween(from, namesOf(understood));
    if (from === undefined || moves === undefined || isSpelledOtherwise(from) || isShortened(understood, entry, from)) return undefined;
    const [stdout, stderr] = [moved(result.stdout, moves), moved(result.stderr, moves)];
    if (stdout === undefined || stderr === undefined) return undefined;
    if ((await this.#isQuoted(understood, inputsBeside(entry), from)) || (await this.#isWritten(result, from, signal))) return undefined;
    const action = actionKey(understood.manifest, understood.place, entry.terminal, entry.inputs);
    const here = { ...entry, action, place: understood.place };
    if (!(await this.#isFree(understood, here, entry.action, false, signal))) return undefined;
    if (this.#parts.index.result(entry.action) === undefined) return undefined; // It does not hold any more.
    return { entry: here, result: { ...result, stdout, stderr } };
  }

  /**
   * What was printed for the request, with a {@link ROOT_MARK} wherever the root of its checkout is named: the same in every checkout. The compiler is
   * asked, so this is for when nobody waits, and who has asked has to look at the files again.
   * @returns undefined where that is not certain; "unanswered" where it may be another time: the preprocessor has told nothing
   */
  async marked(
    understood: Understood,
    { entry, result }: Printed,
    root: string,
    signal: AbortSignal,
  ): Promise<Messages | "unanswered" | undefined> {
    const names = namesOf(understood).filter((name) => name !== "");
    if (!this.#mayMove(understood, entry) || isSpelledOtherwise(names) || names.some((name) => below(name, root) === undefined))
      return undefined;
    const [stdout, stderr] = [marked(result.stdout, root), marked(result.stderr, root)];
    if (stdout === undefined || stderr === undefined) return undefined;
    if ((await this.#isQuoted(understood, entry.inputs, [root])) || (await this.#isWritten(result, [root], signal))) return undefined;
    const isFree = await this.#isFree(understood, entry, entry.action, true, signal);
    if (isFree === undefined) return "unanswered";
    return isFree ? { stdout, stderr } : undefined;
  }

  #mayMove({ question, invocation }: Understood, { action }: ManifestEntry): boolean {
    if (question.stderrIsTerminal || question.stdoutIsTerminal || invocation.hidesPaths) return false;
    return !invocation.keyArgs.some((arg) => SHAPES_MESSAGES.test(arg)) && !this.#parts.sharing.isOthers(action);
  }

  /** Where an entry was made. */
  #placeOf(understood: Understood, { action, place }: ManifestEntry): Names | undefined {
    if (place === undefined) return undefined;
    let names = this.#places.get(place);
    if (names === undefined) {
      names = this.#remembered(understood, action, place) ?? null;
      this.#places.set(place, names);
    }
    return names ?? undefined;
  }

  /** By the history, which knows where the source was: its project's root is as far above it as this one's is. */
  #remembered({ sourcePath, projectRoot }: Understood, action: Digest, place: Digest): Names | undefined {
    const row = this.#parts.index.historyOfAction(action);
    const asked = row && readRemembered(row).asked;
    const below = normalize(sourcePath).slice(projectRoot.length);
    if (row === undefined || asked === undefined || !row.source.endsWith(below)) return undefined;
    const root = row.source.slice(0, -below.length);
    const environment = new Map(asked.environment);
    return placeDigest(asked.cwd, root, environment) === place ? [asked.cwd, root, environment.get("PWD") ?? ""] : undefined;
  }

  /** Whether a source names the place: compilers quote lines, and in another checkout with the same line it stays as it is. */
  async #isQuoted(understood: Understood, inputs: readonly ManifestInput[], from: readonly string[]): Promise<boolean> {
    const names = shortestOf(from);
    let isQuoted = false;
    await inPieces(filesOf(understood, inputs), ([path, digest]) => {
      isQuoted ||= names.some((name) => this.#parts.facts.names(path, digest, name));
    });
    return isQuoted;
  }

  /** Whether something besides the messages names the place. */
  async #isWritten({ outputs }: StoredResult, from: readonly string[], signal: AbortSignal): Promise<boolean> {
    for (const { digest, template } of outputs) {
      if (template) continue;
      const read = await this.#parts.store.read(digest, signal);
      if (read.kind === "miss" || from.some((name) => name !== "" && read.bytes.includes(name))) return true;
    }
    return false;
  }

  /**
   * @param entry of the place of the request
   * @param made the action from which it was made, or its own
   * @param inBackground when nobody waits
   * @returns undefined where the preprocessor gave no answer
   */
  async #isFree(
    understood: Understood,
    entry: ManifestEntry,
    made: Digest,
    inBackground: boolean,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    if (await this.#isBound(understood, entry, signal)) return false;
    const isFree = this.#free.get(made) ?? (await this.#isProven(understood, entry, inBackground, signal));
    if (isFree !== true) return isFree;
    for (const action of [made, entry.action]) this.#free.set(action, true);
    return true;
  }

  async #isProven(understood: Understood, entry: ManifestEntry, inBackground: boolean, signal: AbortSignal): Promise<boolean | undefined> {
    const { files, toolchains } = this.#parts;
    const readText = responseReader(files, understood);
    const isNamed = await namesPlace(toolchains, understood, readText, inBackground, signal);
    if (isNamed !== false) return isNamed === undefined ? undefined : false;
    // The preprocessor must have read what the entry speaks of.
    return this.#parts.isStill(understood, entry);
  }

  /** Whether the place of the request is known by anything but what the preprocessor tells. */
  async #isBound(understood: Understood, { action, inputs }: ManifestEntry, signal: AbortSignal): Promise<boolean> {
    const calledHere = placesOf(understood).join("\0");
    if (this.#unbound.get(action) === calledHere) return false;
    const { facts, toolchains } = this.#parts;
    const search = await searchOf(toolchains, understood, signal);
    // Whatever of that is not known yet.
    await inPieces(filesOf(understood, inputs), ([path, digest]) => isOfSystem(path) || facts.scan(path, digest));
    const named = inputs.map(({ path, digest }) => [understood.places.resolve(path), digest] as const);
    if (isBoundElsewhere(facts, understood, search, named)) return true;
    this.#unbound.set(action, calledHere);
    return false;
  }
}

/** What is not the system's, of which there is much: who waits does not have it read, for nobody's checkout is known there. */
function inputsBeside({ inputs }: ManifestEntry): ManifestInput[] {
  return inputs.filter(({ path }) => !isOfSystem(path));
}

/** Where they are. */
function filesOf({ question, places }: Understood, inputs: readonly ManifestInput[]): PathAndDigest[] {
  return inputs.map(({ path, digest }) => [absolutePath(question.cwd, places.resolve(path)), digest]);
}

/** Of names, those that have no other in them: where one is, its own part is. */
function shortestOf(names: readonly string[]): string[] {
  const all = [...new Set(names)].filter((name) => name !== "");
  return all.filter((name) => !all.some((other) => other !== name && name.includes(other)));
}

/** Whether something outside of the checkouts is named otherwise in one of them. */
function isShortened(understood: Understood, { inputs }: ManifestEntry, [cwd, projectRoot, pwd]: Names): boolean {
  const names = [...inputs.map(({ path }) => path), pwd];
  return [understood.places, placesAt({ cwd, projectRoot })].some((places) => shortensByChance(understood, names, places));
}

function namesOf({ question, projectRoot }: Understood): Names {
  return [question.cwd, projectRoot, question.environment.get("PWD") ?? ""];
}

/** The names of one place with those of the other; undefined where places are nested or named otherwise there. */
export function movesBetween(from: Names, to: Names): ReadonlyMap<string, string> | undefined {
  const moves = new Map<string, string>();
  for (const [i, name] of from.entries()) {
    const other = to[i] ?? "";
    if ((name === "") !== (other === "") || [name, other].some((one) => one === "/")) return undefined;
    if (name === "") continue;
    if ((moves.get(name) ?? other) !== other) return undefined;
    moves.set(name, other);
  }
  // Where one lies below the other, it must be the same way below it there.
  for (const [name, other] of moves)
    for (const [above, otherAbove] of moves) if (below(name, above) !== below(other, otherAbove)) return undefined;
  return moves;
}

/** The part of a path below another one; undefined where it is not. */
function below(path: string, above: string): string | undefined {
  return path === above || path.startsWith(`${above}/`) ? path.slice(above.length) : undefined;
}

/**
 * What was printed, with the places' other names.
 * @param printed base64
 * @returns undefined where it cannot be told whether a name is that of the place
 */
export function moved(printed: string, moves: ReadonlyMap<string, string>): string | undefined {
  const text = Buffer.from(printed, "base64").toString("latin1"); // Byte for byte.
  const names = [...moves.keys()].toSorted((one, other) => other.length - one.length);
  let isClear = true;
  const there = text.replace(new RegExp(names.map((name) => name.replaceAll(/\W/g, "\\$&")).join("|"), "g"), (name, at: number) => {
    const behind = text.slice(at + name.length, at + name.length + BEFORE_MOST);
    isClear &&= BEFORE.test(text.slice(Math.max(0, at - BEFORE_MOST), at)) && BEHIND.test(behind);
    return moves.get(name) ?? name;
  });
  return isClear ? Buffer.from(there, "latin1").toString("base64") : undefined;
}

function marked(printed: string, root: string): string | undefined {
  return Buffer.from(printed, "base64").includes(ROOT_MARK) ? undefined : moved(printed, new Map([[root, ROOT_MARK]]));
}
