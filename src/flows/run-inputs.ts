/**
 * What a compiler that ran has read, or looked for and not found: every file that may change its result. Everything here leans to "no":
 * where that cannot be told with certainty, the result is not kept.
 *
 * Knows: where a compiler's reading leaves traces. Does not know: what the result is.
 */
import { lstatSync, realpathSync } from "node:fs";
import { normalize } from "node:path";
import { type Digest, limits } from "../base/index.ts";
import { absentLookups, type SourceScan } from "../compile/index.ts";
import type { SearchPaths } from "../contracts/index.ts";
import { directoryDigest, type Look, parentOf } from "./look.ts";
import { inPieces } from "./pieces.ts";
import { Refusal } from "./refusal.ts";
import { absolutePath, isOfSystem, RACY_NS, type Understood } from "./request.ts";
import type { PathAndDigest, SourceFacts } from "./source-facts.ts";

/** What is known of a run's reading. */
export interface Reading {
  readonly understood: Understood;
  /** What changed later than this may not be what was read, ns; undefined: by content it is known what was. */
  readonly readFromNs: bigint | undefined;
  /** Names from the complete dependency file; none where the language has none. */
  readonly dependencies: readonly string[];
  readonly search: SearchPaths;
  /** Begun after the compiler had ended. */
  readonly look: Look;
  /** A path without links, where the files are not this machine's. */
  readonly real?: (path: string) => string;
}

export interface ReadFiles {
  /** As the compiler names them; the source first. */
  readonly inputs: PathAndDigest[];
  readonly absent: readonly string[];
}

/** @throws {Refusal} where it is not certain what the compiler saw */
export async function readInputs(facts: SourceFacts, reading: Reading): Promise<ReadFiles> {
  await inPieces(reading.dependencies, (path) => reading.look.state(path, facts.seen));
  return inputsOf(facts, reading);
}

function inputsOf(facts: SourceFacts, reading: Reading): ReadFiles {
  const { understood, readFromNs, look } = reading;
  const { invocation } = understood;
  const inputs = new Map<string, Digest>();
  const absent = new Set<string>();
  const add = (path: string): void => {
    if (inputs.has(path)) return;
    const state = look.state(path, facts.seen);
    if (state.kind !== "file") throw new Refusal("input_modified_during_compile", path);
    // A file's ctime cannot be set back: one that is older than the compile has not changed since.
    if (readFromNs !== undefined && state.changedNs >= readFromNs - RACY_NS) throw new Refusal("input_modified_during_compile", path);
    inputs.set(path, state.digest);
    if (inputs.size > limits.inputs) throw new Refusal("too_large", "inputs");
  };
  for (const path of [invocation.source, ...reading.dependencies, ...invocation.responseFiles]) add(path);
  // Other options than those of the key may have been read.
  const changed = [...understood.responses].find(([path, digest]) => inputs.get(path) !== digest);
  if (changed !== undefined) throw new Refusal("input_modified_during_compile", changed[0]);
  for (const file of invocation.inputFiles) {
    if (!look.absent(file.path)) add(file.path);
    else if (file.optional) absent.add(file.path);
    else throw new Refusal("input_modified_during_compile", file.path);
  }
  const lookedFor = addLookups(facts, reading, { inputs, absent }, add);
  checkWays(reading, inputs.keys());
  checkCopies(facts, reading, inputs);
  return { inputs: [...inputs], absent: absent.size === 0 ? lookedFor : [...new Set([...absent, ...lookedFor])] };
}

/** What was read or looked for without being named in the dependency file. @returns where headers were looked for in vain, each path once */
function addLookups(
  facts: SourceFacts,
  reading: Reading,
  found: { readonly inputs: Map<string, Digest>; readonly absent: Set<string> },
  add: (path: string) => void,
): readonly string[] {
  const { understood, look } = reading;
  const { invocation, question } = understood;
  const { inputs, absent } = found;
  const sources = [...inputs.keys()];
  for (const path of embeddedFiles(facts, reading, inputs)) add(path);
  const lookups = absentLookups({
    source: invocation.source,
    forcedIncludes: invocation.forcedIncludes,
    inputs: sources,
    scans: (path) => scanOf(facts, understood, inputs, path),
    search: reading.search,
    embedDirectories: invocation.searchArgs.some((arg) => arg.startsWith("--embed-dir")),
    cwd: question.cwd,
    exists: (path) => !look.absent(path),
  });
  if (lookups.unknown) throw new Refusal("computed_lookup", invocation.source);
  if (lookups.appeared) throw new Refusal("input_modified_during_compile", "a directory for headers");
  for (const path of watchedDirectories(reading)) {
    if (look.absent(path)) absent.add(path);
    else inputs.set(path, directoryDigest);
  }
  for (const path of lookups.present) {
    if (look.state(path).kind === "file") add(path);
    // gcc tries every file in such a directory.
    else if (path.endsWith(".gch")) throw new Refusal("unclear_source", path);
    else inputs.set(path, directoryDigest);
  }
  return lookups.absent;
}

