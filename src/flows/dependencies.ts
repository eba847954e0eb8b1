/**
 * Which files a compile has included: from the user's dependency file, ours, or an extra question where the user's leaves some out.
 *
 * Knows: where each kind of dependency file is to be had. Does not know: what the files contain.
 */
import { type Depfile, parseDepfile, preprocessorArgs } from "../compile/index.ts";
import type { Files, Toolchains } from "../contracts/index.ts";
import type { Job } from "./jobs.ts";
import { hasHeaders, type RunReport } from "./request.ts";
import type { WrittenFile } from "./run-outputs.ts";
import { responseReader } from "./understand.ts";

export interface DependenciesParts {
  readonly files: Files;
  readonly toolchains: Pick<Toolchains, "dependencies">;
}

/** The complete list, and what the user's own dependency file says. Undefined where something cannot be read. */
export async function dependenciesOf(
  { files, toolchains }: DependenciesParts,
  { understood, ownDepfile }: Job,
  report: RunReport,
  written: readonly WrittenFile[],
  signal: AbortSignal,
): Promise<{ dependencies: readonly string[]; depfile: Depfile | undefined } | undefined> {
  const { invocation, question } = understood;
  const file = written.find(({ role }) => role === "depfile");
  const depfile = file && parseDepfile(file.content.toString("utf8"));
  if (!hasHeaders(invocation)) return { dependencies: [], depfile };
  if (invocation.depfile?.headers === "user") {
    const args = preprocessorArgs(question.argv, responseReader(files, understood), ["-M"]);
    const text = await toolchains.dependencies(question.compiler, args, question.cwd, question.environment, signal);
    const all = parseDepfile(text ?? "")?.dependencies;
    // What the compile itself has read must be on the list: a header may have gone since.
    const listed = new Set(all);
    const complete = depfile?.dependencies.every((name) => listed.has(name)) === true;
    return all === undefined || !complete ? undefined : { dependencies: all, depfile };
  }
  const complete = ownDepfile ? parseDepfile(report.dependencies.toString("utf8")) : depfile;
  return complete && { dependencies: complete.dependencies, depfile };
}
