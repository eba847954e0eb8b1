/**
 * After a compiler ran: what did it read, what did it write, and may that be kept? Everything here leans to "no": whatever is not
 * certain is not stored, and the reason is counted.
 *
 * Knows: which traces of a run make it safe to repeat its result. Does not know: how the result is found again.
 */
import { type BigIntStats, lstatSync, readFileSync, realpathSync } from "node:fs";
import { normalize } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Digest, limits } from "../base/index.ts";
import { absentLookups, actionKey, depfileTemplate, type PassReason, parseDepfile, type SourceScan } from "../compile/index.ts";
import type {
  Files,
  LocalStore,
  ManifestEntry,
  ManifestInput,
  ResultOutput,
  SearchPaths,
  StoredResult,
  Tokens,
} from "../contracts/index.ts";
import { directoryDigest } from "./look.ts";
import { absolutePath, hasHeaders, placesOf, type Understood } from "./request.ts";
import type { PathAndDigest, SourceFacts } from "./source-facts.ts";

export interface IngestParts {
  readonly files: Files;
  readonly store: LocalStore;
  readonly facts: SourceFacts;
}

/** What the one who ran the compiler tells; all times ns. */
export interface RunReport {
  readonly waitStatus: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly steadyNs: bigint;
  readonly cpuUs: bigint;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** The dependency file, where the `run` asked for one. */
  readonly dependencies: Buffer;
}

export interface Trace {
  readonly understood: Understood;
  readonly report: RunReport;
  /** Text of the complete dependency file; undefined where the language has none. */
  readonly dependencies: string | undefined;
  readonly search: SearchPaths;
  /** From `readOutputs`. */
  readonly written: readonly WrittenFile[];
}

export interface Kept {
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
  readonly tokens: ReadonlyMap<Digest, Tokens>;
  readonly bytes: number;
}

interface Refused {
  readonly kind: "refused";
  readonly reason: PassReason;
  readonly detail: string;
}

export type Ingested = { readonly kind: "kept"; readonly kept: Kept } | Refused;

/** How long one compile may keep the event loop to itself at a stretch. */
const LONGEST_TURN_MS = 10;

const CLOCK_TOLERANCE_NS = 50_000_000n;
const RACY_NS = BigInt(limits.racyWindowMs) * 1_000_000n;

/** A reason not to store, on its way out of the steps below. */
class Refusal extends Error {
  readonly reason: PassReason;
  readonly detail: string;

  constructor(reason: PassReason, detail = "") {
    super(reason);
    this.reason = reason;
    this.detail = detail;
  }
}

export async function ingest(parts: IngestParts, trace: Trace, signal: AbortSignal): Promise<Ingested> {
  try {
    return { kind: "kept", kept: await keep(parts, trace, signal) };
  } catch (error) {
    return refusedBy(error);
  }
}

function refusedBy(error: unknown): Refused {
  if (error instanceof Refusal) return { kind: "refused", reason: error.reason, detail: error.detail };
  throw error;
}

