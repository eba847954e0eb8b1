/**
 * What the project demands for which something is asked: looked up in the checkout for each question, like any other file that matters to it.
 *
 * Knows: where the file lies, and that the strictest of several counts. Does not know: what follows from it.
 */
import { type Digest, Generations, limits, type SharingPolicy } from "../base/index.ts";
import { projectRoot } from "../compile/index.ts";
import type { FileState, Files } from "../contracts/index.ts";
import { PROJECT_FILE, type ProjectDemand, readProjectFile, sharingUnder } from "../trust/index.ts";
import { isDangling } from "./dangling.ts";

export interface ProjectPolicy {
  /** Where it is said, or would be; absolute. Whoever answers for longer watches these. */
  readonly files: readonly string[];
  /** Undefined where nothing is demanded. */
  readonly sharing: SharingPolicy | undefined;
  /** The file that demands it, and why that was not understood; "" where there is none, and where it was. */
  readonly by: string;
  readonly trouble: string;
}

/** Of what belongs to no project. */
export const NO_PROJECT: ProjectPolicy = { files: [], sharing: undefined, by: "", trouble: "" };

/** What files say that were read. */
const known = new Generations<Digest, ProjectDemand>(limits.placesRemembered);

/** @param roots of the projects to which it belongs */
export function projectPolicy(files: Pick<Files, "content">, look: Pick<Files, "state">, roots: readonly string[]): ProjectPolicy {
  const paths = [...new Set(roots)].map((root) => `${root === "/" ? "" : root}/${PROJECT_FILE}`);
  let strictest: ProjectPolicy = { ...NO_PROJECT, files: paths };
  for (const path of paths) {
    const state = look.state(path);
    // A link that leads nowhere is somebody's word, too, and nobody can say which.
    if (state.kind === "absent" && !isDangling(path)) continue;
    const { sharing, trouble } = demandOf(files, path, state);
    const isStricter = strictest.sharing === undefined || sharingUnder({}, strictest.sharing, sharing) !== strictest.sharing;
    if (sharing !== undefined && isStricter) strictest = { files: paths, sharing, by: path, trouble };
  }
  return strictest;
}

/** Of the projects that files belong to. @param paths absolute @param homeDirectory of the user, which is no project */
export function projectPolicyOf(
  files: Pick<Files, "content">,
  look: Pick<Files, "state" | "absent">,
  paths: readonly string[],
  homeDirectory: string,
): ProjectPolicy {
  const roots = paths.map((path) => projectRoot(path, (at) => !look.absent(at), homeDirectory));
  return projectPolicy(files, look, roots);
}

function demandOf(files: Pick<Files, "content">, path: string, state: FileState): ProjectDemand {
  if (state.kind !== "file") return readProjectFile(undefined);
  const before = known.get(state.digest);
  if (before !== undefined) return before;
  const content = files.content(path, state.digest);
  const demand = readProjectFile(content?.toString("utf8"));
  if (content !== undefined) known.set(state.digest, demand);
  return demand;
}
