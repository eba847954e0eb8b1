/**
 * A hit, made ready for every checkout of this machine: docs/protocol/hot-record.md, "Movable records".
 *
 * Knows: when an answer is the same wherever the checkout lies, and how what it rests on is named there. Everything here leans to "no": then each
 * checkout has to ask. Does not know: how records are written, or when there is time to.
 */
import { dirname, normalize } from "node:path";
import { type Digest, isFitRoot, ROOT_MARK, withoutRoot, withRoot } from "../base/index.ts";
import {
  checkoutRoot,
  type DepfileTemplate,
  type Invocation,
  isQuoted,
  manifestKey,
  movesWithCheckout,
  type Places,
  placesForOnce,
  readInvocation,
  readTemplate,
  upwardsNamed,
} from "../compile/index.ts";
import type { Listings, LocalStore, ManifestEntry, StoredResult } from "../contracts/index.ts";
import { PROJECT_FILE } from "../trust/index.ts";
import { isDangling } from "./dangling.ts";
import { directoryDigest, isUntrusted, type Look } from "./look.ts";
import type { Messages, MovedMessages } from "./moved-messages.ts";
import { absencesOf, type Placement, type PlannedOutput, placementOf, type WatchedAbsence, type WatchedInput } from "./plan.ts";
import { isOfSystem, movedQuestion, namesBeside, type Understood } from "./request.ts";

/** The names in a directory of the checkout that must not exist. */
export interface UnlistedNames {
  readonly directory: string;
  /** Of the directory's listing; undefined where it is not known. */
  readonly digest: Digest | undefined;
  readonly names: readonly string[];
}

/** A dependency file that is written anew in each checkout. */
export interface PlannedRule {
  readonly path: string;
  readonly rule: DepfileTemplate;
}

interface Printed extends Pick<Placement, "stdout" | "stderr"> {
  /** It has a {@link ROOT_MARK} wherever the root is named; otherwise it is the same in every checkout. */
  readonly namesRoot: boolean;
}

/** Paths that begin with {@link ROOT_MARK} lie in the checkout, wherever that is. */
export interface Movable extends Printed, Pick<Placement, "compileMs"> {
  readonly inputs: readonly (WatchedInput | { readonly path: string; readonly digest: Digest })[];
  readonly absences: readonly (WatchedAbsence | UnlistedNames)[];
  readonly outputs: readonly (PlannedOutput | PlannedRule)[];
  /** Of the checkout in which it was made, and the source's path there. Absolute. */
  readonly root: string;
  readonly source: string;
  /** Whose result it is. */
  readonly action: Digest;
}

/** Why an answer is for one checkout alone. */
export type Stays =
  | "no-checkout"
  | "root"
  | "place"
  | "response-files"
  | "outside"
  | "toolchain"
  | "search"
  | "environment"
  | "messages"
  | "unanswered" // They may do another time: the preprocessor has told nothing.
  | "input"
  | "young"
  | "policy"
  | "blob"
  | "quoting"
  | "content"
  | "options"
  | "prefix-maps";

export type Moves = { readonly kind: "moves"; readonly movable: Movable } | { readonly kind: "stays"; readonly why: Stays };

export interface MovableParts {
  readonly store: Pick<LocalStore, "plain" | "read">;
  readonly listings: Listings;
  readonly messages: Pick<MovedMessages, "marked">;
  /** The user's, which is no checkout. */
  readonly homeDirectory: string;
}

/** What somebody was answered, or would be. */
export interface Answered {
  readonly understood: Understood;
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
}

/**
 * Roots of the same commands elsewhere. In the second is all that options may take for the end of a path, but for what no wrapper has in a root that
 * it uses.
 */
const ELSEWHERE = ["/another/checkout.of-the+same~project", "/c,h:e;k@o%u'\"\\t&(s)"] as const;