async function keep(parts: IngestParts, trace: Trace, signal: AbortSignal): Promise<Kept> {
  const { understood, report } = trace;
  const { places, invocation } = understood;
  await becomeAcquainted(parts, trace);
  const read = inputsOf(parts, trace);
  const { written } = trace;

  const bond = bondToPlace(understood, report, read, written);
  const outputs: ResultOutput[] = [];
  let bytes = 0;
  for (const file of written) {
    const template = file.role === "depfile" ? templateOf(file.content, understood) : undefined;
    const content = template ?? file.content;
    const digest = await parts.store.write(content, signal);
    bytes += content.length;
    outputs.push({ path: places.portable(file.path), digest, size: content.length, role: file.role, template: template !== undefined });
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

/** A clock that was set while the compiler ran makes "older than the compile" meaningless. */
function checkClock(report: RunReport): void {
  const drift = report.endNs - report.startNs - report.steadyNs;
  if (drift > CLOCK_TOLERANCE_NS || drift < -CLOCK_TOLERANCE_NS) throw new Refusal("clock_stepped", `${drift / 1_000_000n} ms`);
}

/** Reading and scanning hundreds of new headers takes a while: others who ask must not wait for all of it. */
async function becomeAcquainted(parts: IngestParts, trace: Trace): Promise<void> {
  const { cwd } = trace.understood.question;
  let since = performance.now();
  for (const path of dependencyNames(trace)) {
    parts.files.state(absolutePath(cwd, path), (content, digest) => parts.facts.seen(content, digest));
    if (performance.now() - since < LONGEST_TURN_MS) continue;
    await setImmediate();
    since = performance.now();
  }
}

interface ReadFiles {
  /** As the compiler names them; the source first. */
  readonly inputs: PathAndDigest[];
  readonly absent: string[];
}

function inputsOf(parts: IngestParts, trace: Trace): ReadFiles {
  const { understood, report } = trace;
  const { invocation, question } = understood;
  const named = dependencyNames(trace);
  const inputs = new Map<string, Digest>();
  const absent = new Set<string>();
  const add = (path: string): void => {
    if (inputs.has(path)) return;
    const state = parts.files.state(absolutePath(question.cwd, path), (content, digest) => parts.facts.seen(content, digest));
    if (state.kind !== "file") throw new Refusal("input_modified_during_compile", path);
    // A file's ctime cannot be set back: one that is older than the compile has not changed since.
    if (state.changedNs >= report.startNs - RACY_NS) throw new Refusal("input_modified_during_compile", path);
    inputs.set(path, state.digest);
    if (inputs.size > limits.inputs) throw new Refusal("too_large", "inputs");
  };
  for (const path of [invocation.source, ...named, ...invocation.responseFiles]) add(path);
  for (const file of invocation.inputFiles) {
    if (!parts.files.absent(absolutePath(question.cwd, file.path))) add(file.path);
    else if (file.optional) absent.add(file.path);
    else throw new Refusal("input_modified_during_compile", file.path);
  }
  addLookups(parts, trace, { inputs, absent }, add);
  checkWays(trace, inputs.keys());
  checkCopies(parts, understood, inputs);
  return { inputs: [...inputs], absent: [...absent] };
}

/** What was read or looked for without being named in the dependency file. */
function addLookups(
  parts: IngestParts,
  trace: Trace,
  found: { readonly inputs: Map<string, Digest>; readonly absent: Set<string> },
  add: (path: string) => void,
): void {
  const { understood } = trace;
  const { invocation, question } = understood;
  const { inputs, absent } = found;
  const sources = [...inputs.keys()];
  for (const path of embeddedFiles(parts, trace, inputs)) add(path);
  const lookups = absentLookups({
    source: invocation.source,
    forcedIncludes: invocation.forcedIncludes,
    inputs: sources,
    scans: (path) => scanOf(parts, understood, inputs, path),
    search: trace.search,
    cwd: question.cwd,
    exists: (path) => !parts.files.absent(absolutePath(question.cwd, path)),
  });
  if (lookups.unknown) throw new Refusal("computed_lookup", invocation.source);
  if (lookups.appeared) throw new Refusal("input_modified_during_compile", "a directory for headers");
  for (const path of watchedDirectories(trace)) {
    if (parts.files.absent(absolutePath(question.cwd, path))) absent.add(path);
    else inputs.set(path, directoryDigest);
  }
  for (const path of lookups.present) {
    if (parts.files.state(absolutePath(question.cwd, path)).kind === "file") add(path);
    // gcc tries every file in such a directory.
    else if (path.endsWith(".gch")) throw new Refusal("unclear_source", path);
    else inputs.set(path, directoryDigest);
  }
  for (const path of lookups.absent) absent.add(path);
}

/** Asked to, the compiler warns of directories for headers that do not exist. */
function watchedDirectories({ understood, search }: Trace): string[] {
  const asked = understood.invocation.keyArgs.some((arg) => /^-W(missing-include-dirs|everything)$/.test(arg));
  return asked ? [...search.quote, ...search.angle, ...search.duplicates].filter((directory) => !isOfSystem(directory)) : [];
}

/**
 * A link that was turned, or a directory that was moved, while the compiler ran leads to files that are old and yet others.
 * Such a link is new itself; such a directory has a new ctime, but not, like one in which files came and went, a new mtime as well.
 */
function checkWays({ understood, report }: Trace, inputs: Iterable<string>): void {
  const limitNs = report.startNs - RACY_NS;
  const seen = new Set<string>();
  for (const input of inputs) {
    let at = absolutePath(understood.question.cwd, input);
    for (; at.length > 1 && !seen.has(at) && !isOfSystem(at); at = at.slice(0, at.lastIndexOf("/"))) {
      seen.add(at);
      const stats = lstatSync(at, { bigint: true, throwIfNoEntry: false });
      if (stats === undefined) throw new Refusal("input_modified_during_compile", at);
      const moved = stats.isSymbolicLink()
        ? changedNs(stats) >= limitNs
        : stats.isDirectory() && stats.ctimeNs >= limitNs && stats.mtimeNs < limitNs;
      if (moved) throw new Refusal("input_modified_during_compile", at);
    }
  }
}

/**
 * Whether two headers under `#pragma once` with the same content are one depends on their times (gcc) or inodes (clang), which are
 * not part of any key.
 */
function checkCopies(parts: IngestParts, understood: Understood, inputs: ReadonlyMap<string, Digest>): void {
  const first = new Map<Digest, string>();
  for (const [path, digest] of inputs) {
    const at = absolutePath(understood.question.cwd, path);
    if (isOfSystem(at) || parts.facts.scan(at, digest)?.once !== true) continue;
    const real = realpathSync(at);
    const known = first.get(digest);
    if (known !== undefined && known !== `${normalize(at)}\0${real}`) throw new Refusal("unclear_source", path);
    first.set(digest, `${normalize(at)}\0${real}`);
  }
}

/** Nobody changes these under a compile, and everybody reads hundreds of them. */
function isOfSystem(path: string): boolean {
  return path.startsWith("/usr/");
}

function scanOf(parts: IngestParts, understood: Understood, inputs: ReadonlyMap<string, Digest>, path: string): SourceScan | undefined {
  const digest = inputs.get(path);
  return digest === undefined ? undefined : parts.facts.scan(absolutePath(understood.question.cwd, path), digest);
}

function dependencyNames(trace: Trace): string[] {
  if (trace.dependencies === undefined) return [];
  const parsed = parseDepfile(trace.dependencies);
  if (parsed === undefined) throw new Refusal("dependency_file_unreadable");
  return [...parsed.dependencies];
}

/** Files that assembler directives pull in; and the refusal of sources whose result is not a function of their content. */
function embeddedFiles(parts: IngestParts, trace: Trace, inputs: ReadonlyMap<string, Digest>): string[] {
  const { understood } = trace;
  const found: string[] = [];
  for (const path of inputs.keys()) {
    const scan = scanOf(parts, understood, inputs, path);
    if (scan === undefined) throw new Refusal("input_modified_during_compile", path);
    if (scan.unsure) throw new Refusal("unclear_source", path);
    checkTimeMacros(understood, path, scan);
    if (scan.incbinComputed) throw new Refusal("incbin", path);
    if (scan.asmInclude) throw new Refusal("assembler_include", path);
    for (const name of scan.incbin) {
      const candidates = name.startsWith("/")
        ? [name]
        : [name, ...[...trace.search.quote, ...trace.search.angle].map((directory) => `${directory}/${name}`)];
      const existing = candidates.find((candidate) => !parts.files.absent(absolutePath(understood.question.cwd, candidate)));
      // Not there: the name was misread. Not the first: another could appear before it.
      if (existing === undefined || existing !== candidates[0]) throw new Refusal("incbin", name);
      found.push(existing);
    }
  }
  return found;
}

function checkTimeMacros(understood: Understood, path: string, scan: SourceScan): void {
  if (scan.timeMacros.length === 0) return;
  const { toolchain, question } = understood;
  // With a fixed date the compilers that know of it are deterministic again, but for __TIMESTAMP__, which is the file's own time.
  const knowsEpoch = toolchain.family === "gcc" || Number.parseInt(toolchain.version, 10) >= 16;
  const fixed = knowsEpoch && question.environment.has("SOURCE_DATE_EPOCH") && !scan.timeMacros.includes("__TIMESTAMP__");
  if (!fixed) throw new Refusal("time_macro", path);
}

export interface WrittenFile {
  readonly path: string;
  readonly role: ResultOutput["role"];
  readonly content: Buffer;
}

/** To be called before anything that waits: the sooner the outputs are read, the less can have happened to them. */
export function readOutputs(
  understood: Understood,
  report: RunReport,
): { readonly kind: "read"; readonly written: readonly WrittenFile[] } | Refused {
  try {
    checkClock(report); // Or no time below means anything.
    return { kind: "read", written: outputsOf(understood, report) };
  } catch (error) {
    return refusedBy(error);
  }
}

function outputsOf(understood: Understood, report: RunReport): WrittenFile[] {
  const written: WrittenFile[] = [];
  for (const output of understood.invocation.outputs) {
    const path = absolutePath(understood.question.cwd, output.path);
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    const fresh = stats !== undefined && changedNs(stats) >= report.startNs - RACY_NS;
    // A file that an earlier run left is not this run's.
    if (!fresh) throw new Refusal("missing_output", output.path);
    if (!stats.isFile()) throw new Refusal("output_not_regular", output.path);
    if (stats.size > BigInt(limits.blobBytes)) throw new Refusal("too_large", output.path);
    const content = readFileSync(path);
    const after = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    // The asker may not have waited for us, and strip or objcopy have come; or two compiles have written there at once.
    const own = changedNs(stats) <= report.endNs && after !== undefined && sameFile(stats, after) && BigInt(content.length) === stats.size;
    if (!own) throw new Refusal("output_modified", output.path);
    written.push({ path: output.path, role: output.role, content });
  }
  return written;
}

function sameFile(one: BigIntStats, other: BigIntStats): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs;
}

function changedNs(stats: BigIntStats): bigint {
  return stats.ctimeNs > stats.mtimeNs ? stats.ctimeNs : stats.mtimeNs;
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
  written: readonly WrittenFile[],
): "none" | "presumed" | "certain" {
  const { invocation, places } = understood;
  if (invocation.hidesPaths) return "certain";
  const named = (content: Buffer): boolean => placesOf(understood).some((place) => content.includes(place));
  if (named(report.stdout) || named(report.stderr)) return "certain";
  for (const file of written) {
    if (named(file.content) && (file.role !== "depfile" || templateOf(file.content, understood) === undefined)) return "certain";
  }
  return read.inputs.some(([path]) => places.portable(path) !== path) ? "presumed" : "none";
}

/** The dependency file as a template for other checkouts; undefined where it names no place or cannot be rewritten exactly. */
function templateOf(content: Buffer, understood: Understood): Buffer | undefined {
  const { invocation, places } = understood;
  const template = depfileTemplate(content.toString("utf8"), invocation.family, (name) => places.portable(name));
  return template === undefined ? undefined : Buffer.from(JSON.stringify(template), "utf8");
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
