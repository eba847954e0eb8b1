/**
 * What another machine made of a compile: is it what the compiler here would have made of the files that are here? Everything here leans to
 * "no": then the compile is done here.
 *
 * Knows: what is looked at. Does not know: who made it, whether it is believed to be what that compiler wrote.
 */
import { normalize } from "node:path";
import { type Depfile, parseDepfile } from "../compile/index.ts";
import type { SearchPaths, WorkerOutcome } from "../contracts/index.ts";
import { examine, type Finding, type RunFacts } from "./ingest.ts";
import type { Look } from "./look.ts";
import { difference, type RemoteInputs } from "./remote-inputs.ts";
import { messageObstacle } from "./remote-messages.ts";
import { absolutePath, hasHeaders, type Understood } from "./request.ts";
import type { WrittenFile } from "./run-outputs.ts";
import type { SourceFacts } from "./source-facts.ts";

/** Bytes of a message that the log shows of a failure elsewhere. */
const MESSAGE_SHOWN = 300;

export type Done = Extract<WorkerOutcome, { kind: "done" }>;

/** What was sent, and what is needed to look at what came of it. */
export interface Sent {
  readonly understood: Understood;
  readonly inputs: RemoteInputs;
  readonly search: SearchPaths;
  /** See Reading. */
  readonly real?: (path: string) => string;
}

export type Judged =
  | { readonly kind: "good"; readonly finding: Finding; readonly report: RunFacts; readonly look: Look; readonly voucher: Done["voucher"] }
  /** @property lasting the same would come of it again @property missed a file that was not sent may be why */
  | { readonly kind: "bad"; readonly reason: string; readonly detail: string; readonly lasting: boolean; readonly missed: boolean };

/** @param look begun after the other machine was done */
export async function judge(facts: SourceFacts, sent: Sent, done: Done, look: Look): Promise<Judged> {
  const { understood, inputs, search, real } = sent;
  // Errors are those of the compiler here.
  if (done.exitCode !== 0)
    return { ...bad("failed", `exit code ${done.exitCode}: ${done.stderr.toString("utf8", 0, MESSAGE_SHOWN)}`), missed: true };
  const strange = messageObstacle(understood.question, [done.stdout, done.stderr], look, (path) => inputs.files.has(path));
  if (strange !== undefined) return bad("messages", strange);
  const files = filesOf(understood, done);
  if (files === undefined) return bad("missing_output", understood.invocation.output ?? "");
  const dependencies = dependenciesOf(sent, files.listed);
  if (dependencies === undefined) return bad("dependency_file_unreadable", "");
  const { written, listed } = files;
  const depfile = understood.invocation.depfile === undefined ? undefined : listed;
  const trace = { understood, report: done, readFromNs: undefined, dependencies, depfile, search, look, written, ...(real && { real }) };
  const examined = await examine(facts, trace);
  if (examined.kind === "refused")
    return { ...bad(examined.reason, examined.detail), lasting: examined.reason !== "input_modified_during_compile" };
  const { finding } = examined;
  const other = difference(inputs, understood, finding.entry);
  if (other !== undefined) return { ...bad("input_differs", other), lasting: false, missed: !wasSent(sent, other) };
  return { kind: "good", finding, report: reportOf(done), look, voucher: done.voucher };
}

function bad(reason: string, detail: string): Extract<Judged, { kind: "bad" }> {
  return { kind: "bad", reason, detail, lasting: true, missed: false };
}

function wasSent({ understood, inputs }: Sent, name: string): boolean {
  return inputs.files.has(normalize(absolutePath(understood.question.cwd, name)));
}

/** How long it took is told by who did it; when does not matter. */
function reportOf({ stdout, stderr, used }: Done): RunFacts {
  const cpuUs = BigInt(Math.round((used.cpuMs ?? used.wallMs) * 1_000));
  return { startNs: 0n, endNs: BigInt(Math.round(used.wallMs)) * 1_000_000n, cpuUs, stdout, stderr };
}

/** @returns undefined where one is missing */
function filesOf(
  { invocation }: Understood,
  { outputs }: Done,
): { readonly written: readonly WrittenFile[]; readonly listed: Depfile | undefined } | undefined {
  const [object, list] = ["object", "dependencies"].map((name) => outputs.find((output) => output.name === name)?.content);
  const written: WrittenFile[] = [];
  for (const { path, role } of invocation.outputs) {
    const content = role === "depfile" ? list : object;
    if (content === undefined) return undefined;
    written.push({ path, role, content });
  }
  return { written, listed: list && parseDepfile(list.toString("utf8")) };
}

/** All that may have been read: where the list leaves out headers of the system, whatever was sent. */
function dependenciesOf({ understood, inputs }: Sent, listed: Depfile | undefined): readonly string[] | undefined {
  const { invocation } = understood;
  if (!hasHeaders(invocation)) return [];
  if (listed === undefined) return undefined;
  return invocation.depfile?.headers === "user" ? [...new Set([...listed.dependencies, ...inputs.names])] : listed.dependencies;
}