/** Asked to, the compiler warns of directories for headers that do not exist. */
function watchedDirectories({ understood, search }: Reading): string[] {
  const asked = understood.invocation.keyArgs.some((arg) => /^-W(missing-include-dirs|everything)$/.test(arg));
  return asked ? [...search.quote, ...search.angle, ...search.duplicates].filter((directory) => !isOfSystem(directory)) : [];
}

/**
 * A link that was turned, or a directory that was moved, while the compiler ran leads to files that are old and yet others.
 * Such a link is new itself; such a directory has a new ctime, but not, like one in which files came and went, a new mtime as well.
 */
function checkWays({ understood, readFromNs }: Reading, inputs: Iterable<string>): void {
  if (readFromNs === undefined) return;
  const limitMs = Number(readFromNs - RACY_NS) / 1e6;
  const seen = new Set<string>();
  for (const input of inputs) {
    // Each way once: whose directory was looked at has been looked at up to the root.
    for (let at = absolutePath(understood.question.cwd, input); at.length > 1 && !isOfSystem(at) && !seen.has(at); at = parentOf(at)) {
      seen.add(at);
      const stats = lstatSync(at, { throwIfNoEntry: false });
      if (stats === undefined) throw new Refusal("input_modified_during_compile", at);
      const moved = stats.isSymbolicLink()
        ? Math.max(stats.ctimeMs, stats.mtimeMs) >= limitMs
        : stats.isDirectory() && stats.ctimeMs >= limitMs && stats.mtimeMs < limitMs;
      if (moved) throw new Refusal("input_modified_during_compile", at);
    }
  }
}

/**
 * Whether two headers under `#pragma once` with the same content are one depends on their times (gcc) or inodes (clang), which are
 * not part of any key.
 */
function checkCopies(facts: SourceFacts, { understood, real: realOf = realpathSync }: Reading, inputs: ReadonlyMap<string, Digest>): void {
  const first = new Map<Digest, string>();
  for (const [path, digest] of inputs) {
    const at = absolutePath(understood.question.cwd, path);
    if (isOfSystem(at) || facts.scan(at, digest)?.once !== true) continue;
    const real = realOf(at);
    const known = first.get(digest);
    if (known !== undefined && known !== `${normalize(at)}\0${real}`) throw new Refusal("unclear_source", path);
    first.set(digest, `${normalize(at)}\0${real}`);
  }
}

function scanOf(facts: SourceFacts, understood: Understood, inputs: ReadonlyMap<string, Digest>, path: string): SourceScan | undefined {
  const digest = inputs.get(path);
  return digest === undefined ? undefined : facts.scan(absolutePath(understood.question.cwd, path), digest);
}

/** Files that assembler directives pull in; and the refusal of sources whose result is not a function of their content. */
function embeddedFiles(facts: SourceFacts, reading: Reading, inputs: ReadonlyMap<string, Digest>): string[] {
  const { understood, search, look } = reading;
  const found: string[] = [];
  for (const path of inputs.keys()) {
    const scan = scanOf(facts, understood, inputs, path);
    if (scan === undefined) throw new Refusal("input_modified_during_compile", path);
    if (scan.unsure) throw new Refusal("unclear_source", path);
    checkTimeMacros(understood, path, scan);
    if (scan.incbinComputed) throw new Refusal("incbin", path);
    if (scan.asmInclude) throw new Refusal("assembler_include", path);
    for (const name of scan.incbin) {
      const candidates = name.startsWith("/")
        ? [name]
        : [name, ...[...search.quote, ...search.angle].map((directory) => `${directory}/${name}`)];
      const existing = candidates.find((candidate) => !look.absent(candidate));
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
