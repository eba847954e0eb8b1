/**
 * Whether what a compiler wrote depends on where its checkout lies. Everything here leans to "certain": then it is that checkout's alone.
 *
 * Knows: how the name of a place gets into an output, and how it hides there. Does not know: the source as the compiler sees it; see
 * prove-place.ts.
 */
import { dirname, normalize } from "node:path";
import { type Invocation, isCompressed, type SourceScan } from "../compile/index.ts";
import type { SearchPaths } from "../contracts/index.ts";
import { directoryDigest } from "./look.ts";
import { absolutePath, isOfSystem, placesOf, shortensByChance, type Understood } from "./request.ts";
import type { PathAndDigest, SourceFacts } from "./source-facts.ts";

/** What is known of a compile that has run. */
export interface Traces {
  readonly understood: Understood;
  readonly search: SearchPaths;
  /** As the compiler names them. */
  readonly inputs: readonly PathAndDigest[];
  /** Messages, and outputs that are not written anew for each checkout. */
  readonly written: readonly Buffer[];
}

/**
 * `presumed`: the place cannot be seen in the outputs, but could be folded into code (its length, its hash), as a file that the compiler knows by
 * its absolute path may expand __FILE__. The preprocessed source would tell.
 */
export type Bond = "none" | "presumed" | "certain";

export function bondToPlace(facts: SourceFacts, traces: Traces): Bond {
  const { understood, inputs, written } = traces;
  const { invocation, places } = understood;
  const names = inputs.map(([path]) => path);
  if (invocation.hidesPaths || shortensByChance(understood, names)) return "certain";
  const here = placesOf(understood);
  // An assembler may have been built to compress what debuggers read, unasked.
  if (written.some((content) => here.some((place) => content.includes(place)) || (invocation.lineInfo && isCompressed(content))))
    return "certain";
  if (isNamedByCommand(invocation, here) || isNamedBySource(facts, traces, here)) return "certain";
  return names.some((path) => places.portable(path) !== path) ? "presumed" : "none";
}

/** Of its paths a key has only where they lie in the checkout: what names the place in another way names it in every checkout. */
function isNamedByCommand({ keyArgs }: Invocation, here: readonly string[]): boolean {
  return here.some((place) => {
    const begins = new RegExp(`(?<![\\w/.~+\\-\\x80-\\uffff])${place.replaceAll(/\W/g, "\\$&")}`);
    return keyArgs.some((arg) => arg.includes(place) && begins.test(arg));
  });
}

/** Whether sources name the place, or files in it: in another checkout the same sources mean those of this one. */
function isNamedBySource(facts: SourceFacts, traces: Traces, here: readonly string[]): boolean {
  const { understood, inputs } = traces;
  const { invocation, question } = understood;
  const isHere = (name: string): boolean => name.startsWith("/") && here.some((place) => name.startsWith(`${place}/`));
  const isFound = foundBy(traces);
  if (inputs.some(([path]) => isHere(path) && !isFound(path))) return true;
  const files = inputs
    .filter(([, digest]) => digest !== directoryDigest)
    .map(([path, digest]): PathAndDigest => [absolutePath(question.cwd, path), digest])
    .filter(([path]) => !isOfSystem(path));
  const scans = files.map(([path, digest]) => facts.scan(path, digest));
  const names = ({ includes, probes, embeds, incbin }: SourceScan): boolean =>
    [includes, probes, embeds].some((all) => all.some(({ name }) => isHere(name))) || incbin.some(isHere);
  if (scans.some((scan) => scan === undefined || (invocation.mapped.length > 0 && scan.absoluteLines) || names(scan))) return true;
  // What macros make of a name looks like what the command names, where that is absolute, too.
  const isComputed = scans.some((scan) => scan?.includes.some(({ form }) => form === "computed"));
  return isComputed && files.some(([path, digest]) => here.some((place) => facts.names(path, digest, place)));
}

/**
 * Whether something besides messages depends on where another checkout lies, in which the same was compiled with the same files.
 *
 * @param search of this one
 * @param inputs as they are here
 */
export function isBoundElsewhere(
  facts: SourceFacts,
  understood: Understood,
  search: SearchPaths,
  inputs: readonly PathAndDigest[],
): boolean {
  const traces = { understood, search, inputs, written: [] };
  const isFound = foundBy(traces);
  const isStrange = (path: string): boolean => path.startsWith("/") && !isOfSystem(path) && !isFound(path);
  return bondToPlace(facts, traces) === "certain" || inputs.some(([path]) => isStrange(path));
}

/** Whether a name begins like something that the command names: it goes with that where the checkout lies elsewhere. */
function foundBy({ understood, search }: Pick<Traces, "understood" | "search">): (path: string) => boolean {
  const { source, forcedIncludes, inputFiles, responseFiles } = understood.invocation;
  const files = [source, ...forcedIncludes, ...inputFiles.map((file) => file.path), ...responseFiles];
  const directories = [...search.quote, ...search.angle, ...search.missing, ...search.duplicates, ...files.map((file) => dirname(file))];
  // gcc leaves steps upwards out of names, where they are not below a link.
  const names = directories.filter((at) => at.startsWith("/")).flatMap((at) => [at, normalize(at)]);
  const begins = [...new Set(names.map((name) => (name.endsWith("/") ? name : `${name}/`)))];
  return (path) => begins.some((begin) => path.startsWith(begin));
}