/** @param look what is seen by it holds for the answer */
export async function movableOf(parts: MovableParts, look: Look, answered: Answered, signal: AbortSignal): Promise<Moves> {
  const { understood, entry } = answered;
  const stays = (why: Stays): Moves => ({ kind: "stays", why });
  const root = checkoutRoot(understood.question.cwd, (path) => !look.absent(path), parts.homeDirectory);
  if (root === undefined) return stays("no-checkout");
  if (!isFitRoot(root)) return stays("root");
  const checkout = new Checkout(root, understood.places);
  const namesRoot = checkout.isNamedBy(answered.result);
  if (entry.presumed || (entry.place !== undefined && !namesRoot)) return stays("place");
  const otherwise = whyCommandStays(checkout, understood);
  if (otherwise !== undefined) return stays(otherwise);
  if (mayBeShortened(checkout, understood, entry)) return stays("prefix-maps");
  if (mayBeNamedByRoot(understood, entry)) return stays("search");
  const policy = policyOf(checkout, look, understood);
  if (typeof policy === "string") return stays(policy);
  const inputs = inputsOf(checkout, look, understood, entry);
  if (typeof inputs === "string") return stays(inputs);
  const absences = missingOf(parts.listings, checkout, look, understood, entry, policy.missing);
  if (typeof absences === "string") return stays(absences);
  const outputs = await outputsOf(parts.store, checkout, answered, signal);
  if (typeof outputs === "string") return stays(outputs);
  const printed = namesRoot ? await markedOf(parts.messages, root, answered, signal) : answered.result;
  if (printed === undefined) return stays("messages");
  if (printed === "unanswered") return stays(printed);
  return {
    kind: "moves",
    movable: {
      outputs,
      stdout: Buffer.from(printed.stdout, "base64"),
      stderr: Buffer.from(printed.stderr, "base64"),
      namesRoot,
      inputs: [...inputs, ...policy.said],
      absences,
      compileMs: answered.result.compileMs,
      root,
      source: normalize(understood.sourcePath),
      action: entry.action,
    },
  };
}

/** What moves, and how paths are named that move with it. */
class Checkout {
  readonly root: string;
  readonly #places: Places;

  constructor(root: string, places: Places) {
    this.root = root;
    this.#places = places;
  }

  isNamedIn(text: string | Buffer): boolean {
    return text.includes(this.root);
  }

  isNamedBy({ stdout, stderr }: Messages): boolean {
    return [stdout, stderr].some((text) => this.isNamedIn(Buffer.from(text, "base64")));
  }

  /** @param path absolute */
  holds(path: string): boolean {
    return path === this.root || path.startsWith(`${this.root}/`);
  }

  /** The directories from the root to one that it holds. @param path absolute, without steps upwards */
  downTo(path: string): string[] {
    return path.length <= this.root.length ? [this.root] : [...this.downTo(dirname(path)), path];
  }

  /** Whether a path moves with the checkout as its text does. @param path absolute */
  moves(path: string): boolean {
    return this.holds(normalize(path)) && withoutRoot(path, this.root) === this.mark(path);
  }

  /** @param path absolute, below the root */
  mark(path: string): string {
    return ROOT_MARK + path.slice(this.root.length);
  }

  /** How a path that moves with its places is named everywhere; undefined of one that names this checkout wherever it is used. */
  spell(portable: string): string | undefined {
    const path = this.#places.resolve(portable);
    if (path !== portable) return this.mark(path);
    return this.holds(path) || path.startsWith(ROOT_MARK) ? undefined : path;
  }
}

function whyCommandStays(checkout: Checkout, understood: Understood): Stays | undefined {
  const { question, invocation, responses, projectRoot, sourcePath, toolchain, search } = understood;
  if (responses.size + invocation.responseFiles.length > 0) return "response-files";
  if (![question.cwd, projectRoot, sourcePath].every((path) => checkout.moves(path))) return "outside";
  const isOutside = (path: string): boolean => path.startsWith("/") && !checkout.isNamedIn(path);
  const { files, absent, earlierOnPath, beside, gccDirectories = [] } = toolchain;
  if (![question.compiler, ...files, ...absent, ...earlierOnPath, ...beside, ...gccDirectories].every(isOutside)) return "toolchain";
  if (![...search.quote, ...search.angle, ...search.missing, ...search.duplicates].every(isOutside)) return "search";
  for (const [name, value] of question.environment) if (!movesWithCheckout(name) && checkout.isNamedIn(value)) return "environment";
  const here = identityOf(understood.manifest, invocation, understood.places);
  return ELSEWHERE.every((root) => identityAt(understood, checkout.root, root) === here) ? undefined : "options";
}

