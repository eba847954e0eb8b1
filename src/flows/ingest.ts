/**
 * After a compiler ran: may what came of it be kept, and as what? Everything here leans to "no": whatever is not certain is not stored,
 * and the reason is counted.
 *
 * Knows: how a run becomes an entry and a result. Does not know: how the result is found again.
 */
import { type Digest, digestOf } from "../base/index.ts";
import { actionKey, type Depfile, depfileTemplate } from "../compile/index.ts";
import type { LocalStore, ManifestEntry, ManifestInput, ResultOutput, StoredResult, Tokens } from "../contracts/index.ts";
import { bondToPlace } from "./bond.ts";
import { Refusal, type Refused, refusedBy } from "./refusal.ts";
import { absolutePath, hasHeaders, type RunReport, type Understood } from "./request.ts";
import { type Reading, readInputs } from "./run-inputs.ts";
import type { WrittenFile } from "./run-outputs.ts";
import type { SourceFacts } from "./source-facts.ts";

/** What clang calls functions for other devices: with the number of the source's inode in it, which no content tells. */
const OFFLOADED = "__omp_offloading_";

export interface Trace extends Reading {
  readonly report: Pick<RunReport, "stdout" | "stderr">;
  /** From `readOutputs`. */
  readonly written: readonly WrittenFile[];
  /** What the user's dependency file says, where there is one that can be read. */
  readonly depfile: Depfile | undefined;
}

/** All of a run that may have changed a moment later, as it was. */
export interface Finding {
  readonly entry: ManifestEntry;
  readonly files: readonly PortableFile[];
}

/** What is kept of a report. */
export type RunFacts = Pick<RunReport, "startNs" | "endNs" | "cpuUs" | "stdout" | "stderr">;

export interface Kept {
  readonly result: StoredResult;
  readonly bytes: number;
}

/** Looks at what a run has read and written: while nobody goes on, for its outputs and inputs may be changed or deleted by who does. */
export async function examine(facts: SourceFacts, trace: Trace): Promise<{ readonly kind: "found"; readonly finding: Finding } | Refused> {
  try {
    return { kind: "found", finding: await find(facts, trace) };
  } catch (error) {
    return refusedBy(error);
  }
}

async function find(facts: SourceFacts, trace: Trace): Promise<Finding> {
  const { understood, report } = trace;
  const { places } = understood;
  const read = await readInputs(facts, trace);
  const files = trace.written.map((file) => portableFile(trace, file));
  if (understood.invocation.keyArgs.some((arg) => arg.includes("openmp")) && files.some(({ content }) => content.includes(OFFLOADED)))
    throw new Refusal("unclear_source", "#pragma omp target");
  const moved = files.filter(({ template }) => !template).map(({ content }) => content);
  const bond = bondToPlace(facts, {
    understood,
    search: trace.search,
    inputs: read.inputs,
    written: [report.stdout, report.stderr, ...moved],
  });
  const place = bond === "none" ? undefined : understood.place;
  const terminal = report.stdout.length + report.stderr.length > 0 ? understood.terminal : undefined;
  const inputs = read.inputs.map(([path, digest]): ManifestInput => ({ path: places.portable(path), digest }));
  const entry: ManifestEntry = {
    action: actionKey(understood.manifest, place, terminal, inputs),
    place,
    presumed: bond === "presumed",
    terminal,
    inputs,
    absent: read.absent.map((path) => places.portable(path)),
  };
  return { entry, files };
}

/** Stores what was found. It may wait: nothing that can have changed is looked at, but by its digest. */
export async function keep(
  store: LocalStore,
  understood: Understood,
  report: RunFacts,
  { files }: Finding,
  signal: AbortSignal,
): Promise<Kept> {
  const outputs: ResultOutput[] = [];
  let bytes = 0;
  for (const { path, role, content, template } of files) {
    const digest = await store.write(content, signal);
    bytes += content.length;
    outputs.push({ path: understood.places.portable(path), digest, size: content.length, role, template });
  }
  return { result: resultOf(outputs, report), bytes };
}

/** Outputs as they would be kept. */
export function outputsOf({ places }: Understood, { files }: Finding): ResultOutput[] {
  return files.map(({ path, role, content, template }) => {
    return { path: places.portable(path), digest: digestOf(content), size: content.length, role, template };
  });
}

/** What is kept of a run whose outputs are known. */
export function resultOf(outputs: readonly ResultOutput[], { stdout, stderr, startNs, endNs, cpuUs }: RunFacts): StoredResult {
  return {
    outputs,
    stdout: stdout.toString("base64"),
    stderr: stderr.toString("base64"),
    compileMs: Number((endNs - startNs) / 1_000_000n),
    cpuMs: Number(cpuUs / 1_000n),
  };
}

/** @property template the content is a template for dependency files */
export interface PortableFile extends WrittenFile {
  readonly template: boolean;
}

/** A dependency file becomes a template for other checkouts, unless it cannot be rewritten exactly. */
function portableFile({ understood, depfile }: Trace, file: WrittenFile): PortableFile {
  const { invocation, places } = understood;
  if (file.role !== "depfile" || depfile === undefined) return { ...file, template: false };
  const template = depfileTemplate(file.content.toString("utf8"), depfile, invocation.family, (name) => places.portable(name));
  return template === undefined
    ? { ...file, template: false }
    : { ...file, content: Buffer.from(JSON.stringify(template), "utf8"), template: true };
}

/** Fingerprints of the project's own files, so that a change of comments can be recognised later. */
export function tokensOfProject(facts: SourceFacts, understood: Understood, { inputs }: ManifestEntry): ReadonlyMap<Digest, Tokens> {
  const tokens = new Map<Digest, Tokens>();
  if (!hasHeaders(understood.invocation)) return tokens;
  for (const { path, digest } of inputs) {
    if (path.startsWith("/")) continue; // A header of the system.
    const found = facts.tokens(absolutePath(understood.question.cwd, understood.places.resolve(path)), digest);
    if (found !== undefined) tokens.set(digest, { exact: found.exact, layout: found.layout });
  }
  return tokens;
}
