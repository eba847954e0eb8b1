/**
 * Is there a result for this request? Walks the entries of its manifest and holds each against the files as they are now.
 *
 * Knows: what makes an entry fit, and how near an entry that does not fit came.
 * Does not know: what the answer is used for.
 */
import type { Digest } from "../base/index.ts";
import type { Invocation } from "../compile/index.ts";
import type { FileState, ManifestEntry, ResultIndex, Sharing, StoredResult } from "../contracts/index.ts";
import { type Difference, mostDifferences } from "./differences.ts";
import { directoryDigest, type Look } from "./look.ts";
import type { Printed } from "./moved-messages.ts";
import { absolutePath, hasHeaders, shortensByChance, type Understood } from "./request.ts";
import type { PathAndDigest, SourceFacts } from "./source-facts.ts";

/** What can bring a line or column into an output by way of a macro. */
const LINE_ROOTS = ["__LINE__", "__PRETTY_FUNCTION__", "__builtin_LINE", "__builtin_COLUMN", "__COUNTER__"];

/** Of one request, made in so many places. */
const PRINTED_MOST = 4;

export interface FindParts {
  readonly index: ResultIndex;
  readonly sharing: Pick<Sharing, "mayUse">;
  readonly facts: SourceFacts;
}

export type Found =
  | { readonly kind: "hit"; readonly how: "direct" | "equivalent"; readonly entry: ManifestEntry; readonly result: StoredResult }
  /** An entry that fits but for its place, which is only presumed to matter. */
  | { readonly kind: "presumed"; readonly entry: ManifestEntry; readonly result: StoredResult }
  /**
   * @property nearest how the nearest entry differs; undefined where nothing is known of this request
   * @property printed entries that fit but for their place, where the compiler has printed something
   */
  | { readonly kind: "miss"; readonly nearest: readonly Difference[] | undefined; readonly printed: readonly Printed[] };

/** An input whose content is no longer what the entry names. */
interface Changed {
  readonly path: string;
  readonly before: Digest;
  readonly after: Digest;
}

interface Comparison {
  readonly differences: Difference[];
  /** The contents that changed, when nothing else did; otherwise undefined. */
  readonly changed: Changed[] | undefined;
}

export function find(parts: FindParts, look: Look, understood: Understood): Found {
  let nearest: Difference[] | undefined;
  let presumed: ManifestEntry | undefined;
  const printed: Printed[] = [];
  const nearly: { entry: ManifestEntry; changed: Changed[] }[] = [];
  for (const entry of parts.index.entries(understood.manifest)) {
    const comparison = compare(look, understood, entry);
    if (comparison.differences.length === 0) {
      const result = resultOf(parts, understood, entry);
      if (result !== undefined) return { kind: "hit", how: "direct", entry, result };
      continue;
    }
    if (comparison.differences.length === 1 && comparison.differences[0]?.kind === "directory") {
      if (entry.presumed) presumed ??= entry;
      else if (entry.terminal !== undefined && printed.length < PRINTED_MOST) printed.push(...withResult(parts, understood, entry));
    }
    if (nearest === undefined || comparison.differences.length < nearest.length) nearest = comparison.differences;
    if (comparison.changed !== undefined) nearly.push({ entry, changed: comparison.changed });
  }
  const elsewhere = presumed && resultOf(parts, understood, presumed);
  if (presumed !== undefined && elsewhere !== undefined) return { kind: "presumed", entry: presumed, result: elsewhere };
  for (const { entry, changed } of nearly) {
    const result = resultOf(parts, understood, entry);
    if (result === undefined || !indistinguishable(parts, understood, entry, result, changed)) continue;
    const now = new Map(changed.map(({ path, after }) => [path, after]));
    const inputs = entry.inputs.map((input) => ({ path: input.path, digest: now.get(input.path) ?? input.digest }));
    return { kind: "hit", how: "equivalent", entry: { ...entry, inputs }, result };
  }
  return { kind: "miss", nearest, printed };
}

function withResult(parts: FindParts, understood: Understood, entry: ManifestEntry): Printed[] {
  const result = resultOf(parts, understood, entry);
  return result === undefined ? [] : [{ entry, result }];
}

/** What others have sent is in the index, too, and only who asks knows where outputs belong, and how much its project wants to be vouched for. */
function resultOf({ index, sharing }: FindParts, understood: Understood, entry: ManifestEntry): StoredResult | undefined {
  const result = index.result(entry.action);
  if (result === undefined || !belongs(understood, result)) return undefined;
  return sharing.mayUse(understood.manifest, entry, understood.project.sharing) ? result : undefined;
}