/** What is asked for by the same command in a checkout with another root; undefined where that is not understood. */
function identityAt(understood: Understood, root: string, elsewhere: string): string | undefined {
  const { question, toolchain, projectRoot, search, native } = understood;
  const move = (text: string): string => withRoot(withoutRoot(text, root), elsewhere);
  const { cwd, argv, environment } = movedQuestion(question, move);
  const places = placesForOnce({ cwd, projectRoot: move(projectRoot) });
  const portable = (path: string): string => places.portable(path);
  const reading = readInvocation({ argv, environment, family: toolchain.family }, portable, () => undefined);
  if (reading.kind === "pass") return undefined;
  const { invocation } = reading;
  const manifest = manifestKey({ toolchain, invocation, environment, search, native, nesting: places.nesting, cwd }, portable);
  return identityOf(manifest, invocation, places);
}

function identityOf(manifest: Digest, { outputs }: Invocation, places: Places): string {
  return JSON.stringify([manifest, outputs.map(({ path, role }) => [role, places.portable(path)])]);
}

/** Whether there is a checkout in which a prefix map shortens a name that lies outside of it, as of /p-common where the root is /p. */
function mayBeShortened(checkout: Checkout, understood: Understood, { inputs }: ManifestEntry): boolean {
  if (understood.invocation.mapped.length === 0) return false;
  const names = inputs.map(({ path }) => checkout.spell(path) ?? path);
  return namesBeside(understood, names).some((name) => !checkout.holds(name) && !isOfSystem(name));
}

/** Whether there is a checkout, with a root as short as `/w`, in which gcc names a header otherwise. */
function mayBeNamedByRoot({ invocation, question }: Understood, { inputs }: ManifestEntry): boolean {
  const upwards = upwardsNamed(invocation, question.environment).map((directory) => normalize(directory));
  return upwards.some((directory) => inputs.some(({ path }) => normalize(path).startsWith(directory)));
}

interface Policy {
  readonly said: Movable["inputs"];
  /** Absolute. */
  readonly missing: readonly string[];
}

/** Wherever another checkout may have a project that this one has not, nothing must be said either. */
function policyOf(checkout: Checkout, look: Look, { project, question, sourcePath }: Understood): Policy | Stays {
  const said: { path: string; digest: Digest }[] = [];
  const missing: string[] = [];
  const within = [dirname(normalize(sourcePath)), question.cwd].flatMap((path) => checkout.downTo(path));
  for (const path of new Set([...project.files, ...within.map((at) => `${at}/${PROJECT_FILE}`)])) {
    const state = look.state(path);
    if (!checkout.holds(path)) return "policy";
    if (state.kind === "absent" && !isDangling(path)) missing.push(path);
    else if (state.kind === "file" && project.files.includes(path)) said.push({ path: checkout.mark(path), digest: state.digest });
    else return "policy";
  }
  return { said, missing };
}

function inputsOf(checkout: Checkout, look: Look, { toolchain }: Understood, entry: ManifestEntry): Movable["inputs"] | Stays {
  const inputs: (WatchedInput | { path: string; digest: Digest })[] = [];
  const outside: string[] = [];
  for (const { path, digest } of entry.inputs) {
    const spelled = checkout.spell(path);
    if (spelled === undefined || digest === directoryDigest) return "input";
    if (spelled.startsWith("/")) outside.push(spelled);
    else inputs.push({ path: spelled, digest });
  }
  for (const path of [...outside, ...toolchain.files, ...(toolchain.gccDirectories ?? [])]) {
    const fingerprint = look.fingerprint(path);
    if (fingerprint === undefined || isUntrusted(fingerprint)) return "young";
    inputs.push({ path, fp0: fingerprint.fp0, fp1: fingerprint.fp1 });
  }
  return inputs;
}

