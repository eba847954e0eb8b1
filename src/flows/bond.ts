/**
 * Whether what a compiler wrote depends on where its checkout lies. Everything here leans to "certain": then it is that checkout's alone.
 *
 * Knows: how the name of a place gets into an output, and how it hides there. Does not know: the source as the compiler sees it; see
 * prove-place.ts.
 */
import { dirname } from "node:path";
import type { SearchPaths } from "../contracts/index.ts";
import { absolutePath, placesOf, shortensByChance, type Understood } from "./request.ts";
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
  const isNamed = (text: string | Buffer): boolean => here.some((place) => text.includes(place));
  // Of an argument a key has all but where it begins in the checkout: what names the place all the same is no other checkout's.
  if (written.some(isNamed) || invocation.keyArgs.some(isNamed)) return "certain";
  if (isNamedBySource(facts, traces, isNamed)) return "certain";
  return names.some((path) => places.portable(path) !== path) ? "presumed" : "none";
}

/** Whether sources name the place, or files in it: in another checkout the same sources mean those of this one. */
function isNamedBySource(facts: SourceFacts, traces: Traces, isNamed: (text: string) => boolean): boolean {
  const { understood, inputs } = traces;
  const { invocation, question } = understood;
  if (inputs.some(([path]) => path.startsWith("/") && isNamed(path) && !isFound(traces, path))) return true;
  return inputs.some(([path, digest]) => {
    const scan = facts.scan(absolutePath(question.cwd, path), digest);
    if (scan === undefined || (invocation.mapped.length > 0 && scan.absoluteLines)) return true;
    const isOurs = (name: string): boolean => name.startsWith("/") && isNamed(name);
    return [scan.includes, scan.probes, scan.embeds].some((all) => all.some(({ name }) => isOurs(name))) || scan.incbin.some(isOurs);
  });
}

/** Whether a name begins like something that the command names: it goes with that where the checkout lies elsewhere. */
function isFound({ understood, search }: Traces, path: string): boolean {
  const { source, forcedIncludes, inputFiles, responseFiles } = understood.invocation;
  const files = [source, ...forcedIncludes, ...inputFiles.map((file) => file.path), ...responseFiles];
  const directories = [...search.quote, ...search.angle, ...search.missing, ...search.duplicates, ...files.map((file) => dirname(file))];
  return directories.some((at) => at.startsWith("/") && path.startsWith(at.endsWith("/") ? at : `${at}/`));
}