/** Whether all outputs of a result are written where this request's are, each once, and nowhere else. */
export function belongs({ invocation, places }: Understood, { outputs }: StoredResult): boolean {
  const wanted = new Set(invocation.outputs.map(({ path, role }) => `${role} ${places.portable(path)}`));
  return outputs.every(({ path, role }) => wanted.delete(`${role} ${path}`));
}

/** How an entry differs from what is now; it fits where it does not differ. */
export function compare(look: Look, understood: Understood, entry: ManifestEntry): Comparison {
  const { places } = understood;
  const differences: Difference[] = [];
  const changed: Changed[] = [];
  if (isOfOtherPlace(understood, entry)) differences.push({ kind: "directory", name: understood.question.cwd });
  if (entry.terminal !== undefined && entry.terminal !== understood.terminal)
    differences.push({ kind: "terminal", name: "width, colours or language" });
  const all = look.sought(places, entry.absent);
  // Hundreds of them, of which an iterator would make two objects each.
  for (let i = 0; i < all.length; i++) {
    const sought = all[i];
    if (sought === undefined || look.isMissing(sought)) continue;
    differences.push({ kind: "appeared", name: places.resolve(entry.absent[i] ?? "") });
    if (differences.length >= mostDifferences) return { differences, changed: undefined };
  }
  const onlyContents = differences.length === 0;
  for (const input of entry.inputs) {
    const path = places.resolve(input.path);
    const state = look.state(path);
    if (state.kind === "file" ? state.digest === input.digest : state.kind === "other" && input.digest === directoryDigest) continue;
    if (state.kind === "file") changed.push({ path: input.path, before: input.digest, after: state.digest });
    differences.push(inputDifference(path, input.digest, state));
    if (differences.length >= mostDifferences) return { differences, changed: undefined };
  }
  return { differences, changed: onlyContents && changed.length === differences.length ? changed : undefined };
}

function isOfOtherPlace(understood: Understood, { place, inputs }: ManifestEntry): boolean {
  if (place !== undefined) return place !== understood.place;
  if (understood.invocation.mapped.length === 0) return false;
  return shortensByChance(
    understood,
    inputs.map(({ path }) => path),
  );
}

function inputDifference(name: string, before: Digest, state: FileState): Difference {
  if (state.kind !== "file") return { kind: "missing", name, before };
  return { kind: "input", name, before, after: state.digest };
}

/**
 * True when the changed files consist of the same tokens as before and nothing in this compile can tell the difference:
 * comments, blank lines, white space. The compiler is not asked.
 */
function indistinguishable(
  parts: FindParts,
  understood: Understood,
  entry: ManifestEntry,
  result: StoredResult,
  changed: readonly Changed[],
): boolean {
  const { invocation } = understood;
  if (invocation.contentInfo || result.stderr !== "" || result.stdout !== "" || !hasTokens(invocation)) return false;
  const moved: PathAndDigest[] = []; // Same tokens on other lines or columns.
  for (const { path, before, after } of changed) {
    const old = parts.index.tokens(before);
    const now = parts.facts.tokens(absolute(understood, path), after);
    if (old === undefined || now === undefined) return false;
    if (old.exact === now.exact) continue;
    if (invocation.lineInfo || old.layout !== now.layout) return false;
    moved.push([absolute(understood, path), after]);
  }
  if (moved.length === 0) return true;
  // clang's __PRETTY_FUNCTION__ names lambdas and unnamed types by line and column, wherever a template is made of them.
  if (invocation.family === "clang" && invocation.language.endsWith("++")) return false;
  const after = new Map(changed.map((change) => [change.path, change.after]));
  const inputs = entry.inputs.map((input): PathAndDigest => [absolute(understood, input.path), after.get(input.path) ?? input.digest]);
  return !parts.facts.mentions(moved, inputs, LINE_ROOTS, invocation.defines);
}

function absolute(understood: Understood, portable: string): string {
  return absolutePath(understood.question.cwd, understood.places.resolve(portable));
}

/** Strict C90 knows no `//`; some warnings are about white space and comments themselves; clang's byte code counts bytes. */
const READS_COMMENTS =
  /^(-ansi|--ansi|--?std=(c89|c90|iso9899:199.*)|-flto.*|-W(implicit-fallthrough=1|trailing-whitespace.*|leading-whitespace.*|everything|documentation.*|comment))$/;

/** Tokens are those of C and its relatives: assembler has its own comments. */
function hasTokens(invocation: Invocation): boolean {
  if (!hasHeaders(invocation) || invocation.language === "assembler-with-cpp") return false;
  return !invocation.keyArgs.some((arg) => READS_COMMENTS.test(arg));
}