function missingOf(
  listings: Listings,
  checkout: Checkout,
  look: Look,
  { places, toolchain }: Understood,
  entry: ManifestEntry,
  unsaid: readonly string[],
): Movable["absences"] | Stays {
  if (entry.absent.some((path) => checkout.spell(path) === undefined)) return "input";
  const absences: (WatchedAbsence | UnlistedNames)[] = [];
  for (const absence of absencesOf(look, places, [entry.absent, toolchain.absent, toolchain.earlierOnPath, unsaid])) {
    const { directory, names } = absence;
    if (!checkout.holds(directory)) absences.push(absence);
    else if (names === undefined) return "input";
    else absences.push({ directory: checkout.mark(directory), digest: listingWithout(listings, directory, names), names });
  }
  return absences;
}

/** Undefined where the listing does not tell that the names are missing. @param names below the directory */
function listingWithout(listings: Listings, directory: string, names: readonly string[]): Digest | undefined {
  const listing = listings.listing(directory);
  return listing && !names.some((name) => listing.names.has(firstOf(name))) ? listing.digest : undefined;
}

/** The first part of a relative path. */
function firstOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path : path.slice(0, slash);
}

async function outputsOf(
  store: MovableParts["store"],
  checkout: Checkout,
  { understood, result }: Answered,
  signal: AbortSignal,
): Promise<Movable["outputs"] | Stays> {
  const placement = await placementOf(store, understood, result, signal);
  if (placement === undefined) return "blob";
  const outputs: (PlannedOutput | PlannedRule)[] = [];
  for (const [i, planned] of placement.outputs.entries()) {
    const stored = result.outputs[i];
    const path = stored && checkout.spell(stored.path);
    if (path === undefined) return "outside";
    if (isQuoted(path)) return "quoting";
    if (!stored?.template) {
      if (planned.content !== undefined && checkout.isNamedIn(planned.content)) return "content";
      outputs.push({ ...planned, path });
      continue;
    }
    const rule = await ruleOf(store, checkout, planned.digest, signal);
    if (typeof rule === "string") return rule;
    outputs.push({ path, rule });
  }
  return outputs;
}

/** An entry that belongs to no place, and has messages that name one, was made where the checkout begins elsewhere. */
async function markedOf(
  messages: MovableParts["messages"],
  root: string,
  { understood, entry, result }: Answered,
  signal: AbortSignal,
): Promise<Messages | "unanswered" | undefined> {
  return entry.place === undefined ? undefined : messages.marked(understood, { entry, result }, root, signal);
}

/** Names of one file, and files of one compile, in a dependency file that somebody else may have made. */
const NAME_MOST = 4_096;
const NAMES_MOST = 0xffff;

async function ruleOf(
  store: MovableParts["store"],
  checkout: Checkout,
  digest: Digest,
  signal: AbortSignal,
): Promise<DepfileTemplate | Stays> {
  const read = await store.read(digest, signal);
  const template = read.kind === "hit" ? readTemplate(read.bytes.toString("utf8")) : undefined;
  if (template === undefined) return "blob";
  const [targets, dependencies, phony] = [template.targets, template.dependencies, template.phony].map((names) =>
    names.map((name) => checkout.spell(name) ?? ""),
  );
  if (targets === undefined || dependencies === undefined || phony === undefined) return "content";
  for (const names of [targets, dependencies, phony]) {
    if (names.length > NAMES_MOST || names.some((name) => name === "" || name.length > NAME_MOST)) return "content";
    if (names.some(isQuoted)) return "quoting";
  }
  return { targets, dependencies, phony, style: template.style };
}
