/**
 * After a compiler ran: may what came of it be kept, and as what? Everything here leans to "no": whatever is not certain is not stored,
 * and the reason is counted.
 *
 * Knows: how a run becomes an entry and a result. Does not know: how the result is found again.
 */
import type { Digest } from "../base/index.ts";
import { actionKey, type Depfile, depfileTemplate } from "../compile/index.ts";
import type { LocalStore, ManifestEntry, ManifestInput, ResultOutput, StoredResult, Tokens } from "../contracts/index.ts";
import { type Refused, refusedBy } from "./refusal.ts";
import { absolutePath, hasHeaders, placesOf, type RunReport, type Understood } from "./request.ts";
import { type ReadFiles, type Reading, readInputs } from "./run-inputs.ts";
import type { WrittenFile } from "./run-outputs.ts";
import type { SourceFacts } from "./source-facts.ts";

export interface IngestParts {
  readonly store: LocalStore;
  readonly facts: SourceFacts;
}

export interface Trace extends Reading {
  /** From `readOutputs`. */
  readonly written: readonly WrittenFile[];
  /** What the user's dependency file says, where there is one that can be read. */
  readonly depfile: Depfile | undefined;
}

export interface Kept {
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
  readonly tokens: ReadonlyMap<Digest, Tokens>;
  readonly bytes: number;
}

export type Ingested = { readonly kind: "kept"; readonly kept: Kept } | Refused;

export async function ingest(parts: IngestParts, trace: Trace, signal: AbortSignal): Promise<Ingested> {
  try {
    return { kind: "kept", kept: await keep(parts, trace, signal) };
  } catch (error) {
    return refusedBy(error);
  }
}

async function keep(parts: IngestParts, trace: Trace, signal: AbortSignal): Promise<Kept> {
  const { understood, report } = trace;
  const { places, invocation } = understood;
  const read = await readInputs(parts.facts, trace);
  const files = trace.written.map((file) => portableFile(trace, file));

  const bond = bondToPlace(understood, report, read, files);
  const outputs: ResultOutput[] = [];
  let bytes = 0;
  for (const { path, role, content, template } of files) {
    const digest = await parts.store.write(content, signal);
    bytes += content.length;
    outputs.push({ path: places.portable(path), digest, size: content.length, role, template });
  }
  const printed = report.stdout.length + report.stderr.length > 0;
  const place = bond === "none" ? undefined : understood.place;
  const terminal = printed ? understood.terminal : undefined;
  const inputs = read.inputs.map(([path, digest]): ManifestInput => ({ path: places.portable(path), digest }));
  const entry: ManifestEntry = {
    action: actionKey(understood.manifest, place, terminal, inputs),
    place,
    presumed: bond === "presumed",
    terminal,
    inputs,
    absent: read.absent.map((path) => places.portable(path)),
  };
  const result: StoredResult = {
    outputs,
    stdout: report.stdout.toString("base64"),
    stderr: report.stderr.toString("base64"),
    compileMs: Number((report.endNs - report.startNs) / 1_000_000n),
    cpuMs: Number(report.cpuUs / 1_000n),
  };
  return { entry, result, tokens: hasHeaders(invocation) ? tokensOfProject(parts.facts, understood, read) : new Map(), bytes };
}

/** @property template the content is a template for dependency files */
interface PortableFile extends WrittenFile {
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

/**
 * Whether anything the compiler wrote depends on where the checkout lies. `presumed`: the place cannot be seen in the outputs, but
 * could be folded into code (its length, its hash), as a file that the compiler knows by its absolute path may expand __FILE__.
 * The preprocessed source would tell; see prove-place.ts.
 */
function bondToPlace(
  understood: Understood,
  report: RunReport,
  read: ReadFiles,
  written: readonly PortableFile[],
): "none" | "presumed" | "certain" {
  const { invocation, places } = understood;
  if (invocation.hidesPaths) return "certain";
  const named = (content: Buffer): boolean => placesOf(understood).some((place) => content.includes(place));
  if (named(report.stdout) || named(report.stderr)) return "certain";
  if (written.some((file) => !file.template && named(file.content))) return "certain";
  return read.inputs.some(([path]) => places.portable(path) !== path) ? "presumed" : "none";
}

/** Relative, or below the working directory or the project root: not a header of the system. */
function isOfProject(understood: Understood, path: string): boolean {
  return !path.startsWith("/") || understood.places.portable(path) !== path;
}

/** Fingerprints of the project's own files, so that a change of comments can be recognised later. */
function tokensOfProject(facts: SourceFacts, understood: Understood, read: ReadFiles): Map<Digest, Tokens> {
  const tokens = new Map<Digest, Tokens>();
  for (const [path, digest] of read.inputs) {
    if (!isOfProject(understood, path)) continue;
    const found = facts.tokens(absolutePath(understood.question.cwd, path), digest);
    if (found !== undefined) tokens.set(digest, { exact: found.exact, layout: found.layout });
  }
  return tokens;
}
